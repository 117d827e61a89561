/** When the next attempt may begin. Times in milliseconds. */

export interface Hints {
  /** the longest pause that a callee may ask for */
  readonly maxDelay: number
  /** what a longer one means: no further attempt, or the longest pause in its place */
  readonly beyond: "fail" | "clip"
}

export interface Failure {
  /** what the schedule says */
  readonly scheduled: number
  /** what the callee asks for */
  readonly hint: number | undefined
  /** until the deadline */
  readonly left: number
  /** in [0, 1) */
  readonly random: number
}

/** Callers that were told the same pause return spread over this share of it. */
const spread = 0.1

/** The wait before the next attempt, or why there is none. */
export const wait = (
  { hint, left, random, scheduled }: Failure,
  hints: Hints
): number | "retry-after-beyond-max" | "deadline" => {
  // a callee that says never has not asked for a pause that could be cut short
  const never = hint === Infinity
  if (never || (hint !== undefined && hint > hints.maxDelay && hints.beyond === "fail")) return "retry-after-beyond-max"
  const asked = hint === undefined ? 0 : Math.min(hint, hints.maxDelay) * (1 + spread * random)
  const delay = Math.max(scheduled, asked)
  return delay < left ? delay : "deadline"
}

/** What one of several is chosen by: a tag of the error, and else that of the fault. */
export const choose = <A>(
  byTag: ReadonlyMap<unknown, A>,
  error: unknown,
  fault: { readonly _tag: string }
): A | undefined => byTag.get(tagOf(error)) ?? byTag.get(fault._tag)

const tagOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
