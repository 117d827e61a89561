/**
 * The client: what programs import, built from `O1Policy` (what surrounds a call) and `O1Transport` (one attempt on the wire).
 *
 * **Example** (A call and a stream, against a mocked layer)
 *
 * ```ts import.meta.vitest
 * import { AzureO1, user } from "@effect-resilience/azure-o1"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 * import { Effect, Stream } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const o1 = yield* AzureO1
 *   const answer = yield* o1.complete({ messages: [user("What is 6 x 7?")] }, { timeout: "2 minutes" })
 *   const tokens = yield* Stream.runCollect(o1.tokens({ messages: [user("And in words?")] }))
 *   return [answer.text, ...tokens]
 * })
 *
 * const test = AzureO1Test.layer([AzureO1Test.answer("42"), AzureO1Test.tokens(["forty", "-two"])])
 * await Effect.runPromise(Effect.provide(program, test)) // => ["42", "forty", "-two"]
 * ```
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { type AzureO1Config, config as environment } from "./AzureO1Config.ts"
import { clientOf } from "./client/client.ts"
import { single } from "./client/single.ts"
import type * as ModelProfile from "./ModelProfile.ts"
import type { CallOptions, O1Client, O1Object, ObjectOptions } from "./O1Client.ts"
import type { O1Completion } from "./O1Completion.ts"
import type { O1Error } from "./O1Error.ts"
import type { O1Event } from "./O1Event.ts"
import { O1Policy } from "./O1Policy.ts"
import { O1Transport } from "./O1Transport.ts"

/**
 * The client of a model whose profile the compiler knows. It takes only requests that the model takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientFor<P extends ModelProfile.ModelProfile>
  extends Pick<O1Client, "resume" | "cancel" | "learned">
{
  readonly complete: (
    request: ModelProfile.RequestFor<P>,
    options?: CallOptions
  ) => Effect.Effect<O1Completion, O1Error>
  readonly stream: (request: ModelProfile.RequestFor<P>, options?: CallOptions) => Stream.Stream<O1Event, O1Error>
  readonly tokens: (request: ModelProfile.RequestFor<P>, options?: CallOptions) => Stream.Stream<string, O1Error>
  readonly object: P["structuredOutput"] extends false ? never : <A>(
    schema: Schema.ConstraintCodec<A, unknown>,
    request: Omit<ModelProfile.RequestFor<P>, "responseFormat">,
    options?: ObjectOptions
  ) => Effect.Effect<O1Object<A>, O1Error>
}

/**
 * @category services
 * @since 0.1.0
 */
export class AzureO1 extends Context.Service<AzureO1, O1Client>()("@effect-resilience/azure-o1/AzureO1") {
  /**
   * A client as a plain value, so that a program can hold several. It has a policy of its own, and so a circuit breaker of
   * its own.
   */
  static readonly make = (
    config: AzureO1Config
  ): Effect.Effect<O1Client, never, HttpClient.HttpClient> => AzureO1.pipe(Effect.provide(AzureO1.layer(config)))

  /**
   * The client, for a model that the compiler knows: a request that the profile forbids does not compile. At run time it is
   * the same client, which checks requests against the profile of its own configuration.
   *
   * **Example** (o1-mini takes no developer messages)
   *
   * ```ts
   * import { AzureO1, developer, ModelProfile, user } from "@effect-resilience/azure-o1"
   * import { Effect } from "effect"
   *
   * export const program = Effect.gen(function*() {
   *   const o1Mini = yield* AzureO1.forProfile(ModelProfile.o1Mini)
   *   yield* o1Mini.complete({ messages: [user("What is 6 x 7?")] })
   *   // @ts-expect-error
   *   yield* o1Mini.complete({ messages: [developer("Be brief."), user("What is 6 x 7?")] })
   * })
   * ```
   */
  static readonly forProfile = <P extends ModelProfile.ModelProfile>(
    _: P
  ): Effect.Effect<ClientFor<P>, never, AzureO1> => Effect.map(AzureO1, (o1) => o1 as never) // it takes more than is promised

  /** A layer is built once in a program, by its identity, so each configuration needs a layer of its own. */
  private static readonly layerOfServices = (): Layer.Layer<AzureO1, never, O1Policy | O1Transport> =>
    Layer.effect(
      AzureO1,
      Effect.gen(function*() {
        return clientOf(single(yield* O1Policy, yield* O1Transport))
      })
    )

  /** The client of any policy and transport: the layer for swapping one of them. */
  static readonly layerServices: Layer.Layer<AzureO1, never, O1Policy | O1Transport> = AzureO1.layerOfServices()

  /** The client of one deployment, with the production policy, on any `HttpClient`. */
  static readonly layer = (
    config: AzureO1Config
  ): Layer.Layer<AzureO1 | O1Policy, never, HttpClient.HttpClient> =>
    AzureO1.layerOfServices().pipe(
      Layer.provideMerge(O1Policy.layerWith({})),
      Layer.provide(O1Transport.layer(config))
    )

  /**
   * The client of the deployment that the environment names, on any `HttpClient`: see `AzureO1Config.config` for the variables.
   *
   * **Example** (On `fetch`)
   *
   * ```ts
   * import { AzureO1 } from "@effect-resilience/azure-o1"
   * import { Layer } from "effect"
   * import { FetchHttpClient } from "effect/http"
   *
   * export const layer = Layer.provide(AzureO1.layerConfig, FetchHttpClient.layer)
   * ```
   */
  static readonly layerConfig: Layer.Layer<AzureO1 | O1Policy, Config.ConfigError, HttpClient.HttpClient> = Layer
    .unwrap(
      Effect.map(environment, (config) => AzureO1.layer(config))
    )
}
