import * as Fault from "../../Fault.ts"
import { List } from "../../kernel/list.ts"
import type { Incident, Server } from "../Server.ts"
import { Timed } from "./agenda.ts"
import { type Call, Frame, type Layer, Process, type World } from "./frame.ts"
import { failure, ok, type Outcome, success, type Usage } from "./outcome.ts"
import { Meter } from "./quota.ts"
import type { Random } from "./random.ts"
import type { ServerRecord } from "./records.ts"

/** A request at a server: it waits, is served, and is answered, whether or not somebody still waits for that. */
export abstract class Job extends Frame {
  readonly service: Service
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
  within: Front | Behind | undefined = undefined
  /** ends it at its deadline, where that is obeyed */
  expiry: Expiry | undefined = undefined

  constructor(service: Service, outer: Frame | undefined, call: Call) {
    super(outer, call, outer === undefined ? Infinity : outer.deadline)
    this.service = service
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
    this.service.worked(this)
  }

  answered(): void {}
}

/** A server in a run: its queue, what it serves, and what is wrong with it now. */
export class Service {
  readonly world: World
  readonly record: ServerRecord
  /** deadlines of callers */
  readonly obeys: boolean
  private readonly server: Server
  private readonly random: Random
  private readonly meter: Meter | undefined
  private readonly answers: ReturnType<NonNullable<Server["answers"]>> | undefined
  /** in front of the server, one for each process */
  private readonly fronts: ReadonlyArray<Layer>
  /** to the servers behind it, for each process */
  private readonly behind: ReadonlyArray<ReadonlyArray<Layer>>
  /** by priority; without priorities there is one */
  private readonly queues: Array<List<Job>> = []
  private readonly serving = new List<Job>()
  private waiting = 0
  private capacity: number
  private factor = 1
  private crashed: "no" | "refuses" | "silent" = "no"
  private errors: number
  private fault: Fault.Fault = Fault.transient()

  constructor(world: World, server: Server, record: ServerRecord, behind: (process: Process) => ReadonlyArray<Layer>) {
    this.world = world
    this.server = server
    this.record = record
    this.obeys = server.deadlines === "obeyed"
    this.random = world.random.stream(`server ${server.name}`)
    this.meter = server.quota === undefined ? undefined : new Meter(server.quota)
    this.answers = server.answers?.()
    this.capacity = server.capacity
    this.errors = server.errors
    const processes = Array.from(
      { length: server.processes },
      (_, i) => new Process(world, `process ${i} of server ${server.name}`)
    )
    const { stack } = server
    this.fronts = stack === undefined ? [] : processes.map((process) => stack(new Inside(this), process))
    this.behind = server.calls.length === 0 ? [] : processes.map(behind)
    for (const incident of server.incidents) world.agenda.at(new Turn(this, incident), incident.from)
  }

  /** A request has come from the network. */
  arrive(job: Job): void {
    const { now } = this.world
    this.record.came(now)
    job.cameAt = now
    job.serial = this.record.arrived
    if (this.crashed !== "no") return this.fail(job, "crashed", plain)
    if (this.obeys && job.deadline < Infinity) {
      if (job.deadline <= now) return this.fail(job, "expired", plain)
      job.expiry = new Expiry(job)
      this.world.agenda.at(job.expiry, job.deadline)
    }
    const { tokens } = this.server
    if (tokens !== undefined) job.prompt = Math.round(tokens.prompt.draw(this.random, job.serial))
    const pause = this.meter?.charge(now, tokens === undefined ? 0 : job.prompt + tokens.maxCompletion) ?? 0
    if (pause > 0) return this.fail(job, "quota", Fault.throttled({ retryAfter: pause }))
    if (this.fronts.length === 0) return this.admit(job)
    job.within = new Front(job, this.fronts[job.serial % this.fronts.length]!)
    job.within.begin()
  }

  /** The policies in front of the server have let it in. */
  admit(job: Job): void {
    const { now } = this.world
    if (this.serving.size < this.capacity) return this.start(job)
    if (this.waiting >= this.server.limit) return this.fail(job, "full", plain)
    this.queueOf(job).push(job)
    this.record.queued(now, ++this.waiting)
  }

  private queueOf({ call }: Job): List<Job> {
    const level = this.server.order === "priority" ? call.priority : 0
    while (this.queues.length <= level) this.queues.push(new List())
    return this.queues[level]!
  }

  private start(job: Job): void {
    const { collapse, times } = this.server
    const { now } = this.world
    this.serving.push(job)
    job.startedAt = now
    this.record.started(now, now - job.cameAt, this.serving.size)
    const above = collapse === undefined ? 0 : Math.max(0, this.serving.size + this.waiting - collapse.above)
    const slower = collapse === undefined ? 1 : 1 + collapse.factor * above
    this.world.agenda.schedule(job, times.draw(this.random, job.serial) * this.factor * slower)
  }

  /** Its own time is over: the servers behind it are called, and then it answers. */
  worked(job: Job): void {
    const layers = this.behind[job.serial % this.behind.length]
    const layer = layers?.[job.next++]
    if (layer === undefined) return this.finish(job, this.outcomeOf(job))
    job.within = new Behind(job, layer)
    job.within.begin()
  }

  /** A server behind it has answered. */
  wentOn(job: Job, outcome: Outcome): void {
    // it has been stopped, or the server has crashed
    if (job.list !== this.serving) return
    if (outcome.succeeded) return this.worked(job)
    this.finish(job, failure(this.server.name, outcome.tag, outcome.fault!))
  }

