/**
 * The client on Node, with an HTTP client whose own limits are out of the way: Node's `fetch` gives up after 300 seconds
 * without headers or body, and reasoning takes longer. TCP keep-alive is on, for load balancers drop connections that are
 * silent for four minutes. The sockets close with the layer.
 *
 * **Example** (From the environment)
 *
 * ```ts
 * import { AzureO1, user } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const o1 = yield* AzureO1
 *   const { text } = yield* o1.complete({ messages: [user("What is 6 x 7?")] })
 *   yield* Effect.log(text)
 * })
 *
 * program.pipe(Effect.provide(AzureO1Node.layerConfig), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import { AzureO1 } from "./AzureO1.ts"
import * as AzureO1Config from "./AzureO1Config.ts"
import type { O1Policy } from "./O1Policy.ts"

/**
 * The HTTP client: undici without limits on headers and body, which the policy sets, 10 seconds to connect, and TCP
 * keep-alive.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerUndiciOptions({
  connect: { timeout: 10_000, keepAlive: true, keepAliveInitialDelay: 60_000 }
})

/**
 * The client of one deployment.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (config: AzureO1Config.AzureO1Config): Layer.Layer<AzureO1 | O1Policy> =>
  Layer.provide(AzureO1.layer(config), layerHttpClient)

/**
 * The client of the deployment that the environment names: `AZURE_OPENAI_ENDPOINT`, `AZURE_OPENAI_API_KEY`,
 * `AZURE_OPENAI_DEPLOYMENT` and `AZURE_OPENAI_API_VERSION`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<AzureO1 | O1Policy, Config.ConfigError> = Layer.unwrap(
  Effect.map(AzureO1Config.config, layer)
)
