import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { brokenStep } from "./access.ts"
import { describe, fail, pass, skipped, warn } from "./finding.ts"
import type { Finding } from "./model.ts"
import { type Certificate, type Network, NetworkFailure } from "./network.ts"
import type { Probe } from "./probe.ts"

/** What became of a step; `undefined` if it was not taken. */
type Step<A> = Result.Result<A, NetworkFailure> | undefined

/** What a look below HTTP found. */
export interface Steps {
  readonly dns: Step<ReadonlyArray<string>>
  readonly tcp: Step<void>
  readonly tls: Step<Certificate>
}

export const notLooked: Steps = { dns: undefined, tcp: undefined, tls: undefined }

/** One step takes no longer than this. */
const stepLimit = Duration.seconds(5)

const bounded = <A>(
  step: Effect.Effect<A, NetworkFailure>,
  limit: Duration.Duration
): Effect.Effect<Result.Result<A, NetworkFailure>> => {
  const duration = Duration.min(Duration.times(limit, 1 / 3), stepLimit)
  const late = new NetworkFailure({ code: "ETIMEDOUT", detail: `nothing came within ${Duration.format(duration)}` })
  return step.pipe(
    Effect.timeoutOrElse({ duration, orElse: () => Effect.fail(late) }),
    Effect.catchDefect((defect) => Effect.fail(new NetworkFailure({ code: undefined, detail: describe(defect) }))),
    Effect.result
  )
}

/** Goes the way to the endpoint step by step, up to the first that fails. */
export const look = (network: Network, endpoint: string, limit: Duration.Duration): Effect.Effect<Steps> =>
  Effect.gen(function*() {
    const { hostname, port, protocol } = new URL(endpoint)
    const host = hostname.replace(/^\[(.*)\]$/, "$1")
    const secure = protocol === "https:"
    const number = port === "" ? secure ? 443 : 80 : Number(port)
    const dns = yield* bounded(Effect.suspend(() => network.resolve(host)), limit)
    if (Result.isFailure(dns)) return { ...notLooked, dns }
    const tcp = yield* bounded(Effect.suspend(() => network.connect(host, number)), limit)
    if (Result.isFailure(tcp) || !secure) return { ...notLooked, dns, tcp }
    const tls = yield* bounded(Effect.suspend(() => network.secure(host, number)), limit)
    return { dns, tcp, tls }
  })

type Check = "dns" | "tcp" | "tls"

const failures: { readonly [C in Check]: { readonly message: (host: string) => string; readonly fix: string } } = {
  dns: {
    message: (host) => `The name ${host} is not known.`,
    fix:
      "Check the endpoint for a misspelt resource name; with a private endpoint, that its DNS zone is linked to this network."
  },
  tcp: {
    message: (host) => `${host} does not take connections.`,
    fix: "Check the endpoint's port, firewalls in between, and that outgoing connections do not need a proxy."
  },
  tls: {
    message: (host) => `There is no secure connection to ${host}.`,
    fix:
      "Check its certificate, whether a proxy in between puts in its own, and this machine's clock and list of authorities."
  }
}

const unseen = (check: Check, probe: Probe | undefined): Finding =>
  skipped(
    check,
    probe !== undefined && probe.answers.length > 0
      ? "Not looked at by itself; the probe got through."
      : "Not looked at by itself.",
    "Provide layerNetwork of azure-o1/node to have it looked at."
  )

const failed = (check: Check, host: string, code: string | undefined, through: boolean, detail?: string): Finding => {
  const { fix, message } = failures[check]
  const details = { host, code, said: detail }
  return through
    ? warn(
      check,
      `${message(host)} The HTTP client got through anyway, as it does by a proxy.`,
      "With a proxy nothing has to be done; without one, look at what differs between the two ways.",
      details
    )
    : fail(check, message(host), fix, details)
}

const soon = Duration.toMillis("14 days")

const certificate = (
  { issuer, protocol, subject, validTo }: Certificate,
  host: string,
  now: number,
  through: boolean
): Finding => {
  const until = Number.isFinite(validTo) ? DateTime.formatIsoDateUtc(DateTime.makeUnsafe(validTo)) : "a day not told"
  const details = { host, validTo: until, subject, issuer, protocol }
  if (validTo <= now) {
    const message = `The certificate of ${host} has expired on ${until}.`
    return through
      ? warn("tls", `${message} The HTTP client got through anyway.`, failures.tls.fix, details)
      : fail("tls", message, failures.tls.fix, details)
  }
  return validTo - now < soon
    ? warn("tls", `The certificate of ${host} expires on ${until}.`, "See that it is renewed in time.", details)
    : pass("tls", `The certificate of ${host} is good until ${until}.`, details)
}

/** The findings below HTTP. The experience of the client's own connection counts more than a look from the side. */
export const reach = (
  endpoint: string,
  steps: Steps,
  probe: Probe | undefined,
  now: number
): ReadonlyArray<Finding> => {
  const { hostname, host, protocol } = new URL(endpoint)
  const through = probe !== undefined && probe.answers.length > 0
  const broken = probe === undefined ? undefined : brokenStep(probe)
  const code = probe?.error?._tag === "O1ConnectionError" ? probe.error.code : undefined

  let reached = true
  const judge = <A>(check: Check, step: Step<A>, good: (value: A) => Finding): Finding => {
    const name = check === "dns" ? hostname : host
    if (broken === check || (step !== undefined && Result.isFailure(step))) reached = false
    if (broken === check) return failed(check, name, code, false)
    if (step === undefined) {
      return reached
        ? unseen(check, probe)
        : skipped(check, "The step before it did not succeed.")
    }
    if (Result.isSuccess(step)) return good(step.success)
    return failed(check, name, step.failure.code, through, step.failure.detail)
  }

  return [
    judge(
      "dns",
      steps.dns,
      (addresses) => pass("dns", `The name ${hostname} is known.`, { host: hostname, addresses: addresses.join(", ") })
    ),
    judge("tcp", steps.tcp, () => pass("tcp", "The host takes connections.", { host })),
    protocol === "http:"
      ? skipped("tls", "The endpoint is not https://, as is allowed on this machine only.")
      : judge("tls", steps.tls, (found) => certificate(found, host, now, through))
  ]
}
