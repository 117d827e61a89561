import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Fiber from "effect/Fiber"

/** An effect or fiber whose type the code at hand does not look at. */
export type AnyEffect = Effect.Effect<any, any, any>
export type AnyFiber = Fiber.Fiber<any, any>

interface Run {
  run(fiber: AnyFiber): AnyEffect
}

/**
 * An effect that is evaluated by its own `run` method. A policy that keeps its state in such an object costs one
 * allocation per call, where `Effect.withFiber` costs a primitive, a closure and the closure's context.
 */
export const Primitive: abstract new() => AnyEffect = (() => {
  function Primitive() {}
  Primitive.prototype = Effectable.Prototype<AnyEffect>({
    label: "Policy",
    evaluate(fiber) {
      return (this as unknown as Run).run(fiber) // every subclass has `run`; a prototype cannot state that
    }
  })
  return Primitive as any // a constructor function has no type that `extends` accepts
})()

/** Starts an effect as a root fiber at once. It is nobody's child: its starter interrupts it. */
export const fork = (context: Context.Context<never>, self: AnyEffect): AnyFiber =>
  Effect.runForkWith(context as Context.Context<any>)(self)