  private outcomeOf(job: Job): Outcome {
    const { name, tokens } = this.server
    const { random } = this
    if (this.errors > 0 && random.next() < this.errors) return failure(name, "error", this.fault)
    const { serial: number, startedAt } = job
    const fault = this.answers?.({ number, startedAt, now: this.world.now, random })
    if (fault !== undefined) return failure(name, "error", fault)
    if (tokens === undefined) return ok
    const usage: Usage = {
      prompt: job.prompt,
      completion: Math.min(tokens.maxCompletion, Math.round(tokens.completion.draw(random, number)))
    }
    this.record.prompt += usage.prompt
    this.record.completion += usage.completion
    return success(usage)
  }

  /** The next one begins before this one is answered: a caller who calls again at once stands behind it. */
  private finish(job: Job, outcome: Outcome): void {
    this.serving.delete(job)
    this.record.ended(this.world.now, job.startedAt, job.wanted, !outcome.succeeded)
    this.pull()
    job.respond(outcome)
  }

  private pull(): void {
    while (this.waiting > 0 && this.serving.size < this.capacity) {
      const queue = this.queues.findLast(({ size }) => size > 0)!
      const job = (this.server.order === "lifo" ? queue.last : queue.first)!
      queue.delete(job)
      this.waiting--
      if (this.server.dropsExpired && job.deadline <= this.world.now) this.fail(job, "expired", plain)
      else if (this.server.abandoned !== "served" && !job.wanted) this.fail(job, "abandoned", plain)
      else this.start(job)
    }
  }

  private fail(job: Job, reason: string, fault: Fault.Fault): void {
    this.record.refuse(this.world.now, reason)
    if (reason === "crashed" && this.crashed === "silent") return
    job.respond(failure(this.server.name, reason, fault))
  }

  /** Its deadline has passed: it ends wherever it is. What had begun has been for nothing. */
  expire(job: Job): void {
    if (job.list === undefined && job.within === undefined) return
    const { wasted } = this.record
    this.abandoned(job)
    if (this.record.wasted === wasted) this.record.refuse(this.world.now, "expired")
    job.respond(failure(this.server.name, "expired", plain))
  }

  /** The caller of a request has gone, or does not wait any more. */
  abandoned(job: Job): void {
    const abandoned = job.expired ? "stopped" : this.server.abandoned
    if (abandoned === "served") return
    if (job.list === this.serving) {
      if (abandoned !== "stopped") return
      job.ticket = 0
      job.within?.cancel()
      this.serving.delete(job)
      this.record.ended(this.world.now, job.startedAt, false, true)
      this.pull()
    } else if (job.list !== undefined) {
      job.list.delete(job)
      this.waiting--
    } else if (abandoned === "stopped") job.within?.cancel()
  }

  /** An incident begins, or ends. */
  turn(incident: Incident, begins: boolean): void {
    switch (incident._tag) {
      case "Slow":
        this.factor = begins ? incident.factor : 1
        return
      case "Errors":
        this.errors = begins ? incident.ratio : this.server.errors
        this.fault = begins ? incident.fault : Fault.transient()
        return
      case "Capacity":
        this.capacity = begins ? incident.capacity : this.server.capacity
        return this.pull()
      case "Crash":
        this.crashed = begins ? incident.silent ? "silent" : "refuses" : "no"
        if (begins) this.loseAll()
    }
  }

  private loseAll(): void {
    for (const list of [this.serving, ...this.queues]) {
      while (list.first !== undefined) {
        const job = list.first
        job.ticket = 0
        job.within?.cancel()
        list.delete(job)
        this.fail(job, "crashed", plain)
      }
    }
    this.waiting = 0
  }

  /** Requests that are served or wait. */
  get inside(): number {
    return this.serving.size + this.waiting
  }
}

const plain = Fault.transient()

/** The beginning of an incident, and its end. */
class Turn extends Timed {
  private readonly service: Service
  private readonly incident: Incident
  private begun = false

  constructor(service: Service, incident: Incident) {
    super()
    this.service = service
    this.incident = incident
  }

  wake(): void {
    this.service.turn(this.incident, !this.begun)
    if (this.begun) return
    this.begun = true
    this.service.world.agenda.at(this, this.incident.until)
  }
}

/** The deadline of a request. */
class Expiry extends Timed {
  isOver = false
  private readonly job: Job

  constructor(job: Job) {
    super()
    this.job = job
  }

  wake(): void {
    this.isOver = true
    this.job.service.expire(this.job)
  }
}

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
class Front extends Within {
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
class Behind extends Within {
  constructor(job: Job, layer: Layer) {
    super(job, layer, job.service.obeys ? job.deadline : Infinity)
  }

  protected ended(outcome: Outcome): void {
    this.job.service.wentOn(this.job, outcome)
  }
}

/** Behind the policies of a server: the server itself. */
class Inside implements Layer {
  private readonly service: Service

  constructor(service: Service) {
    this.service = service
  }

  open(outer: Frame, call: Call): Frame {
    return new Admitted(this.service, outer, call)
  }
}

/** A request that the policies in front of its server have let in. */
class Admitted extends Job {
  /** as it came */
  private readonly request: Job

  constructor(service: Service, outer: Frame, call: Call) {
    super(service, outer, call)
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
    this.cameAt = this.service.world.now
    this.service.admit(this)
  }

  respond(outcome: Outcome): void {
    if (!this.gone) this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    this.gone = true
    this.service.abandoned(this)
    return false
  }
}
