import type * as RateLimiter from "@effect-resilience/core/RateLimiter"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { O1Error } from "../O1Error.ts"
import type { Cost } from "./cost.ts"
import type { QuotaDimension } from "./limits.ts"
import type { Caller, Waiting } from "./queue.ts"
import type { Sent } from "./word.ts"

/** A call was let through: what it was charged, and what the service is about to count. */
export interface Admission {
  readonly charge: RateLimiter.Charge<QuotaDimension>
  readonly sent: Sent
}

/** A call in the queue of a deployment. */
export class Waiter implements Waiting {
  readonly caller: Caller
  readonly cost: Cost
  share: number
  readonly since: number
  /** When the call would rather be told no. */
  readonly latest: number
  /** There once the call was let through, whether or not its fiber has gone on. */
  admission: Admission | undefined = undefined
  /** Still there, and neither let through nor refused. */
  waits = true
  private readonly deferred = Deferred.makeUnsafe<Admission, O1Error>()

  constructor(call: Pick<Waiter, "caller" | "cost" | "latest" | "share" | "since">) {
    this.caller = call.caller
    this.cost = call.cost
    this.share = call.share
    this.since = call.since
    this.latest = call.latest
  }

  readonly admitted: Effect.Effect<Admission, O1Error> = Effect.suspend(() => Deferred.await(this.deferred))

  admit(admission: Admission): void {
    this.waits = false
    this.admission = admission
    Deferred.doneUnsafe(this.deferred, Effect.succeed(admission))
  }

  refuse(effect: Effect.Effect<never, O1Error>): void {
    this.waits = false
    Deferred.doneUnsafe(this.deferred, effect)
  }
}
