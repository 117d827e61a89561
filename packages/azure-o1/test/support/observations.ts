import * as Duration from "effect/Duration"
import type { AttemptObservation, CallObservation, Subject } from "../../src/O1Observation.ts"

const subject: Subject = { deployment: "o1", model: "o1-2024-12-17", effort: "medium" }

export const attempt = (seconds: number, overrides: Partial<AttemptObservation> = {}): AttemptObservation => ({
  ...subject,
  _tag: "Attempt",
  attempt: 1,
  transport: "plain",
  outcome: "success",
  headers: undefined,
  firstOutput: undefined,
  total: Duration.millis(seconds * 1000),
  ...overrides
})

/** An attempt that its limit has ended: nobody knows the model. */
export const cut = (seconds: number, overrides: Partial<AttemptObservation> = {}): AttemptObservation =>
  attempt(seconds, { model: undefined, outcome: "O1TimeoutError/attempt", ...overrides })

export const call = (seconds: number, overrides: Partial<CallObservation> = {}): CallObservation => ({
  ...subject,
  _tag: "Call",
  outcome: "success",
  attempts: 1,
  firstOutput: undefined,
  total: Duration.millis(seconds * 1000),
  usage: { input: 100, cachedInput: 0, output: 1000, reasoning: 800 },
  ...overrides
})
