/** A timeout per task: what a person waits for is short, what runs at night may take its time. */
import { AzureO1, type CallOptions, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Console, Effect } from "effect"
import { deployment, main } from "./support/run.ts"

/** A suggestion while somebody types: one quick attempt, or none. */
const suggestion: CallOptions = { timeout: "300 millis", retries: 0 }

/** A report overnight: each timeout doubles the time of the next attempt, up to an hour for all of it. */
const report: CallOptions = { timeout: "10 minutes", total: "1 hour", onTimeout: "escalate" }

const ask = (task: string, options: CallOptions) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const { text } = yield* o1.complete({ messages: [user(task)] }, options)
    yield* Console.log(`${task} ${text}`)
  }).pipe(
    Effect.catchTag("O1TimeoutError", (error) => Console.log(`${task} none: ${error.message}`))
  )

export const program = Effect.gen(function*() {
  yield* ask("Suggestion:", suggestion)
  yield* ask("Report:", report)
}).pipe(
  Effect.provide(deployment({
    script: [
      FakeAzure.answer("too late", { after: "5 seconds" }),
      FakeAzure.answer("all is well.", { after: "500 millis" })
    ]
  }))
)

main(import.meta, program)
