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
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import type { HttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AzureO1Config } from "./AzureO1Config.ts"
import { asCall, asStreamedCall, Call } from "./internal/call.ts"
import { fromFaces, tokensOf } from "./internal/faces.ts"
import { History } from "./internal/history.ts"
import { Observing } from "./internal/observing.ts"
import { Text } from "./internal/text.ts"
import { withProgress } from "./internal/withProgress.ts"
import * as ModelProfile from "./ModelProfile.ts"
import { O1Error, O1RequestError, type ResumeToken } from "./O1Error.ts"
import type { AttemptEvent, O1Completion, O1Event } from "./O1Event.ts"
import { O1Observer } from "./O1Observation.ts"
import { type CallOptions, type O1Object, O1Policy, type ObjectOptions } from "./O1Policy.ts"
import { O1Request } from "./O1Request.ts"
import { O1Transport } from "./O1Transport.ts"

const decodeRequest = Schema.decodeUnknownResult(O1Request)

/** What is wrong with a request, before anything is sent. */
const problemOf = (
  request: O1Request,
  { moreTokens }: CallOptions,
  profile: ModelProfile.ModelProfile
): O1RequestError | undefined => {
  const decoded = decodeRequest(request)
  if (Result.isFailure(decoded)) return new O1RequestError({ kind: "invalid", detail: decoded.failure.message })
  const problem = ModelProfile.check(profile, request)
  if (problem !== undefined || moreTokens === undefined) return problem
  const least = (request.maxCompletionTokens ?? 0) + 1
  const most = profile.outputTokens ?? Infinity
  return Number.isSafeInteger(moreTokens) && moreTokens >= least && moreTokens <= most
    ? undefined
    : new O1RequestError({
      kind: "invalid",
      param: "moreTokens",
      detail: `moreTokens must be an integer from ${least} to ${most}, got ${moreTokens}`
    })
}

/** One call: what its attempts share, and what is written down of it. */
class Calling {
  readonly call: Call
  readonly policy: Policy.Policy<O1Error, O1Error>
  private readonly text = new Text()
  completion: O1Completion | undefined = undefined
  private readonly history = new History()
  private readonly deployment: string
  private request: O1Request
  private readonly moreTokens: number | undefined
  private raised = false

  constructor(
    request: O1Request,
    options: CallOptions,
    deployment: string,
    policies: O1Policy["Service"],
    observing: Observing | undefined
  ) {
    this.deployment = deployment
    this.request = request
    this.moreTokens = options.moreTokens
    this.call = new Call({ keep: options.onInterrupt === "keep", observing })
    const listeners = [this.history.listener, this.restarted, ...observing === undefined ? [] : [observing.listener]]
    this.policy = Policy.compose(
      Telemetry.listen((event) => listeners.forEach((listener) => listener(event))),
      policies.forRequest(request, { ...options, deployment })
    )
  }

  /** An attempt begins: what it is to ask for. */
  readonly asked: Effect.Effect<O1Request> = Effect.suspend(() => {
    const { observing } = this.call
    return observing === undefined ? Effect.succeed(this.request) : Effect.map(Clock.monotonicTimeNanos, (now) => {
      observing.began(now)
      return this.request
    })
  })

  /** Reasoning that ate the answer is worth another attempt once, if there may be more of it. */
  readonly raise = (error: O1Error): O1Error => {
    if (error._tag !== "O1OutputLimitError" || this.moreTokens === undefined || this.raised) return error
    this.raised = true
    this.request = { ...this.request, maxCompletionTokens: this.moreTokens }
    return O1Error.with(error, { shouldRetry: true })
  }

  /** The error of the call, with all that is known of it. */
  readonly explain = (error: O1Error): O1Error =>
    O1Error.with(error, {
      deployment: error.deployment ?? this.deployment,
      partialText: error.partialText === "" ? this.text.toString() : error.partialText,
      attempts: this.history.attempts
    })

  readonly seen = (events: NonEmptyReadonlyArray<AttemptEvent>): NonEmptyReadonlyArray<AttemptEvent> => {
    for (const event of events) if (event._tag === "TextDelta") this.text.add(event.text)
    const last = events[events.length - 1]!
    if (last._tag === "Finished") this.completion = last.completion
    return events
  }

  /** Another attempt says it all again. */
  private readonly restarted: Telemetry.Listener = ({ _tag }) => {
    if (_tag === "RetryScheduled") this.text.clear()
  }
}

