import * as Fault from "@effect-resilience/core/Fault"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { O1Error } from "../O1Error.ts"
import { isSlow } from "../transport/route.ts"
import { isUnfit } from "./fitness.ts"

/**
 * What a balancer makes of a failure. It counts only those of the service and of the connection. The pool itself sees to pauses, to
 * members that do not work and to those that are slow; a request that failed says nothing of the member.
 */
export const balanced: Fault.Classify = (exit, now) => {
  const error: unknown = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (!O1Error.is(error)) return Fault.of(exit, now)
  if (isSlow(error)) return Fault.interrupted
  // it has answered, as far as it was allowed to
  if (error._tag === "O1OutputLimitError") return Fault.permanent
  return !isUnfit(error) && error[Fault.TypeId]._tag === "Transient" ? Fault.transient() : Fault.rejected()
}
