// Each client does the same: a call, and a stream whose text is counted as it comes.
import { createAzure } from "@ai-sdk/azure"
import { AzureO1, ModelProfile, type O1Request, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { generateText, streamText } from "ai"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import OpenAI from "openai"

export interface Client {
  readonly name: string
  /** The length of the text of a whole answer, with a budget of tokens where there is one. */
  readonly call: (prompt: string, budget?: number) => Promise<number>
  /** The number of pieces, and their length together. */
  readonly stream: (prompt: string) => Promise<readonly [number, number]>
  readonly close: () => Promise<void>
}

const apiKey = "fake-key"
const deployment = "o1"

const ours = (url: string): Client => {
  const layer = Layer.effect(
    AzureO1,
    AzureO1.make({ endpoint: url, apiKey: Redacted.make(apiKey), deployment, profile: ModelProfile.o4Mini })
  ).pipe(Layer.provide(AzureO1Node.layerHttpClient))
  const runtime = ManagedRuntime.make(layer)
  const request = (prompt: string, maxCompletionTokens?: number): O1Request => ({
    messages: [user(prompt)],
    maxCompletionTokens
  })
  return {
    name: "azure-o1",
    call: (prompt, budget) =>
      runtime.runPromise(
        Effect.flatMap(AzureO1, (o1) => Effect.map(o1.complete(request(prompt, budget)), ({ text }) => text.length))
      ),
    stream: (prompt) =>
      runtime.runPromise(Effect.flatMap(AzureO1, (o1) =>
        Stream.runFold(
          o1.tokens(request(prompt)),
          (): readonly [number, number] => [0, 0],
          ([pieces, length], token) => [pieces + 1, length + token.length]
        ))),
    close: () => runtime.dispose()
  }
}

const openai = (url: string): Client => {
  const client = new OpenAI({ baseURL: `${url}/openai/v1`, apiKey, defaultHeaders: { "api-key": apiKey } })
  const body = (prompt: string) => ({ model: deployment, messages: [{ role: "user" as const, content: prompt }] })
  return {
    name: "openai",
    call: async (prompt, budget) => {
      const limit = budget === undefined ? {} : { max_completion_tokens: budget }
      const { choices } = await client.chat.completions.create({ ...body(prompt), ...limit })
      return choices[0]?.message.content?.length ?? 0
    },
    stream: async (prompt) => {
      let pieces = 0
      let length = 0
      const stream = await client.chat.completions.create({
        ...body(prompt),
        stream: true,
        stream_options: { include_usage: true }
      })
      for await (const chunk of stream) {
        const content = chunk.choices[0]?.delta.content
        if (content) {
          pieces++
          length += content.length
        }
      }
      return [pieces, length]
    },
    close: () => Promise.resolve()
  }
}

const aiSdk = (url: string): Client => {
  const model = createAzure({ baseURL: `${url}/openai/v1`, apiKey }).chat(deployment)
  return {
    name: "@ai-sdk/azure",
    call: async (prompt, budget) => {
      const limit = budget === undefined ? {} : { maxOutputTokens: budget }
      return (await generateText({ model, prompt, ...limit })).text.length
    },
    stream: async (prompt) => {
      let pieces = 0
      let length = 0
      for await (const text of streamText({ model, prompt }).textStream) {
        pieces++
        length += text.length
      }
      return [pieces, length]
    },
    close: () => Promise.resolve()
  }
}

export const clients = { "azure-o1": ours, openai, "@ai-sdk/azure": aiSdk } as const

export type ClientName = keyof typeof clients
