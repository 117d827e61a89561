import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { FetchHttpClient, Headers, HttpBody, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AzureO1Node from "../../src/node.ts"
import { type Direct, directOf } from "../../src/transport/direct.ts"
import { answer, continues, cut, end, head, say, silence, slowly, streaming } from "../support/raw-actions.ts"
import { type Exchange, type RawServer, rawServer } from "../support/raw-server.ts"

type Ask<A> = (
  response: Effect.Effect<HttpClientResponse.HttpClientResponse, unknown, Scope.Scope>,
  server: RawServer
) => Effect.Effect<A, unknown, Scope.Scope>

/** A request by the shorter way, to a server that does this. */
const on = <A>(does: Exchange["does"], f: Ask<A>): Effect.Effect<A, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* rawServer({ on: "POST", does })
    const direct = directOf(yield* HttpClient.HttpClient) as Direct
    const request = HttpClientRequest.post(`${server.url}/a?b=c`, {
      headers: { "x-name": "value" },
      body: HttpBody.text("{\"hello\":\"wörld\"}", "application/json")
    })
    return yield* f(direct(request), server)
  })).pipe(Effect.provide(AzureO1Node.layerHttpClient))

const bytesOf = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<string, unknown> =>
  Effect.map(Stream.runCollect(response.stream), (chunks) => Buffer.concat(Array.from(chunks)).toString())

/** Until that many connections are open. */
const open = (server: RawServer, connections: number): Effect.Effect<unknown> =>
  Effect.repeat(Effect.sync(server.open), {
    until: (n) => n === connections,
    schedule: Schedule.spaced("2 millis")
  })

describe("the shorter way of Node's client", () => {
  it.live("sends what it is given, and gives what comes", () =>
    on([answer(201, { a: 1 }, { "x-limit": "7" })], (sent, server) =>
      Effect.gen(function*() {
        const response = yield* sent
        assert.strictEqual(response.status, 201)
        assert.strictEqual(response.headers["x-limit"], "7")
        assert.deepStrictEqual(yield* response.json, { a: 1 })
        assert.deepStrictEqual(yield* response.json, { a: 1 })
        const [asked] = server.requests
        assert.deepInclude(asked, { method: "POST", path: "/a?b=c", body: "{\"hello\":\"wörld\"}" })
        assert.deepInclude(asked?.headers, { "x-name": "value", "content-type": "application/json" })
        assert.notInclude(JSON.stringify(response), "value")
      }).pipe(Effect.provideService(Headers.CurrentRedactedNames, ["x-name"]))))

  it.live("characters that are cut in two, and what is only informational", () =>
    on([continues, head(200), slowly("ünï🧠", 1, 1), end], (sent) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* (yield* sent).text, "ünï🧠")
      })))

  it.live("what came before the connection broke is told before the failure", () =>
    on([streaming("one"), cut("rst")], (sent) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const response = yield* sent
        const error = yield* Effect.flip(
          Stream.runForEach(response.stream, (chunk) => Effect.sync(() => seen.push(Buffer.from(chunk).toString())))
        )
        assert.deepStrictEqual(seen, ["one"])
        assert.include(String(error), "Decode")
      })))

  const unanswered: ReadonlyArray<readonly [string, Exchange["does"]]> = [
    ["a connection that is reset", [cut("rst")]],
    ["a connection that is closed", [cut("fin")]]
  ]
  for (const [name, does] of unanswered) {
    it.live(`${name} before anything came`, () =>
      on(does, (sent) => Effect.map(Effect.flip(sent), (error) => assert.include(String(error), "Transport"))))
  }

  const left: ReadonlyArray<readonly [string, Exchange["does"], Ask<unknown>]> = [
    ["before the headers", [silence], (sent) => sent],
    ["after the headers", [streaming(), silence], (sent) => Effect.andThen(sent, Effect.never)],
    ["while it reads", [streaming("one"), silence], (sent) => Effect.flatMap(sent, bytesOf)],
    ["while it waits for the whole", [streaming("one"), silence], (sent) => Effect.flatMap(sent, ({ text }) => text)]
  ]
  for (const [name, does, f] of left) {
    it.live(`whoever leaves ${name} closes the connection`, () =>
      on(does, (sent, server) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Effect.scoped(f(sent, server)), { startImmediately: true })
          yield* Effect.repeat(Effect.sync(() => server.requests.length), {
            until: (n) => n === 1,
            schedule: Schedule.spaced("2 millis")
          })
          yield* Effect.sleep("20 millis")
          yield* Fiber.interrupt(fiber)
          yield* open(server, 0)
        })))
  }

  it.live("whoever has had enough closes the connection, and who has read all of it leaves it open for the next", () =>
    Effect.gen(function*() {
      yield* on([streaming("one"), silence], (sent, server) =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.flatMap(sent, ({ stream }) => Stream.runDrain(Stream.take(stream, 1))))
          yield* open(server, 0)
        }))
      yield* on([answer(200, "whole")], (sent, server) =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.flatMap(sent, bytesOf))
          yield* Effect.scoped(Effect.flatMap(sent, bytesOf))
          assert.strictEqual(server.connections(), 1)
        }))
    }))

  it.live("a reader that takes its time holds the server back, and loses nothing", () =>
    on(
      [head(200), ...Array.from({ length: 64 }, () => say("x".repeat(65_536))), end],
      (sent) =>
        Effect.gen(function*() {
          const response = yield* sent
          let length = 0
          yield* Stream.runForEachArray(response.stream, (chunks) =>
            Effect.andThen(
              Effect.sleep("1 millis"),
              Effect.sync(() => {
                for (const chunk of chunks) length += chunk.length
              })
            ))
          assert.strictEqual(length, 64 * 65_536)
        })
    ))

  it.effect("others do not have it, nor does one that was wrapped", () =>
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      assert.isDefined(directOf(client))
      assert.isUndefined(directOf(HttpClient.mapRequest(client, (request) => request)))
      assert.isUndefined(directOf(yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)))
    }).pipe(Effect.provide(AzureO1Node.layerHttpClient)))
})
