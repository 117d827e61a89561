import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Fault from "../Fault.ts"
import type * as kernel from "../kernel/balancer.ts"
import { isCircuitOpen, NoEndpoint } from "./errors.ts"
import type { Event } from "./events.ts"
import * as outcome from "./outcome.ts"

/** What the end of a call says of its endpoint. `hangs` says whether the endpoint owed a call that was interrupted its answer. */
export const outcomeOf = (fault: Fault.Fault | undefined, hangs: () => boolean): kernel.Outcome =>
  fault?._tag !== "Interrupted" ? outcome.outcomeOf(fault) : hangs() ? "failure" : "interrupted"

const isOpen = (exit: Exit.Exit<any, any>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.some((reason) => Cause.isFailReason(reason) && isCircuitOpen(reason.error))

/**
 * What the endpoint asks for, or a circuit breaker that stands for it. What another policy of this process asks a caller for is about
 * that call: a limiter has no room for one of that size.
 */
export const hintOf = (fault: Fault.Fault | undefined, exit: Exit.Exit<any, any>): number => {
  if (fault === undefined || (fault._tag === "Rejected" && !isOpen(exit))) return 0
  const hint = Fault.retryAfter(fault)
  return hint === undefined || !Duration.isFinite(hint) ? 0 : Duration.toMillis(hint)
}

/** The event of a change; nobody is told of those that a user has made. */
export const eventOf = (change: kernel.Change<unknown>, name: string | undefined): Event | undefined => {
  const { _tag, failures, key: endpoint } = change
  const source = { policy: "balancer", name, endpoint } as const
  const duration = Duration.millis(change.millis)
  switch (_tag) {
    case "Ejected":
      return { _tag: "EndpointEjected", ...source, failures, duration }
    case "Cooling":
      return { _tag: "EndpointCooling", ...source, duration }
    case "Returned":
      return { _tag: "EndpointReturned", ...source }
    default:
      return undefined
  }
}

export const noEndpoint = ({ reason, retryAfter }: kernel.Refusal, policyName: string | undefined): NoEndpoint =>
  new NoEndpoint({ policyName, reason, retryAfter: Duration.millis(Math.ceil(retryAfter)) })

export const rejected = ({ policyName: name, reason, retryAfter }: NoEndpoint): Event => ({
  _tag: "RejectedByBalancer",
  policy: "balancer",
  name,
  reason,
  retryAfter
})
