import { assert, describe, it } from "@effect/vitest"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AsyncLocalStorage } from "node:async_hooks"
import * as AdaptiveLimit from "../../src/AdaptiveLimit.ts"
import * as Balancer from "../../src/Balancer.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Coalesce from "../../src/Coalesce.ts"
import * as Criticality from "../../src/Criticality.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as Keyed from "../../src/Keyed.ts"
import type * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import * as Timeout from "../../src/Timeout.ts"
import { numbers } from "../support/workload.ts"

/*
 * Callers with random stacks around calls that are shared, that clean up through policies, that yield anywhere, and that belong to
 * requests with an async context and a fiber context of their own. Afterwards nobody waits, nothing is held, and no call has run in
 * the context of another request.
 */

type Call = Effect.Effect<unknown, unknown>
type Wrap = (self: Call) => Call

/** What two faces a policy gives a call. */
interface Faces {
  readonly kind: string
  readonly effect: Wrap
  readonly stream: (self: Stream.Stream<unknown, unknown>) => Stream.Stream<unknown, unknown>
  /** The call may be that of somebody else. */
  readonly shares?: true
}

const requests = new AsyncLocalStorage<number>()
const Request = Context.Reference<number>("fuzz/Request", { defaultValue: () => -1 })

const facesOf = (policy: Policy.Policy<unknown, unknown>): Faces => ({
  kind: policy.info.kind,
  effect: policy,
  stream: policy.stream
})

const sharing = (kind: string, effect: Wrap): Faces => ({
  kind,
  effect,
  stream: (self) => Stream.fromEffect(effect(Stream.runDrain(self))),
  shares: true
})

const callers = 8

