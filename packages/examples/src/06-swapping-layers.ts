/**
 * A program that names services and leaves it to layers what they are. `test/06-swapping-layers.test.ts` is what its own
 * tests look like: with the client mocked, and with the wire mocked under the real policy.
 */
import { AzureO1, AzureO1Config, O1Policy, O1Transport, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Console, Effect, Layer } from "effect"
import { main } from "./support/run.ts"

/** The program's own code. */
export const summarize = (text: string) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const answer = yield* o1.complete({ messages: [user(`Summarize:\n---\n${text}\n---`)] })
    return answer.finishReason === "length" ? `${answer.text} [cut off]` : answer.text
  }).pipe(
    Effect.catchTag("O1ContentFilterError", () => Effect.succeed("[not summarized]"))
  )

/** In production. */
export const live = AzureO1Node.layerConfig

/** In production, with other settings for the policy. */
export const patient = Layer.unwrap(Effect.map(AzureO1Config.config, (config) =>
  AzureO1.layerServices.pipe(
    Layer.provide(O1Policy.layerWith({ timeout: { high: "5 minutes" }, total: "30 minutes" })),
    Layer.provide(O1Transport.layer(config)),
    Layer.provide(AzureO1Node.layerHttpClient)
  )))

/** On the developer's machine, without a deployment. */
export const local = Layer.unwrap(Effect.map(FakeAzure, ({ config }) => AzureO1Node.layer(config))).pipe(
  Layer.provide(FakeAzure.layer({ script: [FakeAzure.answer("It is about layers.")] }))
)

export const program = summarize("Layers are recipes for services.").pipe(
  Effect.flatMap(Console.log),
  Effect.provide(process.env.AZURE_OPENAI_ENDPOINT === undefined ? local : live)
)

main(import.meta, program)
