import { assert, describe, it } from "@effect/vitest"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Hedge from "../src/Hedge.ts"
import * as ResilientHttpClient from "../src/http/ResilientHttpClient.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, fork, outcome } from "./support/harness.ts"

/*
 * A deadline belongs to whoever published it. What limits or gives up obeys it in the fiber of its owner and in fibers that a policy
 * forks for the call, and nowhere else; what only tells reads it wherever it was inherited. When its owner has fired, was interrupted
 * or has settled, it is none, and none it is in a fiber that is being interrupted.
 *
 * Every probe below takes 14 to 20 seconds where no deadline binds it, and the deadline is 10 seconds away.
 */

type Call = Effect.Effect<unknown, unknown>

/** How a policy shows whether a deadline binds it. */
interface Probe {
  readonly run: Effect.Effect<unknown, unknown>
  /** With 10 seconds left, and nobody to interrupt it before. */
  readonly bound: string
  readonly free: string
}

const cut = "Interrupt"

/** A timeout that is bound leaves the end to the owner of the deadline. */
const timeout = (policy: Policy.Policy<unknown, unknown>, free: string): { readonly [face: string]: Probe } => ({
  effect: { run: Effect.suspend(() => policy(Effect.never)), bound: cut, free },
  stream: { run: Stream.runDrain(Stream.suspend(() => policy.stream(Stream.never))), bound: cut, free }
})

const both = (name: string, faces: { readonly [face: string]: Probe }): ReadonlyArray<readonly [string, Probe]> =>
  Object.entries(faces).map(([face, probe]) => [`${name}, ${face}`, probe])

const retried = Effect.suspend(() => {
  let tries = 0
  const flaky = Effect.suspend(() => ++tries === 1 ? Effect.fail(new Boom({})) : Effect.succeed("served"))
  return Effect.suspend(() => flaky).pipe(Retry.make({ schedule: Schedule.spaced("15 seconds") }))
})

const queued = Effect.suspend(() => {
  const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, maxWait: "1 hour" })
  return Effect.andThen(
    Effect.forkDetach(bulkhead(Effect.sleep("15 seconds")), { startImmediately: true }),
    bulkhead(Effect.succeed("served"))
  )
})

const limited = Effect.suspend(() => {
  const limiter = RateLimiter.makeUnsafe({
    limit: RateLimiter.tokenBucket({ limit: 1, within: "15 seconds" }),
    maxWait: "1 hour"
  })
  return Effect.andThen(limiter(Effect.void), limiter(Effect.succeed("served")))
})

const pipeline = () =>
  Pipelines.makeStandardUnsafe({ total: "15 seconds", attempt: "14 seconds", retry: { schedule: Schedule.recurs(0) } })

const limits: ReadonlyArray<readonly [string, Probe]> = [
  ...both("Timeout.attempt", timeout(Timeout.attempt("20 seconds"), "TimeoutExceeded:attempt")),
  ...both("Timeout.attempt, asked", timeout(Timeout.attempt(() => "20 seconds"), "TimeoutExceeded:attempt")),
  ...both("Timeout.total", timeout(Timeout.total("20 seconds"), "TimeoutExceeded:total")),
  ...both("Timeout.phases", timeout(Timeout.phases({ first: "20 seconds" }), "TimeoutExceeded:first")),
  ...both("Deadline.within", timeout(Deadline.within("20 seconds"), "DeadlineExceeded")),
  ["Pipelines.standard", {
    run: Effect.suspend(() => pipeline()(Effect.never)),
    bound: cut,
    free: "TimeoutExceeded:attempt"
  }],
  ["the wait of Retry", { run: retried, bound: "Boom", free: "ok:served" }],
  ["the queue of Bulkhead", { run: queued, bound: "BulkheadRejected", free: "ok:served" }],
  ["the queue of RateLimiter", { run: limited, bound: "RateLimiterRejected", free: "ok:served" }]
]

