import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Backoff from "../../src/Backoff.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Coalesce from "../../src/Coalesce.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Fallback from "../../src/Fallback.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as HedgingPipeline from "../../src/HedgingPipeline.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as Observability from "../../src/Observability.ts"
import * as Pipelines from "../../src/Pipelines.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import * as Timeout from "../../src/Timeout.ts"
import type { Journal } from "./journal.ts"
import { recount, type Rules } from "./recount.ts"
import { type Call, type Face, grid, type Layer, longestCleanup, type MakeLayer } from "./workload.ts"

const nothing: Layer["problems"] = Effect.succeed([])

const wrapIn = (policy: Policy.Policy<unknown, unknown>): Layer["wrap"] => ({ effect, stream }) => ({
  effect: policy(effect),
  stream: policy.stream(stream)
})

/** One of three, by seed: every kind of a policy has its turn. */
const oneOf = <A>(seed: number, first: A, second: A, third: A): A => [first, second, third][seed % 3]!

/** No call lasts longer than its limit and the clean-up; of a stream, whichever part the timeout is about. */
const limited = (
  policy: Policy.Policy<unknown, unknown>,
  limit: number,
  until: "answers" | "ends"
): MakeLayer =>
({ journal, outside }) => ({
  wrap: wrapIn(policy),
  problems: Effect.sync(() => {
    const begun = new Map<number, number>()
    return journal.at(outside).flatMap(({ at, id, what }) => {
      if (what === "begins") begun.set(id, at)
      const since = begun.get(id)
      if (what === until || what === "ends") begun.delete(id)
      return what !== "begins" && since !== undefined && at - since > limit + longestCleanup + 1 && !begun.has(id)
        ? [`call ${id} took ${at - since} ms of ${limit}`]
        : []
    })
  })
})

/** A policy that draws on a budget, which is never negative, and holds nothing when nobody calls. */
const budgeted =
  (make: (options: { readonly name: string; readonly budget: RetryBudget.RetryBudget }) => Policy.Policy): MakeLayer =>
  ({ name, seed }) => {
    const budget = RetryBudget.makeUnsafe({
      name,
      funding: oneOf(
        seed,
        RetryBudget.tokens({ maxTokens: 10, ratio: 0.5 }),
        RetryBudget.inFlight({ minAttempts: 2, ratio: 0.5 }),
        RetryBudget.traffic({ ratio: 0.3, minPerSecond: 2, within: "1 second" })
      )
    })
    const negative = Effect.map(
      budget.state,
      (state) => Object.values(state).some((n) => n < 0) ? [`the budget is ${JSON.stringify(state)}`] : []
    )
    return {
      wrap: wrapIn(make({ name, budget })),
      always: negative,
      problems: Effect.map(
        budget.state,
        ({ available, calls, held }) =>
          calls === 0 && held === 0 && available >= 0 ? [] : [`the budget holds ${held} for ${calls} calls`]
      )
    }
  }

const rulesOf = (seed: number): Rules => ({
  trip: oneOf<Rules["trip"]>(seed, { consecutive: 3 }, { ratio: 0.5, minimum: 4, last: 8 }, {
    ratio: 0.4,
    minimum: 5,
    last: Infinity
  }),
  open: 12 * grid,
  probes: oneOf(seed, 1, 2, 3)
})

const breakerOf = (name: string, { open, probes, trip }: Rules): CircuitBreaker.CircuitBreaker =>
  CircuitBreaker.makeUnsafe({
    name,
    open,
    halfOpen: { probes },
    // whatever a deadline ends: what a queue inside has taken from the time of a call is not in the journal
    hangsAfter: 0,
    trip: "consecutive" in trip
      ? CircuitBreaker.consecutive(trip.consecutive)
      : CircuitBreaker.failureRate({
        ratio: trip.ratio,
        minCalls: trip.minimum,
        ...trip.last === Infinity ? { within: "1 hour" } : { calls: trip.last }
      })
  })

const circuitBreaker: MakeLayer = ({ inside, journal, name, seed }) => {
  const rules = rulesOf(seed)
  const breaker = breakerOf(name, rules)
  return {
    wrap: wrapIn(breaker),
    problems: Effect.map(breaker.state, (state) => recount(journal, { name, place: inside, rules, state }))
  }
}

const bulkheadLayer = (
  bulkhead: Bulkhead.Bulkhead,
  concurrency: number,
  inside: string,
  journal: Journal
): Layer => ({
  wrap: wrapIn(bulkhead),
  problems: Effect.map(bulkhead.state, ({ inUse, queued }) => {
    let running = 0
    const most = journal.at(inside).reduce((most, { what }) => {
      running += what === "begins" ? 1 : what === "ends" ? -1 : 0
      return Math.max(most, running)
    }, 0)
    return [
      ...inUse + queued === 0 ? [] : [`${inUse} permits in use, ${queued} waiters`],
      ...most <= concurrency ? [] : [`${most} calls at once`]
    ]
  })
})

