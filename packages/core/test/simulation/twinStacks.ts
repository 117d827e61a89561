import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as AdaptiveLimit from "../../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../../src/AdaptiveThrottle.ts"
import * as Backoff from "../../src/Backoff.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Chaos from "../../src/Chaos.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Criticality from "../../src/Criticality.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Fault from "../../src/Fault.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import { Server } from "../../src/simulation/index.ts"
import * as Timeout from "../../src/Timeout.ts"
import type { Answer, Script, Through, Twice } from "./twin.ts"

/*
 * Stacks and scripts as plain data: a schema draws and shrinks them, and a report of one can be pasted into a test.
 */

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const some = <S extends Schema.Constraint>(item: S, minimum: number, maximum: number) =>
  Schema.Array(item).check(Schema.isBetweenLength(minimum, maximum))
const maybe = <S extends Schema.Constraint>(item: S) => Schema.UndefinedOr(item)
/** the first in four of five cases */
const often = <A extends Schema.Constraint, B extends Schema.Constraint>(a: A, b: B) => Schema.Union([a, a, a, a, b])
const Share = Schema.Literals([0.1, 0.25, 0.5, 0.75, 1])
const Bool = Schema.Boolean
/** literals are finite */
const Never = Schema.Literal("never")
const millisOf = (time: number | "never"): number => time === "never" ? Infinity : time

/** a limit of time */
const Limit = often(int(20, 300), int(1, 400))

const Total = Schema.Struct({ kind: Schema.Literal("total"), limit: Limit, computed: Bool })
const Attempt = Schema.Struct({ kind: Schema.Literal("attempt"), limit: Limit, computed: Bool })
const Within = Schema.Struct({ kind: Schema.Literal("deadline"), limit: Limit })
const Phases = Schema.Struct({ kind: Schema.Literal("phases"), first: maybe(Limit), total: Limit })
const Adaptive = Schema.Struct({
  kind: Schema.Literal("adaptive"),
  minLimit: int(1, 50),
  over: int(0, 300),
  quantile: Share,
  factor: Schema.Literals([1.1, 1.5, 3]),
  minCalls: int(1, 6),
  within: int(50, 1000)
})

/** With the numbers that are drawn, their delays are whole parts of a millisecond, as {@link apart} has it. */
const Delays = Schema.Struct({
  shape: Schema.Literals([
    "spaced",
    "exponential",
    "fibonacci",
    "backoff",
    "linear",
    "equal",
    "recurs",
    "windowed"
  ]),
  base: int(1, 100)
})
const Retried = Schema.Struct({
  kind: Schema.Literal("retry"),
  schedule: maybe(Delays),
  throttled: maybe(Delays),
  failed: maybe(Delays),
  after: maybe(int(0, 60)),
  times: int(0, 3),
  only: maybe(Schema.Literals(["ServerFailed", "TimeoutExceeded"])),
  classified: Bool,
  faulty: Bool,
  rejected: Bool,
  budget: maybe(int(0, 1)),
  maxDelay: maybe(int(1, 150)),
  beyond: Schema.Literals(["fail", "clip"])
})

const Window = {
  ratio: Share,
  minCalls: int(1, 5),
  calls: maybe(int(5, 9)),
  within: int(20, 600)
}
const Rule = Schema.Union([
  Schema.Struct({ rule: Schema.Literal("consecutive"), failures: int(1, 4) }),
  Schema.Struct({ rule: Schema.Literal("failureRate"), ...Window }),
  Schema.Struct({ rule: Schema.Literal("slowRate"), after: int(1, 150), ...Window })
])
const Breaker = Schema.Struct({
  kind: Schema.Literal("breaker"),
  trip: some(Rule, 1, 2),
  open: int(1, 400),
  grows: Bool,
  hints: maybe(int(1, 200)),
  probes: int(1, 3),
  ratio: Share,
  lease: int(1, 300),
  hangsAfter: maybe(Schema.Union([int(0, 300), Never])),
  initial: often(
    Schema.Literal("Closed"),
    Schema.Literals(["Open", "HalfOpen", "MetricsOnly", "Isolated", "Disabled"])
  ),
  classified: Bool,
  faulty: Bool
})

