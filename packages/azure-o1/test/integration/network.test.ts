import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as http from "node:http"
import type * as net from "node:net"
import * as util from "node:util"
import * as zlib from "node:zlib"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Error } from "../../src/O1Error.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { patient } from "../support/azure.ts"
import { request } from "../support/harness.ts"
import { answer, bytes, continues, end, gzipped, head, say, silence, sse, stream } from "../support/raw-actions.ts"
import { type Action, rawServer } from "../support/raw-server.ts"
import { chat, responses } from "../support/wire-says.ts"

const secret = "THEVERYSECRET42"

const configOf = (endpoint: string, more: Partial<AzureO1Config> = {}): AzureO1Config => ({
  endpoint,
  apiKey: Redacted.make(secret),
  deployment: "o4-mini",
  profile: ModelProfile.o4Mini,
  store: false,
  ...more
})

const clientOf = (
  config: AzureO1Config,
  httpClient: Layer.Layer<HttpClient.HttpClient> = AzureO1Node.layerHttpClient
) =>
  Effect.map(
    Layer.build(AzureO1.layerServices.pipe(
      Layer.provide(O1Policy.layerWith(patient)),
      Layer.provide(O1Transport.layer(config)),
      Layer.provide(httpClient)
    )),
    (context) => Effect.runSync(Effect.provide(AzureO1, context))
  )

/** Both faces of one call: the text, or the label of the error. */
const faces = (o1: AzureO1["Service"], retries = 0) => ({
  complete: Effect.map(o1.complete(request, { retries }), ({ text }) => text),
  tokens: Effect.map(Stream.runCollect(o1.tokens(request, { retries })), (tokens) => tokens.join(""))
})

const labelled = <A>(self: Effect.Effect<A, O1Error>): Effect.Effect<A | string> =>
  Effect.match(self, { onFailure: O1Error.label, onSuccess: (value): A | string => value })

const against = (actions: ReadonlyArray<Action>, more?: Partial<AzureO1Config>) =>
  Effect.gen(function*() {
    const server = yield* rawServer({ on: "POST", times: Infinity, does: actions })
    return { server, o1: yield* clientOf(configOf(server.url, more)) }
  })

const gzip = (text: string | Uint8Array, ...cut: ReadonlyArray<number>) => zlib.gzipSync(text).subarray(0, cut[0])

const gzipHead = (type: string): Action => head(200, { "content-type": type, "content-encoding": "gzip" })
const piece = (data: Uint8Array): Action => (turn) => turn.body(data)

/** Node has this since 24.7. */
const hasBrotli = (() => {
  try {
    return typeof new DecompressionStream("brotli" as "gzip").readable === "object"
  } catch {
    return false
  }
})()

