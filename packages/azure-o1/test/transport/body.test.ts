import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import { HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Stream from "effect/Stream"
import { gzipSync } from "node:zlib"
import { O1ConnectionError, O1Error } from "../../src/O1Error.ts"
import { type Beginning, bytesOf, textOf, wordsOf } from "../../src/transport/body.ts"
import { during, value } from "../support/harness.ts"

const closed = new O1ConnectionError({ kind: "closed" })

const beginning = (
  bytes: Stream.Stream<Uint8Array, unknown>,
  headers: Record<string, string> = {},
  context: Context.Context<never> = Context.empty()
): Beginning => {
  const response = HttpClientResponse.fromWeb(
    HttpClientRequest.get("http://localhost"),
    new Response(Stream.toReadableStreamWith(bytes, context), { headers })
  )
  return { response, headers: response.headers, deployment: "o1", failed: () => closed, ended: constVoid }
}

const encoder = new TextEncoder()
const bytes = (...texts: ReadonlyArray<string>) => Stream.fromIterable(texts.map((text) => encoder.encode(text)))

const drips = (text: string, every: number) =>
  Stream.fromIterable(text).pipe(
    Stream.mapEffect((char) => Effect.as(Effect.sleep(every), encoder.encode(char)))
  )

const limit = 100

describe("the words of an error", () => {
  const said = "{\"error\":{}}"
  const cases: ReadonlyArray<readonly [string, Stream.Stream<Uint8Array, unknown>, string]> = [
    ["that end", bytes(said), said],
    [
      "in pieces, within a character",
      Stream.fromIterable(Array.from(encoder.encode("höö"), (byte) => Uint8Array.of(byte))),
      "höö"
    ],
    ["that never end", Stream.concat(bytes(said), Stream.never), said],
    ["that never begin", Stream.never, ""],
    ["that come slowly", drips("abcdefghij", 1100), "abcd"],
    ["that break off", Stream.concat(bytes("half"), Stream.fail("reset")), "half"],
    ["without an end", Stream.forever(bytes("0123456789")), "0123456789".repeat(10)],
    ["in pieces that are too long", bytes("x".repeat(101)), ""]
  ]
  for (const [what, stream, words] of cases) {
    it.effect(`${what}: what came within five seconds and ${limit} bytes`, () =>
      Effect.gen(function*() {
        const given = beginning(stream, {}, yield* Effect.context())
        assert.strictEqual(value(yield* during("5 seconds", wordsOf(given, limit))), words)
      }))
  }
})

describe("a body in one piece", () => {
  const label = (self: Effect.Effect<string, O1Error>) =>
    Effect.match(self, { onFailure: O1Error.label, onSuccess: (text) => text })

  const full = "x".repeat(limit)
  const cases: ReadonlyArray<readonly [string, Beginning, string]> = [
    ["to the limit", beginning(bytes(full)), full],
    ["over the limit", beginning(bytes(full, "x")), "O1ProtocolError/malformed"],
    [
      "that says that it is over the limit",
      beginning(bytes(full, "x"), { "content-length": "101" }),
      "O1ProtocolError/malformed"
    ],
    [
      "that is longer when it is decompressed",
      beginning(Stream.succeed(new Uint8Array(gzipSync(full + full))), { "content-encoding": "gzip" }),
      "O1ProtocolError/malformed"
    ],
    ["that breaks off", beginning(Stream.concat(bytes("{"), Stream.fail("reset"))), "O1ConnectionError/closed"],
    ["of nothing", beginning(Stream.empty, { "content-encoding": "gzip" }), ""],
    ["with a mark of its order", beginning(bytes("\ufeff{}")), "{}"],
    [
      "in an encoding of many cases",
      beginning(Stream.succeed(new Uint8Array(gzipSync("{}"))), { "content-encoding": " GZIP " }),
      "{}"
    ],
    ["in an encoding that nobody asked for", beginning(bytes("{}"), { "content-encoding": "identity" }), "{}"]
  ]
  for (const [what, given, expected] of cases) {
    it.effect(what, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* label(textOf(given, limit)), expected)
      }))
  }
})

describe("bytes", () => {
  it.effect("of a compressed stream have no limit, and are there as they come", () =>
    Effect.gen(function*() {
      const long = gzipSync("x".repeat(1000))
      const given = beginning(Stream.fromIterable(Array.from(long, (byte) => Uint8Array.of(byte))), {
        "content-encoding": "gzip"
      })
      const length = yield* Stream.runFold(bytesOf(given), () => 0, (sum, { length }) => sum + length)
      assert.strictEqual(length, 1000)
    }))
})
