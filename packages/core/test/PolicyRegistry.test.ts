import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as PolicyRegistry from "../src/PolicyRegistry.ts"
import { Boom } from "./support/harness.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const trip = CircuitBreaker.consecutive(1)

describe("PolicyRegistry", () => {
  it.effect("lists what has a name, in order, as plain data", () =>
    Effect.gen(function*() {
      const closed = yield* CircuitBreaker.make({ name: "closed", trip })
      const open = yield* CircuitBreaker.make({ name: "open", trip, open: "1 second" })
      const nameless = yield* CircuitBreaker.make({ trip })
      const elsewhere = CircuitBreaker.makeUnsafe({ name: "made without an effect", trip })
      yield* Effect.exit(open(Effect.fail(new Boom({}))))
      yield* TestClock.adjust("400 millis")
      const snapshot = yield* PolicyRegistry.snapshot
      assert.deepStrictEqual(snapshot, [
        {
          kind: "circuit-breaker",
          name: "closed",
          state: { _tag: "Closed", calls: 0, failures: 0, consecutiveFailures: 0 }
        },
        {
          kind: "circuit-breaker",
          name: "open",
          state: { _tag: "Open", retryAfterMillis: 600, openings: 1 }
        }
      ])
      assert.deepStrictEqual(JSON.parse(JSON.stringify(snapshot)), snapshot)
      yield* TestClock.adjust("600 millis")
      assert.strictEqual((yield* PolicyRegistry.snapshot)[1]!.state["_tag"], "HalfOpen")
      return [closed, open, nameless, elsewhere]
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("without a registry, policies are made all the same", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({ name: "alone" })
      assert.strictEqual((yield* breaker.state)._tag, "Closed")
    }))

  it.effect("keeps no policy alive", () =>
    Effect.gen(function*() {
      const kept = yield* CircuitBreaker.make({ name: "kept" })
      for (let i = 0; i < 100; i++) yield* CircuitBreaker.make({ name: `dropped ${i}` })
      assert.lengthOf(yield* PolicyRegistry.snapshot, 101)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      collectGarbage()
      const names = (yield* PolicyRegistry.snapshot).map(({ name }) => name)
      assert.isBelow(names.length, 10)
      assert.include(names, "kept")
      return kept
    }).pipe(Effect.provide(PolicyRegistry.layer)))
})
