import type { By, Contender, Contenders } from "./contender.ts"
import { cockatiel, cockatielAsIs, cockatielInEffect } from "./contenders/cockatiel.ts"
import { effect } from "./contenders/effect.ts"
import { opossum } from "./contenders/opossum.ts"
import { ours } from "./contenders/ours.ts"
import { pRetry } from "./contenders/pRetry.ts"
import type { Limits } from "./limits.ts"

/** What a contender is seen doing before its success path is measured. */
export type Deed =
  | "times out"
  | "retries thrice"
  | "trips after 5 in a row"
  | "trips after 20"
  | "trips after 20 of each"
  | "trips when slow"
  | "lets one in"
  | "lets one through"
  | "asks twice"
  | "falls back"
  | "shares a call"
  | "leaves calls alone"

export const three = "retry > breaker > attempt"
export const five = "total > retry > breaker > bulkhead > attempt"
export const standard = "Pipelines.makeStandard"
export const hedging = "HedgingPipeline.make"

/** Everything that wraps a call. Another policy is one line here and one in the table of each contender that has it. */
export const subjects = {
  "attempt timeout": ["times out"],
  "total timeout": ["times out"],
  "adaptive timeout": ["times out"],
  "deadline": ["times out"],
  "retry": ["retries thrice"],
  "retry with a budget": ["retries thrice"],
  "breaker, failures in a row": ["trips after 5 in a row"],
  "breaker, share of last calls": ["trips after 20"],
  "breaker, share over time": ["trips after 20"],
  "breaker, share of slow calls": ["trips when slow"],
  "breaker by key": ["trips after 20 of each"],
  "bulkhead": ["lets one in"],
  "bulkhead with a queue": ["lets one in"],
  "adaptive limit": ["lets one in"],
  "limiter, token bucket": ["lets one through"],
  "limiter, GCRA": ["lets one through"],
  "limiter, sliding window": ["lets one through"],
  "limiter, fixed window": ["lets one through"],
  "adaptive throttle": ["leaves calls alone"],
  "hedge after a fixed delay": ["asks twice"],
  "hedge after a learnt delay": ["asks twice"],
  "fallback": ["falls back"],
  "coalesce": ["shares a call"],
  "chaos, switched off": ["leaves calls alone"],
  "criticality": ["leaves calls alone"],
  "breaker > attempt": ["times out", "trips after 20"],
  [three]: ["times out", "retries thrice", "trips after 5 in a row"],
  [five]: ["times out", "retries thrice", "trips after 5 in a row", "lets one in"],
  [standard]: ["times out", "retries thrice", "trips after 5 in a row", "lets one in"],
  [hedging]: ["times out", "asks twice", "lets one in"]
} as const satisfies Record<string, ReadonlyArray<Deed>>

export type Subject = keyof typeof subjects

const names = Object.keys(subjects) as ReadonlyArray<Subject>

/** What one library has to offer. */
export type Table = { readonly [S in Subject]?: Contender }

/** New instances of everything, by subject. */
export const lineUp = (limits: Limits): { readonly [S in Subject]: Contenders } => {
  const tables: { readonly [K in By]?: Table } = {
    ours: ours(limits),
    effect: effect(limits),
    cockatiel: cockatiel(limits),
    cockatielAsIs: cockatielAsIs(limits),
    cockatielInEffect: cockatielInEffect(limits),
    opossum: opossum(limits),
    pRetry: pRetry(limits)
  }
  const contendersOf = (subject: Subject): Contenders =>
    Object.fromEntries(
      Object.entries(tables).flatMap(([by, table]) => subject in table ? [[by, table[subject]]] : [])
    )
  return Object.fromEntries(names.map((name) => [name, contendersOf(name)])) as Record<Subject, Contenders>
}
