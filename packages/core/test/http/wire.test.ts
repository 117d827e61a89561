import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { ResilientHttpClient } from "../../src/http/index.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import * as Timeout from "../../src/Timeout.ts"
import { eventually, serve } from "../support/http.ts"

const retry = Retry.make({ schedule: Schedule.recurs(3) })
const fetch = Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
const text = Effect.flatMap((response: HttpClientResponse.HttpClientResponse) => response.text)

/** Head and half of the body. */
const half = (response: { writeHead: Function; write: Function }) => {
  response.writeHead(200, { "content-length": "8" })
  response.write("half")
}

describe("ResilientHttpClient over sockets", () => {
  it.live("a connection that is cut in the middle of a body is made again", () =>
    Effect.gen(function*() {
      const server = yield* serve((_, response, attempt) => {
        if (attempt > 2) return response.end("complete")
        half(response)
        setImmediate(() => response.destroy())
      })
      const client = ResilientHttpClient.make(yield* fetch, retry)
      assert.strictEqual(yield* client.get(server.url).pipe(text), "complete")
      assert.strictEqual(server.requests.length, 3)
    }))

  it.live("the answer to a failure is read, so one connection serves all attempts", () =>
    Effect.gen(function*() {
      const server = yield* serve((_, response, attempt) => {
        response.writeHead(attempt < 4 ? 503 : 200)
        response.end(`answer ${attempt}`)
      })
      const client = ResilientHttpClient.make(yield* fetch, Retry.make({ schedule: Schedule.spaced("20 millis") }))
      assert.strictEqual(yield* client.get(server.url).pipe(text), "answer 4")
      assert.deepStrictEqual([server.requests.length, server.connections], [4, 1])
    }))

  it.live("an attempt that is lost gives its connection back, before and after the head", () =>
    Effect.gen(function*() {
      const server = yield* serve((_, response, attempt) => {
        if (attempt === 1) return
        if (attempt === 2) return half(response)
        response.end("done")
      })
      let attempts = 0
      // gives up two attempts when the server has got them, however long that takes
      const impatient = Policy.make({
        info: { kind: "impatient", settings: {}, children: [] },
        effect: (self) => {
          const attempt = Effect.suspend(() => {
            const number = ++attempts
            const given = eventually(() => number < 3 && server.requests.length === number)
            return Effect.raceFirst(self, Effect.andThen(given, Effect.fail("given up"))) as typeof self
          })
          return attempt
        }
      })
      const client = ResilientHttpClient.make(yield* fetch, Policy.compose(retry, impatient))
      assert.strictEqual(yield* client.get(server.url).pipe(text), "done")
      yield* eventually(() => server.open.size === 0)
    }))

  it.live("interruption ends the connection, whatever it was doing, in every mode", () =>
    Effect.gen(function*() {
      const server = yield* serve((request, response) => {
        if (request.url === "/head") return
        half(response)
      })
      for (const body of ["buffer", "headers", "stream"] as const) {
        for (const path of ["head", "body"]) {
          const before = server.requests.length
          const client = ResilientHttpClient.make(yield* fetch, retry, { body: body as "buffer" })
          const fiber = yield* Effect.forkChild(Effect.scoped(client.get(server.url + path).pipe(text)))
          yield* eventually(() => server.requests.length > before)
          yield* Fiber.interrupt(fiber)
          yield* eventually(() => server.open.size === 0)
        }
      }
    }))

  it.live("a stream that its consumer leaves ends its connection", () =>
    Effect.gen(function*() {
      const server = yield* serve((_, response) => half(response))
      const client = ResilientHttpClient.make(yield* fetch, retry, { body: "stream" })
      const first = Stream.unwrap(Effect.map(client.get(server.url), (response) => response.stream)).pipe(
        Stream.take(1)
      )
      assert.strictEqual((yield* Stream.runCollect(first)).length, 1)
      yield* eventually(() => server.open.size === 0)
    }))

  it.live("a refused connection is tried again though the method is not idempotent, one that is cut is not", () =>
    Effect.gen(function*() {
      let attempts = 0
      const counting = HttpClient.transform(yield* fetch, (effect) =>
        Effect.suspend(() => {
          attempts++
          return effect
        }))
      const client = ResilientHttpClient.make(counting, retry)

      const closed = yield* Effect.scoped(Effect.map(serve(() => {}), (server) => server.url))
      const refused = yield* Effect.flip(client.post(closed, { body: HttpBody.text("a") }))
      assert.deepStrictEqual([refused.reason._tag, attempts], ["TransportError", 4])

      const server = yield* serve((request) => request.socket.destroy())
      const cut = yield* Effect.flip(client.post(server.url, { body: HttpBody.text("a") }))
      assert.deepStrictEqual([cut.reason._tag, server.requests.length], ["TransportError", 1])
    }))

  it.live("an upload that is a stream is made once", () =>
    Effect.gen(function*() {
      const server = yield* serve((request, response) => {
        request.resume()
        request.on("end", () => {
          response.writeHead(503)
          response.end("no")
        })
      })
      const upload = HttpClientRequest.put(server.url).pipe(
        HttpClientRequest.bodyStream(Stream.make(new Uint8Array(10), new Uint8Array(10)))
      )
      const client = ResilientHttpClient.make(yield* fetch, retry, { failOnStatus: true })
      const error = yield* Effect.flip(client.execute(upload))
      assert.isTrue(HttpClientError.isHttpClientError(error))
      assert.deepStrictEqual([error.response?.status, server.requests.length], [503, 1])
    }))

  it.live("the time that is left arrives", () =>
    Effect.gen(function*() {
      const server = yield* serve((_, response) => response.end())
      const client = ResilientHttpClient.make(yield* fetch, Timeout.total("10 seconds"), { sendDeadline: true })
      yield* client.get(server.url)
      const millis = Number(server.requests[0]!.headers["x-deadline-ms"])
      assert.isTrue(millis > 0 && millis <= 10_000)
    }))
})
