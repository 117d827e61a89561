import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Criticality from "../src/Criticality.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import { during, fork, outcome } from "./support/harness.ts"

const Caller = Schema.Struct({
  face: Schema.Literals(["effect", "effect", "stream", "finalizer"]),
  criticality: Schema.Literals(Criticality.all),
  comes: Schema.Literals([0, 0, 5, 10, 20]),
  takes: Schema.Literals([0, 5, 10]),
  leaves: Schema.Literals([0, 5, 10, 15, 20, 1000]),
  // of a deadline, a wait ends a millisecond before it
  within: Schema.Literals([6, 11, 1000, 1000]),
  partition: Schema.Literals([0, 1, 2]),
  again: Schema.Boolean
})
type Caller = typeof Caller.Type

const Callers = Schema.Array(Caller).check(Schema.isMaxLength(14))
const Order = Schema.Literals(["fifo", "lifo", "adaptive"])
const overloadFor = (order: "fifo" | "lifo" | "adaptive") =>
  order === "adaptive" ? { order, overload: { target: 2, interval: 8 } } as const : { order }

/** How calls end that come and go, behind the policy of each. One that is refused may ask once more at once, and matters more. */
const play = (
  callers: ReadonlyArray<Caller>,
  policyOf: (caller: Caller) => Policy.Policy<unknown, unknown>,
  call: (caller: Caller) => Effect.Effect<void>,
  besides: Effect.Effect<unknown>
): Effect.Effect<ReadonlyArray<string>> => {
  const play = (caller: Caller): Effect.Effect<string> =>
    Effect.gen(function*() {
      const { again, comes, criticality, face, leaves, within } = caller
      yield* Effect.sleep(comes)
      const policy = Policy.compose(Deadline.within(within), policyOf(caller))
      const guarded = {
        effect: call(caller).pipe(policy),
        stream: Stream.runDrain(Stream.fromEffect(call(caller)).pipe(policy.stream)),
        finalizer: Effect.ensuring(Effect.void, Effect.exit(call(caller).pipe(policy)))
      }[face].pipe(Criticality.as(criticality))
      const asked = again
        ? Effect.catch(guarded, () => call(caller).pipe(policy, Criticality.as("critical-plus")))
        : guarded
      const fiber = yield* fork(asked)
      yield* Effect.sleep(leaves)
      yield* Fiber.interrupt(fiber)
      return outcome(yield* Fiber.await(fiber))
    })
  const all = Effect.forEach(callers, play, { concurrency: "unbounded" })
  const both = Effect.all([all, besides], { concurrency: "unbounded" })
  return during("1 minute", Effect.map(both, ([endings]) => endings))
}

/** Counts how many run at once. */
const meter = () => {
  const seen = { running: 0, most: 0 }
  return {
    seen,
    call: ({ takes }: Caller): Effect.Effect<void> =>
      Effect.acquireUseRelease(
        Effect.sync(() => seen.most = Math.max(seen.most, ++seen.running)),
        () => takes === 0 ? Effect.void : Effect.sleep(takes),
        () => Effect.sync(() => void seen.running--)
      )
  }
}

const endings = ["ok:undefined", "BulkheadRejected", "RateLimiterRejected", "DeadlineExceeded", "Interrupt"]
const endWell = (results: ReadonlyArray<string>) => {
  for (const result of results) assert.include(endings, result.replace(/^(?!ok)(\w+):.*/, "$1"))
}

describe("queues by criticality, whoever goes away when", () => {
  it.effect.prop(
    "Bulkhead: never more at once than allowed, also while it is resized, and nothing is left over",
    [Schema.Literals([1, 2, 3]), Schema.Literals([1, 3]), Schema.Literals([1, 2, 3]), Order, Callers],
    ([concurrency, maxQueue, later, order, callers]) =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency, maxQueue, maxWait: "10 millis", ...overloadFor(order) })
        const { call, seen } = meter()
        const resize = Effect.delay(bulkhead.resize({ concurrency: later, maxQueue: later }), 10)
        endWell(yield* play(callers, () => bulkhead, call, resize))
        assert.isAtMost(seen.most, Math.max(concurrency, later))
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency: later })
        assert.strictEqual(seen.running, 0)
      }),
    { arbitrary: { runs: 100 } }
  )

  it.effect.prop(
    "AdaptiveLimit: its partitions lend and get back, and nothing is left over",
    [Schema.Literals([1, 2, 4]), Schema.Literals([1, 3]), Order, Callers],
    ([maxConcurrency, maxQueue, order, callers]) =>
      Effect.gen(function*() {
        const limit = AdaptiveLimit.makeUnsafe({
          name: "x",
          initialConcurrency: maxConcurrency,
          maxConcurrency,
          maxQueue,
          maxWait: "10 millis",
          partitions: { batch: 0.25, live: 0.5 },
          within: 10,
          minCalls: 2,
          ...overloadFor(order)
        })
        const policies = [limit, limit.partition("batch"), limit.partition("live")]
        const { call, seen } = meter()
        endWell(yield* play(callers, ({ partition }) => policies[partition]!, call, Effect.void))
        // a partition has what it is guaranteed also while others have borrowed everything
        assert.isAtMost(seen.most, maxConcurrency + 3)
        assert.deepInclude(yield* limit.state, { inUse: 0, queued: 0 })
        assert.strictEqual(seen.running, 0)
      }),
    { arbitrary: { runs: 100 } }
  )

  it.effect.prop(
    "RateLimiter: what is used is what calls have cost that were made, and nobody is left over",
    [Schema.Literals([1, 3]), Schema.Literals([1, 3, 10]), Callers],
    ([limit, maxQueue, callers]) =>
      Effect.gen(function*() {
        const window = (limit: number) => RateLimiter.slidingWindow({ limit, within: "1 hour" })
        const limiter = RateLimiter.makeUnsafe({ name: "x", limit: window(limit), maxWait: "2 hours", maxQueue })
        let used = 0
        const costOf = ({ takes }: Caller) => takes === 10 ? 2 : 1
        const call = (caller: Caller) => Effect.sync(() => void (used += costOf(caller)))
        const more = Effect.delay(limiter.reconfigure({ calls: window(limit + 5) }), 10)
        const results = yield* play(callers, (caller) => limiter.cost(costOf(caller)), call, more)
        endWell(results)
        assert.isAtMost(used, limit + 5)
        assert.deepStrictEqual(yield* limiter.available, { calls: limit + 5 - used })
        assert.strictEqual((yield* limiter.state).waiting, 0)
      }),
    { arbitrary: { runs: 100 } }
  )
})