describe("an answer that is compressed", () => {
  const encodedHead = (encoding: string, type = "application/json"): Action =>
    head(200, { "content-type": type, "content-encoding": encoding })
  const json = JSON.stringify(chat.plain("Hello"))
  const whole = chat.whole("Hello", ", world.")
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Action>, string]> = [
    ["a stream", [gzipHead(sse["content-type"]), piece(gzip(whole)), end], "Hello, world."],
    [
      "a stream, byte by byte",
      [gzipHead(sse["content-type"]), ...Array.from(gzip(whole), (byte) => piece(Uint8Array.of(byte))), end],
      "Hello, world."
    ],
    ["an answer in one piece", [
      gzipped(200, JSON.stringify(chat.plain("Hello")), { "content-type": "application/json" })
    ], "Hello"],
    ["one with its old name", [
      head(200, { "content-type": "application/json", "content-encoding": "x-gzip" }),
      piece(gzip(JSON.stringify(chat.plain("Hello")))),
      end
    ], "Hello"],
    ["one that says so and is not", [answer(200, chat.plain("Hello"), { "content-encoding": "gzip" })], "Hello"],
    [
      "a stream that breaks off",
      [gzipHead(sse["content-type"]), piece(gzip(chat.delta("Hello").repeat(50), 60)), end],
      "O1ProtocolError/truncated"
    ],
    ["an answer in one piece that breaks off", [
      gzipHead("application/json"),
      piece(gzip(JSON.stringify(chat.plain("Hello")), 60)),
      end
    ], "O1ProtocolError/truncated"],
    [
      "a stream whose last bytes are lost",
      [gzipHead(sse["content-type"]), piece(gzip(whole, -4)), end],
      "Hello, world."
    ],
    ["bytes that no program has compressed", [
      gzipHead("application/json"),
      piece(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 255, 255, 255, 255, 255)),
      end
    ], "O1ProtocolError/malformed"],
    ["one by deflate", [encodedHead("deflate"), piece(zlib.deflateSync(json)), end], "Hello"],
    [
      "a stream by deflate",
      [encodedHead("Deflate", sse["content-type"]), piece(zlib.deflateSync(whole)), end],
      "Hello, world."
    ],
    [
      "one by deflate that breaks off",
      [encodedHead("deflate"), piece(zlib.deflateSync(json).subarray(0, 60)), end],
      "O1ProtocolError/truncated"
    ],
    ["one that says deflate and is not", [encodedHead("deflate"), piece(Buffer.from(json)), end], "Hello"],
    [
      "one by br",
      [encodedHead("br"), piece(zlib.brotliCompressSync(json)), end],
      hasBrotli ? "Hello" : "O1ProtocolError/malformed"
    ],
    [
      "a stream by br",
      [encodedHead("br", sse["content-type"]), piece(zlib.brotliCompressSync(whole)), end],
      hasBrotli ? "Hello, world." : "O1ProtocolError/malformed"
    ],
    [
      "one by br that breaks off",
      [encodedHead("br"), piece(zlib.brotliCompressSync(json).subarray(0, 60)), end],
      `O1ProtocolError/${hasBrotli ? "truncated" : "malformed"}`
    ],
    ["one that says br and is not", [encodedHead("br"), piece(Buffer.from(json)), end], "Hello"],
    ["an error", [
      gzipped(429, "{\"error\":{\"code\":\"429\",\"message\":\"token rate limit\"}}", {
        "content-type": "application/json"
      })
    ], "O1RateLimitError/tokens"],
    ["an error without a body", [answer(500, "", { "content-encoding": "gzip" })], "O1ServerError/internal"],
    [
      "a bomb",
      [gzipHead("application/json"), piece(gzip(new Uint8Array(20 * 1024 * 1024))), end],
      "O1ProtocolError/malformed"
    ]
  ]
  for (const [what, actions, expected] of cases) {
    it.live(`${what}: ${expected}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { o1, server } = yield* against(actions)
        const { complete, tokens } = faces(o1)
        assert.strictEqual(yield* labelled(complete), expected)
        assert.strictEqual(yield* labelled(tokens), expected)
        assert.strictEqual(server.requests[0]!.headers["accept-encoding"], "gzip")
      })))
  }

  it.live("is read as it comes", () =>
    Effect.scoped(Effect.gen(function*() {
      const pieces = new zlib.Gzip()
      const flushed = (text: string): Promise<Buffer> =>
        new Promise((resolve) => {
          const chunks: Array<Buffer> = []
          pieces.on("data", (chunk: Buffer) => chunks.push(chunk))
          pieces.write(text)
          pieces.flush(zlib.constants.Z_SYNC_FLUSH, () => resolve(Buffer.concat(chunks)))
        })
      const first = yield* Effect.promise(() => flushed(chat.delta("Hello")))
      const { o1, server } = yield* against([gzipHead(sse["content-type"]), piece(first), silence])
      const seen = yield* o1.tokens(request).pipe(Stream.take(1), Stream.runCollect)
      assert.deepStrictEqual(seen, ["Hello"])
      while (server.open() > 0) yield* Effect.sleep("5 millis")
    })))

  it.live("and breaks off is continued, where the service keeps it", () =>
    Effect.scoped(Effect.gen(function*() {
      const part = [responses.created(), responses.delta(1, "one "), responses.delta(2, "two ")].join("")
      const broken = zlib.gzipSync(part, { level: 0 })
      const server = yield* rawServer(
        { on: "POST", does: [gzipHead(sse["content-type"]), piece(broken.subarray(0, -8)), end] },
        {
          on: "GET stream",
          does: [
            gzipHead(sse["content-type"]),
            piece(gzip(responses.delta(3, "three") + responses.completed(4, "one two three"))),
            end
          ]
        }
      )
      const o1 = yield* clientOf(configOf(server.url, { api: "responses", store: true }))
      assert.strictEqual(yield* faces(o1).tokens, "one two three")
      assert.deepStrictEqual(server.asked(), [
        "POST /responses background stream",
        "GET /responses/resp_1?stream=true&starting_after=2"
      ])
    })))

  it.live("was decompressed by fetch, which leaves its header", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer({
        on: "POST",
        times: Infinity,
        does: [gzipHead(sse["content-type"]), piece(gzip(whole)), end]
      })
      const o1 = yield* clientOf(configOf(server.url), FetchHttpClient.layer)
      assert.strictEqual(yield* faces(o1).tokens, "Hello, world.")
    })))
})

/** A server whose page never ends, and which counts what it could send of it. */
const endless = (status: number, type: string) =>
  Effect.gen(function*() {
    let sent = 0
    const block = Buffer.alloc(64 * 1024, "<p>")
    const server = http.createServer((incoming, response) => {
      incoming.resume()
      response.writeHead(status, { "content-type": type })
      const more = (): void => {
        while (!response.destroyed && sent < 400 * 1024 * 1024) {
          sent += block.length
          if (!response.write(block)) return void response.once("drain", more)
        }
        response.end()
      }
      more()
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return { url: `http://127.0.0.1:${port}`, sent: () => sent }
  })

