import * as Fault from "../../Fault.ts"
import { Part } from "../../internal/adaptiveLimit.ts"
import { isOverload, type Settings } from "../../internal/adaptiveLimitLearner.ts"
import { handOver } from "../../internal/bulkheadCall.ts"
import { timerResolution } from "../../internal/time.ts"
import { type Algorithm, Window } from "../../kernel/adaptiveLimit.ts"
import { Pool } from "../../kernel/partitions.ts"
import { type Call, type Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import type { Outcome } from "../internal/outcome.ts"
import type { Random } from "../internal/random.ts"
import { type BulkheadFrame, BulkheadLayer } from "./bulkhead.ts"
import { faultOf } from "./faults.ts"
import { MeasuringFrame } from "./measuring.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

/** The limit of one process, its permits and what it has learnt, as `internal/adaptiveLimitLearner.ts` has them. */
class SimulatedLearner {
  readonly pool: Pool<BulkheadFrame>
  readonly world: World
  readonly settings: Settings
  private readonly algorithm: Algorithm
  private readonly window: Window
  private readonly random: Random

  constructor(settings: Settings, { random, world }: Process) {
    const { maxQueue, order, overload, partitions } = settings
    this.settings = settings
    this.algorithm = settings.begin()
    this.window = new Window(settings.window)
    this.pool = new Pool(
      this.algorithm.limit,
      [0, ...Object.values(partitions)],
      maxQueue,
      order ?? "fifo",
      overload
    )
    this.world = world
    this.random = random
  }

  /** Whether a call that a deadline has cut off would have been a late one. */
  isLate(owed: number): boolean {
    const { average } = this.window
    return average !== undefined && owed + timerResolution >= average
  }

  learn(time: number | undefined, inUse: number): void {
    const { algorithm, settings: { name }, world } = this
    const from = algorithm.limit
    const sample = this.window.add(world.now, { time, inUse }, from)
    if (sample === undefined) return
    algorithm.update(sample, () => this.random.next())
    const to = algorithm.limit
    if (from === to) return
    if (world.listens) world.emit({ _tag: "LimitChanged", policy: "adaptive-limit", name, from, to })
    this.pool.limit = to
    handOver(this.pool, world.now)
  }
}

/** Behind the permits: calls are measured. */
class MeasuredLayer implements Layer {
  readonly learner: SimulatedLearner
  readonly inner: Layer

  constructor(learner: SimulatedLearner, inner: Layer) {
    this.learner = learner
    this.inner = inner
  }

  open(outer: Frame, call: Call): Frame {
    return new MeasuredFrame(this, outer, call)
  }
}

class MeasuredFrame extends MeasuringFrame {
  private readonly layer: MeasuredLayer
  private startedAt = 0
  private inUse = 0

  constructor(layer: MeasuredLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    const { inner, learner } = this.layer
    this.startedAt = learner.world.now
    this.inUse = learner.pool.inUse
    this.inner = inner.open(this, this.call)
    this.inner.begin()
  }

  protected record(outcome: Outcome, queued: boolean): void {
    const { learner } = this.layer
    const { settings: { classify }, world: { now } } = learner
    const fault = outcome.succeeded && classify !== Fault.of
      ? classify(outcome.exit, now)
      : faultOf({ classify }, outcome, now)
    const owed = now - this.startedAt - this.waited(now)
    const dropped = fault?._tag === "Interrupted"
      ? !queued && this.isCut(now) && learner.isLate(owed)
      : isOverload(fault)
    if (fault === undefined) learner.learn(owed, this.inUse)
    else if (dropped) learner.learn(undefined, this.inUse)
  }
}

export const adaptiveLimit: SimulatedPolicy = ofClass(Part, ({ learner: { pool, settings }, permits }) => {
  const partition = pool.partitions.indexOf(permits)
  return (inner, process) => {
    const learner = process.state(settings, () => new SimulatedLearner(settings, process))
    const { maxWait, name } = settings
    return new BulkheadLayer(
      { kind: "adaptive-limit", name, maxWait },
      learner.pool.partitions[partition]!,
      new MeasuredLayer(learner, inner),
      process
    )
  }
})
