import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Redis } from "effect/persistence/Redis"
import { start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"

const ask = <A>(url: string, effect: Effect.Effect<A, unknown, Redis>): Effect.Effect<A, unknown> =>
  effect.pipe(Effect.provide(NodeRedis.layer({ url })))

const ping = Effect.flatMap(Redis, ({ send }) => send<string>("PING"))

describeWithRedis("the redis-server of the tests", () => {
  it.live("is empty again after a restart, on the same port", () =>
    Effect.gen(function*() {
      const server = yield* start
      yield* ask(server.url, Effect.flatMap(Redis, ({ send }) => send("SET", "a", "1")))
      yield* server.restart
      const seen = yield* ask(server.url, Effect.flatMap(Redis, ({ send }) => send("GET", "a")))
      assert.isNull(seen)
    }))

  it.live("answers nothing while it is paused or dead", () =>
    Effect.gen(function*() {
      const server = yield* start
      const answers = yield* Effect.gen(function*() {
        const brief = ping.pipe(Effect.timeoutOption("200 millis"), Effect.map(({ _tag }) => _tag))
        yield* server.pause
        const paused = yield* brief
        // a client is not closed before what it has asked is answered
        yield* server.resume
        return [paused, yield* brief]
      }).pipe(Effect.provide(NodeRedis.layer({ url: server.url })))
      yield* server.kill
      const dead = yield* Effect.exit(ask(server.url, ping))
      assert.deepStrictEqual([...answers, dead._tag], ["None", "Some", "Failure"])
    }))

  it.live("ends with its scope", () =>
    Effect.gen(function*() {
      const url = yield* Effect.scoped(Effect.map(start, (server) => server.url))
      assert.strictEqual((yield* Effect.exit(ask(url, ping)))._tag, "Failure")
    }))
})
