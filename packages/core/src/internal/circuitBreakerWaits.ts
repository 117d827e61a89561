import * as Effect from "effect/Effect"
import type * as kernel from "../kernel/circuitBreaker.ts"
import type { AnyFiber } from "./primitive.ts"
import { CurrentWaits, Waits } from "./waits.ts"

/** The waits of a call that becomes a slow one if it does not answer. */
export class CallWaits extends Waits {
  private readonly circuit: kernel.Circuit
  private readonly permit: kernel.Permit
  private told = 0

  constructor(outer: Waits | undefined, circuit: kernel.Circuit, permit: kernel.Permit) {
    super(outer)
    this.circuit = circuit
    this.permit = permit
  }

  protected override paused(): void {
    this.circuit.suspend(this.permit)
  }

  protected override resumed(at: number): void {
    const waited = this.waited(at)
    this.circuit.resume(this.permit, waited - this.told)
    this.told = waited
  }
}

/** Tells a permit of the call's own what the call waits for its turn inside. */
export const measured = <A>(
  self: Effect.Effect<A, any, any>,
  fiber: AnyFiber,
  circuit: kernel.Circuit,
  permit: kernel.Permit
): Effect.Effect<A, any, any> =>
  permit.startedAt === undefined
    ? self
    : Effect.provideService(self, CurrentWaits, new CallWaits(fiber.getRef(CurrentWaits)?.waits, circuit, permit))
