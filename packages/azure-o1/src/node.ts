/**
 * The client on Node, with an HTTP client without limits of its own: Node's `fetch` gives up after 300 seconds without
 * headers or body, and reasoning takes longer. TCP keep-alive is on, because load balancers drop connections that are silent
 * for four minutes. The sockets close with the layer.
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
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { AzureO1 } from "./AzureO1.ts"
import * as AzureO1Config from "./AzureO1Config.ts"
import * as AzureO1Promise from "./AzureO1Promise.ts"
import * as connections from "./node/connections.ts"
import { directly } from "./node/dispatching.ts"
import type { HttpClientOptions } from "./node/options.ts"
import type { O1Client } from "./O1Client.ts"
import { O1Observer } from "./O1Observation.ts"
import type { O1Policy } from "./O1Policy.ts"
import type { O1Promise } from "./O1Promise.ts"
import { withDirect } from "./transport/direct.ts"
import { Network } from "./verify/network.ts"
import { network } from "./verify/node.ts"

export type * from "./node/options.ts"

/**
 * The HTTP client: undici without limits on headers and body, which the policy sets, with a limit for connecting, and TCP
 * keep-alive. If there is an `O1Observer`, it hears of every connection.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClientWith = (options: HttpClientOptions): Layer.Layer<HttpClient.HttpClient> =>
  Layer.unwrap(Effect.gen(function*() {
    const connect = connections.connector(options, process.env)
    const maxSockets = connections.maxSocketsOf(options)
    const observer = yield* O1Observer
    const clock = yield* Clock.Clock
    const dispatcher = NodeHttpClient.layerDispatcherOptions({
      connect: observer === undefined ? connect : connections.observed(connect, observer, clock),
      ...maxSockets === undefined ? {} : { connections: maxSockets }
    })
    const client = Effect.gen(function*() {
      return withDirect(yield* HttpClient.HttpClient, directly(yield* NodeHttpClient.Dispatcher))
    })
    return Layer.effect(HttpClient.HttpClient)(client).pipe(
      Layer.provide(NodeHttpClient.layerUndiciNoDispatcher),
      Layer.provide(dispatcher)
    )
  }))

/**
 * {@link layerHttpClientWith} and its defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient> = layerHttpClientWith({})

/**
 * The client of one deployment.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  config: AzureO1Config.AzureO1Config,
  options: HttpClientOptions = {}
): Layer.Layer<AzureO1 | O1Policy> => Layer.provide(AzureO1.layer(config), layerHttpClientWith(options))

/**
 * The client of one deployment as a plain value. It lives with the scope in which it is made. When the scope closes, its
 * sockets close, and a call fails with an `O1ConnectionError` of kind `unusable`.
 *
 * **Example** (A client for as long as the program runs)
 *
 * ```ts
 * import { type AzureO1Config, user } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { Effect } from "effect"
 *
 * export const program = (config: AzureO1Config.AzureO1Config) =>
 *   Effect.gen(function*() {
 *     const o1 = yield* AzureO1Node.make(config)
 *     return yield* o1.complete({ messages: [user("What is 6 x 7?")] })
 *   }).pipe(Effect.scoped)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  config: AzureO1Config.AzureO1Config,
  options: HttpClientOptions = {}
): Effect.Effect<O1Client, never, Scope.Scope> => Effect.map(Layer.build(layer(config, options)), Context.get(AzureO1))

/**
 * The client for programs without Effect: `AzureO1Promise.make` on this module's HTTP client.
 *
 * @category constructors
 * @since 0.1.0
 */
export const promise = (config: AzureO1Config.AzureO1Config, options: HttpClientOptions = {}): O1Promise =>
  AzureO1Promise.make(layer(AzureO1Config.validate(config), options))

/**
 * The client of the deployment that the environment names: see `AzureO1Config.config` for the variables.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<AzureO1 | O1Policy, Config.ConfigError> = Layer.provide(
  AzureO1.layerConfig,
  layerHttpClient
)

/**
 * Lets `Verify` look at the host's name, its connections and its certificate, beside the HTTP request.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNetwork: Layer.Layer<never> = Layer.succeed(Network, network)
