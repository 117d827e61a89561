import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { O1Error } from "../O1Error.ts"
import type { O1Policy } from "../O1Policy.ts"
import type { O1Transport } from "../O1Transport.ts"
import { monotonic } from "../transport/asking.ts"
import { type Callee, forbidden } from "./client.ts"
import { factsOf } from "./facts.ts"
import { Pause } from "./pause.ts"

/** How long the service itself has asked to be left alone. */
const pauseIn = (error: O1Error): Duration.Duration | undefined => "retryAfter" in error ? error.retryAfter : undefined

/** One deployment, whose pauses all callers keep. */
export const single = (policies: O1Policy["Service"], transport: O1Transport["Service"]): Callee => {
  const { deployment } = transport
  const pause = new Pause()

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
        const held = call.open === undefined ? pause.held(begun) : undefined
        if (held !== undefined) return Effect.fail(held)
        asking(deployment)
        call.others = {
          held: (now) => pause.held(now),
          failed: (error, now) => {
            const asked = pauseIn(error) === undefined ? undefined : parts.cooldown(error)
            if (asked !== undefined) pause.refused(error, asked, { begun, now })
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
    learned: factsOf(
      [{ name: deployment, transport }],
      (now) => [pause.fact(deployment, now)].filter((fact) => fact !== undefined)
    )
  }
}
