import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import * as effectBreaker from "effect/persistence/CircuitBreaker"
import * as Schedule from "effect/Schedule"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../src/AdaptiveThrottle.ts"
import * as Backoff from "../src/Backoff.ts"
import * as Balancer from "../src/Balancer.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Chaos from "../src/Chaos.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Coalesce from "../src/Coalesce.ts"
import * as Criticality from "../src/Criticality.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Fallback from "../src/Fallback.ts"
import * as Hedge from "../src/Hedge.ts"
import * as HedgingPipeline from "../src/HedgingPipeline.ts"
import * as Health from "../src/http/Health.ts"
import * as ResilientHttpClient from "../src/http/ResilientHttpClient.ts"
import * as ServerPolicy from "../src/http/ServerPolicy.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Observability from "../src/Observability.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import { Shared } from "../src/shared/index.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"

/** What a program without types may give. */
const values = {
  null: null,
  NaN: Number.NaN,
  "\"x\"": "x",
  "-1": -1,
  "1": 1,
  "0.5": 0.5,
  "Infinity": Infinity,
  "true": true,
  "an object": {},
  "an array": [],
  "a function": () => 1,
  "a symbol": Symbol("s")
} as const
type Value = keyof typeof values

/** Which of these an option takes. */
const kinds = {
  none: [],
  duration: ["1", "0.5"],
  "a duration that may be infinite": ["1", "0.5", "Infinity"],
  "a limit": ["1", "0.5", "a function"],
  number: ["1", "Infinity", "0.5"],
  "1 or more": ["1", "Infinity"],
  array: ["an array"],
  integer: ["1"],
  share: ["1", "0.5"],
  quantile: ["0.5"],
  boolean: ["true"],
  string: ["\"x\""],
  "a seed": ["\"x\"", "-1", "1", "0.5"],
  function: ["a function"],
  options: ["an object"],
  "a number, or options": ["1", "an object"],
  "options after a function": ["an object", "a function"]
} as const satisfies Readonly<Record<string, ReadonlyArray<Value>>>

type Row = readonly [option: string, kind: keyof typeof kinds, make: (value: any) => unknown]

const call = Effect.void
const limit = RateLimiter.gcra({ limit: 1, within: 1 })
const client = HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response())))
const endpoints = ["a"]
const breaker = Effect.runSync(
  effectBreaker.make({ tripPolicy: effectBreaker.consecutive(1), openDuration: 1 }).pipe(
    Effect.scoped,
    Effect.provide(effectBreaker.layerStoreMemory())
  )
)
const lookup = () => Policy.identity
const share = CircuitBreaker.failureRate

