import { type Call, Frame, type Layer } from "./frame.ts"
import { type Host, Job } from "./job.ts"
import type { Outcome } from "./outcome.ts"

/** What a server does for a request through a stack of policies. */
abstract class Within extends Frame {
  protected readonly job: Job
  private readonly layer: Layer
  private inner: Frame | undefined = undefined

  constructor(job: Job, layer: Layer, deadline: number) {
    super(undefined, job.call, deadline)
    this.job = job
    this.layer = layer
  }

  begin(): void {
    this.inner = this.layer.open(this, this.call)
    this.inner.begin()
  }

  answered(outcome: Outcome): void {
    this.inner = undefined
    this.job.within = undefined
    this.ended(outcome)
  }

  protected abstract ended(outcome: Outcome): void

  cancel(): boolean {
    this.job.within = undefined
    return this.inner?.cancel() ?? false
  }
}

/** A request in front of the policies of its server. */
export class Front extends Within {
  constructor(job: Job, layer: Layer) {
    super(job, layer, job.deadline)
  }

  get request(): Job {
    return this.job
  }

  protected ended(outcome: Outcome): void {
    this.job.respond(outcome)
  }
}

/** A call of a server to one behind it. The deadline of its own caller binds it where the server obeys that. */
export class Behind extends Within {
  constructor(job: Job, layer: Layer) {
    super(job, layer, job.host.obeys ? job.deadline : Infinity)
  }

  protected ended(outcome: Outcome): void {
    this.job.host.wentOn(this.job, outcome)
  }
}

/** Behind the policies of a server: the server itself. */
export class Inside implements Layer {
  private readonly host: Host

  constructor(host: Host) {
    this.host = host
  }

  open(outer: Frame, call: Call): Frame {
    return new Admitted(this.host, outer, call)
  }
}

/** A request that the policies in front of its server have let in. */
class Admitted extends Job {
  /** as it came */
  private readonly request: Job

  constructor(host: Host, outer: Frame, call: Call) {
    super(host, outer, call)
    let front = outer
    while (front.outer !== undefined) front = front.outer
    const { request } = front as Front // the stack in front of a server stands in one
    this.request = request
    this.serial = request.serial
    this.prompt = request.prompt
  }

  override get wanted(): boolean {
    return !this.gone && this.request.wanted
  }

  override get expired(): boolean {
    return this.request.expired
  }

  begin(): void {
    this.cameAt = this.host.world.now
    this.host.admit(this)
  }

  respond(outcome: Outcome): void {
    if (!this.gone) this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    this.gone = true
    this.host.abandoned(this)
    return false
  }
}
