/** Looking after a prompt before it is sent: what could be better, what it costs, and how it fits. */
import { assistant, AzureO1, developer, type O1Request, Prompt, TokenCounter, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Console, Effect, Layer } from "effect"
import { deployment, main } from "./support/run.ts"

const stock = { warehouse: "north", items: [{ sku: "KX-1042", count: 12 }, { sku: "KX-2207", count: 0 }] }

const draft: O1Request = {
  messages: [
    developer("You answer questions about the stock. Let's think step by step. Answer in Markdown."),
    user(`Which items are sold out?\n\n${JSON.stringify(stock, null, 2)}`)
  ]
}

const improve = Effect.gen(function*() {
  const findings = yield* Prompt.lint(draft)
  for (const { rule, severity, tokensSaved } of findings) {
    yield* Console.log(`${severity}: ${rule}${tokensSaved === 0 ? "" : ` (about ${tokensSaved} tokens)`}`)
  }
  return Prompt.applyFixes(draft, findings)
})

const conversation = (turns: number): O1Request => ({
  messages: [
    developer("Be brief."),
    ...Array.from({ length: turns }, (_, i) => [user(`Question ${i + 1}?`), assistant(`Answer ${i + 1}.`)]).flat(),
    user("And now?")
  ]
})

const ask = (request: O1Request) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const { request: fitting, givenUp } = yield* Prompt.fit(request, { budget: 60, drop: Prompt.dropOldest })
    const answer = yield* o1.complete(fitting)
    // the next estimate is nearer to what the service counts
    yield* TokenCounter.observe(fitting, answer.usage)
    return `${answer.text} (${givenUp.length} messages given up)`
  })

export const program = Effect.gen(function*() {
  const improved = yield* improve
  for (const { content, role } of improved.messages) yield* Console.log(`${role}: ${JSON.stringify(content)}`)

  const { total } = yield* TokenCounter.countRequest(improved)
  const exact = yield* Effect.provide(TokenCounter.countRequest(improved), TokenCounter.layerExact)
  yield* Console.log(`estimated ${total} tokens, counted ${exact.total}`)

  yield* Console.log(yield* ask(conversation(10)))
}).pipe(
  Effect.provide(Layer.merge(
    TokenCounter.layerCalibrated(),
    deployment({ script: [FakeAzure.answer("Nothing new.")] })
  ))
)

main(import.meta, program)
