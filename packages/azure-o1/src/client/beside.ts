import type * as Duration from "effect/Duration"
import type { AttemptEvent, Transport } from "../O1Event.ts"
import { Call } from "../transport/call.ts"
import type { CallObserver } from "./observing.ts"

/** A request that a call makes at the same time as another one. An observer of the call hears of it when the call follows it. */
export class Beside {
  readonly call: Call
  readonly deployment: string
  /** When it was made, on the monotonic clock, in nanoseconds. */
  readonly begun: bigint
  /** The time that the attempt had taken before. */
  readonly since: Duration.Duration
  private observer: CallObserver | undefined = undefined
  private transport: Transport | undefined = undefined
  private received: bigint | undefined = undefined

  constructor(made: {
    readonly deployment: string
    readonly begun: bigint
    readonly since: Duration.Duration
    readonly onContent: (event: AttemptEvent) => void
  }) {
    this.deployment = made.deployment
    this.begun = made.begun
    this.since = made.since
    this.call = new Call({
      // nobody goes on with what is left of it
      onLeave: "cancel",
      onContent: made.onContent,
      observing: {
        sent: (transport) => {
          this.transport = transport
          this.observer?.sent(transport)
        },
        received: (now) => {
          this.received = now
          this.observer?.received(now)
        }
      }
    })
  }

  /** Tells an observer what is known of it, and what will be. */
  observe(observer: CallObserver): void {
    this.observer = observer
    observer.began(this.begun, this.deployment)
    if (this.transport !== undefined) observer.sent(this.transport)
    if (this.received !== undefined) observer.received(this.received)
  }

  /** The call follows another one. */
  unobserve(): void {
    this.observer = undefined
  }
}
