import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const PositiveDuration = Schema.DurationFromString.check(
  Schema.makeFilter((duration) => Duration.isPositive(duration) || "a duration > 0")
)
const Count = (least: number) => Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(least))
const Share = Schema.FiniteFromString.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))

/** The limits that are read, each under its name after the prefix. */
const codecs = {
  TOTAL: PositiveDuration,
  ATTEMPT: PositiveDuration,
  RETRIES: Count(0),
  CONCURRENCY: Count(1),
  MAX_QUEUE: Count(0),
  MAX_WAIT: PositiveDuration,
  FAILURE_RATIO: Share,
  MIN_CALLS: Count(1),
  WITHIN: PositiveDuration,
  OPEN: PositiveDuration
} as const

export type Read = { readonly [K in keyof typeof codecs]?: (typeof codecs)[K]["Type"] }

const names = Object.keys(codecs) as ReadonlyArray<keyof typeof codecs>

/** All that is there; what is there and cannot be read is an error with its name. */
export const read = (prefix: string): Config.Config<Read> =>
  Config.all(
    names.map((name) =>
      Config.map(Config.option(Config.schema(codecs[name] as Schema.ConstraintCodec<unknown, string>, name)), (value) =>
        Option.isNone(value) ? [] : [[name, value.value] as const])
    )
  ).pipe(
    Config.map((entries) =>
      Object.fromEntries(entries.flat()) as Read
    ),
    Config.nested(prefix)
  )

/** What contradicts what is known otherwise is an error with all the names that were read. */
export const checked = <A>(prefix: string, values: Read, make: () => A): Effect.Effect<A, Config.ConfigError> =>
  Effect.try({
    try: make,
    catch: (cause) => {
      const keys = Object.keys(values).map((name) => `${prefix}_${name}`)
      const message = `${(cause as Error).message} (${keys.join(", ")})`
      return new Config.ConfigError(new ConfigProvider.SourceError({ message, cause }))
    }
  })
