import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Error } from "../../src/O1Error.ts"
import { O1Policy, type O1PolicySettings } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { FakeAzure, type FakeAzureOptions } from "../../src/testing/index.ts"
import { request } from "./harness.ts"

/** The production policy with short waits, and limits that a slow machine does not reach. */
export const patient: O1PolicySettings = {
  timeout: { low: "20 seconds", medium: "20 seconds", high: "20 seconds" },
  backoff: "5 millis",
  throttledWait: "20 millis",
  retryAfterCap: "200 millis",
  idle: "20 seconds",
  breaker: { failures: 50 }
}

/** Where the limits are what is tested: the other side says nothing, however long it takes. */
export const impatient: O1PolicySettings = { ...patient, timeout: { medium: "1 second" }, idle: "1 second" }

const client = (config: AzureO1Config, settings: O1PolicySettings = patient) =>
  AzureO1.layerServices.pipe(
    Layer.provideMerge(O1Policy.layerWith(settings)),
    Layer.provide(O1Transport.layer(config)),
    Layer.provide(AzureO1Node.layerHttpClient)
  )

/** A server with this script, and the client of it. */
export const against = <A, E>(
  options: FakeAzureOptions & {
    readonly settings?: O1PolicySettings
    readonly apiVersion?: string
    readonly config?: Partial<AzureO1Config>
  },
  f: (o1: AzureO1["Service"], azure: FakeAzure["Service"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const azure = yield* FakeAzure
    const config = { ...azure.config, apiVersion: options.apiVersion, ...options.config }
    return yield* Effect.flatMap(AzureO1, (o1) => f(o1, azure)).pipe(Effect.provide(client(config, options.settings)))
  }).pipe(Effect.provide(FakeAzure.layer(options)))

export const label = <A>(effect: Effect.Effect<A, O1Error>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: O1Error.label, onSuccess: () => "success" })

export const text = (o1: AzureO1["Service"]) =>
  Effect.map(Stream.runCollect(o1.tokens(request)), (tokens) => tokens.join(""))
