import { Waits } from "../../internal/waits.ts"
import { Frame } from "../internal/frame.ts"

/** A call in a policy that measures it: what the call waits for its turn in queues inside is nobody's slowness. */
export abstract class MeasuringFrame extends Frame {
  /** made when the call waits, which most never do */
  private turns: Waits | undefined = undefined

  protected waited(at: number): number {
    return this.turns === undefined ? 0 : this.turns.waited(at)
  }

  override waits(at: number): void {
    this.turns ??= new Waits(undefined)
    this.turns.begin(at)
    super.waits(at)
  }

  override goesOn(at: number): void {
    this.turns!.end(at)
    super.goesOn(at)
  }
}
