import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { O1Client } from "../O1Client.ts"
import type { O1Error } from "../O1Error.ts"
import type { O1Event } from "../O1Event.ts"
import { objectOf } from "./object.ts"

/** The text of a stream, and nothing else. */
export const tokensOf = (events: Stream.Stream<O1Event, O1Error>): Stream.Stream<string, O1Error> =>
  Stream.filterMap(events, (event) => event._tag === "TextDelta" ? Result.succeed(event.text) : Result.fail(undefined))

/** The client of its faces; those that can be made of others are. */
export const fromFaces = (faces: Omit<O1Client, "object">): O1Client => ({
  ...faces,
  object: objectOf(faces.complete)
})
