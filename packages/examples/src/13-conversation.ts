/** A conversation with tools, twice: by hand, and with `Chat` of `effect/ai`, whole and as a stream. */
import { AzureO1, Message, tool, toolResult, user } from "@effect-resilience/azure-o1"
import { AzureO1LanguageModel } from "@effect-resilience/azure-o1/ai"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Chat, Tool, Toolkit } from "effect/ai"
import { deployment, main } from "./support/run.ts"

const stock: Record<string, number> = { lamp: 12, chair: 0 }

const count = tool("count", {
  description: "How many of an item there are.",
  parameters: Schema.Struct({ item: Schema.String })
})

/** By hand: what the model asks for is done, and told, until it has an answer. */
const byHand = (history: Array<Message>) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    while (true) {
      const answer = yield* o1.complete({ messages: history, tools: [count] })
      history.push(Message.fromCompletion(answer))
      if (answer.toolCalls.length === 0) return answer.text
      for (const call of answer.toolCalls) {
        const { item } = yield* count.decode(call)
        yield* Console.log(`[counting ${item}]`)
        history.push(toolResult(call.id, String(stock[item] ?? "no such item")))
      }
    }
  })

const Tools = Toolkit.make(
  Tool.make("count", {
    description: "How many of an item there are.",
    parameters: Schema.Struct({ item: Schema.String }),
    success: Schema.Number,
    // what the tool fails with is told to the model, and not to the program
    failure: Schema.String,
    failureMode: "return"
  })
)

const tools = Tools.toLayer({
  count: ({ item }) => {
    const there = stock[item]
    return Effect.andThen(
      Console.log(`[counting ${item}]`),
      there === undefined ? Effect.fail("no such item") : Effect.succeed(there)
    )
  }
})

/** With `Chat`, which keeps the history and calls the tools. */
const withChat = Effect.gen(function*() {
  const chat = yield* Chat.fromPrompt([{ role: "system", content: "You know the stock." }])
  let answer = yield* chat.generateText({ prompt: "How many tables are there?", toolkit: Tools })
  while (answer.toolCalls.length > 0) answer = yield* chat.generateText({ prompt: [], toolkit: Tools })
  yield* Console.log(answer.text)

  yield* chat.streamText({ prompt: "And in one word?", toolkit: Tools }).pipe(
    Stream.runForEach((part) => part.type === "text-delta" ? Console.log(part.delta) : Effect.void)
  )
})

const model = Layer.provideMerge(
  AzureO1LanguageModel.layer({ reasoningEffort: "low" }),
  deployment({
    script: [
      FakeAzure.toolCalls([
        { name: "count", arguments: { item: "lamp" } },
        { name: "count", arguments: { item: "chair" } }
      ]),
      FakeAzure.answer("There are 12 lamps and no chairs."),
      FakeAzure.toolCalls([{ name: "count", arguments: { item: "table" } }]),
      FakeAzure.answer("There is no such item."),
      FakeAzure.answer(["No", "ne"])
    ]
  })
)

export const program = Effect.gen(function*() {
  yield* Console.log(yield* byHand([user("How many lamps and chairs are there?")]))
  yield* withChat
}).pipe(Effect.provide([model, tools]))

main(import.meta, program)