const Queue = {
  maxQueue: int(0, 5),
  maxWait: maybe(int(1, 300)),
  order: Schema.Literals(["fifo", "lifo", "adaptive"]),
  overload: maybe(Schema.Struct({ target: int(1, 20), interval: int(20, 150) }))
}
const Compartment = Schema.Struct({ kind: Schema.Literal("bulkhead"), concurrency: int(1, 4), ...Queue })

const Limiter = Schema.Struct({
  kind: Schema.Literal("limiter"),
  algorithm: Schema.Literals(["tokenBucket", "gcra", "slidingWindow", "fixedWindow"]),
  limit: int(1, 6),
  within: int(1, 300),
  burst: int(1, 6),
  second: Bool,
  maxWait: int(0, 300),
  maxQueue: int(1, 5),
  cost: maybe(int(0, 4)),
  settles: Bool
})

const Hedged = Schema.Struct({
  kind: Schema.Literal("hedge"),
  after: Schema.Union([
    int(0, 150),
    Never,
    Schema.Struct({
      quantile: Schema.Literals([0.25, 0.5, 0.875]),
      minCalls: int(1, 6),
      initialDelay: maybe(int(1, 80)),
      minDelay: int(1, 20),
      over: maybe(int(0, 100))
    })
  ]),
  maxHedges: int(1, 3),
  budget: maybe(int(0, 1)),
  faulty: Bool
})

const Adapting = Schema.Struct({
  kind: Schema.Literal("adaptiveLimit"),
  algorithm: Schema.Literals(["aimd", "aimd after", "vegas", "vegas tight", "gradient2", "gradient2 loose"]),
  initial: int(1, 5),
  within: int(1, 200),
  minCalls: int(1, 6),
  dropRatio: Share,
  ...Queue,
  partition: maybe(Schema.Literals(["none", "one", "two"])),
  faulty: Bool
})

const Throttle = Schema.Struct({
  kind: Schema.Literal("throttle"),
  factor: Schema.Literals([1, 1.1, 2]),
  within: int(20, 1000),
  minCalls: int(0, 6),
  maxRatio: Share,
  classified: Bool
})

const Carried = Schema.Struct({
  kind: Schema.Literal("criticality"),
  as: Schema.Literals(Criticality.all),
  most: Bool
})

const Injected = Schema.Struct({
  kind: Schema.Literal("chaos"),
  what: Schema.Literals(["latency", "fault", "defect", "stall"]),
  ratio: Share,
  delay: int(0, 100),
  during: maybe(
    Schema.Struct({ shape: Schema.Literals(["window", "ramp"]), after: int(0, 100), duration: int(1, 300) })
  )
})

/** A policy that stands in the stack already: with its state, perhaps for another cost or partition. */
const Again = Schema.Struct({ kind: Schema.Literal("again"), of: int(0, 4), as: int(0, 2) })

const Layer = Schema.Union([
  Total,
  Attempt,
  Phases,
  Within,
  Adaptive,
  Retried,
  Breaker,
  Compartment,
  Limiter,
  Hedged,
  Adapting,
  // more often than the others, what meets in more ways
  Total,
  Adaptive,
  Breaker,
  Breaker,
  Compartment,
  Compartment,
  Limiter,
  Hedged,
  Adapting,
  Throttle,
  Carried,
  Injected,
  Again
])
type Layer = typeof Layer.Type

const Budget = Schema.Union([
  Schema.Struct({ funding: Schema.Literal("tokens"), maxTokens: int(2, 12), minPerMinute: int(0, 600), ratio: Share }),
  Schema.Struct({ funding: Schema.Literal("traffic"), within: int(20, 600), minPerSecond: int(0, 20), ratio: Share }),
  Schema.Struct({ funding: Schema.Literal("inFlight"), minAttempts: int(1, 4), ratio: Share })
])

const Answers: ReadonlyArray<Answer> = ["ok", "ok", "ok", "error", "error", "busy", "bad", "die", "gone"]
const Request = Schema.Struct({
  millis: often(int(5, 60), often(int(1, 400), Never)),
  answer: Schema.Literals(Answers),
  tokens: int(0, 3)
})

