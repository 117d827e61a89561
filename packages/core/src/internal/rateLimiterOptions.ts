import type * as Duration from "effect/Duration"
import { checkedOptions, duration, integer, invalid } from "./options.ts"
import { isLimit, type Limit, type Limits } from "./rateLimiterRules.ts"

interface Options {
  readonly name?: string | undefined
  readonly limit?: Limit | undefined
  readonly limits?: Limits | undefined
  readonly maxWait?: Duration.Input | undefined
  readonly maxQueue?: number | undefined
}

export interface Settings {
  readonly name: string | undefined
  readonly limits: Limits
  /** in milliseconds; 0 if no call waits */
  readonly maxWait: number
  readonly maxQueue: number
}

/** The options, checked: what is limited and how calls wait. */
export const settingsOf = (where: string, options: Options): Settings => {
  const { limit, limits, name } = checkedOptions(where, options)
  const all = limits ?? (limit === undefined ? {} : { calls: limit })
  if ((limit !== undefined && limits !== undefined) || Object.keys(all).length === 0) {
    throw invalid(where, "limits", limit === undefined ? "none" : "both", "given by either limit or limits")
  }
  for (const [dimension, value] of Object.entries(all)) {
    if (isLimit(value)) continue
    throw invalid(where, dimension === "calls" ? "limit" : dimension, value, "a limit, as of tokenBucket")
  }
  const maxWait = duration(where, "maxWait", options.maxWait ?? 0)
  if (maxWait === 0 && options.maxQueue !== undefined) {
    throw invalid(where, "maxQueue", options.maxQueue, "left out where no call waits (maxWait is 0)")
  }
  return { name, limits: all, maxWait, maxQueue: integer(where, "maxQueue", options.maxQueue ?? 1000, 1) }
}
