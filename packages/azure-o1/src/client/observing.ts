import type * as Telemetry from "@effect-resilience/core/Telemetry"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import type { O1Completion } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { Transport } from "../O1Event.ts"
import type { AttemptObservation, O1Observation } from "../O1Observation.ts"
import type { ReasoningEffort } from "../O1Request.ts"
import { outcomeOf } from "./history.ts"
import type { Turn } from "./turns.ts"

/** The observer of one call while it goes on. */
export interface CallObserver {
  /** What happens for the call happens in this span. */
  readonly span?: Tracer.Span | undefined
  /** Something goes out. */
  sent(transport: Transport): void
  /** The headers of the answer are here. */
  received(now: bigint): void
  /** An attempt has come to the wire. */
  began(now: bigint, deployment: string | undefined): void
  readonly turnEnded: (turn: Turn) => void
  /** A request beside the one that counts has come to nothing. */
  readonly endedBeside: (turn: Turn) => void
  readonly listener?: Telemetry.Listener
  /** The call has ended. */
  readonly ended: (exit: Exit.Exit<unknown, O1Error>, completion: O1Completion | undefined) => Effect.Effect<void>
}

/** Tells two. */
export const both = (a: CallObserver, b: CallObserver): CallObserver => ({
  span: a.span ?? b.span,
  sent: (transport) => {
    a.sent(transport)
    b.sent(transport)
  },
  received: (now) => {
    a.received(now)
    b.received(now)
  },
  began: (now, deployment) => {
    a.began(now, deployment)
    b.began(now, deployment)
  },
  turnEnded: (turn) => {
    a.turnEnded(turn)
    b.turnEnded(turn)
  },
  endedBeside: (turn) => {
    a.endedBeside(turn)
    b.endedBeside(turn)
  },
  listener: (event, context) => {
    a.listener?.(event, context)
    b.listener?.(event, context)
  },
  ended: (exit, completion) => Effect.andThen(a.ended(exit, completion), b.ended(exit, completion))
})

/**
 * Measures one call, where somebody observes. A policy tells of an attempt of a stream until its first content, so that what it
 * calls the attempt's duration is the time to the first output, and the attempt itself goes on until the stream ends.
 */
export class Observing implements CallObserver {
  private readonly observer: (observation: O1Observation) => void
  private readonly face: "complete" | "stream"
  /** The one that was asked last. */
  private deployment: string
  private readonly effort: ReasoningEffort | undefined
  private readonly startedAt: bigint
  private attemptStartedAt: bigint
  private attempts = 0
  private transport: Transport | undefined = undefined
  private headers: Duration.Duration | undefined = undefined
  private committed: Duration.Duration | undefined = undefined
  private callFirstOutput: Duration.Duration | undefined = undefined

  constructor(options: {
    readonly observer: (observation: O1Observation) => void
    readonly face: "complete" | "stream"
    readonly deployment: string
    readonly effort: ReasoningEffort | undefined
    readonly now: bigint
  }) {
    this.observer = options.observer
    this.face = options.face
    this.deployment = options.deployment
    this.effort = options.effort
    this.startedAt = options.now
    this.attemptStartedAt = options.now
  }

  sent(transport: Transport): void {
    this.transport = transport
  }

  received(now: bigint): void {
    this.headers ??= Duration.nanos(now - this.attemptStartedAt)
  }

  began(now: bigint): void {
    this.attemptStartedAt = now
    this.headers = undefined
    this.committed = undefined
  }

  readonly turnEnded = ({ attempt, deployment, duration, exit }: Turn): void => {
    this.attempts = attempt
    if (deployment === undefined) return
    this.deployment = deployment
    if (this.face === "stream" && Exit.isSuccess(exit)) {
      this.committed = duration
      return
    }
    this.tellAttempt(exit, duration)
    this.transport = undefined
    this.headers = undefined
  }

  readonly endedBeside = ({ attempt, deployment, duration, exit }: Turn): void =>
    this.tell({
      _tag: "Attempt",
      deployment: deployment ?? this.deployment,
      model: errorOf(exit)?.model,
      effort: this.effort,
      attempt,
      transport: undefined,
      outcome: outcomeOf(exit),
      headers: undefined,
      firstOutput: undefined,
      total: duration
    })

  readonly ended = (
    exit: Exit.Exit<unknown, O1Error>,
    completion: O1Completion | undefined
  ): Effect.Effect<void> =>
    Effect.map(Clock.monotonicTimeNanos, (now) => {
      if (this.committed !== undefined) {
        this.callFirstOutput = Duration.sum(
          Duration.nanos(this.attemptStartedAt - this.startedAt),
          this.committed
        )
        this.tellAttempt(exit, Duration.nanos(now - this.attemptStartedAt), completion)
      }
      const error = errorOf(exit)
      this.tell({
        _tag: "Call",
        deployment: this.deployment,
        model: completion?.model ?? error?.model,
        effort: this.effort,
        outcome: outcomeOf(exit),
        attempts: this.attempts,
        firstOutput: this.callFirstOutput,
        total: Duration.nanos(now - this.startedAt),
        usage: completion?.usage ?? (error?._tag === "O1OutputLimitError" ? error.usage : undefined)
      })
    })

  private tellAttempt(
    exit: Exit.Exit<unknown, unknown>,
    total: Duration.Duration,
    completion: O1Completion | undefined = completionOf(exit)
  ): void {
    const observation: AttemptObservation = {
      _tag: "Attempt",
      deployment: this.deployment,
      model: completion?.model ?? errorOf(exit)?.model,
      effort: this.effort,
      attempt: this.attempts,
      transport: this.transport,
      outcome: outcomeOf(exit),
      headers: this.headers,
      firstOutput: this.committed,
      total
    }
    this.tell(observation)
  }

  /** An observer must not be able to break a call. */
  private tell(observation: O1Observation): void {
    try {
      this.observer(observation)
    } catch {
      // there is nobody to tell
    }
  }
}

export const errorOf = (exit: Exit.Exit<unknown, unknown>): O1Error | undefined => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return O1Error.is(error) ? error : undefined
}

export const completionOf = (exit: Exit.Exit<unknown, unknown>): O1Completion | undefined =>
  Exit.isSuccess(exit) && typeof exit.value === "object" && exit.value !== null && "finishReason" in exit.value
    ? exit.value as O1Completion
    : undefined
