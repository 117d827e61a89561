import type * as Telemetry from "@effect-resilience/core/Telemetry"
import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"

/** One deployment, asked within one attempt of a call. */
export interface Turn {
  readonly attempt: number
  /** `undefined` where nobody was asked. */
  readonly deployment: string | undefined
  readonly duration: Duration.Duration
  readonly exit: Exit.Exit<unknown, unknown>
}

/** Takes the attempts that a retry tells of apart, where several deployments are asked in one. */
export class Turns {
  private readonly tell: (turn: Turn) => void
  private attempt = 0
  private deployment: string | undefined
  private open = false
  private told = Duration.zero
  /** How long the one that is asked was waited for, which is no part of the time that it took. */
  private waited = Duration.zero

  constructor(tell: (turn: Turn) => void) {
    this.tell = tell
  }

  /** `since` the attempt began, where others were asked at the same time. */
  readonly asking = (deployment: string, since?: Duration.Duration): void => {
    this.deployment = deployment
    this.open = true
    if (since === undefined) this.waited = Duration.zero
    else this.told = since
  }

  /** The attempt goes on without the one that was asked. */
  readonly left = (exit: Exit.Exit<unknown, unknown>, duration: Duration.Duration): void => {
    this.open = false
    this.told = Duration.sum(this.told, duration)
    const took = Duration.subtract(duration, this.waited)
    this.waited = Duration.zero
    this.tell({ attempt: this.attempt, deployment: this.deployment, duration: took, exit })
  }

  /** One that was asked at the same time as another one. */
  beside(turn: Pick<Turn, "deployment" | "duration" | "exit">): Turn {
    return { ...turn, attempt: this.attempt }
  }

  readonly listener: Telemetry.Listener = (event) => {
    if (event._tag === "AttemptStarted") {
      this.attempt = event.attempt
      this.deployment = undefined
      this.open = true
      this.told = this.waited = Duration.zero
    } else if (event._tag === "WaitedForRateLimiter") {
      this.waited = Duration.sum(this.waited, event.waited)
    } else if (event._tag === "AttemptEnded" && this.open) {
      const duration = Duration.subtract(event.duration, Duration.sum(this.told, this.waited))
      this.tell({ attempt: event.attempt, deployment: this.deployment, duration, exit: event.exit })
    }
  }
}
