/**
 * One attempt on the wire, without any policy: a request goes out, and an answer or a typed error comes back.
 *
 * It runs on any `HttpClient`. A success needs proof that the service has ended the answer; what is cut off is an error with
 * the text so far. Streams are cancelled on the wire when the consumer stops or is interrupted. Redirects are not followed,
 * for the key would go along. A deployment that refuses to stream, as o1 does on Azure, is asked once and then remembered: its
 * answers come in one piece and are given out as a stream.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import {
  FetchHttpClient,
  Headers,
  HttpBody,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse
} from "effect/http"
import * as Layer from "effect/Layer"
import * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AzureO1Config from "./AzureO1Config.ts"
import { CurrentProgress } from "./internal/progress.ts"
import * as ModelProfile from "./ModelProfile.ts"
import { O1Error, O1RequestError } from "./O1Error.ts"
import type { AttemptEvent, O1Completion, Transport } from "./O1Event.ts"
import type { O1Request } from "./O1Request.ts"
import * as chat from "./wire/chat.ts"
import { ChatStream } from "./wire/chatStream.ts"
import * as errors from "./wire/errors.ts"

/** After the model has said why it stopped, the rest (usage, the filter's last word) is awaited no longer than this. */
const graceAfterFinish = "5 seconds"

/** After the end of the answer, the end of the connection is awaited this long, so that it can be used again. */
const graceAfterDone = "100 millis"

const isOk = ({ status }: chat.Origin): boolean => status >= 200 && status < 300

const fail = (error: O1Error): Effect.Effect<never, O1Error> => Effect.fail(error)

const urlOf = ({ apiVersion, deployment, endpoint }: AzureO1Config.AzureO1Config): string => {
  const base = endpoint.replace(/\/+$/, "").replace(/\/openai(\/v1)?$/, "")
  return apiVersion === undefined
    ? `${base}/openai/v1/chat/completions`
    : `${base}/openai/deployments/${encodeURIComponent(deployment)}/chat/completions?api-version=${apiVersion}`
}

/**
 * The key stays out of what is printed, out of spans (that of the HTTP client would hold the request) and out of redirects,
 * which `fetch` follows on its own.
 */
const guarded = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const init = Context.getOrUndefined(fiber.context, FetchHttpClient.RequestInit)
    return self.pipe(
      Effect.provideService(FetchHttpClient.RequestInit, { ...init, redirect: "manual" }),
      Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
      Effect.updateService(Headers.CurrentRedactedNames, (names) => [...names, "api-key"])
    )
  })

