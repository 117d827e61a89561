import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import { type Given, type Times, timesOf } from "../kernel/pipelines.ts"
import type { PolicyInfo } from "./model.ts"
import { integer, millisOf, positiveMillis } from "./options.ts"

type Limit = Duration.Input | (() => Duration.Input)

/** The times of a pipeline as they were given. */
export interface Said {
  readonly total: Limit | undefined
  readonly attempt: Limit | undefined
  /** the breaker's rules as a {@link PolicyInfo} shows them, where they were given */
  readonly trip: unknown
  /** what is inside the total and may make a call wait */
  readonly waits: PolicyInfo | undefined
  /** the options of a hedge, in a pipeline that has one */
  readonly hedge: { readonly after?: unknown; readonly maxHedges?: number | undefined } | undefined
}

/** A limit that varies is taken for the default: nothing follows from it, and it contradicts nothing. */
const limitOf = (where: string, option: string, limit: Limit | undefined, otherwise: number): number | undefined =>
  limit === undefined ? undefined : typeof limit === "function" ? otherwise : positiveMillis(where, option, limit)

const longestWait = ({ children, settings: { maxWait } }: PolicyInfo): number =>
  Math.max(Duration.isDuration(maxWait) ? Duration.toMillis(maxWait) : 0, ...children.map(longestWait))

/** The span of the shortest window of time among the rules. */
const windowOf = (trip: unknown): number =>
  Predicate.hasProperty(trip, "shortestWindow") ? Number(trip.shortestWindow) : Infinity

const afterOf = (after: unknown): number | undefined => {
  if (after === undefined) return undefined
  const millis = millisOf(after as Duration.Input)
  // one that is learnt follows from the callee, and one that is none is the hedge's to refuse
  return millis >= 0 ? millis : Infinity
}

export const readTimes = (where: string, { attempt, hedge, total, trip, waits }: Said): Times => {
  const given: Given = {
    total: limitOf(where, "total", total, Infinity),
    attempt: limitOf(where, "attempt", attempt, 10_000),
    window: trip === undefined ? undefined : windowOf(trip),
    wait: waits === undefined ? 0 : longestWait(waits),
    after: afterOf(hedge?.after),
    hedges: hedge === undefined ? 0 : integer(where, "hedge.maxHedges", hedge.maxHedges ?? 1, 1, 10)
  }
  return timesOf(given)
}
