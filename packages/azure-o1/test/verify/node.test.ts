import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as net from "node:net"
import * as tls from "node:tls"
import { network } from "../../src/verify/node.ts"
import { selfSigned } from "../support/certificate.ts"

const day = 86_400_000

/** A TLS server on loopback, and how many connections it has. */
const secureServer = (certificate: ReturnType<typeof selfSigned>) =>
  Effect.gen(function*() {
    const sockets = new Set<net.Socket>()
    const server = tls.createServer(certificate)
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket)).on("error", () => {})
    })
    server.on("tlsClientError", () => {})
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
      }),
      () => Effect.sync(() => void server.close())
    )
    return { port, open: () => sockets.size }
  })

/** Trusts a certificate as long as the scope is open. */
const trusting = (cert: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = tls.getCACertificates()
      tls.setDefaultCACertificates([...before, cert])
      return before
    }),
    (before) => Effect.sync(() => tls.setDefaultCACertificates(before))
  )

describe("the network of Node", { concurrent: false }, () => {
  it.live("finds the addresses of a name", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* network.resolve("127.0.0.1"), ["127.0.0.1"])
      const failure = yield* Effect.flip(network.resolve("there-is-no-such-resource.invalid"))
      assert.include(["ENOTFOUND", "EAI_AGAIN"], failure.code)
    }))

  it.live("connects, and leaves nothing open", () =>
    Effect.gen(function*() {
      const { open, port } = yield* secureServer(selfSigned("localhost", Date.now() - day, Date.now() + day))
      yield* network.connect("127.0.0.1", port)
      while (open() > 0) yield* Effect.sleep("5 millis")
    }))

  it.live("tells the certificate of a host that is trusted", () =>
    Effect.gen(function*() {
      const validTo = Math.floor(Date.now() / 1000) * 1000 + 30 * day
      const certificate = selfSigned("localhost", Date.now() - day, validTo)
      const { open, port } = yield* secureServer(certificate)
      yield* trusting(certificate.cert)
      assert.deepStrictEqual(yield* network.secure("localhost", port), {
        validTo,
        subject: "localhost",
        issuer: "localhost",
        protocol: "TLSv1.3"
      })
      while (open() > 0) yield* Effect.sleep("5 millis")
    }))

  const refused: ReadonlyArray<readonly [string, string, number, boolean, string]> = [
    ["one that nobody vouches for", "localhost", day, false, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["one of another host", "example.com", day, true, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["one that has expired", "localhost", -day, true, "CERT_HAS_EXPIRED"]
  ]
  for (const [name, host, validFor, trusted, code] of refused) {
    it.live(`refuses ${name}`, () =>
      Effect.gen(function*() {
        const certificate = selfSigned(host, Date.now() - 2 * day, Date.now() + validFor)
        const { port } = yield* secureServer(certificate)
        if (trusted) yield* trusting(certificate.cert)
        const failure = yield* Effect.flip(network.secure("localhost", port))
        assert.strictEqual(failure.code, code)
      }))
  }
})
