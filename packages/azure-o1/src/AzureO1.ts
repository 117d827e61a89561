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
import { Policy, Telemetry } from "@effect-resilience/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AzureO1Config } from "./AzureO1Config.ts"
import { History } from "./internal/history.ts"
import { withProgress } from "./internal/withProgress.ts"
import * as ModelProfile from "./ModelProfile.ts"
import { O1Error, O1RequestError } from "./O1Error.ts"
import type { AttemptEvent, O1Completion, O1Event } from "./O1Event.ts"
import { type CallOptions, O1Policy } from "./O1Policy.ts"
import { O1Request } from "./O1Request.ts"
import { O1Transport } from "./O1Transport.ts"

const decodeRequest = Schema.decodeUnknownResult(O1Request)

/** What is wrong with a request, before anything is sent. */
const problemOf = (request: O1Request, profile: ModelProfile.ModelProfile): O1RequestError | undefined =>
  Result.match(decodeRequest(request), {
    onSuccess: () => ModelProfile.check(profile, request),
    onFailure: ({ message }) => new O1RequestError({ kind: "invalid", detail: message })
  })

const textOf = (events: ReadonlyArray<O1Event>): string =>
  events.reduce((text, event) => event._tag === "TextDelta" ? text + event.text : text, "")

const make = (policies: O1Policy["Service"], transport: O1Transport["Service"]): AzureO1["Service"] => {
  const { deployment, profile } = transport

  /** The policy of one call, and what it writes down of it. */
  const prepare = (request: O1Request, options: CallOptions | undefined) => {
    const history = new History()
    const policy = Policy.compose(
      Telemetry.listen(history.listener),
      policies.forRequest(request, { ...options, deployment })
    )
    const complete = <E extends O1Error>(error: E, partialText: string): E =>
      O1Error.with(error, {
        deployment: error.deployment ?? deployment,
        partialText: error.partialText === "" ? partialText : error.partialText,
        attempts: history.attempts
      })
    return { policy, complete }
  }

  const complete = (request: O1Request, options?: CallOptions): Effect.Effect<O1Completion, O1Error> =>
    Effect.suspend(() => {
      const problem = problemOf(request, profile)
      if (problem !== undefined) return Effect.fail(problem)
      const { complete, policy } = prepare(request, options)
      return transport.complete(request).pipe(policy, Effect.mapError((error) => complete(error, "")))
    })

  const content = (request: O1Request, options?: CallOptions): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.suspend(() => {
      const problem = problemOf(request, profile)
      if (problem !== undefined) return Stream.fail(problem)
      const { complete, policy } = prepare(request, options)
      let text = ""
      return transport.stream(request).pipe(
        policy.stream,
        Stream.mapArray((events) => {
          text += textOf(events)
          return events
        }),
        Stream.mapError((error) => complete(error, text))
      )
    })

  return {
    complete: (request, options) =>
      complete(request, options).pipe(Effect.withSpan("AzureO1.complete", { attributes: { deployment } })),
    stream: (request, options) =>
      withProgress(content(request, options)).pipe(Stream.withSpan("AzureO1.stream", { attributes: { deployment } })),
    tokens: (request, options) =>
      content(request, options).pipe(
        Stream.filterMap((event) => event._tag === "TextDelta" ? Result.succeed(event.text) : Result.fail(undefined)),
        Stream.withSpan("AzureO1.tokens", { attributes: { deployment } })
      )
  }
}

/**
 * @category services
 * @since 0.1.0
 */
export class AzureO1 extends Context.Service<AzureO1, {
  /** The whole answer. Interrupting it cancels the request on the wire. */
  readonly complete: (request: O1Request, options?: CallOptions) => Effect.Effect<O1Completion, O1Error>
  /** The answer as it is made, with the progress meanwhile; it ends with `Finished`. */
  readonly stream: (request: O1Request, options?: CallOptions) => Stream.Stream<O1Event, O1Error>
  /** The text of the answer as it is made, and nothing else. */
  readonly tokens: (request: O1Request, options?: CallOptions) => Stream.Stream<string, O1Error>
}>()("@effect-resilience/azure-o1/AzureO1") {
  /**
   * A client as a plain value, so that a program can hold several. It has a policy of its own, and so a circuit breaker of
   * its own.
   */
  static readonly make = (
    config: AzureO1Config
  ): Effect.Effect<AzureO1["Service"], never, HttpClient.HttpClient> =>
    AzureO1.pipe(Effect.provide(AzureO1.layer(config)))

  /** The client of whatever policy and transport there are: the layer for swapping one of them. */
  static readonly layerServices: Layer.Layer<AzureO1, never, O1Policy | O1Transport> = Layer.effect(
    AzureO1,
    Effect.gen(function*() {
      return make(yield* O1Policy, yield* O1Transport)
    })
  )

  /** The client of one deployment, with the production policy, on any `HttpClient`. */
  static readonly layer = (
    config: AzureO1Config
  ): Layer.Layer<AzureO1 | O1Policy, never, HttpClient.HttpClient> =>
    AzureO1.layerServices.pipe(
      Layer.provideMerge(O1Policy.layer),
      Layer.provide(O1Transport.layer(config))
    )
}