const header = Effect.suspend(() => {
  let sent: string | undefined
  const service = HttpClient.make((request) =>
    Effect.sync(() => {
      sent = request.headers["x-deadline-ms"]
      return HttpClientResponse.fromWeb(request, new Response("ok"))
    })
  )
  const client = ResilientHttpClient.make(service, Policy.identity, { sendDeadline: true })
  return Effect.map(client.get("http://service.test/"), () => sent ?? "none")
})

const tells: ReadonlyArray<readonly [string, Probe]> = [
  ["Deadline.remaining", {
    run: Effect.map(
      Deadline.remaining,
      (left) => Option.match(left, { onNone: () => "none", onSome: Duration.toMillis })
    ),
    bound: "ok:10000",
    free: "ok:none"
  }],
  ["Deadline.toHeader", {
    run: Effect.map(Deadline.toHeader, Option.getOrElse(() => "none")),
    bound: "ok:10000",
    free: "ok:none"
  }],
  ["sendDeadline", { run: header, bound: "ok:10000", free: "ok:none" }]
]

/** Has nothing to say while the deadline is ahead, and must not refuse what its owner has left. */
const refuses: ReadonlyArray<readonly [string, Probe]> = [
  ["Deadline.exceeded", { run: Deadline.exceeded, bound: "ok:false", free: "ok:false" }],
  ["Deadline.check", { run: Deadline.check, bound: "ok:undefined", free: "ok:undefined" }]
]

const all = [...limits, ...tells, ...refuses]

/** How work is run: what the owner of the deadline calls, and what somebody without a deadline calls who needs it as well. */
interface Way {
  readonly inside: Call
  readonly other?: Call
}

/** Prepares it outside of the deadline. */
type Prepare = (work: Effect.Effect<unknown>) => Effect.Effect<Way, never, Scope.Scope>

const just = (f: (work: Effect.Effect<unknown>) => Call): Prepare => (work) => Effect.succeed({ inside: f(work) })

/** In the fiber of the owner. */
const own: { readonly [name: string]: Prepare } = {
  "the call itself": just((work) => work),
  "forEach, one at a time": just((work) => Effect.forEach([1], () => work)),
  "acquireUseRelease": just((work) => Effect.acquireUseRelease(Effect.void, () => work, () => Effect.void)),
  "uninterruptibleMask": just((work) => Effect.uninterruptibleMask((restore) => restore(work))),
  "scoped": just((work) => Effect.scoped(work)),
  "catch": just((work) => Effect.catch(Effect.fail("x"), () => work)),
  "a stream, one at a time": just((work) => Stream.runDrain(Stream.mapEffect(Stream.make(1), () => work))),
  "the second attempt of a retry": just((work) => {
    let attempts = 0
    return Effect.suspend(() => ++attempts === 1 ? Effect.fail("x") : work).pipe(
      Retry.make({ schedule: Schedule.forever })
    )
  }),
  "a bulkhead": just((work) => work.pipe(Bulkhead.makeUnsafe({ concurrency: 1 }))),
  "an inner timeout": just((work) => work.pipe(Timeout.attempt("1 minute")))
}

/** In a fiber that a policy forks for the call. */
const ours: { readonly [name: string]: Prepare } = {
  "the first attempt of a hedge": just((work) => work.pipe(Hedge.makeUnsafe({ after: "1 minute" }))),
  "the second attempt of a hedge": just((work) => {
    let attempts = 0
    return Effect.suspend(() => ++attempts === 1 ? Effect.never : work).pipe(Hedge.makeUnsafe({ after: 0 }))
  }),
  "a hedged stream": just((work) =>
    Stream.runDrain(Hedge.makeUnsafe({ after: "1 minute" }).stream(Stream.fromEffect(work)))
  ),
  "a call that may be left behind": just((work) => work.pipe(Timeout.attempt("1 minute", { detach: true }))),
  "a limit of a caller that cannot be interrupted": just((work) =>
    Effect.uninterruptible(work.pipe(Timeout.attempt("1 minute")))
  ),
  "Deadline.inherit in a fan-out": just((work) =>
    Effect.forEach([1, 2], (n) => n === 1 ? Deadline.inherit(work) : Effect.void, { concurrency: "unbounded" })
  )
}

