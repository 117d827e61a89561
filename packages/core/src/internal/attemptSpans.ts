import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { outcomeLabel } from "../kernel/labels.ts"
import type { AttemptSpans } from "./currentSpans.ts"

export const attemptSpans: AttemptSpans = {
  open: (call, policy, name, attempt) => {
    const attributes = { policy, attempt, ...name === undefined ? {} : { name } }
    const span = Effect.runSyncWith(call)(Effect.makeSpan("resilience.attempt", { attributes }))
    return {
      span,
      end: (exit, fault) => {
        // a tracer is not ours, and this is told from inside of timers and finalizers
        try {
          span.attribute("outcome", outcomeLabel(fault))
          span.end(Context.get(call, Clock.Clock).currentTimeNanosUnsafe(), exit)
        } catch {
          // watching a call cannot change its outcome
        }
      }
    }
  }
}
