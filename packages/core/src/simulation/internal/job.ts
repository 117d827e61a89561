import { Timed } from "./agenda.ts"
import { type Call, Frame, type World } from "./frame.ts"
import type { Outcome } from "./outcome.ts"

/** Where a request is: the server, with what it does for one. */
export interface Host {
  readonly world: World
  /** deadlines of callers */
  readonly obeys: boolean
  /** A request has come from the network. */
  arrive(job: Job): void
  /** The policies in front of the server have let it in. */
  admit(job: Job): void
  /** Its own time is over: the servers behind it are called, and then it answers. */
  worked(job: Job): void
  /** A server behind it has answered. */
  wentOn(job: Job, outcome: Outcome): void
  /** Its deadline has passed: it ends wherever it is. What had begun has been for nothing. */
  expire(job: Job): void
  /** The caller of a request has gone, or does not wait any more. */
  abandoned(job: Job): void
}

/** A request at a server: it waits, is served, and is answered, whether or not somebody still waits for that. */
export abstract class Job extends Frame {
  readonly host: Host
  cameAt = 0
  startedAt = -1
  prompt = 0
  /** the how many-th that came */
  serial = 0
  /** nobody waits for the answer */
  gone = false
  /** the first of the servers behind that has not been called */
  next = 0
  /** the policies in front of the server, or the call to one behind it */
  within: Frame | undefined = undefined
  /** ends it at its deadline, where that is obeyed */
  expiry: Expiry | undefined = undefined

  constructor(host: Host, outer: Frame | undefined, call: Call) {
    super(outer, call, outer === undefined ? Infinity : outer.deadline)
    this.host = host
  }

  abstract respond(outcome: Outcome): void

  /** Whether somebody still waits for the answer. */
  get wanted(): boolean {
    return !this.gone
  }

  /** Whether its deadline has passed, and the server obeys that. */
  get expired(): boolean {
    return this.expiry?.isOver ?? false
  }

  override wake(): void {
    this.host.worked(this)
  }

  answered(): void {}
}

/** The deadline of a request. */
export class Expiry extends Timed {
  isOver = false
  private readonly job: Job

  constructor(job: Job) {
    super()
    this.job = job
  }

  wake(): void {
    this.isOver = true
    this.job.host.expire(this.job)
  }
}