/** A stack and what happens to it. */
export const Twin = Schema.Struct({
  stack: some(Layer, 1, 5),
  /** of a second call after the first one, by a server that makes both */
  second: maybe(some(Layer, 1, 3)),
  budgets: Schema.Tuple([Budget, Budget]),
  /** from one call to the next */
  gaps: some(often(int(1, 20), int(1, 200)), 1, 60),
  requests: some(Request, 1, 40),
  /** in whole milliseconds much happens at one time, and its order is to be the same */
  whole: Bool,
  tokens: Bool,
  draw: Schema.Literals([0, 0.3125, 0.625]),
  /** switches chaos on */
  chaos: maybe(Schema.Literals(["monday", "tuesday"]))
})
export type Twin = typeof Twin.Type

/** Parts of a millisecond that floating-point numbers and nanoseconds both have: nothing happens at one time by chance. */
const apart = (i: number, of: number): number => ((i * of) % 64) / 64

export const requestsOf = (requests: Twin["requests"], tokens: boolean, part = apart): Script["requests"] =>
  requests.map((request, i) => {
    const answered = [millisOf(request.millis) + part(i + 1, 23), request.answer] as const
    return tokens ? [...answered, request.tokens] : answered
  })

export const scriptOf = ({ chaos, draw, gaps, requests, tokens, whole }: Twin, nudge = 0): Script => {
  const part = whole ? () => 0 : apart
  let at = 0
  return {
    calls: gaps.map((gap, i) => (at += gap) + part(i + 1, 11) + nudge * (i % 3) / 64),
    requests: requestsOf(requests, tokens, part),
    draw,
    ...chaos && { chaos: { seed: chaos } }
  }
}

const scheduleOf = ({ base, shape }: typeof Delays.Type): Schedule.Schedule<unknown> => {
  switch (shape) {
    case "spaced":
      return Schedule.spaced(base)
    case "exponential":
      return Schedule.exponential(base)
    case "fibonacci":
      return Schedule.fibonacci(base)
    case "backoff":
      return Backoff.exponential({ base })
    case "linear":
      return Backoff.linear({ base, jitter: "none" })
    case "equal":
      return Backoff.fibonacci({ base, jitter: "equal" })
    case "recurs":
      return Schedule.recurs(2)
    case "windowed":
      return Schedule.fixed(base)
  }
}

/** Classifies otherwise than by default: what went wrong for good may go well again, and the rest is as ever. */
const classify = (exit: any, at: number): Fault.Fault | undefined => {
  const fault = Fault.of(exit, at)
  return fault?._tag === "Permanent" ? Fault.transient() : fault
}

const injected = new Server.ServerFailed({ server: "chaos", reason: "error", fault: Fault.transient() })

/** Answers with many tokens are faults. */
const result = (value: any): Fault.Fault | undefined =>
  value?.completion === 3 ? Fault.transient() : value?.completion === 2 ? Fault.permanent : undefined

const ruleOf = (rule: typeof Rule.Type): CircuitBreaker.Trip => {
  if (rule.rule === "consecutive") return CircuitBreaker.consecutive(rule.failures)
  const { calls, minCalls, ratio, within } = rule
  const share = calls === undefined ? { ratio, minCalls, within } : { ratio, minCalls, calls }
  return rule.rule === "failureRate"
    ? CircuitBreaker.failureRate(share)
    : CircuitBreaker.slowRate({ ...share, after: rule.after })
}

const fundingOf = (budget: typeof Budget.Type): RetryBudget.Funding => {
  switch (budget.funding) {
    case "tokens":
      return RetryBudget.tokens(budget)
    case "traffic":
      return RetryBudget.traffic(budget)
    case "inFlight":
      return RetryBudget.inFlight(budget)
  }
}

const algorithms: { readonly [A in (typeof Adapting.Type)["algorithm"]]: () => AdaptiveLimit.Algorithm } = {
  aimd: () => AdaptiveLimit.aimd(),
  "aimd after": () => AdaptiveLimit.aimd({ ratio: 0.5, after: 40 }),
  vegas: () => AdaptiveLimit.vegas(),
  "vegas tight": () => AdaptiveLimit.vegas({ alpha: 1, beta: 2 }),
  gradient2: () => AdaptiveLimit.gradient2(),
  "gradient2 loose": () => AdaptiveLimit.gradient2({ tolerance: 1.5, queue: 1, smoothing: 0.5 })
}

