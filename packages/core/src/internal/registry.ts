import * as Context from "effect/Context"
import { PolicyRegistry, type Report } from "../PolicyRegistry.ts"
import type { AnyFiber } from "./primitive.ts"

/**
 * Enters a policy with a name into the registry of the fiber that makes it, if there is one. `report` is given the policy,
 * and must not hold it: the registry keeps no policy alive.
 */
export const register = <P extends object>(fiber: AnyFiber, policy: P, { kind, name, report }: {
  readonly kind: string
  readonly name: string | undefined
  readonly report: (policy: P, fiber: AnyFiber) => Report
}): void => {
  if (name === undefined) return
  Context.getOrUndefined(fiber.context as Context.Context<any>, PolicyRegistry)?.register(
    policy,
    (policy, fiber) => ({ kind, name, state: report(policy as P, fiber) })
  )
}
