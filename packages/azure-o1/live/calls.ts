import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Api } from "../src/ModelProfile.ts"
import type { O1Completion } from "../src/O1Completion.ts"
import { type O1Error, O1ProtocolError } from "../src/O1Error.ts"
import type { O1Event } from "../src/O1Event.ts"

/** How one call of the client went. */
export interface Followed {
  readonly events: ReadonlyArray<O1Event>
  readonly error: O1Error | undefined
}

/** Such a call, and by which API it was made. */
export interface Call extends Followed {
  readonly api: Api
}

/** Reads a stream to its end, whatever that is. */
export const follow = (stream: Stream.Stream<O1Event, O1Error>): Effect.Effect<Followed> =>
  Effect.suspend(() => {
    const events: Array<O1Event> = []
    return Effect.match(Stream.runForEach(stream, (event) => Effect.sync(() => void events.push(event))), {
      onFailure: (error) => ({ events, error }),
      onSuccess: () => ({ events, error: undefined })
    })
  })

/** The answer of a call, or its error. */
export const callOf = ({ error, events }: Followed): Effect.Effect<O1Completion, O1Error> => {
  const finished = events.findLast((event) => event._tag === "Finished")
  return finished === undefined
    ? Effect.fail(error ?? new O1ProtocolError({ kind: "truncated" }))
    : Effect.succeed(finished.completion)
}