const queueOf = ({ maxQueue, maxWait, order, overload }: typeof Compartment.Type | typeof Adapting.Type) =>
  maxQueue === 0 ? { maxQueue } : { maxQueue, maxWait, order, overload: order === "adaptive" ? overload : undefined }

/** Something that stands in a stack as often as it likes, in several ways. */
type Ways = ReadonlyArray<() => Policy.Any>

const once = (policy: Policy.Any): Ways => [() => policy]

const waysOf = (layer: Exclude<Layer, { kind: "again" }>, budgets: ReadonlyArray<RetryBudget.RetryBudget>): Ways => {
  const budgetOf = (index: number | undefined) => index === undefined ? undefined : budgets[index]
  switch (layer.kind) {
    case "total":
    case "attempt": {
      const { computed, kind, limit } = layer
      const of = computed ? () => limit : limit
      return once(kind === "total" ? Timeout.total(of) : Timeout.attempt(of))
    }
    case "deadline":
      return once(Deadline.within(layer.limit))
    case "phases":
      return once(Timeout.phases(layer))
    case "adaptive": {
      const { factor, minCalls, minLimit, over, quantile, within } = layer
      return once(
        Timeout.makeAdaptiveUnsafe({ factor, minCalls, minLimit, maxLimit: minLimit + over, quantile, within })
      )
    }
    case "retry": {
      const {
        after,
        beyond,
        budget,
        classified,
        failed,
        faulty,
        maxDelay,
        only,
        rejected,
        schedule,
        throttled,
        times
      } = layer
      return once(Retry.make<unknown, never, never, string>({
        schedule: schedule && scheduleOf(schedule),
        schedules: throttled === undefined && failed === undefined ? undefined : {
          ...throttled && { Throttled: scheduleOf(throttled) },
          ...failed && { ServerFailed: scheduleOf(failed) }
        },
        after: after === undefined ? undefined : ({ attempt }) => attempt === 1 ? undefined : after,
        times,
        tags: only && [only],
        classify: classified ? classify : undefined,
        result: faulty ? result : undefined,
        rejected,
        budget: budgetOf(budget),
        retryAfter: { maxDelay, beyond }
      }))
    }
    case "breaker": {
      const { classified, faulty, grows, hangsAfter, hints, initial, lease, open, probes, ratio, trip } = layer
      const slow = trip.find(({ rule }) => rule === "slowRate")
      return once(CircuitBreaker.makeUnsafe({
        trip: trip.filter((rule) => rule.rule !== "slowRate" || rule === slow).map(ruleOf),
        open: grows ? Schedule.exponential(open) : open,
        retryAfter: hints === undefined ? undefined : { maxDelay: hints },
        halfOpen: { probes, ratio, lease },
        hangsAfter: hangsAfter === undefined || classified ? undefined : millisOf(hangsAfter),
        initial,
        classify: classified ? classify : undefined,
        result: faulty ? result : undefined
      }))
    }
    case "bulkhead":
      return once(Bulkhead.makeUnsafe({ concurrency: layer.concurrency, ...queueOf(layer) }))
    case "limiter": {
      const { algorithm, burst, cost, limit, maxQueue, maxWait, second, settles, within } = layer
      const rule = algorithm === "tokenBucket"
        ? RateLimiter.tokenBucket({ limit, within, capacity: burst })
        : algorithm === "gcra"
        ? RateLimiter.gcra({ limit, within, burst })
        : algorithm === "slidingWindow"
        ? RateLimiter.slidingWindow({ limit, within })
        : RateLimiter.fixedWindow({ limit, within })
      const limiter = RateLimiter.makeUnsafe<"calls" | "more">({
        limits: {
          calls: rule,
          ...second && { more: RateLimiter.slidingWindow({ limit: 9, within: 2 * within }) }
        } as any, // the second dimension is not always there
        maxWait,
        maxQueue: maxWait === 0 ? undefined : maxQueue
      })
      const of = (calls: number): any => second ? { calls, more: calls + 1 } : { calls }
      const settled = () =>
        limiter.settle(of(cost ?? 1), (value: any) => value === undefined ? undefined : of(2 * value.completion)) as any
      const plain = () => cost === undefined && !second ? limiter : limiter.cost(of(cost ?? 1))
      return settles ? [settled, plain, () => limiter.cost(of(2))] : [plain, settled, () => limiter.cost(of(2))]
    }
    case "hedge": {
      const { after, budget, faulty, maxHedges } = layer
      const learnt = (given: Exclude<typeof after, number | "never">) => {
        const { over, ...options } = given
        return { ...options, maxDelay: over === undefined ? undefined : options.minDelay + over }
      }
      return once(Hedge.makeUnsafe({
        after: typeof after === "object" ? learnt(after) : millisOf(after),
        maxHedges,
        budget: budgetOf(budget),
        result: faulty ? result : undefined
      }))
    }
    case "criticality":
      return once(layer.most ? Criticality.atMost(layer.as) : Criticality.as(layer.as))
    case "chaos": {
      const { delay, during, ratio, what } = layer
      const course = during && (during.shape === "window" ? Chaos.window(during) : Chaos.ramp(during))
      const options = { ratio, during: course }
      switch (what) {
        case "latency":
          return once(Chaos.latency(delay, options))
        case "fault":
          return once(Chaos.fault(() => injected, options))
        case "defect":
          return once(Chaos.defect(() => "bug", options))
        case "stall":
          return once(Chaos.stall(options))
      }
    }
    case "throttle": {
      const { classified, factor, maxRatio, minCalls, within } = layer
      return once(AdaptiveThrottle.makeUnsafe({
        factor,
        within,
        minCalls,
        maxRatio,
        classify: classified ? classify : undefined
      }))
    }
    case "adaptiveLimit": {
      const { algorithm, dropRatio, faulty, initial, minCalls, partition, within } = layer
      const limit = AdaptiveLimit.makeUnsafe({
        algorithm: algorithms[algorithm](),
        initialConcurrency: initial,
        minConcurrency: 1,
        maxConcurrency: 8,
        within,
        minCalls,
        dropRatio,
        ...queueOf(layer),
        ...partition !== undefined && { partitions: { one: 0.5, two: 0.25 } },
        result: faulty ? result : undefined
      })
      if (partition === undefined) return once(limit)
      const ways = { none: () => limit, one: () => limit.partition("one"), two: () => limit.partition("two") }
      return [ways[partition], ways.one, ways.two]
    }
  }
}

