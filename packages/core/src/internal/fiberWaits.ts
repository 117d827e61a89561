import type { AnyFiber } from "./primitive.ts"
import { CurrentWaits, Waits } from "./waits.ts"

/** so many waits of a fiber are told apart */
const kept = 16

/** What a fiber waits for its turn, one wait after the other. */
class FiberWaits extends Waits {
  private from: number | undefined = undefined
  private readonly spans: Array<{ readonly from: number; readonly to: number }> = []

  protected override paused(at: number): void {
    this.from = at
  }

  protected override resumed(at: number): void {
    this.spans.push({ from: this.from!, to: at })
    this.from = undefined
    if (this.spans.length <= kept) return
    // of the oldest ones is only known when they began and ended
    const [first, second] = this.spans.splice(0, 2)
    this.spans.unshift({ from: first!.from, to: second!.to })
  }

  after(began: number, at: number): number {
    const waited = this.from === undefined ? 0 : at - Math.max(began, this.from)
    return this.spans.reduce((sum, { from, to }) => sum + Math.max(0, to - Math.max(began, from)), waited)
  }
}

/** Tells a measuring policy and a fiber. */
class BothWaits extends Waits {
  private readonly other: Waits

  constructor(outer: Waits, other: Waits) {
    super(outer)
    this.other = other
  }

  override begin(at: number): void {
    super.begin(at)
    this.other.begin(at)
  }

  override end(at: number): void {
    super.end(at)
    this.other.end(at)
  }
}

const waitsIn = new WeakMap<AnyFiber, FiberWaits>()
const parents = new WeakMap<AnyFiber, AnyFiber>()

/** A policy has forked `fiber` for a call of `parent`: what the one waits, the other waits. */
export const waitsFor = (parent: AnyFiber, fiber: AnyFiber): void => void parents.set(fiber, parent)

const fiberWaits = (fiber: AnyFiber): FiberWaits => {
  const known = waitsIn.get(fiber)
  if (known !== undefined) return known
  const parent = parents.get(fiber)
  const waits = new FiberWaits(parent && fiberWaits(parent))
  waitsIn.set(fiber, waits)
  return waits
}

/** Whom a queue tells how long this fiber waits: the policies that measure its call, and callers of {@link waitedSince}. */
export const waitsOf = (fiber: AnyFiber): Waits => {
  const measured = fiber.getRef(CurrentWaits)?.waits
  const own = fiberWaits(fiber)
  return measured === undefined ? own : new BothWaits(measured, own)
}

/** How long a fiber has waited for its turn since then, in a bulkhead or a limiter. Costs nothing before it is asked. */
export const waitedSince = (fiber: AnyFiber, began: number, at: number): number =>
  waitsIn.get(fiber)?.after(began, at) ?? 0