const instances = (random: (below: number) => number) =>
  Effect.gen(function*() {
    const pick = <A>(...all: ReadonlyArray<A>): A => all[random(all.length)]!
    const budget = RetryBudget.makeUnsafe({
      funding: pick(RetryBudget.tokens(), RetryBudget.traffic(), RetryBudget.inFlight())
    })
    const queueing = () =>
      pick<Pick<Bulkhead.Options, "order" | "overload">>({ order: "fifo" }, { order: "lifo" }, {
        order: "adaptive",
        overload: { target: 1, interval: 2 }
      })
    const bulkhead = Bulkhead.makeUnsafe({
      ...queueing(),
      concurrency: 1 + random(2),
      maxQueue: 1 + random(3),
      maxWait: pick(3, 1_000)
    })
    const adaptive = AdaptiveLimit.makeUnsafe({
      ...queueing(),
      initialConcurrency: 1 + random(3),
      maxConcurrency: 4,
      maxQueue: 3,
      within: 2,
      minCalls: 2,
      partitions: { one: 0.4, two: 0.4 }
    })
    const limiter = RateLimiter.makeUnsafe({
      limit: pick(
        RateLimiter.gcra({ limit: 1, within: 2, burst: 3 }),
        RateLimiter.slidingWindow({ limit: 2, within: 5 }),
        RateLimiter.fixedWindow({ limit: 2, within: 5 })
      ),
      maxWait: 20,
      maxQueue: 1 + random(5)
    })
    const breaker = CircuitBreaker.makeUnsafe({
      trip: pick<CircuitBreaker.Trip>(
        CircuitBreaker.consecutive(3),
        CircuitBreaker.slowRate({ after: 3, calls: 5, minCalls: 3 })
      ),
      open: 5,
      halfOpen: { probes: 2 }
    })
    const keyed = Keyed.makeUnsafe({
      lookup: (_: number) => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 3 }),
      maxInstances: 2,
      idleTimeToLive: 2
    })
    const balancer = Balancer.makeUnsafe({
      endpoints: [1, 2, 3],
      key: String,
      priority: (endpoint) => endpoint % 2,
      ejection: { failures: 2, duration: 5 },
      slowStart: 3,
      hangsAfter: 3
    })
    const coalesce = Coalesce.makeUnsafe<unknown, unknown>()
    // each look-up is that of the caller who asks first
    let lookup: Call = Effect.void
    const cache = yield* Cache.make({
      capacity: 2,
      timeToLive: 5,
      lookup: (_: number): Call => Timeout.attempt(6)(Effect.suspend(() => lookup))
    })
    const cached: Array<Call> = []
    const all: ReadonlyArray<Faces> = [
      ...[
        bulkhead,
        pick(adaptive, adaptive.partition("one"), adaptive.partition("two")),
        limiter,
        breaker,
        keyed.for(random(3)),
        Timeout.attempt(4),
        Timeout.attempt(() => 4),
        Timeout.attempt(4, { detach: true }),
        Timeout.total(9),
        Timeout.phases({ first: 3, idle: 3, total: 9 }),
        Deadline.within(12),
        Retry.make({ schedule: Schedule.spaced(1), times: 2, budget }),
        Hedge.makeUnsafe({ after: 2, maxHedges: 2, budget }),
        Hedge.makeUnsafe({ after: 0 })
      ].map(facesOf),
      {
        kind: "balancer",
        effect: (self) => balancer.use(() => self),
        stream: (self) => balancer.useStream(() => self)
      },
      { kind: "coalesce", effect: coalesce, stream: coalesce.stream, shares: true },
      sharing("cache", (self) =>
        Effect.suspend(() => {
          lookup = self
          return Cache.get(cache, random(2))
        })),
      sharing("cached", (self) =>
        Effect.flatMap(
          Effect.suspend(() =>
            cached.length > 0 ? Effect.succeed(cached[0]!) : Effect.cached(Timeout.attempt(6)(self))
          ),
          (shared) => {
            if (cached.length === 0) cached.push(shared)
            return shared
          }
        ))
    ]
    const held = Effect.gen(function*() {
      const { inUse, queued } = yield* bulkhead.state
      const { waiting } = yield* limiter.state
      const { calls, held } = yield* budget.state
      const state = yield* breaker.state
      return {
        bulkhead: inUse + queued,
        adaptive: yield* Effect.map(adaptive.state, ({ inUse, queued }) => inUse + queued),
        balancer: (yield* balancer.state).reduce((sum, { inFlight }) => sum + inFlight, 0),
        limiter: waiting,
        budget: calls + held,
        breaker: state._tag === "HalfOpen" ? state.probing : state._tag === "Closed" ? state.overdue ?? 0 : 0,
        keyed: (yield* keyed.entries).filter((entry) => entry.inUse > 0).length,
        coalesce: yield* coalesce.inFlight
      }
    })
    return { all, held, pick }
  })

/** Lets time pass on the clock of the run. */
type Pass = (millis: number) => Effect.Effect<void>