const table: ReadonlyArray<Row> = [
  ["AdaptiveThrottle.make: options", "options", (value) => AdaptiveThrottle.makeUnsafe(value)],
  ["AdaptiveThrottle.make: name", "string", (name) => AdaptiveThrottle.makeUnsafe({ name })],
  ["AdaptiveThrottle.make: factor", "a number, or options", (factor) => AdaptiveThrottle.makeUnsafe({ factor })],
  ["AdaptiveThrottle.make: within", "duration", (within) => AdaptiveThrottle.makeUnsafe({ within })],
  ["AdaptiveThrottle.make: minCalls", "integer", (minCalls) => AdaptiveThrottle.makeUnsafe({ minCalls })],
  ["AdaptiveThrottle.make: maxRatio", "share", (maxRatio) => AdaptiveThrottle.makeUnsafe({ maxRatio })],
  ["AdaptiveThrottle.make: classify", "function", (classify) => AdaptiveThrottle.makeUnsafe({ classify })],

  ["Backoff.exponential: options", "none", (value) => Backoff.exponential(value)],
  ["Backoff.exponential: base", "duration", (base) => Backoff.exponential({ base })],
  ["Backoff.exponential: factor", "integer", (factor) => Backoff.exponential({ base: 1, factor })],
  [
    "Backoff.exponential: maxDelay",
    "a duration that may be infinite",
    (maxDelay) => Backoff.exponential({ base: 1, maxDelay })
  ],
  ["Backoff.exponential: jitter", "none", (jitter) => Backoff.exponential({ base: 1, jitter })],
  [
    "Backoff.exponential: jitter.proportional",
    "share",
    (proportional) => Backoff.exponential({ base: 1, jitter: { proportional } })
  ],
  ["Backoff.linear: increment", "duration", (increment) => Backoff.linear({ base: 1, increment })],
  ["Backoff.fibonacci: base", "duration", (base) => Backoff.fibonacci({ base })],
  ["Backoff.constant: base", "duration", (base) => Backoff.constant({ base })],
  ["Backoff.decorrelated: base", "duration", (base) => Backoff.decorrelated({ base })],
  ["Backoff.decorrelatedV2: base", "duration", (base) => Backoff.decorrelatedV2({ base })],

  ["AdaptiveLimit.make: options", "options", (value) => AdaptiveLimit.makeUnsafe(value)],
  ["AdaptiveLimit.make: name", "string", (name) => AdaptiveLimit.makeUnsafe({ name })],
  ["AdaptiveLimit.make: algorithm", "none", (algorithm) => AdaptiveLimit.makeUnsafe({ algorithm })],
  [
    "AdaptiveLimit.make: initialConcurrency",
    "integer",
    (initialConcurrency) => AdaptiveLimit.makeUnsafe({ initialConcurrency })
  ],
  ["AdaptiveLimit.make: minConcurrency", "integer", (minConcurrency) => AdaptiveLimit.makeUnsafe({ minConcurrency })],
  ["AdaptiveLimit.make: maxConcurrency", "integer", (maxConcurrency) => AdaptiveLimit.makeUnsafe({ maxConcurrency })],
  ["AdaptiveLimit.make: maxQueue", "integer", (maxQueue) => AdaptiveLimit.makeUnsafe({ maxQueue })],
  [
    "AdaptiveLimit.make: maxWait",
    "a duration that may be infinite",
    (maxWait) => AdaptiveLimit.makeUnsafe({ maxWait })
  ],
  ["AdaptiveLimit.make: order", "none", (order) => AdaptiveLimit.makeUnsafe({ maxQueue: 1, order })],
  [
    "AdaptiveLimit.make: overload",
    "options",
    (overload) => AdaptiveLimit.makeUnsafe({ maxQueue: 1, order: "adaptive", overload })
  ],
  ["AdaptiveLimit.make: within", "duration", (within) => AdaptiveLimit.makeUnsafe({ within })],
  ["AdaptiveLimit.make: minCalls", "integer", (minCalls) => AdaptiveLimit.makeUnsafe({ minCalls })],
  ["AdaptiveLimit.make: dropRatio", "share", (dropRatio) => AdaptiveLimit.makeUnsafe({ dropRatio })],
  ["AdaptiveLimit.make: partitions", "options", (partitions) => AdaptiveLimit.makeUnsafe({ partitions })],
  ["AdaptiveLimit.make: partitions.a", "share", (a) => AdaptiveLimit.makeUnsafe({ partitions: { a } })],
  ["AdaptiveLimit.make: classify", "function", (classify) => AdaptiveLimit.makeUnsafe({ classify })],
  ["AdaptiveLimit.make: result", "function", (result) => AdaptiveLimit.makeUnsafe({ result })],
  ["AdaptiveLimit.aimd: options", "options", (value) => AdaptiveLimit.aimd(value)],
  ["AdaptiveLimit.aimd: after", "duration", (after) => AdaptiveLimit.aimd({ after })],
  ["AdaptiveLimit.vegas: options", "options", (value) => AdaptiveLimit.vegas(value)],
  ["AdaptiveLimit.vegas: alpha", "integer", (alpha) => AdaptiveLimit.vegas({ alpha })],
  ["AdaptiveLimit.vegas: beta", "integer", (beta) => AdaptiveLimit.vegas({ beta })],
  ["AdaptiveLimit.gradient2: options", "options", (value) => AdaptiveLimit.gradient2(value)],
  ["AdaptiveLimit.gradient2: tolerance", "integer", (tolerance) => AdaptiveLimit.gradient2({ tolerance })],
  ["AdaptiveLimit.gradient2: smoothing", "share", (smoothing) => AdaptiveLimit.gradient2({ smoothing })],
  ["AdaptiveLimit.gradient2: queue", "integer", (queue) => AdaptiveLimit.gradient2({ queue })],
  [
    "AdaptiveLimit.partition: name",
    "none",
    (name) => AdaptiveLimit.makeUnsafe({ partitions: { a: 1 } }).partition(name)
  ],

  ["Balancer.make: options", "none", (value) => Balancer.makeUnsafe(value)],
  ["Balancer.make: name", "string", (name) => Balancer.makeUnsafe({ endpoints, name })],
  ["Balancer.make: choose", "none", (choose) => Balancer.makeUnsafe({ endpoints, choose })],
  ["Balancer.make: decay", "duration", (decay) => Balancer.makeUnsafe({ endpoints, decay })],
  ["Balancer.make: panic", "share", (panic) => Balancer.makeUnsafe({ endpoints, panic })],
  [
    "Balancer.make: overprovisioning",
    "1 or more",
    (overprovisioning) => Balancer.makeUnsafe({ endpoints, overprovisioning })
  ],
  ["Balancer.make: ejection", "options", (ejection) => Balancer.makeUnsafe({ endpoints, ejection })],
  [
    "Balancer.make: cooldown",
    "duration",
    (cooldown) => Balancer.makeUnsafe({ endpoints, cooldown })
  ],
  [
    "Balancer.make: maxCooldown",
    "a duration that may be infinite",
    (maxCooldown) => Balancer.makeUnsafe({ endpoints, maxCooldown })
  ],
  [
    "Balancer.make: slowStart",
    "duration",
    (slowStart) => Balancer.makeUnsafe({ endpoints, slowStart })
  ],
  [
    "Balancer.make: hangsAfter",
    "a duration that may be infinite",
    (hangsAfter) => Balancer.makeUnsafe({ endpoints, hangsAfter })
  ],
  ["Balancer.make: classify", "function", (classify) => Balancer.makeUnsafe({ endpoints, classify })],
  ["Balancer.make: result", "function", (result) => Balancer.makeUnsafe({ endpoints, result })],
  ["Balancer.make: priority", "function", (priority) => Balancer.makeUnsafe({ endpoints, priority })],
  ["Balancer.make: weight", "function", (weight) => Balancer.makeUnsafe({ endpoints, weight })],
  ["Balancer.make: local", "function", (local) => Balancer.makeUnsafe({ endpoints, local })],
  ["Balancer.make: endpoints", "array", (endpoints) => Balancer.makeUnsafe({ endpoints })],
  ["Balancer.make: ejection.ratio", "share", (ratio) => Balancer.makeUnsafe({ endpoints, ejection: { ratio } })],
  [
    "Balancer.make: ejection.minCalls",
    "integer",
    (minCalls) => Balancer.makeUnsafe({ endpoints, ejection: { minCalls } })
  ],
  ["Balancer.make: ejection.within", "duration", (within) => Balancer.makeUnsafe({ endpoints, ejection: { within } })],
  [
    "Balancer.make: ejection.failures",
    "integer",
    (failures) => Balancer.makeUnsafe({ endpoints, ejection: { failures } })
  ],
  [
    "Balancer.make: ejection.duration",
    "duration",
    (duration) => Balancer.makeUnsafe({ endpoints, ejection: { duration } })
  ],
  [
    "Balancer.make: ejection.maxDuration",
    "duration",
    (maxDuration) => Balancer.makeUnsafe({ endpoints, ejection: { maxDuration, duration: 0.5 } })
  ],
  [
    "Balancer.make: ejection.maxRatio",
    "share",
    (maxRatio) => Balancer.makeUnsafe({ endpoints, ejection: { maxRatio } })
  ],
  ["Bulkhead.make: options", "none", (value) => Bulkhead.makeUnsafe(value)],
  ["Bulkhead.make: name", "string", (name) => Bulkhead.makeUnsafe({ concurrency: 1, name })],
  ["Bulkhead.make: concurrency", "integer", (concurrency) => Bulkhead.makeUnsafe({ concurrency })],
  ["Bulkhead.make: maxQueue", "integer", (maxQueue) => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue })],
  [
    "Bulkhead.make: maxWait",
    "a duration that may be infinite",
    (maxWait) => Bulkhead.makeUnsafe({ concurrency: 1, maxWait })
  ],
  ["Bulkhead.make: order", "none", (order) => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, order })],
  [
    "Bulkhead.make: overload",
    "options",
    (overload) => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, order: "adaptive", overload })
  ],
  [
    "Bulkhead.make: overload.target",
    "duration",
    (target) => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, order: "adaptive", overload: { target } })
  ],
  [
    "Bulkhead.make: overload.interval",
    "duration",
    (interval) => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, order: "adaptive", overload: { interval } })
  ],
  ["Bulkhead.make: overload", "none", (overload) => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, overload })],

  ["CircuitBreaker.make: options", "options", (value) => CircuitBreaker.makeUnsafe(value)],
  ["CircuitBreaker.make: name", "string", (name) => CircuitBreaker.makeUnsafe({ name })],
  ["CircuitBreaker.make: trip", "none", (trip) => CircuitBreaker.makeUnsafe({ trip })],
  ["CircuitBreaker.make: open", "duration", (open) => CircuitBreaker.makeUnsafe({ open })],
  ["CircuitBreaker.make: retryAfter", "options", (retryAfter) => CircuitBreaker.makeUnsafe({ retryAfter })],
  [
    "CircuitBreaker.make: retryAfter.maxDelay",
    "duration",
    (maxDelay) => CircuitBreaker.makeUnsafe({ retryAfter: { maxDelay } })
  ],
  ["CircuitBreaker.make: halfOpen", "options", (halfOpen) => CircuitBreaker.makeUnsafe({ halfOpen })],
  ["CircuitBreaker.make: halfOpen.probes", "integer", (probes) => CircuitBreaker.makeUnsafe({ halfOpen: { probes } })],
  ["CircuitBreaker.make: halfOpen.ratio", "share", (ratio) => CircuitBreaker.makeUnsafe({ halfOpen: { ratio } })],
  [
    "CircuitBreaker.make: halfOpen.lease",
    "a duration that may be infinite",
    (lease) => CircuitBreaker.makeUnsafe({ halfOpen: { lease } })
  ],
  ["CircuitBreaker.make: classify", "function", (classify) => CircuitBreaker.makeUnsafe({ classify })],
  ["CircuitBreaker.make: result", "function", (result) => CircuitBreaker.makeUnsafe({ result })],
  [
    "CircuitBreaker.make: hangsAfter",
    "a duration that may be infinite",
    (hangsAfter) => CircuitBreaker.makeUnsafe({ hangsAfter })
  ],
  ["CircuitBreaker.make: initial", "none", (initial) => CircuitBreaker.makeUnsafe({ initial })],
  ["CircuitBreaker.consecutive: failures", "integer", (failures) => CircuitBreaker.consecutive(failures)],
  ["CircuitBreaker.failureRate: options", "none", (value) => share(value)],
  ["CircuitBreaker.failureRate: ratio", "share", (ratio) => share({ ratio, calls: 20 })],
  ["CircuitBreaker.failureRate: minCalls", "integer", (minCalls) => share({ minCalls, calls: 20 })],
  ["CircuitBreaker.failureRate: calls", "integer", (calls) => share({ calls })],
  ["CircuitBreaker.failureRate: within", "duration", (within) => share({ within })],
  ["CircuitBreaker.slowRate: after", "duration", (after) => CircuitBreaker.slowRate({ after, calls: 1 })],

  ["Chaos.latency: options", "none", (value) => Chaos.latency(1, value)],
  ["Chaos.latency: name", "string", (name) => Chaos.latency(1, { ratio: 1, name })],
  ["Chaos.latency: ratio", "share", (ratio) => Chaos.latency(1, { ratio })],
  ["Chaos.latency: during", "none", (during) => Chaos.latency(1, { ratio: 1, during })],
  ["Chaos.latency: when", "function", (when) => Chaos.latency(1, { ratio: 1, when })],
  ["Chaos.fault: elements", "integer", (elements) => Chaos.fault(() => 1, { ratio: 1, elements })],
  ["Chaos.defect: ratio", "share", (ratio) => Chaos.defect(() => 1, { ratio })],
  ["Chaos.stall: ratio", "share", (ratio) => Chaos.stall({ ratio })],
  ["Chaos.truncate: elements", "integer", (elements) => Chaos.truncate({ ratio: 1, elements })],
  ["Chaos.outcome: when", "function", (when) => Chaos.outcome(() => 1, { ratio: 1, when })],
  ["Chaos.window: options", "none", (value) => Chaos.window(value)],
  ["Chaos.window: duration", "a duration that may be infinite", (duration) => Chaos.window({ duration })],
  ["Chaos.window: after", "a duration that may be infinite", (after) => Chaos.window({ after, duration: 1 })],
  [
    "Chaos.window: every",
    "a duration that may be infinite",
    (every) => Chaos.window({ duration: 0.25, every })
  ],
  ["Chaos.ramp: options", "none", (value) => Chaos.ramp(value)],
  ["Chaos.ramp: duration", "duration", (duration) => Chaos.ramp({ duration })],
  ["Chaos.ramp: after", "a duration that may be infinite", (after) => Chaos.ramp({ after, duration: 1 })],
  ["Chaos.layer: options", "options", (value) => Chaos.layer(value)],
  ["Chaos.layer: seed", "a seed", (seed) => Chaos.layer({ seed })],
  ["Chaos.layer: factor", "share", (factor) => Chaos.layer({ factor })],

  ["Coalesce.make: options", "options", (value) => Coalesce.makeUnsafe(value)],
  ["Coalesce.make: name", "string", (name) => Coalesce.makeUnsafe({ name })],
  ["Coalesce.make: capacity", "integer", (capacity) => Coalesce.makeUnsafe({ capacity })],

  ["Deadline.within: options", "options", (value) => Deadline.within("1 second", value)],
  ["Deadline.within: name", "string", (name) => Deadline.within("1 second", { name })],
  ["Deadline.fromHeader: options", "options", (value) => Deadline.fromHeader("1", value)],
  ["Deadline.fromHeader: maxRemaining", "duration", (maxRemaining) => Deadline.fromHeader("1", { maxRemaining })],

  ["Fallback.to: options", "options after a function", (value) => Fallback.to(() => call, value)],
  ["Fallback.to: name", "string", (name) => Fallback.to(() => call, { name })],
  ["Fallback.to: tags", "none", (tags) => Fallback.to(() => call, { tags })],
  ["Fallback.to: when", "function", (when) => Fallback.to(() => call, { when })],
  ["Fallback.makeStale: options", "none", (value) => Fallback.makeStaleUnsafe(value)],
  ["Fallback.makeStale: name", "string", (name) => Fallback.makeStaleUnsafe({ timeToLive: 1, name })],
  [
    "Fallback.makeStale: timeToLive",
    "a duration that may be infinite",
    (timeToLive) => Fallback.makeStaleUnsafe({ timeToLive })
  ],
  ["Fallback.makeStale: capacity", "integer", (capacity) => Fallback.makeStaleUnsafe({ timeToLive: 1, capacity })],
  [
    "Fallback.makeStale: maxElements",
    "integer",
    (maxElements) => Fallback.makeStaleUnsafe({ timeToLive: 1, maxElements })
  ],
  ["Fallback.makeStale: as", "function", (as) => Fallback.makeStaleUnsafe({ timeToLive: 1, as })],
  ["Fallback.makeStale: classify", "function", (classify) => Fallback.makeStaleUnsafe({ timeToLive: 1, classify })],

  ["Hedge.make: options", "none", (value) => Hedge.makeUnsafe(value)],
  ["Hedge.make: name", "string", (name) => Hedge.makeUnsafe({ after: 1, name })],
  ["Hedge.make: after", "a duration that may be infinite", (after) => Hedge.makeUnsafe({ after })],
  ["Hedge.make: after.quantile", "quantile", (quantile) => Hedge.makeUnsafe({ after: { quantile } })],
  ["Hedge.make: after.minCalls", "integer", (minCalls) => Hedge.makeUnsafe({ after: { quantile: 0.5, minCalls } })],
  [
    "Hedge.make: after.minDelay",
    "duration",
    (minDelay) => Hedge.makeUnsafe({ after: { quantile: 0.5, minDelay, maxDelay: 1 } })
  ],
  [
    "Hedge.make: after.initialDelay",
    "a duration that may be infinite",
    (initialDelay) => Hedge.makeUnsafe({ after: { quantile: 0.5, initialDelay } })
  ],
  ["Hedge.make: maxHedges", "integer", (maxHedges) => Hedge.makeUnsafe({ after: 1, maxHedges })],
  ["Hedge.make: budget", "none", (budget) => Hedge.makeUnsafe({ after: 1, budget })],
  ["Hedge.make: classify", "function", (classify) => Hedge.makeUnsafe({ after: 1, classify })],
  ["Hedge.make: result", "function", (result) => Hedge.makeUnsafe({ after: 1, result })],
  ["Hedge.alternatives: hedge", "none", (hedge) => Hedge.alternatives(hedge, [call])],
  ["Hedge.alternatives: others", "none", (others) => Hedge.alternatives(Hedge.makeUnsafe({ after: 1 }), others)],

  ["Keyed.make: options", "none", (value) => Keyed.makeUnsafe(value)],
  ["Keyed.make: name", "string", (name) => Keyed.makeUnsafe({ lookup, name })],
  ["Keyed.make: lookup", "function", (lookup) => Keyed.makeUnsafe({ lookup })],
  [
    "Keyed.make: idleTimeToLive",
    "a duration that may be infinite",
    (idleTimeToLive) => Keyed.makeUnsafe({ lookup, idleTimeToLive })
  ],
  ["Keyed.make: maxInstances", "integer", (maxInstances) => Keyed.makeUnsafe({ lookup, maxInstances })],
  ["Keyed.make: whenFull", "none", (whenFull) => Keyed.makeUnsafe({ lookup, whenFull })],

  ["Observability.call: name", "string", (name) => Observability.call(name)],
  ["Observability.layerMetrics: options", "options", (value) => Observability.layerMetrics(value)],
  ["Observability.layerMetrics: maxNames", "integer", (maxNames) => Observability.layerMetrics({ maxNames })],
  ["Observability.Events.layer: options", "options", (value) => Observability.Events.layer(value)],
  ["Observability.Events.layer: capacity", "integer", (capacity) => Observability.Events.layer({ capacity })],
  ["Telemetry.listen: listener", "function", (listener) => Telemetry.listen(listener)],

  ["Pipelines.makeStandard: options", "options", (value) => Pipelines.makeStandardUnsafe(value)],
  ["Pipelines.makeStandard: name", "string", (name) => Pipelines.makeStandardUnsafe({ name })],
  ["Pipelines.makeStandard: total", "a limit", (total) => Pipelines.makeStandardUnsafe({ total })],
  ["Pipelines.makeStandard: attempt", "a limit", (attempt) => Pipelines.makeStandardUnsafe({ attempt })],
  ["Pipelines.makeStandard: retry", "options", (retry) => Pipelines.makeStandardUnsafe({ retry })],
  ["Pipelines.makeStandard: limiter", "options", (limiter) => Pipelines.makeStandardUnsafe({ limiter })],
  ["Pipelines.makeStandard: breaker", "options", (breaker) => Pipelines.makeStandardUnsafe({ breaker })],
  ["Pipelines.makeStandard: budget", "none", (budget) => Pipelines.makeStandardUnsafe({ budget })],
  ["HedgingPipeline.make: hedge", "options", (hedge) => HedgingPipeline.makeUnsafe({ hedge })],

  ["Policy.compose: policy 1", "none", (policy) => Policy.compose(policy, Policy.identity)],
  ["Policy.compose: policy 2", "none", (policy) => Policy.compose(Retry.make(), policy)],
  ["Policy.mapError: is", "function", (is) => Policy.mapError(Retry.make(), is, (error) => error)],
  ["Policy.mapError: f", "function", (f) => Policy.mapError(Retry.make(), CircuitBreaker.isCircuitOpen, f)],

  ["RateLimiter.make: options", "none", (value) => RateLimiter.makeUnsafe(value)],
  ["RateLimiter.make: name", "string", (name) => RateLimiter.makeUnsafe({ limit, name })],
  ["RateLimiter.make: limit", "none", (limit) => RateLimiter.makeUnsafe({ limit })],
  ["RateLimiter.make: limits", "none", (limits) => RateLimiter.makeUnsafe({ limits })],
  [
    "RateLimiter.make: maxWait",
    "a duration that may be infinite",
    (maxWait) => RateLimiter.makeUnsafe({ limit, maxWait })
  ],
  ["RateLimiter.make: maxQueue", "integer", (maxQueue) => RateLimiter.makeUnsafe({ limit, maxWait: 1, maxQueue })],
  ["RateLimiter.tokenBucket: options", "none", (value) => RateLimiter.tokenBucket(value)],
  ["RateLimiter.tokenBucket: limit", "integer", (limit) => RateLimiter.tokenBucket({ limit, within: 1 })],
  ["RateLimiter.tokenBucket: within", "duration", (within) => RateLimiter.tokenBucket({ limit: 1, within })],
  [
    "RateLimiter.tokenBucket: capacity",
    "integer",
    (capacity) => RateLimiter.tokenBucket({ limit: 1, within: 1, capacity })
  ],
  ["RateLimiter.gcra: burst", "integer", (burst) => RateLimiter.gcra({ limit: 1, within: 1, burst })],
  ["RateLimiter.settle: actual", "function", (actual) => RateLimiter.makeUnsafe({ limit }).settle(1, actual)],

  ["Retry.make: options", "options", (value) => Retry.make(value)],
  ["Retry.make: name", "string", (name) => Retry.make({ name })],
  ["Retry.make: schedule", "none", (schedule) => Retry.make({ schedule })],
  ["Retry.make: schedules", "options", (schedules) => Retry.make({ schedules })],
  ["Retry.make: times", "integer", (times) => Retry.make({ times })],
  ["Retry.make: while", "function", (value) => Retry.make({ while: value })],
  ["Retry.make: tags", "none", (tags) => Retry.make({ tags })],
  ["Retry.make: classify", "function", (classify) => Retry.make({ classify })],
  ["Retry.make: result", "function", (result) => Retry.make({ result })],
  ["Retry.make: rejected", "boolean", (rejected) => Retry.make({ rejected })],
  ["Retry.make: budget", "none", (budget) => Retry.make({ budget })],
  ["Retry.make: retryAfter", "options", (retryAfter) => Retry.make({ retryAfter })],
  [
    "Retry.make: retryAfter.maxDelay",
    "a duration that may be infinite",
    (maxDelay) => Retry.make({ retryAfter: { maxDelay } })
  ],
  ["Retry.make: retryAfter.beyond", "none", (beyond) => Retry.make({ retryAfter: { beyond } })],
  ["Retry.make: commit", "function", (commit) => Retry.make({ commit })],
  ["Retry.resume: from", "function", (from) => Retry.resume({ schedule: Schedule.recurs(1), from })],

  ["RetryBudget.make: options", "options", (value) => RetryBudget.makeUnsafe(value)],
  ["RetryBudget.make: name", "string", (name) => RetryBudget.makeUnsafe({ name })],
  ["RetryBudget.make: funding", "none", (funding) => RetryBudget.makeUnsafe({ funding })],
  ["RetryBudget.tokens: options", "options", (value) => RetryBudget.tokens(value)],
  ["RetryBudget.tokens: maxTokens", "none", (maxTokens) => RetryBudget.tokens({ maxTokens })],
  ["RetryBudget.tokens: ratio", "share", (ratio) => RetryBudget.tokens({ ratio })],
  ["RetryBudget.traffic: ratio", "share", (ratio) => RetryBudget.traffic({ ratio })],
  ["RetryBudget.traffic: within", "duration", (within) => RetryBudget.traffic({ within })],
  ["RetryBudget.traffic: minPerSecond", "share", (minPerSecond) => RetryBudget.traffic({ minPerSecond })],
  ["RetryBudget.inFlight: minAttempts", "integer", (minAttempts) => RetryBudget.inFlight({ minAttempts })],

  ["Shared.rateLimiter: limit", "none", (limit) => Shared.rateLimiter({ name: "x", limit })],
  ["Shared.rateLimiter: prefix", "string", (prefix) => Shared.rateLimiter({ name: "x", limit, prefix })],
  ["Shared.rateLimiter: processes", "integer", (processes) => Shared.rateLimiter({ name: "x", limit, processes })],
  ["Shared.rateLimiter: ahead", "duration", (ahead) => Shared.rateLimiter({ name: "x", limit, ahead })],
  ["Shared.rateLimiter: attempt", "duration", (attempt) => Shared.rateLimiter({ name: "x", limit, attempt })],
  ["Shared.rateLimiter: initial", "none", (initial) => Shared.rateLimiter({ name: "x", limit, initial })],
  ["Shared.fromEffect: name", "string", (name) => Shared.fromEffect(breaker, "x", { name })],
  ["Shared.fromEffect: classify", "function", (classify) => Shared.fromEffect(breaker, "x", { classify })],

  ["Timeout.attempt: limit", "a limit", (limit) => Timeout.attempt(limit)],
  ["Timeout.attempt: options", "options", (value) => Timeout.attempt(1, value)],
  ["Timeout.attempt: name", "string", (name) => Timeout.attempt(1, { name })],
  ["Timeout.attempt: detach", "boolean", (detach) => Timeout.attempt(1, { detach })],
  ["Timeout.total: limit", "a limit", (limit) => Timeout.total(limit)],
  ["Timeout.phases: options", "none", (value) => Timeout.phases(value)],
  ["Timeout.phases: idle", "a limit", (idle) => Timeout.phases({ idle })],
  ["Timeout.phases: progress", "function", (progress) => Timeout.phases({ idle: 1, progress })],
  ["Timeout.makeAdaptive: options", "none", (value) => Timeout.makeAdaptiveUnsafe(value)],
  ["Timeout.makeAdaptive: name", "string", (name) => Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 1, name })],
  ["Timeout.makeAdaptive: minLimit", "duration", (minLimit) => Timeout.makeAdaptiveUnsafe({ minLimit, maxLimit: 1 })],
  [
    "Timeout.makeAdaptive: quantile",
    "share",
    (quantile) => Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 1, quantile })
  ],
  [
    "Timeout.makeAdaptive: factor",
    "none",
    (factor) => Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 1, factor })
  ],
  [
    "Timeout.makeAdaptive: within",
    "duration",
    (within) => Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 1, within })
  ],
  [
    "Timeout.makeAdaptive: detach",
    "boolean",
    (detach) => Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 1, detach })
  ],

  ["ResilientHttpClient.make: options", "options", (value) => ResilientHttpClient.make(client, Policy.identity, value)],
  [
    "ResilientHttpClient.make: maxBytes",
    "integer",
    (maxBytes) => ResilientHttpClient.make(client, Policy.identity, { maxBytes })
  ],
  [
    "ResilientHttpClient.make: repeat",
    "function",
    (repeat) => ResilientHttpClient.make(client, Policy.identity, { repeat })
  ],
  [
    "ServerPolicy.make: maxRemaining",
    "duration",
    (maxRemaining) => ServerPolicy.make(Policy.identity, { maxRemaining })
  ],
  [
    "ServerPolicy.make: criticalityHeaders",
    "array",
    (criticalityHeaders) => ServerPolicy.make(Policy.identity, { criticalityHeaders })
  ],
  [
    "ServerPolicy.make: maxCriticality",
    "function",
    (maxCriticality) => ServerPolicy.make(Policy.identity, { maxCriticality })
  ],
  ["Criticality.as: criticality", "none", (criticality) => Criticality.as(criticality)],
  ["Criticality.atMost: criticality", "none", (criticality) => Criticality.atMost(criticality)],
  ["Criticality.fromHeader: options", "options", (value) => Criticality.fromHeader("sheddable", value)],
  [
    "Criticality.fromHeader: maxCriticality",
    "none",
    (maxCriticality) => Criticality.fromHeader("sheddable", { maxCriticality })
  ],
  ["Health.check: options", "options", (value) => Health.check(value)],
  ["Health.response: options", "options", (value) => Health.response(value)],
  ["Health.layerHttp: options", "options", (value) => Health.layerHttp(value)]
]

describe("a bad option throws a RangeError when a policy is made, which names it, the value and what is allowed", () => {
  for (const [option, kind, make] of table) {
    it(`${option}: ${kind}`, () => {
      const allowed: ReadonlyArray<string> = kinds[kind]
      for (const [name, value] of Object.entries(values)) {
        let thrown: unknown
        try {
          make(value)
        } catch (error) {
          thrown = error
        }
        if (allowed.includes(name)) {
          assert.isUndefined(thrown, `${name}: ${String(thrown)}`)
        } else {
          assert.instanceOf(thrown, RangeError, `${name}: ${String(thrown)}`)
          assert.match(
            String(thrown),
            new RegExp(`^RangeError: ${option.split(":")[0]}: .* must be .*, got `, "s"),
            name
          )
        }
      }
    })
  }
})
