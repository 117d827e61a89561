import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Knowledge } from "../kernel/keyed.ts"
import type * as kernel from "../kernel/rateLimiter.ts"
import { type AnyStream, fromPull, open } from "./establish.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import type { Change, Cost, Dimensions } from "./rateLimiterRules.ts"

/** What a call was charged. */
export interface Charge {
  costsOf(actual: Cost): kernel.Costs
  settleUnsafe(fiber: AnyFiber, actual: kernel.Costs): void
}

export interface State {
  readonly waiting: number
  readonly limits: Readonly<Record<string, { readonly available: number; readonly capacity: number }>>
}

/** What calls are let through by, wherever it keeps its state. */
export interface Limiter {
  readonly name: string | undefined
  readonly settings: PolicyInfo["settings"]
  readonly dimensions: Dimensions
  /** Goes on with `self` once there is room, and without it with the charge. */
  enter(fiber: AnyFiber, costs: kernel.Costs, self: AnyEffect | undefined): AnyEffect
  readonly state: Effect.Effect<State>
  change(changes: ReadonlyArray<Change>): Effect.Effect<void>
  knowledge(at: number): Knowledge
}

/** Without a callee of its own it gives the charge. */
class LimitedEffect extends Primitive {
  private readonly self: AnyEffect | undefined
  private readonly limiter: Limiter
  private readonly costs: kernel.Costs

  constructor(self: AnyEffect | undefined, limiter: Limiter, costs: kernel.Costs) {
    super()
    this.self = self
    this.limiter = limiter
    this.costs = costs
  }

  run(fiber: AnyFiber): AnyEffect {
    return this.limiter.enter(fiber, this.costs, this.self)
  }
}

/** Lets calls of one cost through. */
export class Limiting<L extends Limiter = Limiter> implements Implementation {
  readonly limiter: L
  readonly costs: kernel.Costs

  constructor(limiter: L, costs: kernel.Costs = limiter.dimensions.once) {
    this.limiter = limiter
    this.costs = costs
  }

  get instance(): object {
    return this.limiter
  }

  get info(): PolicyInfo {
    const { name, settings } = this.limiter
    return { kind: "rate-limiter", name, settings: { ...this.shown, ...settings }, children: [] }
  }

  protected get shown(): PolicyInfo["settings"] {
    return {}
  }

  effect(self: AnyEffect): AnyEffect {
    return new LimitedEffect(self, this.limiter, this.costs)
  }

  stream(self: AnyStream): AnyStream {
    return fromPull((scope) => this.effect(open(self, scope)))
  }

  /** Charges without a call. */
  take(costs = this.costs): AnyEffect {
    return new LimitedEffect(undefined, this.limiter, costs)
  }

  knowledge(at: number): Knowledge {
    return this.limiter.knowledge(at)
  }
}

/** The same for calls that say what they cost. */
export class Costly extends Limiting {
  protected override get shown(): PolicyInfo["settings"] {
    return { cost: this.limiter.dimensions.describe(this.costs) }
  }
}

/** The same for calls that are charged with an estimate and tell their cost with the result. */
export class Settling extends Costly {
  private readonly charge: Effect.Effect<Charge, any, any>
  readonly actual: (value: any) => Cost | undefined

  constructor(limiter: Limiter, costs: kernel.Costs, actual: (value: any) => Cost | undefined) {
    super(limiter, costs)
    this.charge = this.take()
    this.actual = actual
  }

  override effect(self: AnyEffect): AnyEffect {
    return Effect.flatMap(this.charge, (charged) =>
      Effect.onExitPrimitive(self, (exit) => {
        const cost = Exit.isSuccess(exit) ? this.actual(exit.value) : undefined
        if (cost !== undefined) charged.settleUnsafe(Fiber.getCurrent()!, charged.costsOf(cost))
        return undefined
      }))
  }

  override stream(self: AnyStream): AnyStream {
    return fromPull((scope) =>
      Effect.flatMap(this.charge, (charged) => {
        let said: kernel.Costs | undefined
        const settle = (fiber: AnyFiber): undefined => {
          if (said !== undefined) charged.settleUnsafe(fiber, said)
        }
        const listen = (exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): undefined => {
          if (Exit.isFailure(exit)) return settle(Fiber.getCurrent()!)
          for (const element of exit.value) {
            const cost = this.actual(element)
            if (cost !== undefined) said = charged.costsOf(cost)
          }
        }
        // for a consumer that stops early
        const end = Effect.withFiber((fiber) => {
          settle(fiber)
          return Effect.void
        })
        return Effect.andThen(
          Scope.addFinalizer(scope, end),
          Effect.map(open(self, scope), (pull) => Effect.onExitPrimitive(pull, listen))
        )
      })
    )
  }
}
