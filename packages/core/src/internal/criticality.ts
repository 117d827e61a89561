import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type Criticality, lower, rankOf, usual } from "../kernel/criticality.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"

/** How much the call matters that a fiber is part of. */
export const CurrentCriticality = Context.Reference<Criticality>("@effect-resilience/core/Criticality", {
  defaultValue: () => usual
})

/** Looked at only where a call has to wait or is told of. */
export const currentRank = (fiber: AnyFiber): number => rankOf(fiber.getRef(CurrentCriticality))

/** Says how much calls matter, or how much they matter at most. */
export class Carrying implements Implementation {
  private readonly criticality: Criticality
  private readonly atMost: boolean

  constructor(criticality: Criticality, atMost: boolean) {
    this.criticality = criticality
    this.atMost = atMost
  }

  get info(): PolicyInfo {
    const { atMost, criticality } = this
    return { kind: "criticality", settings: atMost ? { atMost: criticality } : { as: criticality }, children: [] }
  }

  /** What a call is inside. */
  of(outside: Criticality): Criticality {
    return this.atMost ? lower(outside, this.criticality) : this.criticality
  }

  effect(self: AnyEffect): AnyEffect {
    return Effect.withFiber((fiber) => {
      const outside = fiber.getRef(CurrentCriticality)
      const inside = this.of(outside)
      return inside === outside ? self : Effect.provideService(self, CurrentCriticality, inside)
    })
  }

  stream(self: AnyStream): AnyStream {
    return fromPull((scope) => Effect.map(this.effect(open(self, scope)), (pull: AnyPull) => this.effect(pull)))
  }
}
