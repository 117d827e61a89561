import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { O1Completion, RateLimit, Usage } from "../O1Completion.ts"
import type { O1Error } from "../O1Error.ts"
import type { Meter } from "../transport/progress.ts"
import type { Admitted, Deployment } from "./deployment.ts"
import type { Reservation } from "./hour.ts"
import { takenFor } from "./limited.ts"
import type { Told } from "./line.ts"
import type { Sent } from "./word.ts"

const told = ({ limit, remaining, reset }: RateLimit): Told => ({
  limit,
  remaining,
  reset: reset === undefined ? undefined : Duration.toMillis(reset)
})

/** What of a failed call was billed, where the service did not say; `undefined` if nobody can know. */
const billedFor = (error: O1Error, prompt: number): number | undefined => {
  if (error._tag === "O1ContentFilterError" && error.kind === "prompt") return prompt
  // what was refused was not begun; behind a 408 or a 5xx an answer may have been made
  return error.status !== undefined && error.status >= 400 && error.status < 500 && error.status !== 408 ? 0 : undefined
}

/** It never came to the wire, as far as its error tells. */
const isLocal = (error: O1Error): boolean =>
  error._tag === "O1RejectedError" || (error._tag === "O1AuthError" && error.kind === "credential") ||
  (error._tag === "O1RequestError" && error.status === undefined)

/** One attempt that was let through: what becomes of its charge. */
export class Ticket {
  private readonly deployment: Deployment
  private readonly waiter: Admitted
  private readonly reservation: Reservation
  /** The tokens of the prompt as they were estimated. */
  private readonly prompt: number
  private current: Sent
  private requests = 0
  private isHeard = false
  private error: O1Error | undefined = undefined
  private isAnswered = false
  private usage: Usage | undefined = undefined

  constructor(
    deployment: Deployment,
    waiter: Admitted,
    reservation: Reservation,
    prompt: number
  ) {
    this.deployment = deployment
    this.waiter = waiter
    this.reservation = reservation
    this.prompt = prompt
    this.current = waiter.admission.sent
  }

  readonly meter: Meter = {
    sent: Effect.suspend(() => {
      this.deployment.isMetered = true
      if (this.requests++ === 0) return Effect.void
      return Effect.map(this.deployment.limited.chargeAnyway(this.waiter.cost), (sent) => {
        this.current = sent
      })
    }),
    heard: (limits) =>
      Effect.flatMap(this.deployment.limited.now, (now) => {
        this.isHeard = true
        this.deployment.limited.word.heard(now, this.current, {
          requests: told(limits.requests),
          tokens: told(limits.tokens)
        })
        return this.deployment.news
      })
  }

  /** The answer is here, with what it took. */
  finished({ metadata, usage }: O1Completion): Effect.Effect<void> {
    this.isAnswered = true
    this.usage = usage
    return this.isHeard ? Effect.void : this.meter.heard(metadata.headers.rateLimits)
  }

  failed(error: O1Error): void {
    this.error = error
    this.usage = error.usage ?? error.completion?.usage ?? this.usage
  }

  /** The attempt is over, however it ended. */
  readonly settle: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    const { deployment, error, reservation, waiter } = this
    const { admission, cost } = waiter
    if (this.isUnsent) {
      yield* reservation.settle(0)
      return yield* deployment.refund(waiter, admission)
    }
    const refused = error?._tag === "O1RateLimitError"
    if (refused && (error.kind === "requests" || error.kind === "tokens")) {
      const { retryAfter } = error
      deployment.limited.word.refused(
        yield* deployment.limited.now,
        this.current,
        {
          dimension: error.kind,
          limits: deployment.limited.limits,
          retryAfter: retryAfter && Duration.toMillis(retryAfter)
        }
      )
    } else if (!this.isHeard) deployment.limited.word.unanswered(this.current)
    // Azure counts a request that it refuses, and none of its tokens
    if (refused) yield* admission.charge.settle({ ...takenFor(cost), tokens: 0 })
    const billed = this.usage === undefined
      ? error && billedFor(error, this.prompt)
      : this.usage.input + this.usage.output
    if (billed !== undefined) yield* reservation.settle(billed)
    yield* deployment.news
  })

  private get isUnsent(): boolean {
    if (this.requests > 0 || this.isAnswered) return false
    return this.deployment.isMetered || (this.error !== undefined && isLocal(this.error))
  }
}