const make = (policies: O1Policy["Service"], transport: O1Transport["Service"]): AzureO1["Service"] => {
  const { deployment } = transport

  const begin = (
    face: "complete" | "stream",
    request: O1Request,
    options: CallOptions
  ): Effect.Effect<Calling, O1Error> =>
    Effect.withFiber((fiber) => {
      const problem = problemOf(request, options, transport.profile())
      if (problem !== undefined) return Effect.fail(problem)
      const observer = fiber.getRef(O1Observer)
      const calling = (observing?: Observing) => new Calling(request, options, deployment, policies, observing)
      if (observer === undefined) return Effect.sync(calling)
      return Effect.map(Clock.monotonicTimeNanos, (now) =>
        calling(new Observing({ observer, face, deployment, effort: request.reasoningEffort, now })))
    })

  const complete = (request: O1Request, options: CallOptions = {}): Effect.Effect<O1Completion, O1Error> =>
    Effect.flatMap(begin("complete", request, options), (calling) => {
      const { call, policy } = calling
      const attempts = Effect.flatMap(calling.asked, transport.complete).pipe(
        Effect.mapError(calling.raise),
        policy,
        Effect.mapError(calling.explain)
      )
      const { observing } = call
      return asCall(attempts, call).pipe(
        observing === undefined ?
          identity :
          Effect.onExit((exit) => observing.ended(exit, Exit.isSuccess(exit) ? exit.value : undefined))
      )
    })

  const followed = (
    calling: Calling,
    events: Stream.Stream<AttemptEvent, O1Error>
  ): Stream.Stream<AttemptEvent, O1Error> => {
    const { call, explain, seen } = calling
    const { observing } = call
    return asStreamedCall(events.pipe(Stream.mapArray(seen), Stream.mapError(explain)), call).pipe(
      observing === undefined ? identity : Stream.onExit((exit) => observing.ended(exit, calling.completion))
    )
  }

  const content = (request: O1Request, options: CallOptions = {}): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.map(begin("stream", request, options), (calling) =>
      followed(
        calling,
        Stream.unwrap(Effect.map(calling.asked, transport.stream)).pipe(
          Stream.mapError(calling.raise),
          calling.policy.stream
        )
      )))

  return fromFaces({
    complete: (request, options) =>
      complete(request, options).pipe(Effect.withSpan("AzureO1.complete", { attributes: { deployment } })),
    stream: (request, options) =>
      withProgress(content(request, options)).pipe(Stream.withSpan("AzureO1.stream", { attributes: { deployment } })),
    // whoever sees only the text cannot be told that it begins anew
    tokens: (request, options) =>
      tokensOf(content(request, { ...options, resume: "continue" })).pipe(
        Stream.withSpan("AzureO1.tokens", { attributes: { deployment } })
      ),
    resume: (token) =>
      withProgress(asStreamedCall(transport.resume(token), new Call({ keep: true }))).pipe(
        Stream.withSpan("AzureO1.resume", { attributes: { deployment } })
      )
  })
}

/**
 * The client of a model whose profile is known when the program is compiled: what the model does not take, it does not take.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientFor<P extends ModelProfile.ModelProfile> extends Pick<AzureO1["Service"], "resume"> {
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
export class AzureO1 extends Context.Service<AzureO1, {
  /** The whole answer. Interrupting it cancels the request on the wire, and what the service does for it. */
  readonly complete: (request: O1Request, options?: CallOptions) => Effect.Effect<O1Completion, O1Error>
  /** The answer as it is made, with the progress meanwhile; it ends with `Finished`. */
  readonly stream: (request: O1Request, options?: CallOptions) => Stream.Stream<O1Event, O1Error>
  /**
   * The text of the answer as it is made, and nothing else. It fails where `stream` would have to say that the answer begins
   * anew.
   */
  readonly tokens: (request: O1Request, options?: CallOptions) => Stream.Stream<string, O1Error>
  /**
   * An answer of the form that a schema describes, decoded. One that does not match is an `O1ProtocolError` of kind
   * `malformed`, with what came as its `partialText`; a refusal is one as well.
   */
  readonly object: <A>(
    schema: Schema.ConstraintCodec<A, unknown>,
    request: Omit<O1Request, "responseFormat">,
    options?: ObjectOptions
  ) => Effect.Effect<O1Object<A>, O1Error>
  /**
   * The events of a response that the service keeps, from where the token says. The token is in `Accepted` events and in
   * errors after which the service may still go on.
   */
  readonly resume: (token: ResumeToken) => Stream.Stream<O1Event, O1Error>
}>()("@effect-resilience/azure-o1/AzureO1") {
  /**
   * A client as a plain value, so that a program can hold several. It has a policy of its own, and so a circuit breaker of
   * its own.
   */
  static readonly make = (
    config: AzureO1Config
  ): Effect.Effect<AzureO1["Service"], never, HttpClient.HttpClient> =>
    AzureO1.pipe(Effect.provide(AzureO1.layer(config)))

  /**
   * The client, for a model that is known when the program is compiled: a request that the profile forbids does not compile.
   * At run time it is the same client, which checks requests against the profile of its own configuration.
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
