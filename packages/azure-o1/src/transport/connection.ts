import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Headers from "effect/http/Headers"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { AzureO1Config } from "../AzureO1Config.ts"
import { type O1Error, O1RequestError } from "../O1Error.ts"
import type { Transport } from "../O1Event.ts"
import type { Origin } from "../wire/answer.ts"
import * as errors from "../wire/errors.ts"
import { rateLimitsOf } from "../wire/origin.ts"
import { type Beginning, bytesOf, textOf, wordsOf } from "./body.ts"
import { CurrentCall } from "./call.ts"
import { directOf } from "./direct.ts"
import * as keeping from "./keeping.ts"
import { CurrentlyKnown, CurrentMeter, CurrentProgress, CurrentQuestion } from "./progress.ts"
import * as sendings from "./sending.ts"

/** The beginning of an answer that is no error. */
export interface Received {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly origin: Origin
  /** Hears that nothing is left to be read, so that there is nothing to cancel. */
  readonly ended: () => void
}

interface Outgoing {
  readonly method: "GET" | "POST"
  readonly url: string
  readonly body?: string
  readonly accept: "application/json" | "text/event-stream"
  readonly transport: Transport
  /** It asks for an answer, for which the service charges the deployment. */
  readonly charged?: boolean
}

/** HTTP with one deployment: the way in, whatever API is spoken. */
export interface Connection {
  /** Waits for what lets requests in, where that has to be fetched. */
  readonly admitted: Effect.Effect<void, O1Error> | undefined
  /** Sends, and fails with the error that an answer other than 2xx stands for. Closing the scope cancels it. */
  readonly send: (outgoing: Outgoing) => Effect.Effect<Received, O1Error, Scope.Scope>
  /** The body of an answer in one piece. */
  readonly text: (received: Received) => Effect.Effect<string, O1Error>
  /** The body of an answer as it comes. */
  readonly bytes: (received: Received) => Stream.Stream<Uint8Array, O1Error>
}

/**
 * The key stays out of what is printed, out of spans (that of the HTTP client would hold the request) and out of redirects,
 * which `fetch` follows on its own.
 */
const guarded = (secretNames: ReadonlyArray<string>) => {
  const contextOf = (init: RequestInit | undefined, names: ReadonlyArray<string | RegExp>) =>
    Context.empty().pipe(
      Context.add(FetchHttpClient.RequestInit, { ...init, redirect: "manual" }),
      Context.add(HttpClient.TracerDisabledWhen, () => true),
      Context.add(Headers.CurrentRedactedNames, [...names, ...secretNames])
    )
  let init: RequestInit | undefined = undefined
  let names: ReadonlyArray<string | RegExp> = []
  let context = contextOf(init, names)
  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const nextInit = Context.getOrUndefined(fiber.context, FetchHttpClient.RequestInit)
      const nextNames = fiber.getRef(Headers.CurrentRedactedNames)
      // a program gives the same again and again
      if (nextInit !== init || nextNames !== names) context = contextOf(init = nextInit, names = nextNames)
      return Effect.provideContext(self, context)
    })
}

/** How much of a body in one piece is held. */
const defaultMaxBodyBytes = 16 * 1024 * 1024

const isOk = ({ status }: Origin): boolean => status >= 200 && status < 300

