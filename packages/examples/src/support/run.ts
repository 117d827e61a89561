import { AzureO1, type O1Policy } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { FakeAzure, type FakeAzureOptions } from "@effect-resilience/azure-o1/testing"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"

/** The deployment of the environment, or a fake one on loopback. */
export const deployment = (fake: FakeAzureOptions): Layer.Layer<AzureO1 | O1Policy, unknown> =>
  process.env.AZURE_OPENAI_ENDPOINT === undefined
    ? Layer.unwrap(Effect.map(FakeAzure, ({ config }) => AzureO1.layer(config))).pipe(
      Layer.provide(FakeAzure.layer(fake)),
      Layer.provide(AzureO1Node.layerHttpClient)
    )
    : AzureO1Node.layerConfig

/** Runs a program if its file is the one that Node was started with, and not if a test imports it. */
export const main = <E>(meta: ImportMeta, program: Effect.Effect<unknown, E>): void => {
  // what the client tells by the way would have a time in it
  const quiet = Effect.provideService(program, References.MinimumLogLevel, "Warn")
  if (process.argv[1] === meta.filename) NodeRuntime.runMain(quiet)
}
