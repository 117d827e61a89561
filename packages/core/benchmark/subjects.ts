import type { Contender, Contenders } from "./contender.ts"
import { cockatiel } from "./contenders/cockatiel.ts"
import { effect } from "./contenders/effect.ts"
import { opossum } from "./contenders/opossum.ts"
import { ours } from "./contenders/ours.ts"
import type { Limits } from "./limits.ts"

/** What a contender is seen doing before its success path is measured. */
export type Deed = "times out" | "retries thrice" | "trips after 5 in a row" | "trips after 20"

/** Everything that wraps a call. Another policy is one line here and one in the table of each contender that has it. */
export const subjects = {
  "attempt timeout": ["times out"],
  "total timeout": ["times out"],
  "retry": ["retries thrice"],
  "breaker, failures in a row": ["trips after 5 in a row"],
  "breaker, share of last calls": ["trips after 20"],
  "breaker, share over time": ["trips after 20"],
  "breaker > attempt": ["times out", "trips after 20"],
  "retry > breaker > attempt": ["times out", "retries thrice", "trips after 5 in a row"],
  "total > retry > breaker > attempt": ["times out", "retries thrice", "trips after 5 in a row"]
} as const satisfies Record<string, ReadonlyArray<Deed>>

export type Subject = keyof typeof subjects

const names = Object.keys(subjects) as ReadonlyArray<Subject>

/** What one library has to offer. */
export type Table = { readonly [S in Subject]?: Contender }

/** New instances of everything, by subject. */
export const lineUp = (limits: Limits): { readonly [S in Subject]: Contenders } => {
  const tables = { ours: ours(limits), effect: effect(limits), cockatiel: cockatiel(limits), opossum: opossum(limits) }
  const contendersOf = (subject: Subject): Contenders =>
    Object.fromEntries(
      Object.entries<Table>(tables).flatMap(([by, table]) => subject in table ? [[by, table[subject]]] : [])
    )
  return Object.fromEntries(names.map((name) => [name, contendersOf(name)])) as Record<Subject, Contenders>
}
