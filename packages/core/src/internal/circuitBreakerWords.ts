import * as Duration from "effect/Duration"
import type { Trip } from "../kernel/trip.ts"
import { type HalfOpen, type Settings, ShownTrips } from "./circuitBreakerRules.ts"
import type { PolicyInfo } from "./model.ts"
import { percent, showMillis } from "./options.ts"

const tripInWords = (trip: Trip): string => {
  if (trip.kind === "consecutive") return `${trip.failures} failures in a row`
  const what = trip.kind === "slow-rate" ? ` slower than ${showMillis(trip.after)}` : ""
  const { calls, millis } = trip.over
  const over = millis === undefined ? `of the last ${calls}` : `within ${showMillis(millis)}`
  return `${percent(trip.ratio)}%${what} of at least ${trip.minCalls} calls ${over}`
}

const halfOpenInWords = ({ lease, probes = 1, ratio = 1 }: HalfOpen): string =>
  [
    `${percent(ratio)}% of ${probes}`,
    ...lease === undefined ? [] : [`lease ${Duration.format(Duration.fromInputUnsafe(lease))}`]
  ].join(", ")

const isBreaker = (settings: PolicyInfo["settings"]): settings is Settings => settings["trip"] instanceof ShownTrips

/** The settings with those of a circuit breaker in words. Only who explains a policy carries the words. */
export const inWords = (settings: PolicyInfo["settings"]): PolicyInfo["settings"] => {
  if (!isBreaker(settings)) return settings
  const { halfOpen, retryAfter, trip } = settings
  return {
    ...settings,
    trip: trip.all.map(tripInWords).join(", or "),
    retryAfter: retryAfter && `at most ${Duration.format(retryAfter)}`,
    halfOpen: halfOpen && halfOpenInWords(halfOpen)
  }
}
