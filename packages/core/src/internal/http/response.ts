import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Inspectable from "effect/Inspectable"
import { pipeArguments } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Fault from "../../Fault.ts"

type Response = HttpClientResponse.HttpClientResponse
type Failure = HttpClientError.HttpClientError

/** An error of reading a body that states its own fault: by its kind alone it would be one of decoding, which no retry mends. */
export class BodyError extends HttpClientError.HttpClientError {
  readonly [Fault.TypeId]: Fault.Fault

  constructor(reason: HttpClientError.HttpClientErrorReason, fault: Fault.Fault) {
    super({ reason })
    this[Fault.TypeId] = fault
  }
}

export const bodyError = (response: Response, cause: unknown, fault: Fault.Fault, description?: string): BodyError =>
  new BodyError(
    new HttpClientError.DecodeError({ request: response.request, response, cause, description }),
    fault
  )

/** Without a copy of all headers, where there is a web response behind. */
const headerOf = (response: Response, name: string): string | undefined => {
  const source = HttpClientResponse.toWeb(response)
  return source._tag === "Some" ? source.value.headers.get(name) ?? undefined : response.headers[name]
}

/** A response that speaks for itself: by its status, or by that of a gRPC call without a message. */
export const isFailed = (response: Response): boolean => {
  if (response.status >= 400) return true
  const grpcStatus = headerOf(response, "grpc-status")
  return grpcStatus !== undefined && grpcStatus !== "0"
}

const broken = Fault.transient()

/** The bytes of a body. A response that has none fails to make a stream, and that is no failure. */
export const bytesOf = (response: Response): Stream.Stream<Uint8Array, Failure> =>
  Stream.catchCause(response.stream, (cause) => {
    const failure = cause.reasons.find((reason) => reason._tag === "Fail")?.error
    if (failure === undefined) return Stream.failCause(cause)
    return failure.reason._tag === "EmptyBodyError" ? Stream.empty : Stream.fail(new BodyError(failure.reason, broken))
  })

const digits = /^\d{1,15}$/

/** Whether the response says that its body is no longer than that, and nothing that is written in the body could make it so. */
const isWithin = (response: Response, maxBytes: number): boolean => {
  const length = headerOf(response, "content-length")
  return length !== undefined && digits.test(length) && Number(length) <= maxBytes &&
    headerOf(response, "content-encoding") === undefined && headerOf(response, "transfer-encoding") === undefined
}

/** The whole body, if it is not more than `maxBytes`. At once where its length is known, which costs half. */
export const readBytes = (response: Response, maxBytes: number): Effect.Effect<Uint8Array<ArrayBuffer>, Failure> =>
  Effect.withFiber((fiber) => {
    // what a server in this process allows its own requests is not meant for this body
    const unlimited = fiber.getRef(HttpIncomingMessage.MaxBodySize) === undefined
    return unlimited && isWithin(response, maxBytes) ? readAtOnce(response, maxBytes) : collect(response, maxBytes)
  })

const tooLarge = (response: Response, maxBytes: number): Failure =>
  bodyError(response, undefined, Fault.permanent, `body of more than ${maxBytes} bytes, the limit of what is buffered`)

const readAtOnce = (response: Response, maxBytes: number): Effect.Effect<Uint8Array<ArrayBuffer>, Failure> =>
  Effect.matchEffect(response.arrayBuffer, {
    onFailure: ({ reason }) => Effect.fail(new BodyError(reason, broken)),
    onSuccess: (buffer) =>
      buffer.byteLength > maxBytes
        ? Effect.fail(tooLarge(response, maxBytes))
        : Effect.succeed(new Uint8Array(buffer))
  })

const collect = (response: Response, maxBytes: number): Effect.Effect<Uint8Array<ArrayBuffer>, Failure> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const read = Stream.runForEach(bytesOf(response), (chunk) => {
      size += chunk.byteLength
      chunks.push(chunk)
      return size > maxBytes ? Effect.fail(tooLarge(response, maxBytes)) : Effect.void
    })
    return Effect.map(read, () => {
      const all = new Uint8Array(size)
      let offset = 0
      for (const chunk of chunks) {
        all.set(chunk, offset)
        offset += chunk.byteLength
      }
      return all
    })
  })

/** Gives back the connection of a response that nobody will read: a body that is opened and closed is cancelled. */
export const cancel = (response: Response): Effect.Effect<void> =>
  Effect.asVoid(Effect.exit(Effect.scoped(Stream.toPull(response.stream))))

/** What a web response with a body may have for a status; another one does not show, but in the message of an error. */
const mayHaveBody = (status: number): boolean =>
  status >= 200 && status < 600 && status !== 204 && status !== 205 && status !== 304

const web = (response: Response, bytes: Uint8Array<ArrayBuffer>): globalThis.Response => {
  const type = response.headers["content-type"]
  return new globalThis.Response(bytes, {
    status: mayHaveBody(response.status) ? response.status : 200,
    headers: type === undefined ? {} : { "content-type": type }
  })
}

/** A response whose body comes from elsewhere than its connection. */
export class HeldResponse extends Inspectable.Class implements Response {
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly stream: Stream.Stream<Uint8Array, Failure>
  private readonly original: Response
  /** a stream may be there to be read once, these as often as somebody asks */
  private readonly bytes: Effect.Effect<Uint8Array<ArrayBuffer>, Failure>

  /** `bytes` is what the stream has, where that is known already. */
  constructor(original: Response, stream: Stream.Stream<Uint8Array, Failure>, bytes?: Uint8Array<ArrayBuffer>) {
    super()
    this.original = original
    this.stream = stream
    this.bytes = bytes === undefined
      ? Effect.runSync(Effect.cached(Stream.mkUint8Array(stream)))
      : Effect.succeed(bytes)
  }

  /** Can be read once, and making and reading it costs nearly what a request does: what most ask for does without. */
  private get source(): Effect.Effect<Response, Failure> {
    const { original } = this
    return Effect.map(this.bytes, (bytes) => HttpClientResponse.fromWeb(original.request, web(original, bytes)))
  }

  get request() {
    return this.original.request
  }
  get url() {
    return this.original.url
  }
  get status() {
    return this.original.status
  }
  get headers() {
    return this.original.headers
  }
  get cookies() {
    return this.original.cookies
  }
  get remoteAddress() {
    return this.original.remoteAddress
  }
  get upgrade() {
    return this.original.upgrade
  }
  get json(): Effect.Effect<Schema.Json, Failure> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: () => text === "" ? null : JSON.parse(text),
        catch: (cause) =>
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
          })
      }))
  }
  get text() {
    return Effect.map(this.bytes, (bytes) => new TextDecoder().decode(bytes))
  }
  get urlParamsBody() {
    return Effect.flatMap(this.source, (source) => source.urlParamsBody)
  }
  get arrayBuffer() {
    return Effect.flatMap(this.source, (source) => source.arrayBuffer)
  }
  get formData() {
    return Effect.flatMap(this.source, (source) => source.formData)
  }

  toJSON(): unknown {
    return this.original.toJSON()
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}
