import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as net from "node:net"
import { gunzipSync } from "node:zlib"
import {
  answer,
  bytes,
  continues,
  cut,
  cutAfter,
  end,
  gzipped,
  head,
  heartbeats,
  notFound,
  say,
  silence,
  slowly,
  sse,
  stream,
  streaming,
  wait
} from "../support/raw-actions.ts"
import { type Exchange, type RawServer, rawServer } from "../support/raw-server.ts"

/**
 * Sends text over a connection of its own, and gives what came: until the connection ended, or a moment after it was what is
 * waited for.
 */
const exchange = (
  { url }: RawServer,
  text: string,
  awaited: RegExp = /^HTTP\/1\.1 [^1]/
): Effect.Effect<{ readonly came: Buffer; readonly ended: "fin" | "rst" | "open" }> =>
  Effect.callback((resume) => {
    let came = Buffer.alloc(0)
    let timer: NodeJS.Timeout | undefined = undefined
    const socket = net.connect(Number(new URL(url).port), "127.0.0.1")
    const done = (ended: "fin" | "rst" | "open") => () => {
      clearTimeout(timer)
      socket.destroy()
      resume(Effect.succeed({ came, ended }))
    }
    const look = (): void => {
      if (awaited.test(came.toString())) timer ??= setTimeout(done("open"), 40)
    }
    socket.on("data", (data: Buffer) => {
      came = Buffer.concat([came, data])
      look()
    })
    socket.once("end", done("fin"))
    socket.once("error", done("rst"))
    socket.write(text, look)
  })

const post = (path: string, body: object, method = "POST"): string => {
  const text = JSON.stringify(body)
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n${text}`
}

const table: ReadonlyArray<readonly [string, Exchange["does"], RegExp, "fin" | "rst" | "open"]> = [
  ["headers, and then silence", [head(200, sse), silence], /^HTTP\/1\.1 200 .*chunked\r\n\r\n$/s, "open"],
  ["nothing at all", [silence], /^$/, "open"],
  ["a stream that is cut with a FIN", [streaming("abc"), cut("fin")], /\r\n3\r\nabc\r\n$/, "fin"],
  ["a stream that is cut with a RST", [streaming("abc"), cut("rst")], /\r\n3\r\nabc\r\n$/, "rst"],
  ["a cut after so many bytes", [cutAfter(4, "fin"), streaming("abc"), say("def")], /3\r\nabc\r\n1\r\nd\r\n$/, "fin"],
  ["a cut inside an answer in one piece", [cutAfter(2, "fin"), answer(200, "whole")], /length: 5\r\n\r\nwh$/, "fin"],
  ["a slow beginning", [wait(20), answer(200, "late")], /late$/, "open"],
  [
    "heartbeats",
    [head(200, sse), heartbeats(5, 2), say("x"), end],
    /(11\r\n: keep-alive\n\n\r\n){0}.*1\r\nx\r\n0\r\n\r\n$/s,
    "open"
  ],
  ["bytes slowly", [head(200), slowly("abc", 2, 5), end], /2\r\nab\r\n1\r\nc\r\n0\r\n\r\n$/, "open"],
  ["no HTTP", [bytes("SSH-2.0\r\n"), cut("fin")], /^SSH-2\.0\r\n$/, "fin"],
  ["an unasked 100", [continues, answer(200, {})], /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /, "open"],
  ["a body until the end", [head(200, { connection: "close" }), say("all"), cut("fin")], /\r\n\r\nall$/, "fin"],
  ["a stream that ends", [stream("a", "b")], /2\r\nab\r\n0\r\n\r\n$/, "open"]
]

describe("the raw server", () => {
  for (const [name, does, came, ended] of table) {
    it.live(name, () =>
      Effect.scoped(Effect.gen(function*() {
        const server = yield* rawServer({ on: "POST", does })
        const got = yield* exchange(server, post("/x", {}), ended === "open" ? came : /never/)
        assert.match(got.came.toString(), came)
        assert.strictEqual(got.ended, ended)
      })))
  }

  it.live("compresses", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer({ on: "GET", does: [gzipped(200, "small")] })
      const { came } = yield* exchange(server, "GET / HTTP/1.1\r\n\r\n")
      assert.strictEqual(gunzipSync(came.subarray(came.indexOf("\r\n\r\n") + 4)).toString(), "small")
    })))

  it.live("takes the first exchange that fits and is not used up, and repeats the last", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer(
        { on: "POST stream", does: [answer(200, "streamed")] },
        { on: "POST /cancel$", does: [answer(500, "refused")] },
        { on: "POST background plain", does: [answer(200, "queued")] },
        { on: "GET", times: 2, does: [notFound] },
        { on: "GET", does: [answer(200, "found")] }
      )
      const ask = (text: string): Effect.Effect<string> =>
        Effect.map(
          exchange(server, text),
          ({ came }) => /^HTTP\/1\.1 (\d+)/.exec(came.toString())![1]! + came.toString().slice(-5)
        )
      assert.deepStrictEqual(
        [
          yield* ask(post("/openai/v1/responses", { stream: true, background: true })),
          yield* ask(post("/openai/v1/responses", { background: true })),
          yield* ask(post("/openai/v1/responses/resp_1/cancel", {})),
          yield* ask(post("/openai/v1/responses/resp_1", {}, "GET")),
          yield* ask(post("/openai/v1/responses/resp_1?stream=true", {}, "GET")),
          yield* ask(post("/openai/v1/responses/resp_1", {}, "GET")),
          yield* ask(post("/openai/v1/responses/resp_1", {}, "GET"))
        ].map((said) => said.slice(0, 3)),
        ["200", "200", "500", "404", "404", "200", "200"]
      )
      assert.deepStrictEqual(server.asked().slice(0, 4), [
        "POST /responses background stream",
        "POST /responses background",
        "POST /responses/resp_1/cancel",
        "GET /responses/resp_1"
      ])
      assert.strictEqual(server.connections(), 7)
    })))

  it.live("takes a cancel that nobody has scripted, and shows other mistakes", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer()
      assert.match((yield* exchange(server, post("/a/cancel", {}))).came.toString(), /^HTTP\/1\.1 200/)
      assert.match((yield* exchange(server, post("/a", {}))).came.toString(), /no exchange for POST \/a/)
      server.add({ on: "POST", does: [answer(200, "now")] })
      assert.match((yield* exchange(server, post("/a", {}))).came.toString(), /now$/)
    })))

  it.live("reads requests in pieces, several on one connection, and knows who has left", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer({ on: "POST", does: [answer(200, "a")] }, { on: "POST", does: [silence] })
      const chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n5\r\na\":1}\r\n0\r\n\r\n"
      yield* exchange(server, chunked + post("/", { b: 2 }), /a$/)
      assert.deepStrictEqual(server.requests.map(({ connection, json }) => [connection, json]), [[0, { a: 1 }], [0, {
        b: 2
      }]])
      yield* Effect.repeat(Effect.sleep("2 millis"), { until: () => server.open() === 0 })
      assert.isDefined(server.requests[1]?.closedAt)
      assert.isUndefined(server.requests[1]?.answeredAt)
      assert.isDefined(server.requests[0]?.answeredAt)
    })))
})
