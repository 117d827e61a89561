import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { O1Error } from "../O1Error.ts"
import type { O1Policy } from "../O1Policy.ts"
import type { O1Transport } from "../O1Transport.ts"
import { Pool } from "../pool/pool.ts"
import { monotonic } from "../transport/asking.ts"
import { type Callee, forbidden } from "./client.ts"
import { factsOf } from "./facts.ts"

/** How long the service itself has asked to be left alone. */
const pauseIn = (error: O1Error): Duration.Duration | undefined => "retryAfter" in error ? error.retryAfter : undefined

/** One deployment: a pool in which nobody else can be asked. */
export const single = (policies: O1Policy["Service"], transport: O1Transport["Service"]): Callee => {
  const { deployment } = transport
  const pool = new Pool([deployment])

  return {
    name: deployment,
    deployment,
    serverOf: () => transport.server,
    problem: (request, options) => forbidden(request, options, transport),
    begin: (calling) => {
      const { asked, asking, call, options, raise, request } = calling
      const parts = policies.parts(request, { ...options, deployments: [deployment] })
      const attempt = parts.attempt(deployment)

      /** When this attempt begins, unless a call has to wait because another one was told to. */
      const begun: Effect.Effect<number, O1Error> = Effect.flatMap(monotonic, (begun) => {
        // reading what is being made is no new request
        const held = call.open === undefined ? pool.held(deployment, begun) : undefined
        if (held !== undefined) return Effect.fail(held)
        asking(deployment)
        call.others = {
          held: (now) => pool.held(deployment, now),
          failed: (error, now) => {
            const pause = pauseIn(error) === undefined ? undefined : parts.cooldown(error)
            if (pause !== undefined) pool.paused(deployment, error, pause, { begun, now })
          }
        }
        return Effect.succeed(begun)
      })
      const failed = (error: O1Error): Effect.Effect<never, O1Error> =>
        Effect.flatMap(monotonic, (now) => {
          call.others?.failed(error, now)
          return Effect.fail(raise(error))
        })

      return {
        policy: parts.call,
        complete: Effect.andThen(begun, attempt(Effect.catch(Effect.flatMap(asked, transport.complete), failed))),
        stream: Stream.unwrap(Effect.as(
          begun,
          attempt.stream(
            Stream.catch(
              Stream.unwrap(Effect.map(asked, transport.stream)),
              (error) => Stream.fromEffect(failed(error))
            )
          )
        ))
      }
    },
    resume: (token, options) => policies.forResume(options).stream(transport.resume(token)),
    cancel: transport.cancel,
    learned: factsOf([{ name: deployment, transport }], pool)
  }
}
