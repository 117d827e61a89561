import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { O1Observation } from "../O1Observation.ts"
import { ReasoningEffort } from "../O1Request.ts"

/** An observation, and when it was made. */
export interface Kept {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly observation: O1Observation
}

/** A time of an observation: a line has milliseconds. */
const Millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const subject = {
  at: Schema.Finite,
  deployment: Schema.String,
  model: Schema.optional(Schema.String),
  effort: Schema.optional(ReasoningEffort)
}

const Line = Schema.Union([
  Schema.TaggedStruct("Attempt", {
    ...subject,
    attempt: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
    transport: Schema.optional(Schema.Literals(["stream", "background", "plain"])),
    outcome: Schema.String,
    headers: Schema.optional(Millis),
    firstOutput: Schema.optional(Millis),
    total: Millis
  }),
  Schema.TaggedStruct("Call", {
    ...subject,
    outcome: Schema.String,
    attempts: Count,
    firstOutput: Schema.optional(Millis),
    total: Millis,
    usage: Schema.optional(Schema.Struct({ input: Count, cachedInput: Count, output: Count, reasoning: Count }))
  }),
  Schema.TaggedStruct("Connection", {
    at: Schema.Finite,
    origin: Schema.String,
    duration: Millis,
    failed: Schema.Boolean
  })
])

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Line))

const time = (millis: number | undefined): Duration.Duration | undefined =>
  millis === undefined ? undefined : Duration.millis(millis)

/** An observation as a line, its end included. */
export const toLine = ({ at, observation }: Kept): string => {
  const plain = Object.entries(observation).map(([key, value]) => [
    key,
    Duration.isDuration(value) ? Duration.toMillis(value) : value
  ])
  return `${JSON.stringify({ at, ...Object.fromEntries(plain) })}\n`
}

/** An observation from a line; `undefined` if it is none, or was written only in part. */
export const fromLine = (line: string): Kept | undefined => {
  const decoded = Option.getOrUndefined(decode(line))
  if (decoded === undefined) return undefined
  switch (decoded._tag) {
    case "Attempt": {
      const { at, deployment, effort, firstOutput, headers, model, total, transport, ...rest } = decoded
      const times = { headers: time(headers), firstOutput: time(firstOutput), total: Duration.millis(total) }
      return { at, observation: { ...rest, deployment, model, effort, transport, ...times } }
    }
    case "Call": {
      const { at, effort, firstOutput, model, total, usage, ...rest } = decoded
      const times = { firstOutput: time(firstOutput), total: Duration.millis(total) }
      return { at, observation: { ...rest, model, effort, usage, ...times } }
    }
    case "Connection": {
      const { at, duration, ...rest } = decoded
      return { at, observation: { ...rest, duration: Duration.millis(duration) } }
    }
  }
}
