import type * as Fault from "../Fault.ts"

/** What a fault says of the callee, if no deadline of ours is to blame. */
export const outcomeOf = (fault: Fault.Fault | undefined): "success" | "failure" | "throttled" | "ignored" => {
  switch (fault?._tag) {
    case undefined:
    case "Permanent":
      return "success"
    case "Transient":
    case "Defect":
      return "failure"
    case "Throttled":
      return "throttled"
    case "Interrupted":
    case "Rejected":
      return "ignored"
  }
}
