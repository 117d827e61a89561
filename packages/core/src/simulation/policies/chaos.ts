import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { delayOf, hitOf, Injection, type Session, type Settings } from "../../internal/chaos.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { ofExit, type Outcome } from "../internal/outcome.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

/** Chaos that is switched on. */
class ChaosLayer implements Layer {
  readonly settings: Settings
  readonly world: World
  readonly inner: Layer
  private readonly session: Session
  private readonly draw: () => number

  constructor({ settings }: Injection, session: Session, inner: Layer, { random, world }: Process) {
    this.settings = settings
    this.world = world
    this.inner = inner
    this.session = session
    this.draw = () => random.next()
  }

  open(outer: Frame, call: Call): Frame {
    return new ChaosFrame(this, outer, call)
  }

  hit(): ((which: string) => number) | undefined {
    return hitOf(this.settings, this.session, this.world.now, this.draw, Context.empty())
  }

  tell(millis: number | undefined): void {
    const { settings: { injected, name }, world } = this
    if (!world.listens) return
    const delay = millis === undefined ? undefined : Duration.millis(millis)
    world.emit({ _tag: "ChaosInjected", policy: "chaos", name, injected, delay })
  }
}

/** What chaos makes itself needs no service. */
type Instead = Effect.Effect<unknown, unknown>

class ChaosFrame extends Frame {
  private readonly layer: ChaosLayer
  private inner: Frame | undefined = undefined

  constructor(layer: ChaosLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    const { layer } = this
    const { settings: { injected, instead }, world: { agenda } } = layer
    const draws = layer.hit()
    if (draws === undefined) return this.wake()
    const delay = instead === undefined ? delayOf(layer.settings, draws) : undefined
    layer.tell(delay)
    if (delay !== undefined) agenda.schedule(this, delay)
    else if (injected !== "stall") this.outer!.answered(ofExit(Effect.runSyncExit(instead as Instead)), this)
  }

  override wake(): void {
    this.inner = this.layer.inner.open(this, this.call)
    this.inner.begin()
  }

  answered(outcome: Outcome): void {
    this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    this.ticket = 0
    return this.inner?.cancel() ?? false
  }
}

export const chaos: SimulatedPolicy = ofClass(Injection, (injection) => (inner, process) => {
  const { chaos } = process.world
  if (chaos === undefined || !injection.settings.effects) return inner
  return new ChaosLayer(injection, process.state(chaos, chaos), inner, process)
})