const make = Effect.fnUntraced(function*(options: AzureO1Config.AzureO1Config) {
  const config = AzureO1Config.validate(options)
  const { deployment } = config
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  const key = Redacted.value(config.apiKey)
  const url = urlOf(config)
  let streams = true

  const redact = (text: string): string => text.replaceAll(key, "<redacted>")

  const fromClient = ({ reason }: HttpClientError.HttpClientError): O1Error =>
    reason._tag === "InvalidUrlError" || reason._tag === "EncodeError"
      ? new O1RequestError({ kind: "invalid", deployment, detail: reason.description })
      : errors.fromCause(reason.cause, { deployment })

  const originOf = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<chat.Origin> =>
    Effect.map(Clock.currentTimeMillis, (now) => ({
      headers: response.headers,
      // what a browser shows of a redirect that it did not follow
      status: response.status === 0 ? 302 : response.status,
      deployment,
      now,
      redact
    }))

  /** The answer to one POST, whatever its status. Closing the scope cancels it. */
  const send = (
    request: O1Request,
    transport: Transport
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, O1Error, Scope.Scope> =>
    Effect.gen(function*() {
      const report = yield* CurrentProgress
      report?.({ _tag: "Started", transport })
      const stream = transport === "stream"
      const body = chat.encode(request, { model: config.apiVersion === undefined ? deployment : undefined, stream })
      const post = HttpClientRequest.post(url, {
        headers: { "api-key": key, accept: stream ? "text/event-stream" : "application/json" },
        body: HttpBody.text(body, "application/json")
      })
      // a span keeps what it surrounds, and a response holds the request with the key
      let received: HttpClientResponse.HttpClientResponse | undefined
      yield* client.execute(post).pipe(
        guarded,
        Effect.mapError(fromClient),
        Effect.flatMap((response) => {
          received = response
          return Effect.annotateCurrentSpan("http.response.status_code", response.status)
        }),
        Effect.withSpan("AzureO1.attempt", { kind: "client", attributes: { deployment, transport } })
      )
      return received!
    })

  const failure = (
    response: HttpClientResponse.HttpClientResponse,
    origin: chat.Origin
  ): Effect.Effect<never, O1Error> =>
    response.text.pipe(
      // the status says enough if the body breaks off
      Effect.orElseSucceed(() => ""),
      Effect.flatMap((body) => fail(errors.fromResponse({ ...origin, body })))
    )

  const decode = (
    response: HttpClientResponse.HttpClientResponse,
    origin: chat.Origin
  ): Effect.Effect<O1Completion, O1Error> =>
    response.text.pipe(
      Effect.mapError(fromClient),
      Effect.flatMap((body) => {
        const decoded = chat.decode(body, origin)
        return O1Error.is(decoded) ? fail(decoded) : Effect.succeed(decoded)
      })
    )

  const complete = Effect.fnUntraced(function*(request: O1Request) {
    const response = yield* send(request, "plain")
    const origin = yield* originOf(response)
    return yield* isOk(origin) ? decode(response, origin) : failure(response, origin)
  }, Effect.scoped)

  const emulated = (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.fromIterableEffect(Effect.map(complete(request), chat.emulate))

  const streamed = (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.gen(function*() {
      const response = yield* send(request, "stream")
      const origin = yield* originOf(response)
      if (!isOk(origin)) return yield* failure(response, origin)
      if ((origin.headers["content-type"] ?? "").includes("text/event-stream")) {
        return events(Stream.mapError(response.stream, fromClient), origin)
      }
      return Stream.fromIterable(chat.emulate(yield* decode(response, origin)))
    }))

  const events = (
    bytes: Stream.Stream<Uint8Array, O1Error>,
    origin: chat.Origin
  ): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.transformPull(bytes, (upstream) =>
      Effect.sync(() => {
        const answer = new ChatStream(origin)
        const whatIsLeft = Effect.timeoutOrElse(upstream, { duration: graceAfterFinish, orElse: () => Cause.done() })
        const release = Effect.ignore(Effect.timeoutOption(Effect.forever(upstream), graceAfterDone))

        const emit = Effect.suspend((): Pull.Pull<NonEmptyReadonlyArray<AttemptEvent>, O1Error> => {
          const ready = answer.taken()
          if (Arr.isReadonlyArrayNonEmpty(ready)) return Effect.succeed(ready)
          if (answer.outcome === undefined) return pull
          return O1Error.is(answer.outcome) ? fail(answer.outcome) : Effect.andThen(release, Cause.done())
        })
        const pull: Pull.Pull<NonEmptyReadonlyArray<AttemptEvent>, O1Error> = Effect.suspend(() =>
          Pull.matchEffect(answer.complete ? whatIsLeft : upstream, {
            onSuccess: (chunks) => {
              chunks.forEach((chunk) => answer.feed(chunk))
              return emit
            },
            onDone: () => {
              answer.end()
              return emit
            },
            onFailure: (cause) => {
              const failure = cause.reasons.find(Cause.isFailReason)
              if (failure === undefined) return Effect.failCause(cause)
              answer.fail(failure.error)
              return emit
            }
          })
        )
        return emit
      }))

  const stream = (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.suspend(() =>
      streams
        ? Stream.catchIf(
          streamed(request),
          (error) => error._tag === "O1RequestError" && error.kind === "streaming-unsupported",
          () => {
            streams = false
            return emulated(request)
          }
        )
        : emulated(request)
    )

  return { deployment, profile: config.profile ?? ModelProfile.o1, complete, stream }
})

/**
 * @category services
 * @since 0.1.0
 */
export class O1Transport extends Context.Service<O1Transport, {
  readonly deployment: string
  /** What the model can be asked. */
  readonly profile: ModelProfile.ModelProfile
  /** One attempt whose answer comes in one piece. */
  readonly complete: (request: O1Request) => Effect.Effect<O1Completion, O1Error>
  /** One attempt whose answer comes as it is made, and ends with `Finished`. */
  readonly stream: (request: O1Request) => Stream.Stream<AttemptEvent, O1Error>
}>()("@effect-resilience/azure-o1/O1Transport") {
  /**
   * The transport of one deployment, by Chat Completions. A bad configuration is a defect that names the field.
   */
  static readonly make = (
    config: AzureO1Config.AzureO1Config
  ): Effect.Effect<O1Transport["Service"], never, HttpClient.HttpClient> => make(config)

  /** {@link O1Transport.make} as a layer. */
  static readonly layer = (
    config: AzureO1Config.AzureO1Config
  ): Layer.Layer<O1Transport, never, HttpClient.HttpClient> => Layer.effect(O1Transport, make(config))
}
