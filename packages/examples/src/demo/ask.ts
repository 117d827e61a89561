/** One call and one stream, with everything that happens to them on a timeline. */
import { AzureO1, type O1Completion, type O1Error, type O1Request } from "@effect-resilience/azure-o1"
import { Telemetry } from "@effect-resilience/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Screen } from "./Screen.ts"
import { describe, type Line, lineOf, seconds } from "./timeline.ts"

/** Draws lines with the time since it was made. */
export const timeline = Effect.gen(function*() {
  const { entry } = yield* Screen
  const clock = yield* Clock.Clock
  const start = clock.monotonicTimeNanosUnsafe()
  return (line: Line): Effect.Effect<void> =>
    Effect.suspend(() => {
      const at = seconds(Duration.nanos(clock.monotonicTimeNanosUnsafe() - start)).padStart(7)
      return entry({ ...line, at })
    })
})

/** The whole answer of a call, below what its policies did for it. */
export const complete = (request: O1Request): Effect.Effect<O1Completion, O1Error, AzureO1 | Screen> =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const { endParagraph, line, text } = yield* Screen
    const draw = yield* timeline
    const listen = Telemetry.listen((event) => {
      const drawn = lineOf(event)
      if (drawn !== undefined) Effect.runSync(draw(drawn))
    })
    const completion = yield* o1.complete(request).pipe(listen)
    yield* line()
    yield* text(completion.text)
    yield* endParagraph
    return completion
  })

/** The pieces of an answer as they came, and how it ended. */
export interface Streamed {
  readonly pieces: ReadonlyArray<string>
  readonly completion: O1Completion
}

/** An answer as it is made, with what happens to it in between. */
export const stream = (request: O1Request): Effect.Effect<Streamed, O1Error, AzureO1 | Screen> =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const { endParagraph, line, text } = yield* Screen
    const draw = yield* timeline
    const pieces: Array<string> = []
    let completion: O1Completion | undefined
    // the text stands apart from the timeline
    let open = false
    const tell = (entry: Line): Effect.Effect<void> =>
      Effect.gen(function*() {
        if (open) {
          yield* endParagraph
          yield* line()
        }
        open = false
        yield* draw(entry)
      })
    yield* o1.stream(request).pipe(
      Stream.runForEach((event) => {
        switch (event._tag) {
          case "Started":
            return tell({ mark: "→", who: "client", text: "asks" })
          case "Retrying":
            return tell({ mark: "✗", who: "client", text: `${describe(event.error)}; tries again` })
          case "Resumed":
            return Effect.gen(function*() {
              const after = `after token ${pieces.length}`
              yield* tell({ mark: "✗", who: "network", text: `${describe(event.error)} ${after}` })
              yield* tell({ mark: "→", who: "client", text: `connects again, and reads on ${after}` })
            })
          case "TextDelta":
            return Effect.gen(function*() {
              if (!open) yield* line()
              open = true
              pieces.push(event.text)
              yield* text(event.text)
            })
          case "Finished":
            completion = event.completion
            return tell({ mark: "✓", who: "client", text: "has the end, and knows that it is the end" })
          default:
            return Effect.void
        }
      })
    )
    // a stream that succeeds has finished
    return { pieces, completion: completion! }
  })
