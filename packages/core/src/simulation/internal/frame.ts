import type { Session } from "../../internal/chaos.ts"
import type * as Telemetry from "../../internal/events.ts"
import { timerResolution } from "../../internal/time.ts"
import type { Attempt } from "../../internal/tries.ts"
import type { Criticality } from "../../kernel/criticality.ts"
import { Agenda, Alarm } from "./agenda.ts"
import type { Outcome } from "./outcome.ts"
import type { Random } from "./random.ts"

/** What one run has for all its parts. */
export class World {
  readonly agenda = new Agenda()
  readonly random: Random
  private readonly tell: ((event: Telemetry.Event, at: number) => void) | undefined
  /** whether somebody is told of what policies decide */
  readonly listens: boolean
  /** switches chaos on in a process; absent where there is none */
  readonly chaos: (() => Session) | undefined

  constructor(
    random: Random,
    tell: ((event: Telemetry.Event, at: number) => void) | undefined,
    chaos: (() => Session) | undefined
  ) {
    this.chaos = chaos
    this.random = random
    this.tell = tell
    this.listens = tell !== undefined
  }

  get now(): number {
    return this.agenda.now
  }

  emit(event: Telemetry.Event): void {
    this.tell!(event, this.agenda.now)
  }
}

/** What a call is about, for servers: it stays the same in all its attempts. */
export interface Call {
  readonly priority: number
  readonly criticality: Criticality
}

/**
 * A call in one layer of its stack: what the frame of a policy is on the stack of a fiber. A frame begins once, answers what is
 * around it once, and never after it was cancelled.
 */
export abstract class Frame extends Alarm {
  /** whom it answers; none for the call itself */
  readonly outer: Frame | undefined
  readonly call: Call
  /** by when the call has to end, on the clock of the run */
  deadline: number

  constructor(outer: Frame | undefined, call: Call, deadline: number) {
    super()
    this.outer = outer
    this.call = call
    this.deadline = deadline
  }

  abstract begin(): void

  /** The call inside has ended. */
  abstract answered(outcome: Outcome, by: Frame): void

  /** Nobody waits any more. Gives whether the call still waited for its turn, and so was not made. */
  abstract cancel(): boolean

  wake(): void {}

  /** Its deadline has ended before its time, with the call, and binds nobody any more. */
  get lifted(): boolean {
    return false
  }

  /** Whether a deadline ends the call that is cancelled now. */
  isCut(at: number): boolean {
    const { deadline, outer } = this
    if (outer !== undefined && (this.lifted || deadline === outer.deadline)) return outer.isCut(at)
    return at + timerResolution >= deadline
  }

  /** The attempt that it is part of, where a policy around it makes several and remembers what they have tried. */
  get memory(): Attempt | undefined {
    return this.outer?.memory
  }

  /** A queue of this process keeps the call waiting: all policies around it are told, for that is nobody's slowness. */
  waits(at: number): void {
    this.outer?.waits(at)
  }

  /** It has left the queue. */
  goesOn(at: number): void {
    this.outer?.goesOn(at)
  }
}

/** A policy of one process, with what is inside it. */
export interface Layer {
  open(outer: Frame, call: Call): Frame
}

/** What the calls of one process share: the state of each policy, wherever that stands in its stacks. */
export class Process {
  readonly world: World
  readonly random: Random
  /** a balancer asks what the calls of this process have tried: policies that make several attempts remember it */
  remembers = false
  private readonly states = new Map<object, unknown>()

  constructor(world: World, name: string) {
    this.world = world
    this.random = world.random.stream(name)
  }

  /** The state that belongs to a value, made when it is first asked for. */
  state<A>(of: object, make: () => A): A {
    if (!this.states.has(of)) this.states.set(of, make())
    return this.states.get(of) as A // set by the same function for the same value
  }
}
