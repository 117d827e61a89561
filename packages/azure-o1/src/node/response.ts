import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import type * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

type Bytes = Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, HttpClientError.HttpClientError>

/** What undici lets a receiver of bytes do. */
interface Controller {
  readonly abort: (reason: Error) => void
  readonly pause: () => void
  readonly resume: () => void
}

/** How many bytes may wait for a reader before the socket is not read any more. */
const mostWaiting = 256 * 1024

/** The bytes of one answer, between the socket and the reader. */
export class Incoming {
  private controller: Controller | undefined = undefined
  private waiting: Array<Uint8Array> = []
  private size = 0
  private paused = false
  /** All of it has come. */
  private complete = false
  /** The reader may hear of the end. */
  private ended = false
  private failure: Error | undefined = undefined
  private wake: (() => void) | undefined = undefined

  connected(controller: Controller): void {
    this.controller = controller
    if (this.failure !== undefined) controller.abort(this.failure)
  }

  add(chunk: Uint8Array): void {
    this.waiting.push(chunk)
    this.size += chunk.length
    if (this.size > mostWaiting && !this.paused) {
      this.paused = true
      this.controller?.pause()
    }
    this.wake?.()
  }

  end(): void {
    this.complete = true
    // undici uses the connection again in a later turn of the loop, and a request that followed at once would make another one
    queueMicrotask(() =>
      setImmediate(() => {
        this.ended = true
        this.wake?.()
      })
    )
  }

  fail(error: Error): void {
    this.failure ??= error
    this.ended = true
    this.wake?.()
  }

  /** Nobody reads any more. */
  abort(): void {
    if (this.complete || this.ended) return
    const error = new Error("The request was aborted.")
    this.fail(error)
    this.controller?.abort(error)
  }

  /** What waited is somebody else's now. */
  private taken(): void {
    this.waiting = []
    this.size = 0
    if (!this.paused) return
    this.paused = false
    this.controller?.resume()
  }

  /** The bytes since the last time, or the next ones. Bytes that came before a failure are told before it. */
  readonly pull = (failed: (cause: Error) => HttpClientError.HttpClientError): Bytes => {
    const next: Bytes = Effect.suspend(() => {
      const { waiting } = this
      if (Arr.isReadonlyArrayNonEmpty(waiting)) {
        this.taken()
        return Effect.succeed(waiting)
      }
      if (this.failure !== undefined) return Effect.fail(failed(this.failure))
      return this.ended ? Cause.done() : arrival
    })
    const arrival: Bytes = Effect.flatten(Effect.callback<Bytes>((resume) => {
      this.wake = () => {
        this.wake = undefined
        resume(Effect.succeed(next))
      }
      return Effect.sync(() => {
        this.wake = undefined
      })
    }))
    return next
  }
}

/** An answer whose bytes are read as they come. What needs all of them has them collected first. */
export class Response extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly remoteAddress: Option.Option<string> = Option.none()
  private readonly incoming: Incoming
  private collected: Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> | undefined

  constructor(
    request: HttpClientRequest.HttpClientRequest,
    status: number,
    headers: Headers.Headers,
    incoming: Incoming
  ) {
    super()
    this.request = request
    this.status = status
    this.headers = headers
    this.incoming = incoming
  }

  get url(): string {
    return this.request.url
  }

  get cookies(): Cookies.Cookies {
    const header = this.headers["set-cookie"]
    return header === undefined ? Cookies.empty : Cookies.fromSetCookie(header)
  }

  private readonly broken = (cause: Error): HttpClientError.HttpClientError =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
    })

  get stream(): Stream.Stream<Uint8Array, HttpClientError.HttpClientError> {
    return Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
      Effect.as(
        Scope.addFinalizer(scope, Effect.sync(() => this.incoming.abort())),
        this.incoming.pull(this.broken)
      )
    ))
  }

  get text(): Effect.Effect<string, HttpClientError.HttpClientError> {
    return Effect.suspend(() => {
      const decoder = new TextDecoder()
      let text = ""
      const all = Effect.forever(Effect.map(this.incoming.pull(this.broken), (chunks) => {
        for (const chunk of chunks) text += decoder.decode(chunk, { stream: true })
      }))
      return Pull.catchDone(
        Effect.ensuring(all, Effect.sync(() => this.incoming.abort())),
        () => Effect.succeed(text + decoder.decode())
      )
    })
  }

  /** As a web response, which can do the rest. */
  private get whole(): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> {
    return this.collected ??= Effect.runSync(
      Effect.cached(Effect.map(this.text, (text) =>
        HttpClientResponse.fromWeb(
          this.request,
          new globalThis.Response(text, { status: this.status, headers: this.headers })
        )))
    )
  }

  get json(): HttpClientResponse.HttpClientResponse["json"] {
    return Effect.flatMap(this.whole, ({ json }) => json)
  }
  get urlParamsBody(): HttpClientResponse.HttpClientResponse["urlParamsBody"] {
    return Effect.flatMap(this.whole, ({ urlParamsBody }) => urlParamsBody)
  }
  get formData(): HttpClientResponse.HttpClientResponse["formData"] {
    return Effect.flatMap(this.whole, ({ formData }) => formData)
  }
  get arrayBuffer(): HttpClientResponse.HttpClientResponse["arrayBuffer"] {
    return Effect.flatMap(this.whole, ({ arrayBuffer }) => arrayBuffer)
  }
  get upgrade(): HttpClientResponse.HttpClientResponse["upgrade"] {
    return Effect.flatMap(this.whole, ({ upgrade }) => upgrade)
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/http/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}
