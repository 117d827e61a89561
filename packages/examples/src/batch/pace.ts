/**
 * How many prompts to have in flight: as many as use up the quota, and not more. By Little's law that is the rate that the service
 * allows times the time that an answer takes.
 */
import type { O1Completion } from "@effect-resilience/azure-o1"

/** What the answers so far have told. */
export interface Pace {
  /** Requests a minute that the quota allows; `undefined` as long as the service has not told. */
  readonly perMinute: number | undefined
  /** Milliseconds that an answer takes, smoothed. */
  readonly latency: number | undefined
  /** Tokens that an answer is charged, smoothed. */
  readonly tokens: number | undefined
}

export const begun: Pace = { perMinute: undefined, latency: undefined, tokens: undefined }

/** Until the service has told its limits. */
export const cautious = 4

/** The most that one process has in flight. */
export const most = 64

const smoothed = (before: number | undefined, now: number): number =>
  before === undefined ? now : before * 0.8 + now * 0.2

/** Azure's unknown is -1 or 0. */
const known = (limit: number | undefined): number | undefined => limit !== undefined && limit > 0 ? limit : undefined

export const after = (
  pace: Pace,
  { metadata: { headers: { rateLimits } }, usage }: Pick<O1Completion, "metadata" | "usage">,
  elapsed: number | undefined,
  reserved: number
): Pace => {
  const charged = usage === undefined ? undefined : Math.max(usage.input + usage.output, usage.input + reserved)
  const tokens = charged === undefined ? pace.tokens : smoothed(pace.tokens, charged)
  const byRequests = known(rateLimits.requests.limit)
  const limit = known(rateLimits.tokens.limit)
  const byTokens = limit === undefined || tokens === undefined ? undefined : limit / Math.max(1, tokens)
  const perMinute = byRequests === undefined && byTokens === undefined
    ? pace.perMinute
    : Math.min(byRequests ?? Infinity, byTokens ?? Infinity)
  return { perMinute, tokens, latency: elapsed === undefined ? pace.latency : smoothed(pace.latency, elapsed) }
}

/** How many prompts one of so many workers has in flight. */
export const target = ({ latency, perMinute }: Pace, workers: number): number => {
  if (perMinute === undefined || latency === undefined) return cautious
  const all = perMinute / 60_000 * latency
  return Math.min(most, Math.max(1, Math.ceil(all / workers)))
}