const bulkhead: MakeLayer = ({ inside, journal, name, seed }) => {
  const concurrency = 3
  const bulkhead = Bulkhead.makeUnsafe({
    name,
    concurrency,
    maxQueue: 4,
    maxWait: oneOf<Duration.Input>(seed, 6 * grid, 15 * grid, "Infinity"),
    order: oneOf(seed, "fifo", "lifo", "fifo")
  })
  return bulkheadLayer(bulkhead, concurrency, inside, journal)
}

/** So many begin within so many milliseconds, both ends included or the later one not. */
const rateLimiter: MakeLayer = ({ inside, journal, name, seed }) => {
  const limit = oneOf(
    seed,
    RateLimiter.slidingWindow({ limit: 4, within: 20 * grid }),
    RateLimiter.tokenBucket({ limit: 4, within: 20 * grid, capacity: 5 }),
    RateLimiter.fixedWindow({ limit: 4, within: 20 * grid })
  )
  const span = Duration.toMillis(limit.within)
  const most = (millis: number): number =>
    limit.kind === "token-bucket"
      ? limit.burst + Math.floor((millis * limit.limit) / span)
      : (limit.kind === "fixed-window" ? Math.ceil(millis / span) + 1 : Math.ceil(millis / span)) * limit.limit
  const limiter = RateLimiter.makeUnsafe({ name, limit, maxWait: 25 * grid, maxQueue: 6 })
  return {
    wrap: wrapIn(limiter),
    problems: Effect.map(limiter.state, ({ waiting }) => {
      const starts = journal.at(inside).flatMap(({ at, what }) => what === "begins" ? [at] : [])
      const over = starts.flatMap((from, i) =>
        starts.slice(i).flatMap((to, n) => n + 1 > most(to - from + 1) ? [`${n + 1} calls from ${from} to ${to}`] : [])
      )
      return [...waiting === 0 ? [] : [`${waiting} wait for the limiter`], ...over.slice(0, 1)]
    })
  }
}

const keyed: MakeLayer = ({ journal, name, seed }) => {
  const rules = rulesOf(seed)
  const breakers = new Map<string, CircuitBreaker.CircuitBreaker>()
  const keyed = Keyed.makeUnsafe({
    lookup: (key: string) => {
      const breaker = breakerOf(key, rules)
      breakers.set(key, breaker)
      return Policy.compose(breaker, journal.spy(key))
    }
  })
  const policies = ["a", "b"].map((key) => keyed.for(`${name}.${key}`))
  return {
    wrap: (call, caller) => wrapIn(policies[caller % 2]!)(call, caller),
    problems: Effect.gen(function*() {
      const inUse = (yield* keyed.entries).reduce((sum, entry) => sum + entry.inUse, 0)
      const problems = inUse === 0 ? [] : [`${inUse} calls of keys`]
      for (const [key, breaker] of breakers) {
        problems.push(...recount(journal, { name: key, place: key, rules, state: yield* breaker.state }))
      }
      return problems
    })
  }
}

const coalesce: MakeLayer = ({ name }) => {
  const shared = Coalesce.makeUnsafe<unknown, unknown, number>({ name })
  return {
    wrap: ({ effect, stream }: Call, caller) => {
      const operator = shared.for(caller % 4)
      return { effect: operator(effect), stream: operator.stream(stream) }
    },
    problems: Effect.map(shared.inFlight, (n) => n === 0 ? [] : [`${n} shared calls are left`])
  }
}

const fallback: MakeLayer = ({ name }) => {
  const operator = Fallback.to(() => Effect.succeed("instead"), { name })
  return {
    wrap: ({ effect, stream }) => ({ effect: operator(effect), stream: operator.stream(stream) }),
    problems: nothing
  }
}

const observed: MakeLayer = ({ journal, name, outside }) => ({
  wrap: wrapIn(Observability.call(name)),
  problems: Effect.sync(() => {
    const begun = journal.at(outside).filter(({ what }) => what === "begins").length
    const told = journal.entries.filter((entry) =>
      entry.what === "tells" && entry.event._tag === "CallEnded" && entry.event.name === name
    ).length
    return begun === told || !journal.listening ? [] : [`told of ${told} calls of ${begun}`]
  })
})

