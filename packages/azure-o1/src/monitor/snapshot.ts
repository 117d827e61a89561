/**
 * What a monitor has learned, as plain data: to be kept, sent, merged and read.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ReasoningEffort } from "../O1Request.ts"

const Amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

const Index = Schema.Int.check(Schema.isBetween({ minimum: -100_000, maximum: 100_000 }))

/**
 * How values are distributed: buckets that grow by a constant factor, `[index, seen, cut off, watched from here on]`.
 * `O1Monitor.quantile` and `O1Monitor.exceeding` read it.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Distribution = Schema.Struct({
  /** No quantile is wrong by a larger share of its value. */
  accuracy: Schema.Finite.check(Schema.isBetween({ minimum: 0.0001, maximum: 0.5 })),
  min: Amount,
  max: Amount,
  /** The largest value, whether it was seen or cut off. */
  longest: Amount,
  buckets: Schema.Array(Schema.Tuple([Index, Amount, Amount, Amount]))
})

/**
 * @category models
 * @since 0.1.0
 */
export type Distribution = typeof Distribution.Type

const Outcomes = Schema.Record(Schema.String, Amount)

/**
 * The observations of one deployment, model and reasoning effort. Times are in milliseconds.
 *
 * @category schemas
 * @since 0.1.0
 */
export const SeriesSnapshot = Schema.Struct({
  deployment: Schema.String,
  /** Absent until one has answered. */
  model: Schema.optional(Schema.String),
  /** Absent where the requests left it to the service. */
  effort: Schema.optional(ReasoningEffort),
  attempts: Schema.Struct({
    /** How many ended in which way. */
    outcomes: Outcomes,
    /** How many were not the first of their call. */
    retries: Amount,
    headers: Distribution,
    firstOutput: Distribution,
    /** Of the answers. An attempt that was cut off counts as one that takes longer. */
    total: Distribution
  }),
  calls: Schema.Struct({
    outcomes: Outcomes,
    /** How many calls came in a second, of those that this monitor saw itself. Absent where it saw none, or only just began. */
    perSecond: Schema.optional(Amount),
    /** Retries and waits included. */
    total: Distribution,
    /** Of the answers that needed one attempt, reasoning included. */
    tokensPerSecond: Distribution,
    /** Tokens of reasoning and answer together. */
    outputTokens: Distribution,
    /** The share of the output tokens that went into reasoning, from 0 to 1. */
    reasoningShare: Distribution
  })
})

/**
 * @category models
 * @since 0.1.0
 */
export type SeriesSnapshot = typeof SeriesSnapshot.Type

/**
 * The observations of the connections to one origin. Times are in milliseconds.
 *
 * @category schemas
 * @since 0.1.0
 */
export const OriginSnapshot = Schema.Struct({
  /** Scheme, host and port. */
  origin: Schema.String,
  failed: Amount,
  /** How long it took to connect. */
  connect: Distribution
})

/**
 * @category models
 * @since 0.1.0
 */
export type OriginSnapshot = typeof OriginSnapshot.Type

/**
 * Everything that a monitor remembers. It is its own JSON.
 *
 * @category schemas
 * @since 0.1.0
 */
export const MonitorSnapshot = Schema.Struct({
  version: Schema.Literal(1),
  /** Milliseconds since the epoch. */
  at: Schema.Finite,
  series: Schema.Array(SeriesSnapshot),
  origins: Schema.Array(OriginSnapshot)
})

/**
 * @category models
 * @since 0.1.0
 */
export type MonitorSnapshot = typeof MonitorSnapshot.Type
