/** What HTTP itself says about sending a request again, and whose deadline it is that an answer tells of. */

/**
 * RFC 9110 section 9.2.2: PUT, DELETE and the safe methods; QUERY is safe by its own definition. A method that is not
 * known is taken for one that is not idempotent.
 */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PUT", "DELETE"])

export const isIdempotent = (method: string): boolean => idempotent.has(method)

/** What a connection that was never made fails with: Node's system errors, undici, Bun. */
const neverConnected = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused"
])

/** An unreachable host or a timeout has not seen the request only if it came while connecting. */
const connecting = new Set(["connect", "getaddrinfo"])

/** A chain of causes that is longer is one that goes in a circle. */
const longestChain = 8

/** Whether the error proves that nothing was sent: what was not sent can be sent again, whatever it is. */
export const neverSent = (error: unknown, depth = longestChain): boolean => {
  if (typeof error !== "object" || error === null || depth === 0) return false
  const { cause, code, errors, syscall } = error as {
    readonly cause?: unknown
    readonly code?: unknown
    readonly errors?: unknown
    readonly syscall?: unknown
  }
  // one error per address that was tried
  if (Array.isArray(errors) && errors.length > 0) return errors.every((each) => neverSent(each, depth - 1))
  return neverConnected.has(String(code)) || connecting.has(String(syscall)) || neverSent(cause, depth - 1)
}

/** A timer may wake up a millisecond early, on either side of the wire. */
const resolution = 2

/** How much later than the deadline, in milliseconds, the policy that enforces it has surely acted: timers fire in their order. */
const grace = 10

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** Whether the answer says that the server gave up for lack of time. One that asks for a pause had another reason. */
const gaveUp = ({ headers, status }: Answer): boolean =>
  status === 504 || headers["grpc-status"] === "4" || (status === 503 && headers["retry-after"] === undefined)

/**
 * For how many milliseconds a failure waits for the policy that enforces the deadline that the server was told: the server gave up
 * because of it, a moment before this process's own timer. Without an answer, the connection was cut. `undefined` for any
 * other failure.
 */
export const waitForDeadline = (answer: Answer | undefined, remaining: number): number | undefined =>
  remaining <= resolution && (answer === undefined || gaveUp(answer)) ? Math.max(0, remaining) + grace : undefined
