import * as Fault from "../../Fault.ts"
import { List } from "../../kernel/list.ts"
import type { Incident, Server } from "../Server.ts"
import { Timed } from "./agenda.ts"
import { type Layer, Process, type World } from "./frame.ts"
import { Expiry, type Host, type Job } from "./job.ts"
import { failure, ok, type Outcome, success, type Usage } from "./outcome.ts"
import { Meter } from "./quota.ts"
import type { Random } from "./random.ts"
import type { ServerRecord } from "./records.ts"
import { Behind, Front, Inside } from "./serverStacks.ts"

/** A server in a run: its queue, what it serves, and what is wrong with it now. */
export class Service implements Host {
  readonly world: World
  readonly record: ServerRecord
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

  worked(job: Job): void {
    const layers = this.behind[job.serial % this.behind.length]
    const layer = layers?.[job.next++]
    if (layer === undefined) return this.finish(job, this.outcomeOf(job))
    job.within = new Behind(job, layer)
    job.within.begin()
  }

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

  expire(job: Job): void {
    if (job.list === undefined && job.within === undefined) return
    const { wasted } = this.record
    this.abandoned(job)
    if (this.record.wasted === wasted) this.record.refuse(this.world.now, "expired")
    job.respond(failure(this.server.name, "expired", plain))
  }

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
