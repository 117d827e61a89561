import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import {
  FetchHttpClient,
  Headers,
  HttpBody,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse
} from "effect/http"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { AzureO1Config } from "../AzureO1Config.ts"
import * as Credential from "../Credential.ts"
import { O1Error, O1RequestError, O1TimeoutError } from "../O1Error.ts"
import type { Transport } from "../O1Event.ts"
import type { Origin } from "../wire/answer.ts"
import * as errors from "../wire/errors.ts"
import { CurrentCall } from "./call.ts"
import { CurrentProgress } from "./progress.ts"

/** The beginning of an answer that is no error. */
export interface Received {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly origin: Origin
}

interface Outgoing {
  readonly method: "GET" | "POST"
  readonly url: string
  readonly body?: string
  readonly accept: "application/json" | "text/event-stream"
  readonly transport: Transport
}

/** HTTP with one deployment: the way in, whatever API is spoken. */
export interface Connection {
  /** Sends, and fails with the error that an answer other than 2xx stands for. Closing the scope cancels it. */
  readonly send: (outgoing: Outgoing) => Effect.Effect<Received, O1Error, Scope.Scope>
  /** The body of an answer in one piece. */
  readonly text: (received: Received) => Effect.Effect<string, O1Error>
  readonly fromClient: (error: HttpClientError.HttpClientError) => O1Error
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
      Effect.updateService(Headers.CurrentRedactedNames, (names) => [...names, "api-key", "authorization"])
    )
  })

/** What lets a request in: the header, and what has to be kept out of everything that is printed. */
interface Pass {
  readonly name: "api-key" | "authorization"
  readonly value: string
  readonly secret: string
}

const passes = (config: AzureO1Config): {
  readonly get: Effect.Effect<Pass, O1Error>
  /** After one that was refused: another that may do better, if there is such. */
  readonly another: (refused: Pass) => Effect.Effect<Pass | undefined, O1Error>
} => {
  const { apiKey, apiVersion, cloud = "public", credential, scope, tokenTimeout } = config
  if (credential === undefined) {
    const key = Redacted.value(apiKey!)
    return { get: Effect.succeed({ name: "api-key", value: key, secret: key }), another: () => Effect.undefined }
  }
  const { another, get } = Credential.sharedTokens(
    credential,
    scope ?? Credential.scopeOf(cloud, apiVersion === undefined ? "v1" : "dated"),
    { timeout: tokenTimeout }
  )
  const passOf = (token: string): Pass => ({ name: "authorization", value: `Bearer ${token}`, secret: token })
  const explained = <A>(self: Effect.Effect<A, O1Error>) =>
    Effect.mapError(self, (error) => O1Error.with(error, { deployment: config.deployment }))
  return {
    get: explained(Effect.map(get, passOf)),
    another: ({ secret }) =>
      explained(Effect.map(another(secret), (token) => token === undefined ? undefined : passOf(token)))
  }
}

/** How long the words of an error are awaited. */
const errorBodyLimit = "5 seconds"

const isOk = ({ status }: Origin): boolean => status >= 200 && status < 300

export const make = (config: AzureO1Config, httpClient: HttpClient.HttpClient): Connection => {
  const { clocks, deployment } = config
  const client = HttpClient.withScope(httpClient)
  const { another, get } = passes(config)
  const headersLimit = clocks?.headers === undefined ? undefined : Duration.fromInputUnsafe(clocks.headers)

  const fromClient = ({ reason }: HttpClientError.HttpClientError): O1Error =>
    reason._tag === "InvalidUrlError" || reason._tag === "EncodeError"
      ? new O1RequestError({ kind: "invalid", deployment, detail: reason.description })
      : errors.fromCause(reason.cause, { deployment })

  const originOf = (response: HttpClientResponse.HttpClientResponse, { secret }: Pass): Effect.Effect<Origin> =>
    Effect.map(Clock.currentTimeMillis, (now) => ({
      headers: response.headers,
      // what a browser shows of a redirect that it did not follow
      status: response.status === 0 ? 302 : response.status,
      deployment,
      now,
      redact: (text) => text.replaceAll(secret, "<redacted>")
    }))

  /** The answer to one request, whatever its status. */
  const exchange = (
    { accept, body, method, transport, url }: Outgoing,
    pass: Pass
  ): Effect.Effect<Received, O1Error, Scope.Scope> =>
    Effect.gen(function*() {
      const request = HttpClientRequest.make(method)(url, {
        headers: { [pass.name]: pass.value, accept },
        ...body === undefined ? {} : { body: HttpBody.text(body, "application/json") }
      })
      // a span keeps what it surrounds, and a response holds the request with the key
      let response: HttpClientResponse.HttpClientResponse | undefined
      yield* client.execute(request).pipe(
        guarded,
        Effect.mapError(fromClient),
        transport === "stream" && headersLimit !== undefined
          ? Effect.timeoutOrElse({
            duration: headersLimit,
            orElse: () => Effect.fail(new O1TimeoutError({ kind: "headers", limit: headersLimit, deployment }))
          })
          : identity,
        Effect.flatMap((received) => {
          response = received
          return Effect.andThen(Effect.annotateCurrentSpan("http.response.status_code", received.status), headersSeen)
        }),
        Effect.withSpan("AzureO1.attempt", { kind: "client", attributes: { deployment, transport } })
      )
      return { response: response!, origin: yield* originOf(response!, pass) }
    })

  const text = ({ response }: Received): Effect.Effect<string, O1Error> => Effect.mapError(response.text, fromClient)

  const send = (outgoing: Outgoing): Effect.Effect<Received, O1Error, Scope.Scope> =>
    Effect.gen(function*() {
      const pass = yield* get
      let received = yield* exchange(outgoing, pass)
      if (received.origin.status === 401) {
        const next = yield* another(pass)
        if (next !== undefined) received = yield* exchange(outgoing, next)
      }
      if (isOk(received.origin)) return received
      // the status says enough if the body breaks off, or never comes
      const body = yield* text(received).pipe(Effect.timeout(errorBodyLimit), Effect.orElseSucceed(() => ""))
      return yield* errors.fromResponse({ ...received.origin, body })
    })

  return { send, text, fromClient }
}

/** Tells whoever watches that something goes out. */
export const started = (transport: Transport): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(CurrentProgress)?.({ _tag: "Started", transport })
    fiber.getRef(CurrentCall)?.observing?.sent(transport)
    return Effect.void
  })

/** Tells whoever observes that the answer has begun. */
const headersSeen: Effect.Effect<void> = Effect.flatMap(CurrentCall, (call) =>
  call?.observing === undefined
    ? Effect.void
    : Effect.map(Clock.monotonicTimeNanos, (now) => call.observing?.received(now)))
