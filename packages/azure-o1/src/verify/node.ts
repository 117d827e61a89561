import * as Effect from "effect/Effect"
import * as dns from "node:dns"
import * as net from "node:net"
import * as tls from "node:tls"
import { type Certificate, type Network, NetworkFailure } from "./network.ts"

const failure = (error: unknown): NetworkFailure => {
  const { code, message } = error as NodeJS.ErrnoException
  return new NetworkFailure({ code, detail: message })
}

/** Opens a socket, asks it one thing when the event comes, and closes it whatever happens. */
const once = <S extends net.Socket, A>(
  open: () => S,
  event: "connect" | "secureConnect",
  read: (socket: S) => A
): Effect.Effect<A, NetworkFailure> =>
  Effect.callback((resume) => {
    const socket = open()
    const close = Effect.sync(() => void socket.destroy())
    socket.once(event, () => resume(Effect.ensuring(Effect.sync(() => read(socket)), close)))
    socket.once("error", (error) => resume(Effect.fail(failure(error))))
    // what comes after the first event is of no interest
    socket.on("error", () => {})
    return close
  })

/** A field of a name that can be there more than once. */
const first = (field: string | Array<string> | undefined): string => (Array.isArray(field) ? field[0] : field) ?? ""

const certificateOf = (socket: tls.TLSSocket): Certificate => {
  const { issuer, subject, valid_to } = socket.getPeerCertificate()
  return {
    validTo: Date.parse(valid_to),
    subject: first(subject.CN),
    issuer: first(issuer.O) || first(issuer.CN),
    protocol: socket.getProtocol() ?? undefined
  }
}

/** A name for the certificate: an address has none. */
const serverName = (host: string) => net.isIP(host) === 0 ? { servername: host } : {}

/** Looks with `node:dns`, `node:net` and `node:tls`. */
export const network: Network = {
  resolve: (host) =>
    Effect.tryPromise({ try: () => dns.promises.lookup(host, { all: true }), catch: failure }).pipe(
      Effect.map((found) => found.map(({ address }) => address))
    ),
  connect: (host, port) => once(() => net.connect({ host, port }), "connect", () => undefined),
  secure: (host, port) => once(() => tls.connect({ host, port, ...serverName(host) }), "secureConnect", certificateOf)
}
