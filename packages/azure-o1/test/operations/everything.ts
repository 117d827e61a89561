import {
  Balancer,
  Bulkhead,
  CircuitBreaker,
  Coalesce,
  Deadline,
  Fallback,
  Hedge,
  HedgingPipeline,
  Observability,
  Pipelines,
  RateLimiter,
  Retry,
  RetryBudget,
  Timeout
} from "@effect-resilience/core"
import * as PolicyRegistry from "@effect-resilience/core/PolicyRegistry"
import { Shared } from "@effect-resilience/core/shared"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Redis } from "effect/persistence"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../../src/AzureO1.ts"
import { O1Metrics } from "../../src/metrics/index.ts"
import { O1RateLimitError, O1ServerError } from "../../src/O1Error.ts"
import { O1Observer } from "../../src/O1Observation.ts"
import { AzureO1Pool } from "../../src/pool/AzureO1Pool.ts"
import { O1Quota } from "../../src/quota/O1Quota.ts"
import { AzureO1Test } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"

const fails = Effect.fail("down")
const slow = Effect.delay(Effect.void, "2 seconds")

/** A store that is away. */
const away = () => Effect.fail(new Redis.RedisError({ cause: new Error("ECONNREFUSED") }))
const store = Redis.Redis.of({ send: away, subscribe: () => Effect.never, eval: () => away, reserve: away() })

/** Runs to its end, however long it takes on the test clock. */
const whole = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
    yield* TestClock.adjust("3 minutes")
    fiber.pollUnsafe()
  })

const policies = Effect.gen(function*() {
  const pipelines = [
    yield* Pipelines.makeStandard({ name: "orders" }),
    yield* HedgingPipeline.make({ name: "search" })
  ]
  for (const pipeline of pipelines) {
    yield* whole(pipeline(fails))
    yield* whole(pipeline(slow))
  }
  const bulkhead = yield* Bulkhead.make({ name: "reports", concurrency: 1, maxQueue: 1 })
  yield* whole(Effect.all(Array.from({ length: 3 }, () => Effect.exit(bulkhead(slow))), { concurrency: "unbounded" }))
  const limiter = yield* RateLimiter.make({ name: "mails", limit: RateLimiter.gcra({ limit: 1, within: "1 minute" }) })
  yield* whole(Effect.all([limiter(Effect.void), limiter(Effect.void)], { concurrency: 2 }))
  const breaker = yield* CircuitBreaker.make({ name: "db", trip: CircuitBreaker.consecutive(1) })
  yield* Effect.exit(breaker(fails))
  yield* Effect.exit(breaker(fails))
  const hosts = yield* Balancer.make({ name: "hosts", endpoints: ["a", "b"] })
  yield* hosts.cool("a", "1 minute")
  yield* whole(hosts.use(() => fails))
  const budget = RetryBudget.makeUnsafe({ name: "shared", funding: RetryBudget.tokens({ maxTokens: 2, ratio: 0.1 }) })
  const retry = Retry.make({ name: "spent", schedule: Schedule.recurs(5), budget })
  for (let i = 0; i < 4; i++) yield* whole(retry(fails))
  yield* whole(slow.pipe(Hedge.makeUnsafe({ name: "twice", after: "1 second" })))
  yield* whole(Effect.uninterruptible(slow).pipe(Timeout.attempt("1 second", { name: "left", detach: true })))
  yield* whole(slow.pipe(Deadline.within("1 second"), Observability.call("late")))
  yield* fails.pipe(Fallback.to(() => Effect.void, { name: "instead" }))
  const once = yield* Coalesce.make<void>({ name: "once" })
  yield* whole(Effect.all([slow.pipe(once.for("k")), slow.pipe(once.for("k"))], { concurrency: 2 }))
  const shared = yield* Shared.rateLimiter({ name: "fleet", limit: RateLimiter.gcra({ limit: 9, within: "1 minute" }) })
  yield* whole(shared(Effect.void))
  return [pipelines, bulkhead, limiter, breaker, hosts, once, shared]
}).pipe(Effect.provideService(Redis.Redis, store))

const broken = AzureO1Test.fail(new O1ServerError({ kind: "unavailable" }))
const busy = AzureO1Test.fail(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(1) }))
const answers = Array.from({ length: 5 }, () => AzureO1Test.tokens(["4", "2"]))
/** Each run has its own: what a transport has played is over. */
const makeMembers = () =>
  AzureO1Pool.inOrder([
    AzureO1Test.transport([broken, busy, ...answers], { deployment: "o1-east" }),
    AzureO1Test.transport([busy, ...answers], { deployment: "o1-west" })
  ])

const calls = Effect.gen(function*() {
  const o1 = yield* AzureO1
  yield* whole(o1.complete(request))
  yield* whole(Stream.runDrain(o1.stream(request)))
  // a connection is the transport's to tell, which there is none of here
  const observe = yield* O1Observer
  for (const failed of [true, false]) {
    observe!({ _tag: "Connection", origin: "https://east", duration: Duration.seconds(1), failed })
  }
})

const client = Layer.suspend(() =>
  AzureO1Pool.layerServices(makeMembers()).pipe(Layer.provideMerge(O1Quota.layer({ tokensPerMinute: 100_000 })))
)

/** Uses every policy and the client, gives what `then` finds afterwards, and lets go. */
export const everything = <A, E, R>(then: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    // gauges end with the policies that nobody holds
    const held = yield* policies
    const found = yield* Effect.andThen(calls, then).pipe(Effect.provide(client))
    return held.length === 0 ? yield* then : found
  }).pipe(
    Effect.provide(
      O1Metrics.layer().pipe(Layer.provideMerge(Observability.layer()), Layer.provideMerge(PolicyRegistry.layer))
    ),
    Effect.provideServiceEffect(Metric.MetricRegistry, Effect.sync(() => new Map()))
  )