/** In another fiber, which the owner interrupts when it fires. */
const fannedOut: { readonly [name: string]: Prepare } = {
  "forEach, concurrent": just((work) => Effect.forEach([1, 2], () => work, { concurrency: "unbounded" })),
  "all, concurrent": just((work) => Effect.all([work, Effect.never], { concurrency: "unbounded" })),
  "race": just((work) => Effect.race(work, Effect.never)),
  "raceFirst": just((work) => Effect.raceFirst(work, Effect.never)),
  "Effect.timeout": just((work) => Effect.timeout(work, "1 hour")),
  "forkChild": just((work) => Effect.flatMap(fork(work), Fiber.join)),
  "forkScoped": just((work) => Effect.scoped(Effect.flatMap(Effect.forkScoped(work), Fiber.join))),
  "a FiberSet of the call": just((work) =>
    Effect.scoped(Effect.flatMap(FiberSet.make(), (set) => Effect.flatMap(FiberSet.run(set, work), Fiber.join)))
  ),
  "a stream, many at a time": just((work) =>
    Stream.runDrain(Stream.mapEffect(Stream.make(1, 2), () => work, { concurrency: 2 }))
  ),
  "a merged stream": just((work) => Stream.runDrain(Stream.merge(Stream.fromEffect(work), Stream.never)))
}

class Get extends Request.TaggedClass("Get")<{ readonly id: number }, unknown, never> {}

class Background extends Context.Service<Background, number>()("deadlineOwnership/Background") {}

/** In another fiber that outlives the owner. */
const shared: { readonly [name: string]: Prepare } = {
  "Cache.get": (work) =>
    Effect.map(Cache.make({ capacity: 1, lookup: (_: string) => work }), (cache) => {
      const get = Cache.get(cache, "key")
      return { inside: get, other: get }
    }),
  "Effect.cached": (work) => Effect.map(Effect.cached(work), (cached) => ({ inside: cached, other: cached })),
  "RcMap.get": (work) =>
    Effect.map(RcMap.make({ lookup: (_: string) => work }), (map) => {
      const get = Effect.scoped(RcMap.get(map, "key"))
      return { inside: get, other: get }
    }),
  "a batch of requests": (work) =>
    Effect.sync(() => {
      const resolver = RequestResolver.make<Get>((entries) =>
        Effect.map(work, (answer) => entries.forEach((entry) => entry.completeUnsafe(Exit.succeed(answer))))
      )
      const get = (id: number) => Effect.request(new Get({ id }), resolver)
      return { inside: get(1), other: get(2) }
    }),
  "Stream.share": (work) =>
    Effect.map(Stream.share(Stream.fromEffect(work), { capacity: 1 }), (stream) => {
      const run = Stream.runDrain(stream)
      return { inside: run, other: run }
    }),
  "forkDetach": just((work) => Effect.andThen(Effect.forkDetach(work, { startImmediately: true }), Effect.never)),
  "forkIn": (work) =>
    Effect.map(Effect.scope, (scope) => ({
      inside: Effect.andThen(Effect.forkIn(work, scope, { startImmediately: true }), Effect.never)
    })),
  "a FiberSet that is older": (work) =>
    Effect.map(FiberSet.make(), (set) => ({ inside: Effect.andThen(FiberSet.run(set, work), Effect.never) })),
  "a FiberMap that is older": (work) =>
    Effect.map(
      FiberMap.make<string>(),
      (map) => ({ inside: Effect.andThen(FiberMap.run(map, "key", work), Effect.never) })
    ),
  "a fiber of a layer": (work) =>
    Effect.map(Effect.scope, (scope) => {
      const layer = Layer.effect(Background, Effect.as(Effect.forkScoped(work, { startImmediately: true }), 1))
      return { inside: Effect.andThen(Layer.buildWithScope(layer, scope), Effect.never) }
    })
}

