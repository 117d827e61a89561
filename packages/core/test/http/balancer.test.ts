import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as Balancer from "../../src/Balancer.ts"
import * as Hedge from "../../src/Hedge.ts"
import { ResilientHttpClient } from "../../src/http/index.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import * as Timeout from "../../src/Timeout.ts"
import { eventually, serve } from "../support/http.ts"

/** Three servers: one answers, one fails or asks for a pause, and nobody listens at the third address. */
const three = (refuse: { readonly status: number; readonly headers?: Record<string, string> }) =>
  Effect.gen(function*() {
    const well = yield* serve((request, response) => response.end(`answer to ${request.url}`))
    const refusing = yield* serve((_, response) => response.writeHead(refuse.status, refuse.headers).end())
    const gone = yield* Effect.scoped(serve((_, response) => response.end()))
    const hosts = Balancer.makeUnsafe({
      endpoints: [gone.url, refusing.url, well.url],
      choose: "in-order",
      ejection: { failures: 3 }
    })
    const client = ResilientHttpClient.make(
      yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer),
      Policy.identity,
      { failOnStatus: true }
    )
    const statuses = Effect.map(hosts.state, (all) => all.map(({ status }) => status))
    return { client, hosts, refusing, statuses, well }
  })

const retry = Retry.make({ times: 2, after: () => 0 })

describe("a balancer over three addresses", () => {
  it.live("every call is answered, and those that fail are left out", () =>
    Effect.gen(function*() {
      const { client, hosts, refusing, statuses, well } = yield* three({ status: 503 })
      const ask = hosts.use((url) => Effect.flatMap(client.get(`${url}item`), (response) => response.text))
      const answers = yield* Effect.replicateEffect(ask.pipe(retry), 10)
      assert.deepStrictEqual(new Set(answers), new Set(["answer to /item"]))
      assert.strictEqual(well.requests.length, 10)
      // of three one may be ejected: the first one that has failed often enough
      assert.strictEqual(refusing.requests.length, 10)
      assert.deepStrictEqual(yield* statuses, ["ejected", "available", "available"])
    }))

  it.live("nobody waits for the minute that one of them asks for", () =>
    Effect.gen(function*() {
      const { client, hosts, refusing, statuses } = yield* three({ status: 429, headers: { "retry-after": "60" } })
      const ask = hosts.use((url) => Effect.flatMap(client.get(url), (response) => response.text))
      yield* Effect.replicateEffect(ask.pipe(retry), 5)
      assert.strictEqual(refusing.requests.length, 1)
      assert.deepStrictEqual(yield* statuses, ["ejected", "cooling", "available"])
    }))

  it.live("a client that is one of three hosts, and a request that is sent to another one when its host is silent", () =>
    Effect.gen(function*() {
      const silent = yield* serve(() => {})
      const well = yield* serve((_, response) => response.end("answer"))
      const hosts = Balancer.makeUnsafe({ endpoints: [silent.url, well.url], choose: "in-order" })
      const fetch = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
      const get = hosts.use((url) =>
        Effect.flatMap(fetch.execute(HttpClientRequest.get(url)), (response) => response.text)
      )
      const hedged = get.pipe(Hedge.makeUnsafe({ after: "20 millis" }), Timeout.total("20 seconds"))
      assert.strictEqual(yield* hedged, "answer")
      yield* eventually(() => silent.open.size === 0)
      assert.deepStrictEqual((yield* hosts.state).map(({ inFlight }) => inFlight), [0, 0])
    }))

  it.live("a body is in flight until it has been read", () =>
    Effect.gen(function*() {
      let end = () => {}
      const server = yield* serve((_, response) => {
        response.write("half")
        end = () => response.end(" and half")
      })
      const hosts = Balancer.makeUnsafe({ endpoints: [server.url] })
      const fetch = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
      const body = hosts.useStream((url) =>
        Stream.unwrap(Effect.map(fetch.get(url), (response) => Stream.decodeText(response.stream)))
      )
      const inFlight: Array<number> = []
      const seen = Effect.map(hosts.state, ([state]) => inFlight.push(state!.inFlight))
      const parts = yield* Stream.runCollect(Stream.tap(body, () => Effect.andThen(seen, Effect.sync(() => end()))))
      yield* seen
      assert.strictEqual(parts.join(""), "half and half")
      assert.deepStrictEqual(inFlight, [...parts.map(() => 1), 0])
    }))
})
