import * as Effect from "effect/Effect"
import { invalid } from "./options.ts"
import * as internal from "./policy.ts"
import type { AnyEffect } from "./primitive.ts"
import { Costly, type Limiter, Limiting, Settling, type State } from "./rateLimiterCalls.ts"
import type { Cost, Limit, Limits } from "./rateLimiterRules.ts"

const limitingOf = (policy: unknown): Limiting => internal.implementationOf<Limiting>(policy)

const availableOf = ({ limits }: State): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(limits).map(([name, { available }]) => [name, available]))

const RateLimiterProto = Object.create(internal.PolicyProto, {
  cost: {
    value(this: unknown, cost: Cost): unknown {
      const { limiter } = limitingOf(this)
      return internal.make(new Costly(limiter, limiter.dimensions.costsOf(cost)))
    }
  },
  settle: {
    value(this: unknown, estimate: Cost, actual: (value: any) => Cost | undefined): unknown {
      const { limiter } = limitingOf(this)
      if (typeof actual !== "function") throw invalid("RateLimiter.settle", "actual", actual, "a function")
      return internal.make(new Settling(limiter, limiter.dimensions.costsOf(estimate), actual))
    }
  },
  take: {
    value(this: unknown, cost: Cost = {}): AnyEffect {
      const limiting = limitingOf(this)
      return limiting.take(limiting.limiter.dimensions.costsOf(cost))
    }
  },
  available: {
    get(this: unknown): Effect.Effect<Readonly<Record<string, number>>> {
      return Effect.map(limitingOf(this).limiter.state, availableOf)
    }
  },
  state: {
    get(this: unknown): Effect.Effect<State> {
      return limitingOf(this).limiter.state
    }
  },
  reconfigure: {
    value(this: unknown, change: Limits | Limit): Effect.Effect<void> {
      const { limiter } = limitingOf(this)
      return limiter.change(limiter.dimensions.changesOf(change))
    }
  }
})

/** The policy that users hold, with the members of a rate limiter. */
export const makeRateLimiter = (limiter: Limiter): any => internal.make(new Limiting(limiter), RateLimiterProto)
