import * as Policy from "@effect-resilience/core/Policy"
import * as Effect from "effect/Effect"
import * as O1Call from "../O1Call.ts"
import { O1Error, O1TimeoutError } from "../O1Error.ts"
import { cooldownWith } from "./faults.ts"
import type { PolicyParts } from "./parts.ts"

/** The parts without any limit. */
export const unlimited: PolicyParts = {
  call: Policy.identity,
  attempt: () => Policy.identity,
  another: () => true,
  cooldown: cooldownWith(undefined)
}

/** The call as `O1Call` has it. */
export const plain: Policy.Policy<O1Error, O1Error> = Policy.make({
  info: { kind: "O1Call", settings: {}, children: [] },
  effect: O1Call.call
})

/** The same in its parts. */
export const plainParts: PolicyParts = {
  ...unlimited,
  call: Policy.make({
    info: { kind: "O1Call", settings: {}, children: [] },
    effect: Effect.retry({ schedule: O1Call.schedule, while: O1Error.isTransient })
  }),
  attempt: () =>
    Policy.make<O1Error, O1Error>({
      info: { kind: "timeout", settings: {}, children: [] },
      effect: Effect.timeoutOrElse({
        duration: "60 seconds",
        orElse: () => Effect.fail(O1TimeoutError.attempt("60 seconds"))
      })
    })
}
