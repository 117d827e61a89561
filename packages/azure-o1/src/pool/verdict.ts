import * as Fault from "@effect-resilience/core/Fault"
import type { O1Error } from "../O1Error.ts"

/**
 * What a failure of one deployment says of the others:
 *
 * - `end`: nothing. It is the request that failed, or the caller's time.
 * - `next`: one of them may do better, and this one may in a while.
 * - `gone`: one of them may do better; this one will fail this call again.
 * - `larger`: one with a larger context may do better.
 */
export type Verdict = "end" | "next" | "gone" | "larger"

/** The faults that a request has everywhere, and those that it has only here. */
const requests: { readonly [Kind in Extract<O1Error, { _tag: "O1RequestError" }>["kind"]]: Verdict } = {
  invalid: "end",
  "too-large": "end",
  cancelled: "end",
  "context-length": "larger",
  "unsupported-parameter": "gone",
  "streaming-unsupported": "gone",
  "operation-not-supported": "gone",
  "response-not-found": "gone",
  "unknown-item": "gone"
}

const permanent = (error: O1Error): Verdict => {
  switch (error._tag) {
    case "O1RequestError":
      return requests[error.kind]
    case "O1TimeoutError":
      return error.kind === "total" ? "end" : "gone"
    case "O1ProtocolError":
      // the page of a proxy is of its way only; otherwise there was an answer, up to a point
      return error.kind === "unexpected-content-type" && error.partialText === "" ? "gone" : "end"
    default:
      return "gone"
  }
}

/** What a failure says of the other deployments. */
export const verdictOf = (error: O1Error): Verdict => {
  // the model has answered, and would answer as much elsewhere
  if (error._tag === "O1ContentFilterError" || error._tag === "O1OutputLimitError") return "end"
  return error[Fault.TypeId]._tag === "Permanent" ? permanent(error) : "next"
}
