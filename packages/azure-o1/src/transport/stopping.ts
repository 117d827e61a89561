import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ResumeToken } from "../O1Completion.ts"
import { O1Error, O1TimeoutError } from "../O1Error.ts"
import { CurrentProgress } from "./progress.ts"
import * as reading from "./reading.ts"

/** Longer than this the service is not waited for. */
const limit = Duration.seconds(10)

const inTime = (self: Effect.Effect<void, O1Error>): Effect.Effect<void, O1Error> =>
  Effect.timeoutOrElse(self, {
    duration: limit,
    orElse: () => Effect.fail(new O1TimeoutError({ kind: "byte-idle", limit }))
  })

/** Tells the service to stop making a response, as often as {@link reading.stop} says. */
export const stop = (cancel: Effect.Effect<void, O1Error>, tries = 1): Effect.Effect<void, O1Error> =>
  Effect.catch(inTime(cancel), (error) => {
    const next = reading.stop(error, tries)
    if (next === "ended") return Effect.void
    return next === "given-up"
      ? Effect.fail(error)
      : Effect.delay(Effect.suspend(() => stop(cancel, tries + 1)), Duration.millis(next.pause))
  })

/** The same where nobody waits for it: whether the service has taken it. That it has not is told. */
export const stopQuietly = (
  cancel: Effect.Effect<void, O1Error>,
  token: () => ResumeToken
): Effect.Effect<boolean> =>
  stop(cancel).pipe(
    Effect.as(true),
    Effect.catch((error) =>
      Effect.gen(function*() {
        const tell = yield* CurrentProgress
        const resume = token()
        tell?.({ _tag: "CancelFailed", resume, error })
        yield* Effect.logWarning(
          `The response ${resume.responseId} of the deployment "${resume.deployment}" could not be cancelled, and may go on: ${
            O1Error.label(error)
          }`
        )
        return false
      })
    )
  )
