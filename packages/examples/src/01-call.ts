/** One call: ask, and tell timeout, rate limit and server errors apart by their types. */
import { AzureO1, developer, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Console, Effect } from "effect"
import { deployment, main } from "./support/run.ts"

const ask = Effect.gen(function*() {
  const o1 = yield* AzureO1
  const { text, usage } = yield* o1.complete({
    messages: [developer("Answer in one sentence."), user("Why is the sky blue?")],
    reasoningEffort: "low",
    maxCompletionTokens: 25_000
  })
  yield* Console.log(text)
  yield* Console.log(`(${usage?.reasoning ?? 0} tokens of reasoning)`)
})

export const program = ask.pipe(
  Effect.catchTags({
    O1TimeoutError: (error) => Console.log(`Too slow: ${error.message}`),
    O1RateLimitError: (error) => Console.log(`Too much: ${error.message}`),
    O1ServerError: (error) => Console.log(`Down: ${error.message}`)
  }),
  Effect.provide(deployment({
    script: [
      FakeAzure.status(503),
      FakeAzure.answer("Because air scatters blue light more than red.", { reasoningTokens: 128 })
    ]
  }))
)

main(import.meta, program)