/** The ready-made stacks: their parts hold nothing when nobody calls. */
const pipeline = (make: (options: Pipelines.Options) => Pipelines.Pipeline): MakeLayer => ({ name, seed }) => {
  const limiter = Bulkhead.makeUnsafe({ name, concurrency: 6, maxQueue: 6 })
  const breaker = breakerOf(name, rulesOf(seed))
  const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 20, ratio: 0.5 }) })
  return {
    wrap: wrapIn(make({ name, limiter, total: 30 * grid, attempt: 12 * grid, breaker, budget })),
    problems: Effect.gen(function*() {
      const { inUse, queued } = yield* limiter.state
      const { calls, held } = yield* budget.state
      const problems = inUse + queued + calls + held === 0 ? [] : [`held: ${[inUse, queued, calls, held].join()}`]
      return [...problems, ...(yield* noSlots(breaker).problems)]
    })
  }
}

/** Some callers change the policy before they call. */
const operated = (layer: Layer, operations: ReadonlyArray<Effect.Effect<void>>): Layer => ({
  ...layer,
  wrap: (call, caller) => {
    const wrapped = layer.wrap(call, caller)
    const operation = caller % 4 === 0 ? operations[(caller / 4) % operations.length] : undefined
    return operation === undefined ? wrapped : {
      effect: Effect.andThen(operation, wrapped.effect),
      stream: Stream.unwrap(Effect.as(operation, wrapped.stream))
    }
  }
})

const noSlots = (breaker: CircuitBreaker.CircuitBreaker): Layer => ({
  wrap: wrapIn(breaker),
  problems: Effect.map(breaker.state, (state) => {
    const held = state._tag === "HalfOpen" ? state.probing : state._tag === "Closed" ? state.overdue ?? 0 : 0
    return held === 0 ? [] : [`${held} calls are held: ${JSON.stringify(state)}`]
  })
})

const slowRate = CircuitBreaker.slowRate({ after: 8 * grid, calls: 10, minCalls: 4 })

/** The rules are changed, and the state, while calls are under way. */
const operatedBreaker: MakeLayer = ({ name, seed }) => {
  const breaker = breakerOf(name, rulesOf(seed))
  return operated(noSlots(breaker), [
    breaker.reconfigure({ trip: slowRate, halfOpen: { probes: 3 } }),
    breaker.open(5 * grid),
    breaker.reconfigure({ trip: [slowRate, CircuitBreaker.consecutive(2)], halfOpen: { probes: 1, lease: 4 * grid } }),
    breaker.close,
    breaker.observe,
    breaker.reset
  ])
}

const resizedBulkhead: MakeLayer = ({ inside, journal, name, seed }) => {
  const bulkhead = Bulkhead.makeUnsafe({
    name,
    concurrency: 2,
    maxQueue: 3,
    order: oneOf(seed, "lifo", "fifo", "lifo")
  })
  return operated(bulkheadLayer(bulkhead, 5, inside, journal), [
    bulkhead.resize({ concurrency: 1 }),
    bulkhead.resize({ concurrency: 5, maxQueue: 0 }),
    bulkhead.resize({ maxQueue: 2 })
  ])
}

const reconfiguredLimiter: MakeLayer = ({ name, seed }) => {
  const limiter = RateLimiter.makeUnsafe({
    name,
    limits: {
      calls: RateLimiter.tokenBucket({ limit: 4, within: 20 * grid }),
      tokens: RateLimiter.slidingWindow({ limit: 50, within: 20 * grid })
    },
    maxWait: 30 * grid
  })
  const settling = limiter.settle({ tokens: 20 }, (_: unknown) => ({ tokens: (seed * 17) % 40 }))
  const layer: Layer = {
    wrap: ({ effect, stream }) => ({ effect: settling(effect), stream: settling.stream(stream) }),
    problems: Effect.map(limiter.state, ({ limits, waiting }) => [
      ...waiting === 0 ? [] : [`${waiting} wait for the limiter`],
      ...Object.values(limits).every(({ available, capacity }) => available === capacity)
        ? []
        : [`the limiter is not as new: ${JSON.stringify(limits)}`]
    ])
  }
  return operated(layer, [
    limiter.reconfigure({ calls: RateLimiter.gcra({ limit: 2, within: 20 * grid }) }),
    limiter.reconfigure({ tokens: RateLimiter.slidingWindow({ limit: 15, within: 20 * grid }) }),
    limiter.reconfigure({ calls: RateLimiter.tokenBucket({ limit: 10, within: 20 * grid }) })
  ])
}

const evictedKeys: MakeLayer = ({ name }) => {
  const keyed = Keyed.makeUnsafe({
    idleTimeToLive: 3 * grid,
    maxInstances: 2,
    lookup: (key: number) => Bulkhead.makeUnsafe({ name: `${name}.${key}`, concurrency: 1, maxQueue: 2 })
  })
  return {
    wrap: (call, caller) => wrapIn(keyed.for(caller % 5))(call, caller),
    problems: Effect.map(keyed.entries, (entries) => entries.length === 0 ? [] : [`${entries.length} keys are left`])
  }
}