export const make = (config: AzureO1Config, httpClient: HttpClient.HttpClient): Connection => {
  const { deployment, maxBodyBytes = defaultMaxBodyBytes } = config
  const client = HttpClient.withScope(httpClient)
  const sending = sendings.make(config)
  const tellOfKeeping = keeping.make(config)
  const guard = guarded(sending.secretNames)

  const fromClient = ({ reason }: HttpClientError.HttpClientError, clientRequestId: string): O1Error =>
    reason._tag === "InvalidUrlError" || reason._tag === "EncodeError"
      ? new O1RequestError({ kind: "invalid", deployment, detail: reason.description })
      : errors.fromCause(reason.cause, { deployment, clientRequestId })

  const execute = (
    request: HttpClientRequest.HttpClientRequest,
    id: string
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, O1Error, Scope.Scope> =>
    client.execute(request).pipe(
      guard,
      Effect.catch((error) =>
        // a client that was told to take every other status for a failure
        error.reason._tag === "StatusCodeError"
          ? Effect.succeed(error.reason.response)
          : Effect.fail(fromClient(error, id))
      ),
      // a bug in a client that somebody else has made
      Effect.catchDefect((defect) => Effect.fail(errors.fromBug(defect, { deployment, clientRequestId: id })))
    )

  const direct = directOf(httpClient)

  /** The answer to a request, and what hears that it has come to its end. */
  const answered = (
    request: HttpClientRequest.HttpClientRequest,
    id: string
  ): Effect.Effect<Pick<Received, "ended" | "response">, O1Error, Scope.Scope> => {
    if (direct !== undefined) {
      return Effect.mapBoth(direct(request), {
        onFailure: (error) => fromClient(error, id),
        onSuccess: (response) => ({ response, ended: constVoid })
      })
    }
    return Effect.gen(function*() {
      // to cancel costs a good deal of all that a request costs, so that it is done only where something is left of it
      const cancels = Scope.makeUnsafe()
      let isOver = false
      yield* Effect.addFinalizer((exit) => isOver ? Effect.void : Scope.close(cancels, exit))
      const response = yield* Scope.provide(execute(request, id), cancels)
      return {
        response,
        ended: () => {
          isOver = true
        }
      }
    })
  }

  /** The answer to one request, whatever its status. */
  const exchange = (
    { accept, body, charged = false, method, url }: Outgoing,
    pass: sendings.Pass
  ): Effect.Effect<Received, O1Error, Scope.Scope> =>
    Effect.gen(function*() {
      const clientRequestId = crypto.randomUUID()
      const call = yield* CurrentCall
      if (call !== undefined) call.clientRequestId = clientRequestId
      const request = HttpClientRequest.makeWith(
        method,
        url,
        UrlParams.empty,
        Option.none(),
        sending.headers(pass, accept, clientRequestId, body !== undefined),
        body === undefined ? HttpBody.empty : HttpBody.text(body, "application/json")
      )
      const meter = charged ? yield* CurrentMeter : undefined
      if (meter !== undefined) yield* meter.sent
      const { ended, response } = yield* answered(request, clientRequestId)
      yield* headersSeen
      const { headers, status } = response
      const origin: Origin = {
        headers,
        // what a browser shows of a redirect that it did not follow
        status: status === 0 ? 302 : status,
        deployment,
        clientRequestId,
        longestBody: maxBodyBytes,
        now: yield* Clock.currentTimeMillis,
        redact: sending.redact(pass)
      }
      if (meter !== undefined) yield* meter.heard(rateLimitsOf(origin))
      return { response, ended, origin }
    })

  const beginning = ({ ended, origin, response }: Received): Beginning => ({
    response,
    ended,
    headers: origin.headers,
    deployment,
    failed: (cause) => errors.fromCause(cause, { deployment, clientRequestId: origin.clientRequestId })
  })

  const send = (outgoing: Outgoing): Effect.Effect<Received, O1Error, Scope.Scope> =>
    Effect.gen(function*() {
      const pass = yield* sending.pass
      yield* tellOfKeeping(outgoing)
      let received = yield* exchange(outgoing, pass)
      if (received.origin.status === 401) {
        const next = yield* sending.another(pass)
        if (next !== undefined) received = yield* exchange(outgoing, next)
      }
      if (isOk(received.origin)) {
        const accepted = yield* CurrentQuestion
        accepted?.()
        return received
      }
      const body = yield* wordsOf(beginning(received), maxBodyBytes)
      return yield* errors.fromResponse({ ...received.origin, body })
    })

  return {
    admitted: config.credential === undefined ? undefined : Effect.asVoid(sending.pass),
    send,
    text: (received) => textOf(beginning(received), maxBodyBytes),
    bytes: (received) => bytesOf(beginning(received))
  }
}

/** Tells those who watch that something goes out. */
export const started = (transport: Transport): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(CurrentProgress)?.({
      _tag: "Started",
      transport,
      learned: fiber.getRef(CurrentlyKnown)
    })
    fiber.getRef(CurrentCall)?.observing?.sent(transport)
    return Effect.void
  })

/** Tells those who observe that the answer has begun. */
const headersSeen: Effect.Effect<void> = Effect.flatMap(CurrentCall, (call) =>
  call?.observing === undefined
    ? Effect.void
    : Effect.map(Clock.monotonicTimeNanos, (now) => call.observing?.received(now)))
