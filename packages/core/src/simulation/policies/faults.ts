import type * as Exit from "effect/Exit"
import * as Fault from "../../Fault.ts"
import type { Result } from "../../internal/result.ts"
import type { Outcome } from "../internal/outcome.ts"

interface Classifies {
  readonly classify?: Fault.Classify<never> | undefined
  readonly result?: Result | undefined
}

/** The fault of an outcome: what `Fault.of` would say is known already. The clock of a run begins at the epoch. */
export const faultOf = ({ classify, result }: Classifies, outcome: Outcome, at: number): Fault.Fault | undefined => {
  if (outcome.succeeded) return result?.(outcome.value)
  return classify === undefined || classify === Fault.of
    ? outcome.fault
    : classify(outcome.exit as Exit.Exit<unknown>, at)
}
