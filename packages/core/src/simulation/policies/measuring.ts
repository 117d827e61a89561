import { Waits } from "../../internal/waits.ts"
import { Frame } from "../internal/frame.ts"
import { interrupted, type Outcome } from "../internal/outcome.ts"

/** A call in a policy that learns from it: what the call waits for its turn in queues inside is nobody's slowness. */
export abstract class MeasuringFrame extends Frame {
  protected inner: Frame | undefined = undefined
  /** made when the call waits, which most never do */
  private turns: Waits | undefined = undefined

  /** What came of the call; `queued`, if it never had its turn. */
  protected abstract record(outcome: Outcome, queued: boolean): void

  answered(outcome: Outcome): void {
    this.record(outcome, false)
    this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    const queued = this.inner!.cancel()
    this.record(interrupted, queued)
    return queued
  }

  protected waited(at: number): number {
    return this.turns === undefined ? 0 : this.turns.waited(at)
  }

  override waits(at: number): void {
    this.turns ??= new Waits(undefined)
    if (!this.turns.isWaiting) this.paused()
    this.turns.begin(at)
    super.waits(at)
  }

  override goesOn(at: number): void {
    this.turns!.end(at)
    if (!this.turns!.isWaiting) this.resumed(at)
    super.goesOn(at)
  }

  /** For a policy that keeps calls in the order in which they become slow: from now on this one does not. */
  protected paused(): void {}

  /** It does again. */
  protected resumed(_at: number): void {}
}
