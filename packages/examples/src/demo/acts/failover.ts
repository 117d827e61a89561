/** A second deployment that takes over, and gives back. */
import { AzureO1, type O1Error, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { timeline } from "../ask.ts"
import { clientOf, fake, patient, scaled } from "../deployment.ts"
import { describe, type Line } from "../timeline.ts"
import type { Act } from "./Act.ts"

const call = (number: number, draw: (line: Line) => Effect.Effect<void>): Effect.Effect<string, O1Error, AzureO1> =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const who = `call ${number}`
    let answer = ""
    yield* o1.stream({ messages: [user("Where are you?")] }).pipe(
      Stream.runForEach((event) => {
        if (event._tag === "Finished") answer = event.completion.text
        return event._tag === "FailedOver"
          ? draw({ mark: "✗", who, text: `${event.from}: ${describe(event.error)}; ${event.to} takes over` })
          : Effect.void
      })
    )
    yield* draw({ mark: "✓", who, text: answer })
    return answer
  })

export const failover: Act = {
  title: "A second deployment that takes over",
  question: undefined,
  about: "Two deployments, east before west. East asks for a pause in the middle of the day.",
  run: ({ fast }) =>
    Effect.gen(function*() {
      const pause = yield* scaled("1 minute")
      const east = yield* fake({
        deployment: "east",
        script: [FakeAzure.answer("East answers."), FakeAzure.status(429, { retryAfter: pause })],
        reply: () => FakeAzure.answer("East answers again.")
      })
      const west = yield* fake({ deployment: "west", reply: () => FakeAzure.answer("West answers.") })
      const client = yield* clientOf([east.config, west.config], patient)
      const draw = yield* timeline
      const one = (number: number) => Effect.provide(call(number, draw), client)
      const beat = Effect.sleep(fast ? 0 : "300 millis")

      const answers = [yield* one(1)]
      yield* beat
      answers.push(yield* one(2))
      yield* beat
      const before = (yield* east.requests).length
      answers.push(yield* one(3))
      const spared = (yield* east.requests).length === before
      yield* draw({ mark: "…", who: "client", text: "leaves east alone for as long as it asked" })
      yield* Effect.sleep(pause)
      yield* Effect.sleep("10 millis")
      answers.push(yield* one(4))
      const expected = ["East answers.", "West answers.", "West answers.", "East answers again."]
      return {
        shown: spared && answers.every((answer, i) => answer === expected[i]),
        seen: `${answers.length} calls, ${answers.length} answers. Call 2 moved to west at once, call 3 ${
          spared ? "did not even ask east" : "asked east once more"
        }, and call 4 went back to the preferred one.`
      }
    })
}