/** Where clean-up is written. */
const finalizers: { readonly [name: string]: (call: Call, cleanup: Effect.Effect<unknown>) => Call } = {
  "onExit": (call, cleanup) => Effect.onExit(call, () => cleanup),
  "ensuring": (call, cleanup) => Effect.ensuring(call, cleanup),
  "onInterrupt": (call, cleanup) => Effect.onInterrupt(call, () => cleanup),
  "onError": (call, cleanup) => Effect.onError(call, () => cleanup),
  "acquireUseRelease": (call, cleanup) => Effect.acquireUseRelease(Effect.void, () => call, () => cleanup),
  "acquireRelease": (call, cleanup) =>
    Effect.scoped(Effect.andThen(Effect.acquireRelease(Effect.void, () => cleanup), call)),
  "addFinalizer": (call, cleanup) => Effect.scoped(Effect.andThen(Effect.addFinalizer(() => cleanup), call)),
  "Stream.ensuring": (call, cleanup) => Stream.runDrain(Stream.ensuring(Stream.fromEffect(call), cleanup)),
  "a child's": (call, cleanup) => Effect.flatMap(fork(Effect.ensuring(call, cleanup)), Fiber.join),
  "in a fan-out": (call, cleanup) =>
    Effect.forEach([1, 2], () => Effect.ensuring(call, cleanup), { concurrency: "unbounded" }),
  "within an inner timeout": (call, cleanup) => Effect.ensuring(call, cleanup).pipe(Timeout.attempt("1 hour")),
  "around an inner timeout": (call, cleanup) => Effect.ensuring(call.pipe(Timeout.attempt("1 hour")), cleanup),
  "within a retry": (call, cleanup) => Effect.ensuring(call, cleanup).pipe(Retry.make()),
  "within a hedge": (call, cleanup) => Effect.ensuring(call, cleanup).pipe(Hedge.makeUnsafe({ after: "1 hour" }))
}

const owners: { readonly [name: string]: () => Policy.Policy<unknown, unknown> } = {
  "Timeout.total": () => Timeout.total("10 seconds"),
  "Deadline.within": () => Deadline.within("10 seconds"),
  "Pipelines.standard": () => Pipelines.makeStandardUnsafe({ total: "10 seconds", attempt: "10 seconds" })
}

/** What a probe answered, in words; the last one that ran. */
const observed = (probe: Probe, before: Effect.Effect<void> = Effect.void) => {
  const seen: Array<string> = []
  const run = Effect.exit(Effect.onExit(probe.run, (exit) => Effect.sync(() => void seen.push(outcome(exit)))))
  return { seen, work: Effect.andThen(before, run) }
}

/** The owner calls, then somebody without a deadline; the owner's caller may leave. */
const play = (owner: Policy.Policy<unknown, unknown>, way: Way, leaves: boolean) =>
  Effect.gen(function*() {
    const fiber = yield* fork(Effect.exit(owner(way.inside)))
    const other = yield* fork(Effect.exit(way.other ?? Effect.void))
    if (leaves) {
      yield* TestClock.adjust("5 seconds")
      yield* fork(Fiber.interrupt(fiber))
    }
    yield* TestClock.adjust("5 minutes")
    assert.notStrictEqual(fiber.pollUnsafe(), undefined, "the caller has an answer")
    assert.notStrictEqual(other.pollUnsafe(), undefined, "and so has the other one")
  })

const total = () => Timeout.total("10 seconds")

