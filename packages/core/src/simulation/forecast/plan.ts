import { invalid } from "../../internal/options.ts"
import { Random } from "../internal/random.ts"
import type { Times } from "../Times.ts"
import type { Setting } from "./model.ts"
import { roundedUp } from "./stacks.ts"

/** How large the runs of a forecast are. */

const second = 1000
const minute = 60_000

const draws = 20_000

/** How long a request takes, by what is drawn. */
export const percentilesOf = (where: string, times: Times): Setting["times"] => {
  const random = new Random(1).stream("percentiles")
  const drawn = Array.from({ length: draws }, (_, i) => {
    // the first number that a time needs is spread evenly, so that a percentile that somebody gave comes out as it was given
    let share: number | undefined = (i + 0.5) / draws
    const next = (): number => {
      const number = share ?? random.next()
      share = undefined
      return number
    }
    return times.draw({ next }, i + 1)
  }).toSorted((a, b) => a - b)
  const p99 = drawn[draws * 0.99 - 1]!
  if (!(p99 > 0 && p99 < Infinity)) throw invalid(where, "times", p99, "times whose p99 is more than 0 and finite")
  const known = drawn.filter((time) => time < Infinity)
  return { mean: known.reduce((sum, time) => sum + time, 0) / known.length, p50: drawn[draws / 2 - 1]!, p99 }
}

/** An attempt may take so many times as long as p99. */
const margin = 1.5

/** A limit that is shorter would end calls for what happens in this process. */
const leastAttempt = 100

/** Calls of all runs of a stack together that a p99 and a band need. */
const wanted = 10_000

/** Runs that a band is good for, where they cost little. */
const cheap = 500_000

interface Wanted
  extends Omit<Setting, "share" | "part" | "duration" | "seeds" | "calls" | "patience" | "attempt" | "outage">
{
  /** of the trace, if the load is one */
  readonly length: number | undefined
  readonly patience: number | undefined
  readonly seeds: number | undefined
  readonly outage:
    | { readonly kind: "down" | "silent" | "slow"; readonly lasts: number; readonly deployments: number }
    | undefined
  readonly maxCalls: number
  /** how many are compared at most */
  readonly stacks: number
}

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most)

/** Enough before an outage to learn what is usual, and enough after it to recover. */
const phasesOf = ({ length, outage, perSecond }: Wanted, attempt: number) => {
  const lasts = outage?.lasts ?? 0
  const before = outage === undefined ? 0 : Math.max(30 * second, 2 * attempt, Math.min(lasts, 5 * minute))
  const after = outage === undefined ? 0 : Math.max(2 * minute, 4 * attempt, Math.min(lasts, 30 * minute))
  const steady = clamp(2000 * second / perSecond, Math.max(3 * minute, 10 * attempt), 60 * minute)
  if (length === undefined) return { from: before, duration: outage === undefined ? steady : before + lasts + after }
  return { from: Math.max(0, Math.min(before, (length - lasts) / 2)), duration: length + 1 }
}

/** What a part of the whole has to have, to be like the whole: ten places, sixty requests a minute, twenty requests' tokens. */
const leastShare = ({ capacity, charge, requestsPerMinute, tokensPerMinute }: Wanted): number =>
  Math.max(
    ...[[10, capacity], [60, requestsPerMinute], [20 * charge, tokensPerMinute]].map(([needs, has]) =>
      has === null || has === undefined ? 0 : Math.min(1, needs! / has)
    )
  )

/** A part of so many whole places. */
const wholeShare = (share: number, capacity: number | null): number =>
  capacity === null || share === 1 ? share : Math.ceil(capacity * share) / capacity

export const planOf = (where: string, options: Wanted): Setting => {
  const { charge, deployments, length, maxCalls, outage, perSecond, stacks, times, ...given } = options
  const attempt = Math.max(leastAttempt, roundedUp(times.p99 * margin))
  const { duration, from } = phasesOf(options, attempt)
  if (outage !== undefined && length !== undefined && outage.lasts > length / 2) {
    throw invalid(where, "outage.lasts", outage.lasts, `at most half of the trace (${length / 2} ms)`)
  }
  const whole = perSecond * duration / second
  const least = Math.min(1, leastShare(options))
  // so many, if the smallest part allows it
  const runs = (calls: number): number => Math.floor(maxCalls / stacks / calls)
  const wished = clamp(Math.max(Math.ceil(wanted / whole), Math.min(20, Math.floor(cheap / stacks / whole))), 5, 50)
  const seeds = given.seeds ?? clamp(runs(whole * least), 3, wished)
  const most = maxCalls / stacks / seeds
  const share = wholeShare(clamp(most / whole, least, 1), options.capacity)
  if (share * whole > 2 * most) {
    const [calls, enough] = [share * whole * stacks * seeds, maxCalls].map((n) => Math.round(n).toLocaleString("en-US"))
    const few = `that ${enough} calls of all runs are enough (the smallest part that is like the whole has ${calls})`
    throw length === undefined
      ? invalid(
        where,
        "perSecond",
        perSecond,
        `so low${outage === undefined ? "" : ", or the outage so short,"} ${few}`
      )
      : invalid(where, "trace", Math.round(whole), `so short ${few}`)
  }
  const processes = Math.max(1, Math.round(options.processes * share))
  return {
    perSecond,
    share,
    part: share * options.processes / processes,
    duration,
    seeds,
    calls: whole * share,
    patience: given.patience ?? Math.max(30 * second, 3 * attempt),
    times,
    attempt,
    deployments,
    processes,
    errors: options.errors,
    capacity: options.capacity,
    requestsPerMinute: options.requestsPerMinute,
    tokensPerMinute: options.tokensPerMinute,
    charge,
    priced: options.priced,
    outage: outage === undefined
      ? null
      : { kind: outage.kind, from, until: from + outage.lasts, deployments: outage.deployments }
  }
}
