import type * as PolicyRegistry from "@effect-resilience/core/PolicyRegistry"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Deployment } from "./deployment.ts"

/** For a health endpoint, which waits for nobody: what is left is `null` where it is not known here and now. */
export const reportOf = (
  deployment: Deployment,
  { context }: { readonly context: Context.Context<never> }
): PolicyRegistry.Entry => {
  const remaining = Effect.runSyncExitWith(context)(deployment.limited.remaining)
  const { requests = null, tokens = null } = Exit.isSuccess(remaining) ? remaining.value : {}
  return {
    kind: "quota",
    name: deployment.name,
    state: {
      limits: {
        requests: deployment.limited.limits.requests ?? null,
        tokens: deployment.limited.limits.tokens ?? null
      },
      remaining: { requests, tokens },
      waiting: deployment.queue.byCaller()
    }
  }
}