const stale: MakeLayer = ({ name }) => {
  const operator = Fallback.makeStaleUnsafe<unknown, unknown, number>({ name, timeToLive: "1 hour" })
  return {
    wrap: ({ effect, stream }, caller) => {
      const ofKey = operator.for(caller % 3)
      return { effect: ofKey(effect), stream: ofKey.stream(stream) }
    },
    problems: nothing
  }
}

const resumed: MakeLayer = ({ name }) => {
  const operator = Retry.resume<unknown, unknown>({
    name,
    schedule: Schedule.spaced(grid),
    times: 3,
    from: () => Stream.fromEffect(Effect.delay(Effect.succeed("the rest"), grid))
  })
  return {
    wrap: ({ effect, stream }) => ({ effect: operator(effect), stream: operator.stream(stream) }),
    problems: nothing
  }
}

const only =
  (policy: (seed: number, name: string) => Policy.Policy<unknown, unknown>): MakeLayer => ({ name, seed }) => ({
    wrap: wrapIn(policy(seed, name)),
    problems: nothing
  })

/** The catalogue, each as new for every run. */
export const catalogue: Readonly<Record<string, MakeLayer>> = {
  "Timeout.attempt": limited(Timeout.attempt(12 * grid), 12 * grid, "answers"),
  "Timeout.total": limited(Timeout.total(30 * grid), 30 * grid, "ends"),
  "Timeout.makeAdaptive": (options) =>
    limited(
      Timeout.makeAdaptiveUnsafe({ minLimit: 5 * grid, maxLimit: 20 * grid, quantile: 0.9, minCalls: 4 }),
      20 * grid,
      "answers"
    )(options),
  "Timeout.phases": limited(Timeout.phases({ first: 10 * grid, idle: 6 * grid, total: 25 * grid }), 25 * grid, "ends"),
  "Deadline.within": limited(Deadline.within(25 * grid), 25 * grid, "ends"),
  "Retry": only((seed, name) =>
    Retry.make({
      name,
      times: 2,
      rejected: seed % 3 === 0,
      schedule: oneOf<Schedule.Schedule<unknown>>(
        seed,
        Backoff.exponential({ base: 2 * grid }),
        Schedule.spaced(2 * grid),
        Schedule.forever
      )
    })
  ),
  "Retry with a budget": budgeted((options) =>
    Retry.make({ ...options, schedule: Schedule.spaced(2 * grid), times: 2 })
  ),
  "CircuitBreaker": circuitBreaker,
  "Bulkhead": bulkhead,
  "RateLimiter": rateLimiter,
  "Hedge": only((seed, name) =>
    Hedge.makeUnsafe({
      name,
      maxHedges: 2,
      after: oneOf<Hedge.Options["after"]>(seed, 4 * grid, { quantile: 0.8, minCalls: 4 }, 0)
    })
  ),
  "Hedge with a budget": budgeted((options) => Hedge.makeUnsafe({ ...options, after: 4 * grid, maxHedges: 2 })),
  "Keyed": keyed,
  "Fallback": fallback,
  "Coalesce": coalesce,
  "Observability.call": observed,
  "Pipelines.makeStandard": pipeline((options) =>
    Pipelines.makeStandardUnsafe({ ...options, retry: { schedule: Schedule.spaced(2 * grid), times: 2 } })
  ),
  "HedgingPipeline.make": pipeline((options) => HedgingPipeline.makeUnsafe({ ...options, hedge: { after: 4 * grid } })),
  "Timeout.attempt, detached": limited(Timeout.attempt(12 * grid, { detach: true }), 12 * grid, "answers"),
  "CircuitBreaker of slow calls": ({ name, seed }) =>
    noSlots(
      CircuitBreaker.makeUnsafe({ name, trip: slowRate, open: 6 * grid, halfOpen: { probes: oneOf(seed, 1, 2, 3) } })
    ),
  "CircuitBreaker, operated": operatedBreaker,
  "Bulkhead, resized": resizedBulkhead,
  "RateLimiter, reconfigured and settled": reconfiguredLimiter,
  "Keyed, evicted": evictedKeys,
  "Fallback.makeStale": stale,
  "Retry.resume": resumed
}

export const faces: ReadonlyArray<Face> = ["effect", "stream"]

/** All of them in one stack, in an order that one might choose. */
export const stackOfAll: ReadonlyArray<MakeLayer> = [
  "Fallback",
  "Coalesce",
  "Timeout.phases",
  "Timeout.total",
  "Deadline.within",
  "RateLimiter",
  "Retry",
  "Keyed",
  "Bulkhead",
  "CircuitBreaker",
  "Hedge with a budget",
  "Retry with a budget",
  "Hedge",
  "Timeout.makeAdaptive",
  "Timeout.attempt"
].map((name) => catalogue[name]!)
