import type * as PolicyRegistry from "@effect-resilience/core/PolicyRegistry"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Deployment } from "./deployment.ts"
import { type Hour, hourName } from "./hour.ts"

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

/** The tokens of the last hour, and how many there may be. */
export const hourReportOf = (
  hour: Hour,
  { context }: { readonly context: Context.Context<never> }
): PolicyRegistry.Entry => {
  const spent = Effect.runSyncExitWith(context)(hour.spent)
  return {
    kind: "quota",
    name: hourName,
    state: { spent: Exit.isSuccess(spent) ? spent.value : null, tokensPerHour: hour.ceiling ?? null }
  }
}
