/**
 * The client as a language model of `effect/ai`: `generateText`, `streamText`, `generateObject`, `Toolkit` and `Chat` run on it,
 * and every turn of a conversation is a call of `AzureO1`, under its policy.
 *
 * **Details**
 *
 * The option `{ azureO1: { imageDetail: "low" } }` of an image tells how closely the model looks at it, and so what it costs:
 * `"auto"`, `"low"` or `"high"`. In the answer, `{ azureO1: { refusal: true } }` marks the text of a refusal.
 * `{ azureO1: { phase: "commentary" } }` marks what the model says on its way to the answer; such a part has the type
 * `reasoning`, so that nobody takes it for the answer. `{ azureO1: { items } }` holds what the service wants back in the next
 * turn: when you keep a conversation, keep the options of its parts, as `Chat` does.
 *
 * **Example** (A conversation with a tool)
 *
 * ```ts import.meta.vitest
 * import { AzureO1LanguageModel } from "@effect-resilience/azure-o1/ai"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 * import { Effect, Layer, Schema } from "effect"
 * import { Chat, Tool, Toolkit } from "effect/ai"
 *
 * const Tools = Toolkit.make(Tool.make("weather", {
 *   description: "The weather of a city, now.",
 *   parameters: Schema.Struct({ city: Schema.String }),
 *   success: Schema.String
 * }))
 * const tools = Tools.toLayer({ weather: ({ city }) => Effect.succeed(`${city}: 21 degrees`) })
 *
 * const program = Effect.gen(function*() {
 *   const chat = yield* Chat.fromPrompt("How warm is it in Oslo?")
 *   let answer = yield* chat.generateText({ prompt: [], toolkit: Tools })
 *   while (answer.toolCalls.length > 0) answer = yield* chat.generateText({ prompt: [], toolkit: Tools })
 *   return answer.text
 * })
 *
 * const call = { id: "call_1", name: "weather", arguments: "{\"city\":\"Oslo\"}" }
 * const test = AzureO1Test.layer([
 *   AzureO1Test.answer("", { completion: { toolCalls: [call], finishReason: "tool_calls" } }),
 *   AzureO1Test.answer("It is 21 degrees in Oslo.")
 * ])
 * const model = Layer.provide(AzureO1LanguageModel.layer(), test)
 * await Effect.runPromise(Effect.provide(program, [model, tools])) // => "It is 21 degrees in Oslo."
 * ```
 *
 * @since 0.1.0
 */
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../AzureO1.ts"
import type { O1Client } from "../O1Client.ts"
import type { O1Error } from "../O1Error.ts"
import { toAiError, toO1Error } from "./internal/errors.ts"
import { partsOf } from "./internal/parts.ts"
import { merged, type Settings } from "./internal/settings.ts"
import { StreamParts } from "./internal/streamParts.ts"
import { readingOf, type Turn, turnOf } from "./internal/turn.ts"

export type { Settings }

/**
 * Settings for a part of a program, over those that the model was made with: {@link withSettings}.
 *
 * @category services
 * @since 0.1.0
 */
export const CurrentSettings: Context.Reference<Settings> = Context.Reference<Settings>(
  "@effect-resilience/azure-o1/ai/CurrentSettings",
  { defaultValue: () => ({}) }
)

/**
 * The settings of all turns within an effect; what they leave out is as it was.
 *
 * **Example** (More effort for one question)
 *
 * ```ts
 * import { AzureO1LanguageModel } from "@effect-resilience/azure-o1/ai"
 * import { LanguageModel } from "effect/ai"
 *
 * export const proof = LanguageModel.generateText({ prompt: "Why are there infinitely many primes?" }).pipe(
 *   AzureO1LanguageModel.withSettings({ reasoningEffort: "high", call: { timeout: "5 minutes" } })
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withSettings: {
  (settings: Settings): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, settings: Settings): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, settings: Settings): Effect.Effect<A, E, R> =>
    Effect.updateService(self, CurrentSettings, (outer) => merged(outer, settings))
)

const languageModel = (o1: O1Client, settings: Settings): Effect.Effect<LanguageModel.LanguageModel> => {
  const turn = (
    method: "generateText" | "streamText",
    options: LanguageModel.ProviderOptions
  ): Effect.Effect<Turn, AiError.AiError> =>
    Effect.flatMap(CurrentSettings, (current) => turnOf(method, merged(settings, current), options))

  return LanguageModel.make({
    codecTransformer: toCodecOpenAI,
    supportsSystemMessagesInHistory: Effect.succeed(true),

    generateText: (options) =>
      Effect.flatMap(turn("generateText", options), (turn) =>
        Effect.flatMap(
          Effect.mapError(o1.complete(turn.request, turn.call), toAiError("generateText")),
          (completion) => Effect.map(readingOf(turn, completion), (calls) => partsOf(completion, calls))
        )),

    streamText: (options) =>
      Stream.unwrap(
        Effect.map(turn("streamText", options), (turn) =>
          o1.stream(turn.request, { ...turn.call, onBreak: "continue" }).pipe(
            Stream.mapError(toAiError("streamText")),
            Stream.mapAccumArrayEffect(() =>
              new StreamParts(), (parts, events) =>
              Effect.map(
                Effect.forEach(events, (event) =>
                  event._tag === "Finished"
                    ? Effect.map(readingOf(turn, event.completion), (calls) => parts.finish(event.completion, calls))
                    : Effect.succeed(parts.take(event))),
                (added) => [parts, added.flat()] as const
              ))
          ))
      )
  })
}

/**
 * The language model of the provided client, as a plain value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: Settings = {}): Effect.Effect<LanguageModel.LanguageModel, never, AzureO1> =>
  Effect.flatMap(AzureO1, (o1) => languageModel(o1, settings))

/**
 * The language model of the provided client.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: Settings = {}): Layer.Layer<LanguageModel.LanguageModel, never, AzureO1> =>
  Layer.effect(LanguageModel.LanguageModel, make(settings))

/**
 * {@link layer} as a `Model` of `effect/ai`, which an `ExecutionPlan` can take and which tells its names. The name is for the
 * program alone: the client decides which deployment answers.
 *
 * @category layers
 * @since 0.1.0
 */
export const model = (
  name: string,
  settings: Settings = {}
): Model.Model<"azure.ai.openai", LanguageModel.LanguageModel, AzureO1> =>
  Model.make("azure.ai.openai", name, layer(settings))

/**
 * The client's error behind one of `effect/ai`, with the history of the attempts, the text that had arrived and the token
 * that resumes the answer; `undefined` if it did not come from the client.
 *
 * @category getters
 * @since 0.1.0
 */
export const errorOf = (error: AiError.AiError): O1Error | undefined => toO1Error(error)
