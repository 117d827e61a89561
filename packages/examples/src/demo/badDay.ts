/** A deployment on a bad day: a server on loopback that follows a script of faults. */
import { AzureO1, O1Policy, type O1PolicySettings, O1Transport } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** How much shorter the limits are than those of production. */
export const scale = 60

const settings: O1PolicySettings = {
  timeout: { low: "1 second", medium: "1 second", high: "2 seconds" },
  backoff: "400 millis",
  throttledWait: "500 millis",
  retryAfterCap: "2 seconds",
  total: "15 seconds",
  idle: "2 seconds"
}

const blueSky =
  "Sunlight holds all colours. The molecules of the air scatter the short waves of blue far more than the long " +
  "ones of red, so that from every part of the sky it is mostly blue that reaches your eyes."

const redSunset =
  "In the evening the light comes in low and crosses much more air. On the way nearly all of the blue is " +
  "scattered aside; what is left is the orange and the red of the sunset."

/** One call through a bad day, and one stream that loses its connection before the first token. */
const script = [
  FakeAzure.status(429, { retryAfter: "800 millis" }),
  FakeAzure.status(503),
  FakeAzure.stall,
  FakeAzure.answer(blueSky, { after: "700 millis", reasoningTokens: 448 }),
  FakeAzure.broken("reset", 0),
  FakeAzure.answer(redSunset, { after: "300 millis", every: "35 millis", reasoningTokens: 320 })
]

/** The client of that deployment, with limits scaled down. */
export const layer: Layer.Layer<AzureO1 | O1Policy | FakeAzure> = Layer.unwrap(
  Effect.map(FakeAzure, ({ config }) =>
    AzureO1.layerServices.pipe(
      Layer.provideMerge(O1Policy.layerWith(settings)),
      Layer.provide(O1Transport.layer(config)),
      Layer.provide(AzureO1Node.layerHttpClient)
    ))
).pipe(Layer.provideMerge(FakeAzure.layer({ script })))
