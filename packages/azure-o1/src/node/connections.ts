import { buildConnector } from "@effect/platform-node/Undici"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Formatter from "effect/Formatter"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { X509Certificate } from "node:crypto"
import * as tls from "node:tls"
import type { O1Observation } from "../O1Observation.ts"
import { ignoringContinues } from "./continues.ts"
import type { HttpClientOptions } from "./options.ts"
import * as proxies from "./proxies.ts"
import { tunnel } from "./tunnel.ts"

const textOf = (value: string | Redacted.Redacted): string => Redacted.isRedacted(value) ? Redacted.value(value) : value

const bad = (option: string, problem: string): RangeError => new RangeError(`AzureO1: ${option} ${problem}`)

const connectTimeoutOf = ({ connectTimeout = "10 seconds" }: HttpClientOptions): number => {
  const limit = Duration.fromInput(connectTimeout).pipe(
    Option.filter((limit) => Duration.isPositive(limit) && Duration.isFinite(limit))
  )
  if (Option.isSome(limit)) return Duration.toMillis(limit.value)
  throw bad("connectTimeout", `must be a finite duration > 0, got ${Formatter.format(connectTimeout)}`)
}

/** How many sockets there may be to one host. */
export const maxSocketsOf = ({ maxSockets }: HttpClientOptions): number | undefined => {
  if (maxSockets === undefined || (Number.isSafeInteger(maxSockets) && maxSockets > 0)) return maxSockets
  throw bad("maxSockets", `must be an integer > 0, got ${Formatter.format(maxSockets)}`)
}

const proxiesOf = ({ proxy }: HttpClientOptions, environment: NodeJS.ProcessEnv): proxies.Proxies => {
  if (proxy === false) return proxies.none
  if (proxy === undefined) {
    const found = proxies.environmentProblems(environment)
    if (found.length > 0) throw new RangeError(found.join("; "))
    return proxies.fromEnvironment(environment)
  }
  const address = textOf(proxy)
  const problem = proxies.proxyProblem(address)
  if (problem !== undefined) throw bad("proxy", problem)
  const url = proxies.proxyUrl(address)
  return () => url
}

/** Node passes over what it cannot read. */
const isPem = (certificates: string): boolean => {
  const each = certificates.split(/(?=-----BEGIN CERTIFICATE-----)/).filter((part) => part.trim() !== "")
  try {
    return each.length > 0 && each.every((pem) => new X509Certificate(pem).subject !== undefined)
  } catch {
    return false
  }
}

const tlsOf = ({ ca, clientCertificate }: HttpClientOptions): tls.SecureContextOptions => {
  const authorities = ca === undefined ? [] : typeof ca === "string" ? [ca] : ca
  if (!authorities.every(isPem)) throw bad("ca", "must be PEM: -----BEGIN CERTIFICATE-----")
  const options: tls.SecureContextOptions = {
    ...authorities.length === 0 ? {} : { ca: [...tls.getCACertificates("default"), ...authorities] },
    ...clientCertificate === undefined ? {} : {
      cert: clientCertificate.cert,
      key: textOf(clientCertificate.key),
      ...clientCertificate.passphrase === undefined ? {} : { passphrase: textOf(clientCertificate.passphrase) }
    }
  }
  try {
    if (clientCertificate !== undefined) tls.createSecureContext(options)
  } catch {
    throw bad("clientCertificate", "must be PEM: -----BEGIN CERTIFICATE-----, and the key that belongs to it")
  }
  return options
}

/** Makes connections: directly or through a proxy, with TLS where the target has it. */
export const connector = (options: HttpClientOptions, environment: NodeJS.ProcessEnv): buildConnector.connector => {
  const timeout = connectTimeoutOf(options)
  const proxyOf = proxiesOf(options, environment)
  const tls = tlsOf(options)
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: 60_000 }
  // streams that share a connection would end with it
  const direct = buildConnector({ ...tls, ...keepAlive, timeout, allowH2: false })
  return (target, callback) => {
    const settle: typeof callback = (...[error, socket]) =>
      error === null ? callback(null, ignoringContinues(socket)) : callback(error, null)
    const proxy = proxyOf(target)
    if (proxy === undefined) return direct(target, settle)
    tunnel(proxy, target, { timeout, tls }, (...[error, socket]) => {
      if (error !== null) return settle(error, null)
      if (target.protocol === "https:") return direct({ ...target, httpSocket: socket }, settle)
      settle(null, socket.setNoDelay(true).setKeepAlive(true, keepAlive.keepAliveInitialDelay))
    })
  }
}

/** Tells of each connection how long it took. */
export const observed = (
  connect: buildConnector.connector,
  observer: (observation: O1Observation) => void,
  clock: Clock.Clock
): buildConnector.connector =>
(options, callback) => {
  const startedAt = clock.monotonicTimeNanosUnsafe()
  connect(options, (...result) => {
    const duration = Duration.nanos(clock.monotonicTimeNanosUnsafe() - startedAt)
    const origin = `${options.protocol}//${options.hostname}${options.port === "" ? "" : `:${options.port}`}`
    observer({ _tag: "Connection", origin, duration, failed: result[0] !== null })
    callback(...result)
  })
}
