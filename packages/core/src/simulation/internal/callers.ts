import * as Duration from "effect/Duration"
import { usual } from "../../kernel/criticality.ts"
import type { Client } from "../Client.ts"
import type { Closed, Open } from "../Load.ts"
import { Timed } from "./agenda.ts"
import { type Call, Frame, type Layer, Process, type World } from "./frame.ts"
import type { Outcome } from "./outcome.ts"
import type { Random } from "./random.ts"
import type { ClientRecord } from "./records.ts"

/** A client in a run: its processes, each with a stack of its own. */
export class Caller implements Call {
  readonly name: string
  readonly priority: number
  readonly criticality = usual
  readonly record: ClientRecord
  readonly world: World
  /** no call begins from then on */
  readonly until: number
  private readonly stacks: ReadonlyArray<Layer>
  private calls = 0

  constructor(world: World, client: Client, record: ClientRecord, until: number, edge: (process: Process) => Layer) {
    this.name = client.name
    this.priority = client.priority
    this.record = record
    this.world = world
    this.until = until
    this.stacks = Array.from({ length: client.processes }, (_, i) => {
      const process = new Process(world, `process ${i} of client ${client.name}`)
      return client.stack(edge(process), process)
    })
  }

  start({ load, name }: Client): void {
    const { world } = this
    if (load._tag === "Closed") this.enter(load, name)
    else new Arrivals(this, load, world.random.stream(`load of ${name}`)).await(0)
  }

  /** The processes take turns. */
  get nextStack(): Layer {
    return this.stacks[this.calls++ % this.stacks.length]!
  }

  private enter(load: Closed, name: string): void {
    const random = this.world.random.stream(`users of ${name}`)
    for (let i = 0; i < load.users; i++) {
      const user = new User(this, load, random)
      this.world.agenda.at(user, load.ramp * i / load.users)
    }
  }
}

/** A logical call: the outermost frame, which nobody cancels. */
abstract class Root extends Frame {
  protected readonly caller: Caller
  private startedAt = 0

  constructor(caller: Caller) {
    super(undefined, caller, Infinity)
    this.caller = caller
  }

  begin(): void {
    const { record, world } = this.caller
    this.startedAt = world.now
    record.began(world.now)
    this.caller.nextStack.open(this, this.call).begin()
  }

  answered(outcome: Outcome): void {
    const { name, record, world } = this.caller
    record.ended(outcome, this.startedAt, world.now)
    if (world.listens) {
      const duration = Duration.millis(world.now - this.startedAt)
      world.emit({ _tag: "CallEnded", policy: "call", name, duration, exit: outcome.exit })
    }
  }

  cancel(): boolean {
    return false
  }
}

class OpenCall extends Root {}

/** Calls that come by themselves. */
class Arrivals extends Timed {
  private readonly caller: Caller
  private readonly next: (at: number) => number

  constructor(caller: Caller, load: Open, random: Random) {
    super()
    this.caller = caller
    this.next = load.open(random)
  }

  await(at: number): void {
    const next = this.next(at)
    if (next < this.caller.until) this.caller.world.agenda.at(this, next)
  }

  wake(): void {
    new OpenCall(this.caller).begin()
    this.await(this.caller.world.now)
  }
}

/** Somebody who waits for the answer, thinks, and calls again. */
class User extends Root {
  private readonly load: Closed
  private readonly random: Random
  private calls = 0

  constructor(caller: Caller, load: Closed, random: Random) {
    super(caller)
    this.load = load
    this.random = random
  }

  override wake(): void {
    if (this.caller.world.now >= this.caller.until) return
    this.calls++
    this.begin()
  }

  override answered(outcome: Outcome): void {
    super.answered(outcome)
    if (this.calls < this.load.calls) {
      this.caller.world.agenda.schedule(this, this.load.think.draw(this.random, this.calls))
    }
  }
}
