import { format } from "../deadline.ts"

/** What goes along with a request: the time that is left for it, the number of the attempt, and how much it matters. */

/** The header that carries the milliseconds that are left, in the form of `deadline.ts`. */
export const deadlineHeader = "x-deadline-ms"

/** The header that carries the number of the attempt. */
export const attemptHeader = "x-attempt-count"

/** The header that carries how much the call matters. */
export const criticalityHeader = "x-criticality"

/** RFC 9110 section 5.1. Anything else would fail every request. */
const fieldName = /^[\w!#$%&'*+.^`|~-]+$/

export const isHeaderName = (value: unknown): value is string => typeof value === "string" && fieldName.test(value)

const longestOfGrpc = 99_999_999

/** What the header says when `remaining` milliseconds are left: rounded down, for what is said to be left is left. gRPC wants a unit and at most eight digits. */
export const deadlineValue = (header: string, remaining: number): string => {
  if (header !== "grpc-timeout") return format(remaining)
  const millis = Math.max(0, Math.floor(remaining))
  return millis <= longestOfGrpc ? `${millis}m` : `${Math.min(longestOfGrpc, Math.floor(millis / 1000))}S`
}

/**
 * What the header of an attempt says, counted from 1. Under the name that gRFC A6 has given it says how many attempts there
 * have been before, and the first attempt says nothing.
 */
export const attemptValue = (header: string, attempt: number): string | undefined => {
  if (header !== "grpc-previous-rpc-attempts") return String(attempt)
  return attempt > 1 ? String(attempt - 1) : undefined
}