describe("a page of 400 MB", () => {
  const pages: ReadonlyArray<readonly [number, string, string]> = [
    [502, "text/html", "O1ServerError/unavailable"],
    [404, "text/plain", "O1DeploymentError/endpoint-not-found"],
    [200, "application/json", "O1ProtocolError/malformed"]
  ]
  for (const [status, type, expected] of pages) {
    it.live(`${status} ${type} is read to its limit only`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { sent, url } = yield* endless(status, type)
        const o1 = yield* clientOf(configOf(url))
        assert.strictEqual(yield* labelled(faces(o1).complete), expected)
        assert.isBelow(sent(), 64 * 1024 * 1024)
      })))
  }

  it.live("an answer that is too long names the option, and is not asked for again", () =>
    Effect.scoped(Effect.gen(function*() {
      const long = answer(200, chat.plain("x".repeat(5000)))
      const { o1, server } = yield* against([long], { maxBodyBytes: 2000 })
      const error = yield* Effect.flip(o1.complete(request))
      assert.include(error.message, "longer than 2000 bytes (maxBodyBytes)")
      assert.lengthOf(server.requests, 1)
      const { o1: other } = yield* against([long], { maxBodyBytes: 10_000 })
      assert.lengthOf((yield* other.complete(request)).text, 5000)
    })))
})

describe("a 100 Continue that nobody asked for", () => {
  const again = [continues, continues]
  const split = Array.from("HTTP/1.1 100 Continue\r\nx: y\r\n\r\n", (char) => bytes(char))
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Action>]> = [
    ["before a stream", [continues, stream(chat.whole("Hello"))]],
    ["before an answer in one piece", [continues, answer(200, chat.plain("Hello"))]],
    ["twice", [...again, stream(chat.whole("Hello"))]],
    ["in pieces", [...split, stream(chat.whole("Hello"))]],
    ["together with the answer", [
      bytes(
        `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: ${
          JSON.stringify(chat.plain("Hello")).length
        }\r\n\r\n${JSON.stringify(chat.plain("Hello"))}`
      )
    ]]
  ]
  for (const [what, actions] of cases) {
    it.live(`${what} is survived, and nothing is sent twice`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { o1, server } = yield* against(actions)
        for (let i = 0; i < 3; i++) assert.strictEqual(yield* labelled(faces(o1).complete), "Hello")
        assert.lengthOf(server.requests, 3)
      })))
  }
})

