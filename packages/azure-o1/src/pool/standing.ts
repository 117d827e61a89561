import * as Fault from "@effect-resilience/core/Fault"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Duration from "effect/Duration"
import { type Refusal, waiting } from "../client/pause.ts"
import type { O1Error } from "../O1Error.ts"

/** Why a member of a pool does not answer. Times in milliseconds on a monotonic clock. */
export interface Standing {
  readonly error: O1Error
  /** When it failed; `-Infinity` where this attempt has not asked it. */
  readonly at: number
  /** When it may be asked again; `Infinity` where that would not help this call. */
  readonly from: number
}

/** When a member may be asked again, by one of its errors and the end of its cooldown. */
const from = (error: O1Error, at: number, cooled: number): number => {
  const fault = error[Fault.TypeId]
  if (fault._tag === "Permanent") return Infinity
  // a circuit keeps its own time, and may close before
  const closed = fault._tag === "Rejected" && fault.retryAfter !== undefined ? Duration.toMillis(fault.retryAfter) : 0
  return Math.max(cooled, at + closed)
}

/** How a member stands with a call that it has failed, and with all calls; `undefined` where it may be asked. */
export const standingOf = (
  failure: Pick<Standing, "error" | "at"> | undefined,
  refusal: Refusal | undefined
): Standing | undefined => {
  const refused = refusal && {
    error: refusal.reason,
    at: failure?.at ?? -Infinity,
    from: from(refusal.reason, -Infinity, refusal.until)
  }
  if (failure === undefined) return refused
  const { at, error } = failure
  const failed = { at, error, from: from(error, at, at) }
  if (refused === undefined || failed.from >= refused.from) return failed
  // somebody else was refused since, and the failure has no place for how long that holds
  return waiting(error, 0) === undefined ? refused : { ...failed, from: refused.from }
}

/**
 * What an attempt comes to that no member has answered: the error of the member that may be asked again the soonest, of several
 * the one that failed last, with the wait until then as its `retryAfter`.
 */
export const soonest = (standings: NonEmptyReadonlyArray<Standing>, now: number): O1Error => {
  const { error, from } = standings.reduce((a, b) => b.from < a.from || (b.from === a.from && b.at >= a.at) ? b : a)
  return from > now && from < Infinity ? waiting(error, from - now) ?? error : error
}
