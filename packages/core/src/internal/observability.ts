import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { emit } from "./emit.ts"
import type { AnyStream } from "./establish.ts"
import * as Telemetry from "./events.ts"
import * as frame from "./frame.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"

/** A call that somebody is told of. */
class Call extends frame.ExitFrame {
  private readonly listener: Telemetry.Listener
  private readonly name: string
  private readonly start: number

  constructor(listener: Telemetry.Listener, name: string, start: number) {
    super()
    this.listener = listener
    this.name = name
    this.start = start
  }

  protected succeeded(fiber: AnyFiber, value: unknown): void {
    this.ended(fiber, Exit.succeed(value))
  }

  protected failed(fiber: AnyFiber, exit: Exit.Exit<never, unknown>): void {
    this.ended(fiber, exit)
  }

  ended(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void {
    const { listener, name, start } = this
    const duration = Duration.millis(now(fiber) - start)
    emit(fiber, listener, { _tag: "CallEnded", policy: "call", name, duration, exit })
  }
}

/** Tells how a whole call ended, if somebody listens. */
export class ObservedCall extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly name: string

  constructor(self: AnyEffect, name: string) {
    super()
    this.self = self
    this.name = name
  }

  enter(fiber: AnyFiber, at: number): AnyEffect {
    const { name, self } = this
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined) return frame.proceed(self, fiber, at)
    const start = at === frame.unread ? now(fiber) : at
    const call = new Call(listener, name, start)
    if (frame.supported()) {
      frame.push(fiber, call)
      return frame.proceed(self, fiber, start)
    }
    return Effect.onExitPrimitive(self, (exit) => {
      call.ended(fiber, exit)
      return undefined
    })
  }
}

/** The same for a stream, from its opening to its end. */
export const observedStream = (self: AnyStream, name: string): AnyStream =>
  Stream.unwrap(Effect.withFiber((fiber) => {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined) return Effect.succeed(self)
    const call = new Call(listener, name, now(fiber))
    return Effect.succeed(Stream.onExit(self, (exit) =>
      Effect.withFiber((fiber) => {
        call.ended(fiber, exit)
        return Effect.void
      })))
  }))