describe("an HTTP client of the caller", () => {
  it.live("that takes every other status for a failure", () =>
    Effect.scoped(Effect.gen(function*() {
      const strict = Layer.effect(
        HttpClient.HttpClient,
        Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk)
      ).pipe(Layer.provide(AzureO1Node.layerHttpClient))
      const statuses: ReadonlyArray<readonly [number, string]> = [
        [400, "O1RequestError/invalid"],
        [401, "O1AuthError/unauthorized"],
        [429, "O1RateLimitError/tokens"],
        [500, "O1ServerError/internal"],
        [302, "O1DeploymentError/endpoint-not-found"]
      ]
      for (const [status, expected] of statuses) {
        const server = yield* rawServer({
          on: "POST",
          times: Infinity,
          does: [answer(status, { error: { message: "token rate limit" } })]
        })
        const o1 = yield* clientOf(configOf(server.url), strict)
        const error = yield* Effect.flip(o1.complete(request, { retries: 0 }))
        assert.strictEqual(O1Error.label(error), expected)
        if (status < 400) continue
        assert.strictEqual(error.said, "token rate limit")
      }
    })))

  const transport = (cause: unknown) =>
    HttpClient.make((request) =>
      Effect.fail(
        new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
      )
    )
  const broken: ReadonlyArray<readonly [string, HttpClient.HttpClient, string]> = [
    ["fails with a bug", transport(new TypeError("headers.get is not a function")), "TypeError"],
    ["dies of a bug", HttpClient.make(() => Effect.die(new TypeError("x"))), "TypeError"],
    [
      "throws",
      HttpClient.make(() => {
        throw new ReferenceError("x is not defined")
      }),
      "ReferenceError"
    ],
    [
      "is closed",
      transport(Object.assign(new Error("closed"), { name: "ClientClosedError", code: "UND_ERR_CLOSED" })),
      "ClientClosedError, UND_ERR_CLOSED"
    ]
  ]
  for (const [what, client, reason] of broken) {
    it.live(`that ${what} is unusable, and not asked again`, () =>
      Effect.scoped(Effect.gen(function*() {
        let asked = 0
        const counted = HttpClient.tapRequest(client, () => Effect.sync(() => asked++))
        const o1 = yield* clientOf(configOf("http://127.0.0.1:1"), Layer.succeed(HttpClient.HttpClient, counted))
        const error = yield* Effect.flip(o1.complete(request))
        assert.strictEqual(O1Error.label(error), "O1ConnectionError/unusable")
        assert.include(error.message, `cannot send (${reason})`)
        assert.strictEqual(asked, 1)
      })))
  }

  it.live("whose layer was closed says so", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer({ on: "POST", does: [stream(chat.whole("Hello"))] })
      const o1 = yield* AzureO1.make(configOf(server.url)).pipe(Effect.provide(AzureO1Node.layerHttpClient))
      const error = yield* Effect.flip(o1.complete(request))
      assert.strictEqual(O1Error.label(error), "O1ConnectionError/unusable")
      assert.include(error.message, "scope")
      assert.lengthOf(server.requests, 0)
      const living = yield* AzureO1Node.make(configOf(server.url))
      assert.strictEqual(yield* faces(living).complete, "Hello")
    })))
})

