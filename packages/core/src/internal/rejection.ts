import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Formatter from "effect/Formatter"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Fault from "../Fault.ts"

const yieldable: object = Effectable.Prototype<Effect.Effect<never, unknown>>({
  label: "Rejection",
  evaluate() {
    return Effect.fail<unknown>(this)
  }
})

const fieldsOf = (error: object): object => Object.fromEntries(Object.entries(error))

const headline = (error: Error): string => `${error.name}: ${error.message}`

/**
 * The base of the errors that policies make themselves: `instanceof Error`, yieldable, with a `stack` that is written when
 * someone reads it. Capturing a stack costs about 40 times the rest of a rejection, and a rejection is what a loaded
 * system does most.
 *
 * A subclass says what fault it is by `fault`. A computed key in each class would keep bundlers from leaving unused ones out.
 */
export const Rejection: abstract new() => Cause.YieldableError & Fault.Classified = (() => {
  function Rejection() {}
  Rejection.prototype = Object.create(Error.prototype, {
    ...Object.getOwnPropertyDescriptors(yieldable),
    name: {
      get(this: { readonly _tag: string }) {
        return this._tag
      }
    },
    stack: {
      get(this: Error) {
        return headline(this)
      },
      set(this: Error, stack: unknown) {
        Object.defineProperty(this, "stack", { value: stack, writable: true, configurable: true })
      }
    },
    toString: {
      value(this: Error) {
        return headline(this)
      }
    },
    toJSON: {
      value(this: Error) {
        return fieldsOf(this)
      }
    },
    [Fault.TypeId]: {
      get(this: { readonly fault: Fault.Fault }) {
        return this.fault
      }
    },
    [NodeInspectSymbol]: {
      value(this: Error) {
        return `${headline(this)} ${Formatter.format(fieldsOf(this))}`
      }
    }
  })
  return Rejection as any // a constructor function has no type that `extends` accepts
})()
