import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { AzureO1Config } from "../src/AzureO1Config.ts"
import { FakeAzure, type Reply } from "../src/testing/index.ts"
import { prompts } from "./prompts.ts"
import type { Target } from "./target.ts"

const numbers = Array.from({ length: 20 }, (_, i) => i === 0 ? "1" : ` ${i + 1}`)

/** What the model of the service answers to what the checks ask. */
export const replyTo = (body: unknown, filterPrompt: string | undefined): Reply => {
  const asked = JSON.stringify(body)
  if (asked.includes(prompts.count)) return FakeAzure.answer(numbers, { think: "20 millis", every: "5 millis" })
  if (asked.includes(prompts.long)) return FakeAzure.answer("Take some spruce.", { think: "10 minutes" })
  if (asked.includes("get_weather")) {
    return FakeAzure.toolCalls([{ name: "get_weather", arguments: { city: "Oslo" }, id: "call_1" }])
  }
  if (filterPrompt !== undefined && asked.includes(JSON.stringify(filterPrompt))) return FakeAzure.promptFiltered()
  return FakeAzure.answer("ready")
}

/** A FakeAzure of the same model, and the configuration of it. */
export const twin = ({ allowed, profile }: Target): Effect.Effect<AzureO1Config, never, Scope.Scope> =>
  Effect.map(
    Layer.build(FakeAzure.layer({
      model: profile.models[0] ?? profile.name,
      streams: profile.streaming !== "no",
      background: profile.background,
      responses: profile.apis.includes("responses"),
      readableAfter: "300 millis",
      filterMode: "default",
      tokens: allowed.token === undefined ? [] : [allowed.token],
      limits: { requestsPerMinute: 100_000, tokensPerMinute: 100_000_000 },
      reply: (body) => replyTo(body, allowed.filterPrompt)
    })),
    (context) => Context.get(context, FakeAzure).config
  )
