/** What the outcome of an attempt or a call tells of how long an answer takes, and of whether another attempt helps. */

/** The attempt was going on when somebody gave up: this client, its caller, or the service. */
const cutOff = new Set([
  "interrupted",
  "O1TimeoutError/attempt",
  "O1TimeoutError/first",
  "O1TimeoutError/headers",
  "O1TimeoutError/total",
  "O1TimeoutError/service",
  "O1TimeoutError/gateway"
])

export const isCutOff = (outcome: string): boolean => cutOff.has(outcome)

/** The limit of an attempt has ended it. */
export const isAttemptLimit = (outcome: string): boolean =>
  outcome === "O1TimeoutError/attempt" || outcome === "O1TimeoutError/first"

/** Nobody can tell: the caller went away. */
export const isUndecided = (outcome: string): boolean => outcome === "interrupted" || outcome === "O1TimeoutError/total"

export const isTimeout = (outcome: string): boolean => outcome.startsWith("O1TimeoutError/")

const passing = new Set([
  "O1RateLimitError/requests",
  "O1RateLimitError/tokens",
  "O1RateLimitError/capacity",
  "O1ServerError/internal",
  "O1ServerError/unavailable",
  "O1ServerError/upstream",
  "O1ServerError/conflict",
  "O1ConnectionError/refused",
  "O1ConnectionError/reset",
  "O1ConnectionError/dns",
  "O1ConnectionError/closed",
  "O1ProtocolError/truncated",
  "O1ProtocolError/malformed",
  "O1ProtocolError/unexpected-content-type",
  "O1AuthError/token-expired"
])

/** A failure that another attempt may not meet again. */
export const isPassing = (outcome: string): boolean =>
  passing.has(outcome) || (isTimeout(outcome) && !isUndecided(outcome))

export const isReasoningExhausted = (outcome: string): boolean => outcome === "O1OutputLimitError/reasoning-exhausted"

/** How many, of all or of some. */
export const countOf = (
  outcomes: Readonly<Record<string, number>>,
  matches: (outcome: string) => boolean = () => true
): number => Object.entries(outcomes).reduce((sum, [outcome, count]) => matches(outcome) ? sum + count : sum, 0)
