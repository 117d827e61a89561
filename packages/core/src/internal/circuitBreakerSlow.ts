import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as kernel from "../kernel/circuitBreaker.ts"
import { CallFrame, type Recorder, type SlowCalls } from "./circuitBreakerRecorder.ts"
import * as frame from "./frame.ts"
import { CurrentWaits, type Measuring, Waits } from "./waits.ts"

/** The waits of a call that becomes a slow one if it does not answer. */
class CallWaits extends Waits {
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

/** A call whose permit is told what the call waits for its turn inside. */
class MeasuredFrame extends CallFrame implements Measuring {
  declare private readonly context: Context.Context<never>
  declare private made: Waits | undefined

  constructor(
    recorder: Recorder,
    permit: kernel.Permit,
    began: number | undefined,
    context: Context.Context<never>
  ) {
    super(recorder, permit, began)
    this.context = context
    this.made = undefined
  }

  get waits(): Waits {
    return this.made ??= new CallWaits(
      Context.get(this.context, CurrentWaits)?.waits,
      this.recorder.circuit,
      this.permit
    )
  }

  override [frame.contAll](fiber: frame.Internals): void {
    if (fiber.context !== this.context) fiber.setContext(this.context)
    super[frame.contAll](fiber)
  }
}

export const slowCalls: SlowCalls = {
  push: (fiber, recorder, permit, began) => {
    const { context } = fiber
    const measuring = new MeasuredFrame(recorder, permit, began, context)
    frame.push(fiber, measuring)
    frame.setContext(fiber, Context.add(context, CurrentWaits, measuring))
  },
  measured: (self, fiber, circuit, permit) =>
    Effect.provideService(self, CurrentWaits, new CallWaits(fiber.getRef(CurrentWaits)?.waits, circuit, permit))
}
