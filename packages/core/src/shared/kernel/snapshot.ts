import { type Allowance, make, type Rule } from "../../kernel/allowance.ts"

/** What another limiter has used of an allowance, as it says itself. Times in milliseconds. */
export type Snapshot =
  | { readonly kind: "spaced"; readonly paidBy: number }
  | { readonly kind: "fixed-window"; readonly openedAt: number; readonly used: number }
  | {
    readonly kind: "sliding-window"
    readonly slices: ReadonlyArray<{ readonly to: number; readonly used: number }>
  }

/** By the clock that is `by` ahead. */
export const shift = (snapshot: Snapshot, by: number): Snapshot => {
  switch (snapshot.kind) {
    case "spaced":
      return { kind: "spaced", paidBy: snapshot.paidBy + by }
    case "fixed-window":
      return { ...snapshot, openedAt: snapshot.openedAt + by }
    case "sliding-window":
      return { ...snapshot, slices: snapshot.slices.map(({ to, used }) => ({ to: to + by, used })) }
  }
}

/** Calls in numbers, their times as ages. */
export const pairsOf = (
  slices: ReadonlyArray<{ readonly to: number; readonly used: number }>,
  at: number
): ReadonlyArray<number> => slices.flatMap(({ to, used }) => [at - to, used])

/** The same in numbers, its times as ages: another clock can read it. */
export const agesOf = (snapshot: Snapshot, at: number): ReadonlyArray<number> => {
  switch (snapshot.kind) {
    case "spaced":
      return [at - snapshot.paidBy]
    case "fixed-window":
      return [at - snapshot.openedAt, snapshot.used]
    case "sliding-window":
      return pairsOf(snapshot.slices, at)
  }
}

/** Makes an allowance in which a part of that is used: all of it, for `share` 1. A spaced limit pays for its use at a rate, so every share of it is paid for at the same time. */
export const restore = (rule: Rule, snapshot: Snapshot, share = 1): Allowance => {
  const allowance = make(rule)
  if (snapshot.kind === "spaced") allowance.take(snapshot.paidBy, 0)
  else if (snapshot.kind === "fixed-window") allowance.take(snapshot.openedAt, snapshot.used * share)
  else for (const { to, used } of snapshot.slices) allowance.take(to, used * share)
  return allowance
}