/** Retries and hedges multiply: of each there are no more than two in a stack. */
const most = 2

/** Makes the policies. */
export const throughOf = ({ budgets, second, stack }: Twin): readonly [Through, Twice | undefined] => {
  const shared = budgets.map((budget) => RetryBudget.makeUnsafe({ funding: fundingOf(budget) }))
  const made: Array<Ways> = []
  const counts = new Map<string, number>()
  const policyOf = (layer: Layer): ReadonlyArray<Policy.Any> => {
    if (layer.kind === "again") {
      const ways = made.length === 0 ? undefined : made[layer.of % made.length]!
      return ways === undefined ? [] : [ways[layer.as % ways.length]!()]
    }
    const count = (counts.get(layer.kind) ?? 0) + 1
    counts.set(layer.kind, count)
    if ((layer.kind === "retry" || layer.kind === "hedge") && count > most) return []
    const ways = waysOf(layer, shared)
    // a retry that stands twice would multiply as well
    if (layer.kind !== "retry" && layer.kind !== "hedge") made.push(ways)
    return [ways[0]!()]
  }
  return [nested(stack.flatMap(policyOf)), second && { second: nested(second.flatMap(policyOf)) }]
}

/** The inner half stands in one that is composed, for nesting is to make no difference. */
const nested = (policies: Through): Through => {
  const half = policies.length >> 1
  const inner: ReadonlyArray<any> = policies.slice(half)
  return inner.length < 2 ? policies : [...policies.slice(0, half), Policy.compose(...(inner as [any, any]))]
}
