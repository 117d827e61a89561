/**
 * Codecs for the errors of policies, for services that pass them on: in the error channel of an `Rpc`, of an endpoint of an
 * `HttpApi`, of anything else that takes a `Schema`.
 *
 * **Details**
 *
 * Decoding gives an instance of the policy's own class. A caller on the other side catches it by its tag, `instanceof` holds,
 * and its fault is the one it had: a circuit that is open over there is `Rejected` here as well, and no breaker on this side
 * counts it.
 *
 * The codec writes durations as milliseconds, and an infinite one as `"infinity"`. In an `HttpApi`, a rejection has status 503,
 * that of a rate limiter 429, and an error of a timeout or a deadline 504. `HttpApiSchema.status` sets another status.
 *
 * Nothing else in this package imports this module.
 *
 * **Example** (An error that crosses a wire)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, Fault } from "@effect-resilience/core"
 * import { CircuitOpen } from "@effect-resilience/core/schema"
 * import { Duration, Effect, Schema } from "effect"
 *
 * const breaker = CircuitBreaker.makeUnsafe({ name: "payments" })
 * const rejected = Effect.andThen(breaker.open("5 seconds"), Effect.void.pipe(breaker, Effect.flip))
 * const error = await Effect.runPromise(rejected)
 *
 * const text = JSON.stringify(Schema.encodeSync(CircuitOpen)(error))
 * const decoded = Schema.decodeUnknownSync(CircuitOpen)(JSON.parse(text))
 *
 * decoded instanceof CircuitBreaker.CircuitOpen // => true
 * decoded.policyName // => "payments"
 * Duration.toSeconds(decoded.retryAfter) <= 5 // => true
 * Fault.ofError(decoded)._tag // => "Rejected"
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as AdaptiveThrottle from "../AdaptiveThrottle.ts"
import * as Balancer from "../Balancer.ts"
import * as Bulkhead from "../Bulkhead.ts"
import * as CircuitBreaker from "../CircuitBreaker.ts"
import * as Deadline from "../Deadline.ts"
import * as Keyed from "../Keyed.ts"
import * as RateLimiter from "../RateLimiter.ts"
import * as Timeout from "../Timeout.ts"

const infinity = "infinity"

/** Milliseconds: JSON has no infinite number. */
const Millis = Schema.Union([Schema.Finite, Schema.Literal(infinity)]).pipe(
  Schema.decodeTo(
    Schema.Duration,
    SchemaTransformation.transform<Duration.Duration, number | typeof infinity>({
      decode: (millis) => millis === infinity ? Duration.infinity : Duration.millis(millis),
      encode: (duration) => Duration.isFinite(duration) ? Duration.toMillis(duration) : infinity
    })
  )
)

/** The codec of a class of errors, from that of its fields; both sides have them under the same names. */
const errorCodec = <Fields extends Schema.Struct.Fields, E extends Schema.Struct.Type<Fields>>(
  error: new(fields: Schema.Struct.Type<Fields>) => E,
  status: number,
  fields: Fields
) =>
  Schema.Struct(fields).pipe(
    Schema.decodeTo(
      Schema.instanceOf(error),
      SchemaTransformation.transform<E, Schema.Struct.Type<Fields>>({
        decode: (decoded) => new error(decoded),
        encode: (instance) => instance
      })
    ),
    (codec) => codec.annotate({ httpApiStatus: status })
  )

const policyName = Schema.optional(Schema.String)

/**
 * The codec of `TimeoutExceeded`, of any phase.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TimeoutExceeded = errorCodec(Timeout.TimeoutExceeded, 504, {
  _tag: Schema.tag("TimeoutExceeded"),
  policyName,
  phase: Schema.Literals(["attempt", "total", "first", "idle"]),
  limit: Millis,
  elapsed: Millis
})

/**
 * The codec of `DeadlineExceeded`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const DeadlineExceeded = errorCodec(Deadline.DeadlineExceeded, 504, {
  _tag: Schema.tag("DeadlineExceeded"),
  policyName,
  began: Schema.Boolean,
  overrun: Millis
})

/**
 * The codec of `CircuitOpen`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CircuitOpen = errorCodec(CircuitBreaker.CircuitOpen, 503, {
  _tag: Schema.tag("CircuitOpen"),
  policyName,
  state: Schema.Literals(["Open", "HalfOpen", "Isolated"]),
  retryAfter: Millis
})

/**
 * The codec of `BulkheadRejected`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const BulkheadRejected = errorCodec(Bulkhead.BulkheadRejected, 503, {
  _tag: Schema.tag("BulkheadRejected"),
  policyName,
  reason: Schema.Literals(["full", "waited", "overload"]),
  waited: Millis
})

/**
 * The codec of `RateLimiterRejected`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RateLimiterRejected = errorCodec(RateLimiter.RateLimiterRejected, 429, {
  _tag: Schema.tag("RateLimiterRejected"),
  policyName,
  reason: Schema.Literals(["cost", "wait", "deadline", "queue"]),
  dimension: Schema.String,
  retryAfter: Millis
})

/**
 * The codec of `KeyedRejected`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const KeyedRejected = errorCodec(Keyed.KeyedRejected, 503, {
  _tag: Schema.tag("KeyedRejected"),
  policyName
})

/**
 * The codec of `ThrottleRejected`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ThrottleRejected = errorCodec(AdaptiveThrottle.ThrottleRejected, 503, {
  _tag: Schema.tag("ThrottleRejected"),
  policyName,
  ratio: Schema.Finite
})

/**
 * The codec of `NoEndpoint`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const NoEndpoint = errorCodec(Balancer.NoEndpoint, 503, {
  _tag: Schema.tag("NoEndpoint"),
  policyName,
  reason: Schema.Literals(["empty", "excluded", "cooling"]),
  retryAfter: Millis
})

/**
 * The codec of every error that a policy of this package may add to the error channel.
 *
 * @category schemas
 * @since 0.1.0
 */
export const PolicyError = Schema.Union([
  TimeoutExceeded,
  DeadlineExceeded,
  CircuitOpen,
  BulkheadRejected,
  RateLimiterRejected,
  KeyedRejected,
  ThrottleRejected,
  NoEndpoint
])
