import * as Duration from "effect/Duration"
import { TimeoutExceeded } from "../../internal/errors.ts"
import type { PolicyInfo } from "../../internal/model.ts"
import type { Settings } from "../../internal/timeout.ts"
import { AdaptivePolicy, isKnown } from "../../internal/timeoutAdaptive.ts"
import { LearntLimit } from "../../kernel/adaptive.ts"
import { type Call, type Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import type { Outcome } from "../internal/outcome.ts"
import { MeasuringFrame } from "./measuring.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"
import { TimeoutLayer } from "./timeout.ts"

class AdaptiveLayer implements Layer {
  readonly learnt: LearntLimit
  readonly limited: AdaptiveLimit
  readonly world: World

  constructor(policy: AdaptivePolicy, inner: Layer, process: Process) {
    const { learnt: { rules, window }, settings } = policy
    const { learnt, own } = process.state(policy, () => ({
      learnt: new LearntLimit(rules, window),
      own: new WeakSet<Outcome>()
    }))
    this.learnt = learnt
    const limits = { ...settings, first: (at: number): number => learnt.limit(at) }
    this.limited = new AdaptiveLimit(policy.info, limits, own, inner, process)
    this.world = process.world
  }

  open(outer: Frame, call: Call): Frame {
    return new AdaptiveFrame(this, outer, call)
  }
}

/** Remembers its own errors, wherever it stands: those of another limit inside say nothing about its own. */
class AdaptiveLimit extends TimeoutLayer {
  private readonly own: WeakSet<Outcome>

  constructor(info: PolicyInfo, settings: Settings, own: WeakSet<Outcome>, inner: Layer, process: Process) {
    super(info, settings, inner, process)
    this.own = own
  }

  override exceeded(first: boolean, limit: number, elapsed: number): Outcome {
    const outcome = super.exceeded(first, limit, elapsed)
    this.own.add(outcome)
    return outcome
  }

  /** The limit that has cut a call off, if this one has. */
  cutAfter(outcome: Outcome): number | undefined {
    const { value } = outcome
    return this.own.has(outcome) && value instanceof TimeoutExceeded ? Duration.toMillis(value.limit) : undefined
  }
}

/** Times a call without what it has waited for its turn, as `internal/timeoutAdaptive.ts` does. */
class AdaptiveFrame extends MeasuringFrame {
  private readonly layer: AdaptiveLayer
  private startedAt = 0

  constructor(layer: AdaptiveLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    this.startedAt = this.layer.world.now
    this.inner = this.layer.limited.open(this, this.call)
    this.inner.begin()
  }

  protected record(outcome: Outcome, queued: boolean): void {
    const { layer, startedAt } = this
    if (outcome.succeeded) this.learn(layer.world.now - startedAt, true)
    else if (outcome.fault!._tag === "Interrupted") this.interrupted(queued)
    else this.learn(layer.limited.cutAfter(outcome) ?? 0, false)
  }

  /** From outside, or by itself: in the last moment before a deadline nobody can tell. */
  private interrupted(queued: boolean): void {
    const { world: { now } } = this.layer
    if (!queued && this.isCut(now)) this.learn(now - this.startedAt, false)
  }

  private learn(took: number, answered: boolean): void {
    const { learnt, world: { now } } = this.layer
    const served = took - this.waited(now)
    if (answered || isKnown(served)) learnt.record(served, answered, now)
  }
}

export const timeoutAdaptive: SimulatedPolicy = ofClass(
  AdaptivePolicy,
  (policy) => (inner, process) => new AdaptiveLayer(policy, inner, process)
)
