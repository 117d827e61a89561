import * as Duration from "effect/Duration"
import { DeadlineExceeded, TimeoutExceeded } from "../../internal/errors.ts"
import type { PolicyInfo } from "../../internal/model.ts"
import type { Settings } from "../../internal/timeout.ts"
import { TimeoutPolicy } from "../../internal/timeoutPolicy.ts"
import { Alarms } from "../internal/agenda.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { type Outcome, rejection } from "../internal/outcome.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

type Phase = TimeoutExceeded["phase"]

export class TimeoutLayer implements Layer {
  readonly settings: Settings
  readonly name: string | undefined
  readonly world: World
  readonly inner: Layer
  /** for a limit that does not vary */
  readonly alarms: Alarms | undefined
  private readonly firstPhase: Phase
  private readonly errors = new Map<string, Outcome>()

  constructor({ kind, name }: PolicyInfo, settings: Settings, inner: Layer, { world }: Process) {
    this.settings = settings
    this.name = name
    this.world = world
    this.inner = inner
    this.alarms = settings.queue === undefined ? undefined : new Alarms(world.agenda, settings.queue.delay)
    this.firstPhase = kind === "timeout phases" ? "first" : "attempt"
  }

  open(outer: Frame, call: Call): Frame {
    return new TimeoutFrame(this, outer, call)
  }

  /** What comes of a call that comes after its deadline; nothing, if it is begun nevertheless. */
  refused(_overrun: number): Outcome | undefined {
    return undefined
  }

  exceeded(first: boolean, limit: number, elapsed: number): Outcome {
    const phase = first ? this.firstPhase : "total"
    if (this.world.listens) {
      this.world.emit({
        _tag: "TimedOut",
        policy: "timeout",
        name: this.name,
        phase,
        limit: Duration.millis(limit),
        elapsed: Duration.millis(Math.round(elapsed))
      })
    }
    const key = `${phase} ${limit}`
    let error = this.errors.get(key)
    if (error === undefined) {
      error = rejection(
        new TimeoutExceeded({
          policyName: this.name,
          phase,
          limit: Duration.millis(limit),
          elapsed: Duration.millis(Math.round(elapsed))
        })
      )
      // a limit that is learnt is another one each time
      if (this.alarms !== undefined) this.errors.set(key, error)
    }
    return error
  }
}

/** Of `Deadline.within`: it tells something else, and does not begin what comes after it. */
class DeadlineLayer extends TimeoutLayer {
  override exceeded(_first: boolean, limit: number, elapsed: number): Outcome {
    return this.passed(true, elapsed - limit)
  }

  override refused(overrun: number): Outcome {
    return this.passed(false, overrun)
  }

  private passed(began: boolean, overrun: number): Outcome {
    const { name, world } = this
    const error = new DeadlineExceeded({ policyName: name, began, overrun: Duration.millis(Math.round(overrun)) })
    if (world.listens) {
      world.emit({ _tag: "DeadlinePassed", policy: "deadline", name, began, overrun: error.overrun })
    }
    return rejection(error)
  }
}

class TimeoutFrame extends Frame {
  private readonly layer: TimeoutLayer
  private inner: Frame | undefined = undefined
  private startedAt = 0
  private limit = Infinity
  private first = false
  private endedEarly = false

  constructor(layer: TimeoutLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    const { layer, outer } = this
    const { agenda } = layer.world
    const at = this.startedAt = agenda.now
    const first = layer.settings.first(at)
    const total = layer.settings.total(at)
    const limit = Math.min(first, total)
    const left = outer!.deadline - at
    const late = Math.min(left, limit) <= 0 ? layer.refused(-Math.min(left, limit)) : undefined
    if (late !== undefined) return outer!.answered(late, this)
    // the owner of an earlier deadline enforces that
    if (left > limit) {
      this.limit = limit
      this.first = total > first
      if (total < Infinity) this.deadline = Math.min(this.deadline, at + total)
    }
    const inner = this.inner = layer.inner.open(this, this.call)
    inner.begin()
    // a call that ends in its first turn sets no timer
    if (this.inner === undefined || this.limit === Infinity) return
    if (layer.alarms !== undefined) layer.alarms.add(this)
    else agenda.schedule(this, this.limit)
  }

  answered(outcome: Outcome): void {
    this.end()
    this.outer!.answered(outcome, this)
  }

  override wake(): void {
    const { agenda } = this.layer.world
    // an earlier deadline has passed by now, and its owner tells why
    if (this.outer!.deadline <= agenda.now) return
    this.endedEarly = this.first
    this.cancel()
    this.outer!.answered(this.layer.exceeded(this.first, this.limit, agenda.now - this.startedAt), this)
  }

  override get lifted(): boolean {
    return this.endedEarly
  }

  cancel(): boolean {
    const inner = this.inner!
    this.end()
    return inner.cancel()
  }

  private end(): void {
    this.inner = undefined
    if (this.ticket === 0) return
    if (this.layer.alarms !== undefined) this.layer.alarms.remove(this)
    else this.ticket = 0
  }
}

export const timeout: SimulatedPolicy = ofClass(
  TimeoutPolicy,
  ({ info, settings }) => {
    const Made = settings.refused === undefined ? TimeoutLayer : DeadlineLayer
    return (inner, process) => new Made(info, settings, inner, process)
  }
)
