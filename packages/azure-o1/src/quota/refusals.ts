import * as Duration from "effect/Duration"
import { O1RateLimitError, O1RejectedError } from "../O1Error.ts"
import type { Cost } from "./cost.ts"

const count = (n: number): string => n.toLocaleString("en-US")

const inTime = (millis: number): Duration.Duration | undefined =>
  millis < Infinity ? Duration.millis(Math.max(0, Math.ceil(millis))) : undefined

/** The service would refuse it, however long it waited. */
export const tooLarge = (deployment: string, { tokens }: Cost, limit: number | undefined): O1RateLimitError => {
  const ofMinute = limit === undefined ? "more than the minute has" : `and the minute has ${count(limit)}`
  return new O1RateLimitError({
    kind: "request-exceeds-limit",
    deployment,
    detail: `Azure would charge ${count(tokens)} tokens for it, ${ofMinute}. It was not sent.`
  })
}

/** It would wait too long for its turn. */
export const noTurn = (deployment: string, wait: number): O1RejectedError =>
  new O1RejectedError({ kind: "limiter", deployment, retryAfter: inTime(wait) })

/** What may be spent in an hour is spent. */
export const overCeiling = (deployment: string, tokens: number, ceiling: number, wait: number): O1RejectedError =>
  new O1RejectedError({
    kind: "ceiling",
    deployment,
    retryAfter: inTime(wait),
    detail: tokens > ceiling
      ? `The request may take ${count(tokens)} tokens, and the hour has ${count(ceiling)}.`
      : `The hour has ${count(ceiling)} tokens.`
  })