const trial = (seed: number, pass: Pass) =>
  Effect.gen(function*() {
    const random = numbers(seed)
    const { all, held, pick } = yield* instances(random)
    const problems: Array<string> = []
    let open = 0

    /** What a call sees of the request that it belongs to. */
    const look = (where: string, shares: boolean) =>
      Effect.flatMap(Request, (request) =>
        Effect.sync(() => {
          const store = requests.getStore()
          if (store === undefined) problems.push(`${where}: no async context`)
          else if (!shares && store !== request) problems.push(`${where}: ${request} in the async context of ${store}`)
          if (!shares && request === -1) problems.push(`${where}: the fiber's context is lost`)
        }))

    const cleanup = (shares: boolean): Effect.Effect<unknown> =>
      Effect.andThen(
        look("clean-up", shares),
        pick<Call>(
          Effect.void,
          Effect.yieldNow,
          Effect.sleep(2),
          Timeout.attempt(2)(Effect.never),
          Timeout.total(3)(Timeout.attempt(2)(Effect.never)),
          Retry.make({ schedule: Schedule.spaced(1), times: 1 })(Effect.fail("cleanup"))
        )
      ).pipe(Effect.exit)

    const call = (shares: boolean): Call => {
      const millis = random(6)
      const end = pick<Call>(Effect.succeed(1), Effect.fail("x"), Effect.die("bug"), Effect.interrupt, Effect.never)
      return Effect.acquireUseRelease(
        Effect.sync(() => void open++),
        () =>
          Effect.gen(function*() {
            yield* look("call", shares)
            if (millis > 0) yield* Effect.sleep(millis)
            yield* look("call, later", shares)
            return yield* end
          }),
        () => Effect.andThen(cleanup(shares), Effect.sync(() => void open--))
      )
    }

    const context = yield* Effect.context()
    const fibers: Array<Fiber.Fiber<Exit.Exit<unknown, unknown>>> = []
    const stacks: Array<string> = []
    for (let caller = 0; caller < callers; caller++) {
      // a bulkhead or a flight within itself waits for itself
      const stack = [...new Set(Array.from({ length: 1 + random(4) }, () => pick(...all)))]
      const shares = stack.some((faces) => faces.shares === true)
      const isStream = random(2) === 0
      stacks.push(`${isStream ? "stream" : "effect"}: ${stack.map(({ kind }) => kind).join(" > ")}`)
      const wrapped: Call = isStream
        ? Stream.runForEach(
          Stream.take(
            stack.reduceRight<Stream.Stream<unknown, unknown>>(
              (self, { stream }) => stream(self),
              Stream.concat(Stream.fromEffect(call(shares)), Stream.fromEffect(call(shares)))
            ),
            1 + random(3)
          ),
          () => pick(Effect.void, Effect.sleep(3))
        )
        : stack.reduceRight((self, { effect }) => effect(self), call(shares))
      const program = Effect.exit(wrapped).pipe(
        Effect.provideService(Request, caller),
        Criticality.as(pick(...Criticality.all)),
        Effect.provideService(Scheduler.MaxOpsBeforeYield, pick(2048, 3, 4, 5, 7))
      )
      const fiber = requests.run(caller, () => Effect.runForkWith(context)(program))
      fibers.push(fiber)
      if (random(5) === 0) yield* Effect.yieldNow
      if (random(3) === 0) {
        const leave = pick<Effect.Effect<void>>(Effect.void, Effect.yieldNow, Effect.sleep(1), Effect.sleep(4))
        yield* Effect.forkChild(Effect.andThen(leave, Fiber.interrupt(fiber)))
      }
      if (random(4) === 0) yield* pass(1)
    }
    yield* pass(60)
    for (const fiber of fibers) if (fiber.pollUnsafe() === undefined) fiber.interruptUnsafe()
    yield* pass(60)
    const pending = fibers.filter((fiber) => fiber.pollUnsafe() === undefined).length
    const nothing = { bulkhead: 0, adaptive: 0, balancer: 0, limiter: 0, budget: 0, breaker: 0, keyed: 0, coalesce: 0 }
    const where = `seed ${seed}\n${stacks.join("\n")}`
    assert.deepStrictEqual({ open, pending, problems }, { open: 0, pending: 0, problems: [] }, where)
    assert.deepStrictEqual(yield* held, nothing, where)
  }) as Effect.Effect<void, never, Scope.Scope>

const seeds = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

/** `FUZZ_SEEDS=3000 npm test -- fuzz` looks further. */
const count = Number(process.env.FUZZ_SEEDS ?? 200)

describe("random stacks with clean-up, shared work and contexts of requests", () => {
  const perTest = 25
  for (const first of seeds(Math.ceil(count / perTest)).map((n) => (n - 1) * perTest + 1)) {
    it.effect(`seeds ${first} to ${first + perTest - 1}`, () =>
      Effect.forEach(
        seeds(perTest),
        (n) => Effect.scoped(trial(first + n - 1, (millis) => steps(millis))).pipe(Effect.provide(TestClock.layer())),
        { discard: true }
      ), 600_000)
  }

  it.live(
    "and on the live clock",
    () =>
      Effect.forEach(seeds(Math.ceil(count / 10)), (seed) => Effect.scoped(trial(seed, settle)), {
        concurrency: "unbounded",
        discard: true
      }),
    600_000
  )
})

/** One millisecond after the other. */
const steps = (millis: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: millis }), () => TestClock.adjust(1), { discard: true })

/** Much longer than the calls take, however busy the machine is. */
const settle = (millis: number): Effect.Effect<void> => Effect.sleep(millis === 1 ? 1 : 1_000)