describe("a request", () => {
  const headers = {
    "x-team": "search",
    "user-agent": "shop/2",
    "ocp-apim-subscription-key": `${secret}-plain`,
    "x-tenant": Redacted.make(`${secret}-red`)
  }

  it.live("has a name, an id, and what the configuration adds", () =>
    Effect.scoped(Effect.gen(function*() {
      const { o1, server } = yield* against([stream(chat.whole("Hello"))], { headers, query: { region: "eu" } })
      yield* faces(o1).complete
      yield* faces(o1).tokens
      const [first, second] = server.requests
      assert.deepInclude(first!.headers, {
        "api-key": secret,
        "user-agent": "shop/2 effect-resilience-azure-o1",
        "x-team": "search",
        "ocp-apim-subscription-key": `${secret}-plain`,
        "x-tenant": `${secret}-red`,
        "content-type": "application/json"
      })
      assert.strictEqual(first!.path, "/openai/v1/chat/completions?region=eu")
      assert.match(first!.headers["x-ms-client-request-id"]!, /^[\da-f-]{36}$/)
      assert.notStrictEqual(first!.headers["x-ms-client-request-id"], second!.headers["x-ms-client-request-id"])
    })))

  it.live("of no configuration has them as well", () =>
    Effect.scoped(Effect.gen(function*() {
      const { o1, server } = yield* against([stream(chat.whole("Hello"))])
      yield* faces(o1).complete
      assert.strictEqual(server.requests[0]!.headers["user-agent"], "effect-resilience-azure-o1")
    })))

  const ends: ReadonlyArray<readonly [string, ReadonlyArray<Action>]> = [
    ["an error of the service", [answer(500, { error: { message: "no" } })]],
    ["a reset", [(turn) => turn.cut("rst")]],
    ["an answer in the middle", [head(200, sse), say(chat.delta("Hel")), (turn) => turn.cut("fin")]],
    ["silence", [silence]]
  ]
  for (const [what, actions] of ends) {
    it.live(`that ends with ${what} is known by its id in the error`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { o1, server } = yield* against(actions)
        const error = yield* Effect.flip(
          o1.complete(request, { retries: 0, timeout: "300 millis", total: "300 millis" })
        )
        const id = server.requests.at(-1)!.headers["x-ms-client-request-id"]!
        assert.strictEqual(error.clientRequestId, id)
        assert.include(error.message, id)
      })))
  }

  it.live("keeps its secrets, also where a server repeats them", () =>
    Effect.scoped(Effect.gen(function*() {
      const [plain, red, query] = ["-plain", "-red", "-query"].map((end) => secret + end)
      const echo = `${plain} ${red} ${query} a&b /chat?code=${query}+a%26b ${query}%20a%26b`
      const { o1 } = yield* against(
        [answer(400, { error: { message: echo, param: echo } }, { "x-request-id": echo })],
        {
          headers,
          query: { code: Redacted.make(`${secret}-query a&b`) }
        }
      )
      const error = yield* Effect.flip(o1.complete(request))
      const printed = `${util.inspect(error, { depth: 9, showHidden: true })}${
        JSON.stringify(error)
      }${error.message}${error.stack}`
      assert.notMatch(printed, /THEVERY|-plain|-red|-query/)
      assert.include(error.message, "<redacted> <redacted> <redacted> /chat?code=<redacted> <redacted>")
    })))

  it.live("to a compatible API goes to its paths, with the key as a bearer", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer({ on: "POST", times: Infinity, does: [stream(chat.whole("Hello"))] })
      const o1 = yield* clientOf(configOf(`${server.url}/v1/ `))
      assert.strictEqual(yield* faces(o1).complete, "Hello")
      assert.strictEqual(server.requests[0]!.path, "/v1/chat/completions")
      assert.strictEqual(server.requests[0]!.headers.authorization, `Bearer ${secret}`)
      assert.notProperty(server.requests[0]!.headers, "api-key")
      const other = yield* clientOf(configOf(`${server.url}/v1`, { apiKeyHeader: "X-Key" }))
      yield* faces(other).complete
      assert.strictEqual(server.requests[1]!.headers["x-key"], secret)
    })))
})
