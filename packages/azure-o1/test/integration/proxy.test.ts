import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import type * as tls from "node:tls"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Error } from "../../src/O1Error.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { patient } from "../support/azure.ts"
import { selfSigned } from "../support/certificate.ts"
import { request } from "../support/harness.ts"
import { stream } from "../support/raw-actions.ts"
import { rawServer } from "../support/raw-server.ts"
import { chat } from "../support/wire-says.ts"

const host = "o1.azure.test"

const secret = "THEVERYSECRET42"

const config: AzureO1Config = {
  endpoint: `https://${host}`,
  apiKey: Redacted.make(secret),
  deployment: "o4-mini",
  profile: ModelProfile.o4Mini,
  store: false
}

const listening = (server: net.Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<net.Socket>()
    server.on("connection", (socket: net.Socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket)).on("error", () => {})
    })
    return yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
  })

const day = 24 * 60 * 60_000

const certificate = (name = host) => selfSigned(name, Number(new Date()) - day, Number(new Date()) + day)

/** A deployment behind TLS, whose name only a proxy knows. */
const deployment = (options: tls.TlsOptions = {}) =>
  Effect.gen(function*() {
    const { cert, key } = certificate()
    let open = 0
    let most = 0
    const peers: Array<boolean> = []
    const server = https.createServer({ cert, key, ...options }, (incoming, response) => {
      peers.push((incoming.socket as tls.TLSSocket).authorized)
      incoming.resume().on("end", () => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(chat.delta("Hello"))
        setTimeout(() => response.end(`${chat.delta(", world.")}${chat.stop()}${chat.done}`), 20)
      })
    })
    server.on("connection", (socket) => {
      most = Math.max(most, ++open)
      socket.on("close", () => open--)
    })
    return { cert, port: yield* listening(server), most: () => most, peers }
  })

interface Tunnel {
  readonly authority: string
  readonly authorization: string | undefined
}

/** A proxy that opens tunnels to a port of this machine, whatever host is asked for, and keeps what it can read. */
const proxy = (port: number, refuse?: number) =>
  Effect.gen(function*() {
    const tunnels: Array<Tunnel> = []
    const read: Array<Buffer> = []
    const server = http.createServer((_, response) => response.writeHead(501).end())
    server.on("connect", (incoming: http.IncomingMessage, client: net.Socket, head: Buffer) => {
      tunnels.push({ authority: incoming.url!, authorization: incoming.headers["proxy-authorization"] })
      client.on("error", () => {})
      if (refuse !== undefined) return client.end(`HTTP/1.1 ${refuse} x\r\ncontent-length: 0\r\n\r\n`)
      const upstream = net.connect(port, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n")
        upstream.write(head)
        client.on("data", (data) => read.push(data))
        client.pipe(upstream)
        upstream.pipe(client)
      })
      upstream.on("error", () => client.destroy())
      client.on("close", () => upstream.destroy())
    })
    return {
      url: `http://127.0.0.1:${yield* listening(server)}`,
      tunnels,
      read: () => Buffer.concat(read).toString("latin1")
    }
  })

const clientOf = (options: AzureO1Node.HttpClientOptions, of = config) =>
  Effect.map(
    Layer.build(AzureO1.layerServices.pipe(
      Layer.provide(O1Policy.layerWith(patient)),
      Layer.provide(O1Transport.layer(of)),
      Layer.provide(AzureO1Node.layerHttpClientWith(options))
    )),
    (context) => Effect.runSync(Effect.provide(AzureO1, context))
  )

const failed = (o1: AzureO1["Service"], retries = 0) => Effect.flip(o1.complete(request, { retries }))

/** Variables of the environment while the scope lives. */
const environment = (variables: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = { ...process.env }
      Object.assign(process.env, variables)
      return before
    }),
    (before) =>
      Effect.sync(() => {
        for (const name of Object.keys(variables)) {
          if (before[name] === undefined) delete process.env[name]
          else process.env[name] = before[name]
        }
      })
  )

