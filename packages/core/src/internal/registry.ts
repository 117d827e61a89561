import * as Context from "effect/Context"
import { PolicyRegistry, type Report } from "../PolicyRegistry.ts"
import type { AnyFiber } from "./primitive.ts"

/** What of a policy's state is a metric, looked at when somebody wants to know. */
type GaugeName = "resilience.bulkhead.in_use" | "resilience.bulkhead.queued" | "resilience.limit"

/** A policy, or each of its parts, is in one of several states. Its gauge has a series for each of them. */
interface States<P> {
  readonly all: ReadonlyArray<string>
  /** how many are in a state */
  readonly count: (policy: P, state: string, at: number) => number
}

export type GaugesOf<P> =
  & { readonly [Name in GaugeName]?: (policy: P) => number }
  & {
    readonly [Name in "resilience.breaker.state" | "resilience.balancer.endpoints" | "resilience.limiter.mode"]?:
      States<P>
  }

/** Takes in the gauges of policies, weakly. */
export interface Gauges {
  /** There is a policy of this kind and name: its counters begin with zero. */
  readonly begin: (kind: string, name: string) => void
  readonly add: <P extends object>(policy: P, kind: string, name: string, gauges: GaugesOf<P>) => void
  /** Nobody can call through the policy any more, though it may be there for a while. */
  readonly remove: (policy: object) => void
}

/** Where policies that are made take their gauges: nowhere, unless somebody measures. */
export const CurrentGauges = Context.Reference<Gauges | undefined>(
  "@effect-resilience/core/Observability/CurrentGauges",
  { defaultValue: () => undefined }
)

/**
 * Enters a policy with a name into the registry of the fiber that makes it, if there is one, and its gauges into the metrics.
 * `policy` is what its callers hold as long as they can call through it, which may be less than what users were given: an
 * effect that a policy was put around holds its state only. `report` and `gauges` are given that, and must not hold it: no
 * policy is kept alive.
 */
export const register = <P extends object>(fiber: AnyFiber, policy: P, { gauges, kind, name, report }: {
  readonly kind: string
  readonly name: string | undefined
  readonly report: (policy: P, fiber: AnyFiber) => Report
  readonly gauges?: GaugesOf<P>
}): void => {
  if (name === undefined) return
  Context.getOrUndefined(fiber.context as Context.Context<any>, PolicyRegistry)?.register(
    policy,
    (policy, fiber) => ({ kind, name, state: report(policy as P, fiber) })
  )
  if (gauges === undefined) announce(fiber, kind, name)
  else fiber.getRef(CurrentGauges)?.add(policy, kind, name, gauges)
}

/** There is a policy of this kind and name: its counters begin with zero, if somebody measures. */
export const announce = (fiber: AnyFiber, kind: string, name: string | undefined): void => {
  if (name !== undefined) fiber.getRef(CurrentGauges)?.begin(kind, name)
}
