import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { emit } from "./emit.ts"
import type { AnyStream } from "./establish.ts"
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
    const start = now(fiber)
    return Effect.onExitPrimitive(this.self, (exit) => {
      ended(fiber, listener, this.name, start, exit)
      return undefined
    })
  }
}

/** The same for a stream, from its opening to its end. */
export const observedStream = (self: AnyStream, name: string): AnyStream =>
  Stream.unwrap(Effect.withFiber((fiber) => {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined) return Effect.succeed(self)
    const start = now(fiber)
    return Effect.succeed(Stream.onExit(self, (exit) =>
      Effect.withFiber((fiber) => {
        ended(fiber, listener, name, start, exit)
        return Effect.void
      })))
  }))

const ended = (
  fiber: AnyFiber,
  listener: Telemetry.Listener,
  name: string,
  start: number,
  exit: Exit.Exit<unknown, unknown>
): void =>
  emit(fiber, listener, {
    _tag: "CallEnded",
    policy: "call",
    name,
    duration: Duration.millis(now(fiber) - start),
    exit
  })
