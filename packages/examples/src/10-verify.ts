/** Before the first call: whether the deployment is what the configuration says, as a report and as a condition of starting. */
import { AzureO1, AzureO1Config, ModelProfile, Verify, verifyDeployment } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Console, Effect, Layer } from "effect"
import { main } from "./support/run.ts"

const verify = (config: AzureO1Config.AzureO1Config) =>
  Effect.gen(function*() {
    const report = yield* verifyDeployment(config, {
      // a small question, that costs some hundred tokens: "cheap", the default, costs none
      probe: "real",
      typicalRequest: { promptTokens: 2000, maxCompletionTokens: 25_000 }
    })
    yield* Console.log(Verify.format(report))

    // the client is made only if its deployment is fit
    const misspelt = { ...config, deployment: `${config.deployment}-misspelt` }
    const client = Layer.provide(AzureO1.layer(misspelt), Verify.layer(misspelt))
    yield* Effect.scoped(Layer.build(client)).pipe(
      Effect.catchTag("DeploymentUnfit", (error) => Console.log(`\n${error.message}`))
    )
  })

const onFake = Effect.flatMap(FakeAzure, ({ config }) => verify({ ...config, profile: ModelProfile.gpt51 })).pipe(
  Effect.provide(FakeAzure.layer({
    model: "gpt-5.1-2025-11-13",
    script: [
      FakeAzure.answer("ready", {
        headers: { "x-ratelimit-limit-requests": "10", "x-ratelimit-limit-tokens": "10000" }
      })
    ]
  }))
)

const onAzure = Effect.flatMap(AzureO1Config.config, verify)

export const program = (process.env.AZURE_OPENAI_ENDPOINT === undefined ? onFake : onAzure).pipe(
  Effect.provide([AzureO1Node.layerHttpClient, AzureO1Node.layerNetwork])
)

main(import.meta, program)
