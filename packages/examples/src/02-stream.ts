/** A stream: tokens as they arrive, the progress meanwhile, and what is left when it breaks. */
import { AzureO1, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Console, Duration, Effect, Stream } from "effect"
import { deployment, main } from "./support/run.ts"

const render = (prompt: string) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    yield* o1.stream({ messages: [user(prompt)] }).pipe(
      Stream.runForEach((event) => {
        switch (event._tag) {
          case "Started":
            return Console.log(`[asked, by ${event.transport}]`)
          case "Waiting":
            return Console.log(`[still thinking, ${Duration.format(event.elapsed)}]`)
          case "Retrying":
            return Console.log(`[${event.error._tag}, trying again]`)
          case "TextDelta":
            return Console.log(event.text)
          case "Finished":
            return Console.log(`[${event.completion.finishReason}]`)
          default:
            return Effect.void
        }
      }),
      // after the first content nothing is started again: the text so far is in the error
      Effect.catch((error) => Console.log(`[${error._tag} after "${error.partialText}"]`))
    )
  })

export const program = Effect.gen(function*() {
  yield* render("Count to three.")
  yield* render("Count to four.")
}).pipe(
  Effect.provide(deployment({
    script: [
      FakeAzure.broken("reset", 0),
      FakeAzure.answer("one two three", { every: "20 millis" }),
      FakeAzure.broken("truncate", 2, FakeAzure.answer("one two three four"))
    ]
  }))
)

main(import.meta, program)