describe("a proxy", () => {
  it.live("by option opens tunnels, and sees neither key nor prompt", () =>
    Effect.scoped(Effect.gen(function*() {
      const { cert, port } = yield* deployment()
      const { read, tunnels, url } = yield* proxy(port)
      const o1 = yield* clientOf({ proxy: url.replace("//", "//us%40er:pass@"), ca: cert })
      assert.strictEqual((yield* o1.complete(request)).text, "Hello, world.")
      const tokens = yield* Stream.runCollect(o1.tokens(request))
      assert.strictEqual(tokens.join(""), "Hello, world.")
      assert.deepStrictEqual(tunnels[0], {
        authority: `${host}:443`,
        authorization: `Basic ${Buffer.from("us@er:pass").toString("base64")}`
      })
      assert.isAbove(read().length, 100)
      assert.notInclude(read(), secret)
    })))

  // one after another: there is one environment
  it.live("of the environment", () =>
    Effect.forEach(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"], (name) =>
      Effect.scoped(Effect.gen(function*() {
        const { cert, port } = yield* deployment()
        const { tunnels, url } = yield* proxy(port)
        yield* environment({ [name]: url })
        const o1 = yield* clientOf({ ca: [cert] })
        assert.strictEqual((yield* o1.complete(request)).text, "Hello, world.")
        assert.lengthOf(tunnels, 1)
        const without = yield* clientOf({ proxy: false })
        assert.strictEqual(O1Error.label(yield* failed(without)), "O1ConnectionError/dns")
        yield* environment({ NO_PROXY: "azure.test" })
        const excepted = yield* clientOf({})
        assert.strictEqual(O1Error.label(yield* failed(excepted)), "O1ConnectionError/dns")
        assert.lengthOf(tunnels, 1)
      }))))

  it.live("without TLS behind it opens tunnels as well", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer({ on: "POST", times: Infinity, does: [stream(chat.whole("Hello"))] })
      const { tunnels, url } = yield* proxy(Number(new URL(server.url).port))
      const o1 = yield* clientOf({ proxy: url.replace("//", "//user:100%@") }, {
        ...config,
        endpoint: "http://127.0.0.1:1"
      })
      assert.strictEqual((yield* o1.complete(request)).text, "Hello")
      assert.strictEqual((yield* o1.complete(request)).text, "Hello")
      assert.deepStrictEqual(tunnels[0], {
        authority: "127.0.0.1:1",
        authorization: `Basic ${Buffer.from("user:100%").toString("base64")}`
      })
    })))

  const refusals: ReadonlyArray<readonly [number, string, number]> = [
    [407, "O1ConnectionError/unusable", 1],
    [403, "O1ConnectionError/unusable", 1],
    [502, "O1ConnectionError/refused", 3]
  ]
  for (const [status, expected, attempts] of refusals) {
    it.live(`that answers ${status}: ${expected}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { tunnels, url } = yield* proxy(1, status)
        const o1 = yield* clientOf({ proxy: url.replace("//", "//user:PASSWORD@") })
        const error = yield* failed(o1, 2)
        assert.strictEqual(O1Error.label(error), expected)
        assert.include(error.message, `the proxy answered ${status}`)
        assert.notInclude(error.message + JSON.stringify(error), "PASSWORD")
        assert.lengthOf(tunnels, attempts)
      })))
  }

  it.live("that is not there, and one that says nothing", () =>
    Effect.scoped(Effect.gen(function*() {
      const o1 = yield* clientOf({ proxy: "http://127.0.0.1:1" })
      const error = yield* failed(o1)
      assert.strictEqual(O1Error.label(error), "O1ConnectionError/refused")
      assert.include(error.message, "the proxy could not be reached")
      const silent = yield* listening(net.createServer(() => {}))
      const other = yield* clientOf({ proxy: `127.0.0.1:${silent}`, connectTimeout: "100 millis" })
      assert.strictEqual(O1Error.label(yield* failed(other)), "O1TimeoutError/connect")
    })))

  it.live("with TLS of its own", () =>
    Effect.scoped(Effect.gen(function*() {
      const { cert, port } = yield* deployment()
      const inner = yield* proxy(port)
      const own = certificate("127.0.0.1")
      // the name is an address, and the certificate is not for one
      const outer = https.createServer({ cert: own.cert, key: own.key })
      outer.on("connect", (_, client: net.Socket) => client.end("HTTP/1.1 200 x\r\n\r\n"))
      const o1 = yield* clientOf({ proxy: `https://127.0.0.1:${yield* listening(outer)}`, ca: [cert, own.cert] })
      assert.strictEqual(O1Error.label(yield* failed(o1)), "O1ConnectionError/tls")
      assert.lengthOf(inner.tunnels, 0)
    })))
})

