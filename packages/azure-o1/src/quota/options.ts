import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { MinuteLimits } from "./cost.ts"

const where = "O1Quota"

export const bad = (option: string, value: unknown, allowed: string): RangeError =>
  new RangeError(`${where}: ${option} must be ${allowed}, got ${String(value)}`)

const largest = 1_000_000_000

const optional = (option: string, value: number | undefined, least = 1): number | undefined => {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= largest)) return value
  throw bad(option, value, `an integer from ${least} to ${largest}`)
}

export const integerOf = (option: string, value: number | undefined, otherwise: number, least: number): number =>
  optional(option, value, least) ?? otherwise

export const ceilingOf = (value: number | undefined): number | undefined => optional("tokensPerHour", value)

/** In milliseconds. */
export const durationOf = (option: string, value: Duration.Input | undefined): number => {
  if (value === undefined) return Infinity
  const millis = Option.match(Duration.fromInput(value), { onNone: () => Number.NaN, onSome: Duration.toMillis })
  if (millis >= 0) return millis
  throw bad(option, value, "a duration of 0 or more")
}

export const weightOf = (weight: number | undefined): number => {
  if (weight === undefined) return 1
  if (weight > 0 && weight < Infinity) return weight
  throw bad("weight", weight, "a number > 0")
}

interface Configured {
  readonly requestsPerMinute?: number | undefined
  readonly tokensPerMinute?: number | undefined
}

/** The limits that somebody has configured, under a name in the options for the message. */
export const limitsIn = ({ requestsPerMinute, tokensPerMinute }: Configured, prefix = ""): MinuteLimits => ({
  requests: optional(`${prefix}requestsPerMinute`, requestsPerMinute),
  tokens: optional(`${prefix}tokensPerMinute`, tokensPerMinute)
})