describe("a deadline binds what limits", () => {
  for (const [kind, ways] of Object.entries({ "its owner's fiber": own, "a fiber of a policy": ours })) {
    for (const [name, prepare] of Object.entries(ways)) {
      it.effect(`in ${kind}: ${name}`, () =>
        Effect.gen(function*() {
          for (const [what, probe] of all) {
            const { seen, work } = observed(probe)
            yield* play(total(), yield* prepare(work), false)
            assert.deepStrictEqual(seen, [probe.bound], what)
          }
        }))
    }
  }

  for (const [name, prepare] of Object.entries(fannedOut)) {
    it.effect(`not in another fiber, which the owner ends: ${name}`, () =>
      Effect.gen(function*() {
        for (const [what, probe] of limits) {
          const { seen, work } = observed(probe)
          yield* play(total(), yield* prepare(work), false)
          assert.deepStrictEqual([...new Set(seen)], [cut], what)
        }
        for (const [what, probe] of [...tells, ...refuses]) {
          const { seen, work } = observed(probe)
          yield* play(total(), yield* prepare(work), false)
          assert.deepStrictEqual([...new Set(seen)], [probe.bound], what)
        }
      }))
  }

  for (const [name, prepare] of Object.entries(shared)) {
    for (const leaves of [false, true]) {
      const how = leaves ? "whose first caller leaves" : "that outlives its first caller"
      it.effect(`not in a fiber ${how}: ${name}`, () =>
        Effect.gen(function*() {
          for (const [what, probe] of limits) {
            const { seen, work } = observed(probe)
            yield* play(total(), yield* prepare(work), leaves)
            assert.deepStrictEqual(seen, [probe.free], `${what}, begun before`)
          }
          for (const [what, probe] of all) {
            const { seen, work } = observed(probe, Effect.sleep("12 seconds"))
            yield* play(total(), yield* prepare(work), leaves)
            assert.deepStrictEqual(seen, [probe.free], `${what}, begun after`)
          }
        }))
    }
  }
})

describe("a limit inside of what the owner of a deadline cannot interrupt", () => {
  const timeouts = limits.filter(([what, { bound }]) => bound === cut && what !== "Pipelines.standard")
  for (const [what, probe] of timeouts) {
    it.effect(`ends it: ${what}`, () =>
      Effect.gen(function*() {
        const { seen, work } = observed(probe)
        yield* play(total(), { inside: Effect.uninterruptible(work) }, false)
        assert.deepStrictEqual(seen, [probe.free])
      }))
  }
})

describe("the deadline of a call that has ended", () => {
  for (const [by, owner] of Object.entries(owners)) {
    for (const [name, finalizer] of Object.entries(finalizers)) {
      for (const leaves of [false, true]) {
        it.effect(`binds no clean-up after ${leaves ? "an interruption" : "the limit"} of ${by}: ${name}`, () =>
          Effect.gen(function*() {
            for (const [what, probe] of all) {
              const { seen, work } = observed(probe)
              yield* play(owner(), { inside: finalizer(Effect.never, work) }, leaves)
              assert.deepStrictEqual([...new Set(seen)], [probe.free], what)
            }
          }))
      }
    }

    it.effect(`is none when ${by} has settled`, () =>
      Effect.gen(function*() {
        for (const [what, probe] of all) {
          const { seen, work } = observed(probe, Effect.sleep("1 second"))
          const inside = Effect.asVoid(Effect.forkDetach(work, { startImmediately: true }))
          yield* play(owner(), { inside }, false)
          assert.deepStrictEqual(seen, [probe.free], what)
        }
      }))

    it.effect(`binds no clean-up of the loser of a race, though ${by} goes on`, () =>
      Effect.gen(function*() {
        for (const [what, probe] of limits) {
          const { seen, work } = observed(probe)
          const loser = Effect.ensuring(Effect.never, work)
          yield* play(owner(), { inside: Effect.race(Effect.sleep("1 second"), loser) }, false)
          assert.deepStrictEqual(seen, [probe.free], what)
        }
      }))
  }

  for (const [name, finalizer] of Object.entries(finalizers)) {
    it.effect(`binds no clean-up of an attempt that has timed out, though the total goes on: ${name}`, () =>
      Effect.gen(function*() {
        for (const [what, probe] of limits) {
          const { seen, work } = observed(probe)
          const attempt = finalizer(Effect.never, work).pipe(Timeout.attempt("9 seconds"))
          yield* play(total(), { inside: attempt }, false)
          assert.deepStrictEqual([...new Set(seen)], [probe.free], what)
        }
      }))
  }
})
