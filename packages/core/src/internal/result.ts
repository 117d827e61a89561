import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Exit from "effect/Exit"
import type * as Fault from "../Fault.ts"
import { callable } from "./options.ts"

/** Tells that a value which came back is a failure. */
export type Result = (value: any) => Fault.Fault | undefined

/**
 * One question for every outcome: `classify` answers for failures, `result` for values. Without `result` it is `classify`
 * itself, so that a policy can tell by identity that a success needs no question.
 */
export const withResult = <E>(
  where: string,
  classify: Fault.Classify<E>,
  result: Result | undefined
): Fault.Classify<E> => {
  if (callable(where, "result", result) === undefined) return classify
  return (exit, now) => exit._tag === "Success" ? result!(exit.value) : classify(exit, now)
}

/** The same question about a stream that was established: its first element answers. An empty stream is well. */
export const ofFirstElement = (result: Result): Result => ({ first }: Established) =>
  first._tag === "Success" ? result(first.value[0]) : undefined

interface Established {
  readonly first: Exit.Exit<NonEmptyReadonlyArray<unknown>, unknown>
}
