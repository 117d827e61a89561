import type * as Balancer from "@effect-resilience/core/Balancer"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Question } from "../transport/learned.ts"
import type { Member } from "./members.ts"
import type { Pool } from "./pool.ts"

/** A member is being asked for one call. */
export class Asking {
  /** In milliseconds on the monotonic clock. */
  readonly begun: number
  /** Why others were not asked before it. */
  readonly passed: ReadonlyArray<string>
  /** The caller has seen content, after which nobody else is asked. */
  answering = false
  private readonly pool: Pool
  private readonly lease: Balancer.Lease<Member>
  /** Whether it works again. */
  private question: Question | undefined

  constructor(asked: {
    readonly pool: Pool
    readonly lease: Balancer.Lease<Member>
    readonly begun: number
    readonly passed: ReadonlyArray<string>
    readonly question: Question | undefined
  }) {
    this.pool = asked.pool
    this.lease = asked.lease
    this.begun = asked.begun
    this.passed = asked.passed
    this.question = asked.question
  }

  get member(): Member {
    return this.lease.endpoint
  }

  get name(): string {
    return this.lease.endpoint.name
  }

  /** There is content. */
  answers(now: number): Effect.Effect<void> {
    return Effect.andThen(this.pool.answered(this.name, this.begun, now), this.lease.answered)
  }

  /** It is not asked any more. A question that got no answer is open to others. */
  readonly end = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (this.question !== undefined) this.pool.release(this.question)
      this.question = undefined
      return this.lease.end(exit)
    })
}
