import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { emit } from "./emit.ts"
import * as Telemetry from "./events.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now } from "./time.ts"

/** Tells how a whole call ended, if somebody listens. */
export class ObservedCall extends Primitive {
  private readonly self: AnyEffect
  private readonly name: string

  constructor(self: AnyEffect, name: string) {
    super()
    this.self = self
    this.name = name
  }

  run(fiber: AnyFiber): AnyEffect {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined) return this.self
    const { name } = this
    const start = now(fiber)
    return Effect.onExitPrimitive(this.self, (exit) => {
      emit(listener, { _tag: "CallEnded", policy: "call", name, duration: Duration.millis(now(fiber) - start), exit })
      return undefined
    })
  }
}