describe("TLS", () => {
  it.live("an authority that is not trusted", () =>
    Effect.scoped(Effect.gen(function*() {
      const { port } = yield* deployment()
      const { url } = yield* proxy(port)
      const o1 = yield* clientOf({ proxy: url })
      assert.strictEqual(O1Error.label(yield* failed(o1)), "O1ConnectionError/tls")
    })))

  it.live("a certificate of the client", () =>
    Effect.scoped(Effect.gen(function*() {
      const mine = certificate("client")
      const { cert, peers, port } = yield* deployment({ requestCert: true, rejectUnauthorized: true, ca: mine.cert })
      const { url } = yield* proxy(port)
      const clientCertificate = { cert: mine.cert, key: Redacted.make(mine.key) }
      const o1 = yield* clientOf({ proxy: url, ca: cert, clientCertificate })
      assert.strictEqual((yield* o1.complete(request)).text, "Hello, world.")
      assert.deepStrictEqual(peers, [true])
      const without = yield* clientOf({ proxy: url, ca: cert })
      assert.strictEqual((yield* failed(without))._tag, "O1ConnectionError")
    })))
})

it.live("sockets have a limit", () =>
  Effect.scoped(Effect.gen(function*() {
    const { cert, most, port } = yield* deployment()
    const { url } = yield* proxy(port)
    const o1 = yield* clientOf({ proxy: url, ca: cert, maxSockets: 2 })
    const texts = yield* Effect.forEach(Array.from({ length: 10 }), () => o1.complete(request), {
      concurrency: "unbounded"
    })
    assert.lengthOf(texts, 10)
    assert.strictEqual(most(), 2)
  })))

const bad: ReadonlyArray<readonly [string, AzureO1Node.HttpClientOptions]> = [
  ["connectTimeout must be a finite duration > 0, got 0", { connectTimeout: 0 }],
  ["proxy must be an http:// or https:// URL, got one with socks5://", { proxy: "socks5://user:PASSWORD@x" }],
  ["proxy must be a URL", { proxy: Redacted.make("http://user:PASSWORD@") }],
  ["maxSockets must be an integer > 0, got 0", { maxSockets: 0 }],
  ["maxSockets must be an integer > 0, got 1.5", { maxSockets: 1.5 }],
  ["ca must be PEM", { ca: "-----BEGIN CERTIFICATE-----\nPASSWORD\n-----END CERTIFICATE-----" }],
  ["clientCertificate must be PEM", { clientCertificate: { cert: "x", key: "PASSWORD" } }]
]
for (const [problem, options] of bad) {
  it.effect(`AzureO1: ${problem}`, () =>
    Effect.scoped(Effect.gen(function*() {
      const exit = yield* Effect.exit(Layer.build(AzureO1Node.layerHttpClientWith(options)))
      assert.include(String(exit), `AzureO1: ${problem}`)
      assert.notInclude(String(exit), "PASSWORD")
    })))
}
