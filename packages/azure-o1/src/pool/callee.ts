import type * as Hedge from "@effect-resilience/core/Hedge"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Callee, forbidden } from "../client/client.ts"
import { factsOf } from "../client/facts.ts"
import type { ResumeToken } from "../O1Completion.ts"
import { type O1Error, O1RequestError } from "../O1Error.ts"
import type { O1Policy } from "../O1Policy.ts"
import { HedgedRun } from "./hedged.ts"
import { keepersOf, resumeFrom } from "./keepers.ts"
import type { Pool } from "./pool.ts"
import { Run } from "./run.ts"

/** A client of several deployments, of which the set may change. */
export const calleeOf = (policies: O1Policy["Service"], pool: Pool, hedge: Hedge.Hedge | undefined): Callee => {
  const transports = () => Arr.map(pool.members, ({ transport }) => transport)

  /** A response is kept only where it was made. Where that may have been a member that is gone, the error says so. */
  const goneWith = (token: ResumeToken): O1RequestError | undefined => {
    const former = pool.formerOf(token?.deployment)
    return former === undefined ? undefined : new O1RequestError({
      kind: "response-not-found",
      deployment: former,
      detail: `Its member ${JSON.stringify(former)} was removed from the pool, and no other one keeps it`
    })
  }

  const explained = (token: ResumeToken) => (error: O1Error): O1Error =>
    error._tag === "O1RequestError" && error.kind === "response-not-found" ? goneWith(token) ?? error : error

  /** Those that may keep a response, unless nobody can. */
  const keepers = (token: ResumeToken): Effect.Effect<ReturnType<typeof keepersOf>, O1RequestError> =>
    Effect.suspend(() => {
      const all = transports()
      const gone = all.some(({ deployment }) => deployment === token?.deployment) ? undefined : goneWith(token)
      return gone === undefined ? Effect.succeed(keepersOf(token, all)) : Effect.fail(gone)
    })

  return {
    get name() {
      return pool.members.map(({ name }) => name).join(", ")
    },
    deployment: undefined,
    serverOf: (deployment) => pool.members.find(({ name }) => name === deployment)?.transport.server,
    problem: (request, options) => {
      const problems = pool.members.map(({ transport }) => forbidden(request, options, transport))
      return problems.includes(undefined) ? undefined : problems[0]
    },
    begin: (calling) => {
      const deployments = Arr.map(pool.members, ({ name }) => name)
      const parts = policies.parts(calling.request, { ...calling.options, deployments })
      const several = new Set(pool.members.map(({ region }) => region)).size > 1
      const run = hedge !== undefined && several
        ? new HedgedRun(pool, parts, calling, hedge)
        : new Run(pool, parts, calling)
      return { policy: parts.call, complete: run.complete, stream: run.stream }
    },
    resume: (token, options) =>
      policies.forResume(options).stream(
        Stream.mapError(
          Stream.unwrap(Effect.map(keepers(token), (keepers) => resumeFrom(token, keepers))),
          explained(token)
        )
      ),
    cancel: (token) =>
      Effect.mapError(
        Effect.flatMap(
          keepers(token),
          (keepers) => Effect.firstSuccessOf(Arr.map(keepers, ({ cancel }) => cancel(token)))
        ),
        explained(token)
      ),
    learned: Effect.suspend(() => factsOf(pool.members, (now) => pool.facts(now)))
  }
}
