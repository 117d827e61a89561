/**
 * A deployment to test against: real HTTP on an ephemeral loopback port.
 *
 * It speaks Chat Completions on the classic and the v1 path, checks key, deployment and parameters as Azure does, streams with
 * the pace and in the pieces that it is told, and follows a script of faults, one reply for each request. Without a script, or
 * after it, it answers. It runs on the real clock, whatever the clock of the test.
 *
 * **Example** (A server error, and then an answer)
 *
 * ```ts import.meta.vitest
 * import { AzureO1, user } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { FakeAzure } from "@effect-resilience/azure-o1/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const azure = yield* FakeAzure
 *   yield* azure.enqueue(FakeAzure.status(503, { retryAfter: "10 millis" }), FakeAzure.answer("hello"))
 *   const o1 = yield* AzureO1.make(azure.config)
 *   const answer = yield* o1.complete({ messages: [user("hi")] })
 *   return [answer.text, (yield* azure.requests).length]
 * })
 *
 * const live = Effect.provide(program, [FakeAzure.layer(), AzureO1Node.layerHttpClient])
 * await Effect.runPromise(live) // => ["hello", 2]
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as http from "node:http"
import type * as net from "node:net"
import type { AzureO1Config } from "../AzureO1Config.ts"
import * as json from "../wire/json.ts"
import * as chat from "./internal/fakeChat.ts"

/**
 * A request as the server saw it.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeRequest {
  readonly path: string
  readonly api: "classic" | "v1"
  readonly headers: http.IncomingHttpHeaders
  readonly body: unknown
  readonly stream: boolean
  /** The client has closed the connection before the reply was complete. */
  readonly abandoned: () => boolean
}

/**
 * How one request is answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reply {
  /** Anything but 200 is sent with `body` and nothing else. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** As it is if it is text, as JSON otherwise. */
  readonly body: unknown
  readonly tokens: ReadonlyArray<string>
  readonly reasoningTokens: number
  /** The wait before anything is sent. */
  readonly after: Duration.Input
  /** The wait before each token. */
  readonly every: Duration.Input
  /** The number of bytes in a write; absent: an event each. */
  readonly bytes: number | undefined
  readonly fault: {
    /** Says nothing more; closes the connection with a reset; ends the reply as if it were complete. */
    readonly kind: "stall" | "reset" | "truncate"
    /** Before the headers, or after so many tokens. A plain reply breaks after the first half of its body. */
    readonly after: "nothing" | number
  } | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface FakeAzureOptions {
  /** @default "o1" */
  readonly deployment?: string | undefined
  /** @default "fake-key" */
  readonly apiKey?: string | undefined
  /**
   * Whether the model streams; o1 on Azure does not.
   *
   * @default true
   */
  readonly streams?: boolean | undefined
  /** @default "o1-2024-12-17" */
  readonly model?: string | undefined
  /** The replies to the first requests. */
  readonly script?: ReadonlyArray<Reply> | undefined
}

const plainReply: Reply = {
  status: 200,
  headers: {},
  body: undefined,
  tokens: ["Hello", ", ", "world", "."],
  reasoningTokens: 64,
  after: 0,
  every: 0,
  bytes: undefined,
  fault: undefined
}

/** Text in pieces as a tokenizer makes them, more or less: a word with the space before it. */
const tokenize = (text: string): ReadonlyArray<string> => text.match(/\s*\S+\s*$|\s*\S+/g) ?? []

type Exchange = {
  readonly response: http.ServerResponse
  readonly reply: Reply
}

/** Writes, and waits until it has gone out, so that pieces arrive as pieces. */
const write = (response: http.ServerResponse, bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback((resume) => {
    response.write(bytes, () => resume(Effect.void))
  })

const writeIn = ({ reply, response }: Exchange, text: string): Effect.Effect<void> => {
  const bytes = new TextEncoder().encode(text)
  const size = reply.bytes ?? bytes.length
  const pieces = Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, i) => bytes.subarray(i * size, (i + 1) * size)
  )
  // a turn of the event loop in between keeps the kernel from joining them
  const pause = reply.bytes === undefined
    ? Effect.void
    : Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
  return Effect.forEach(pieces, (piece) => Effect.andThen(write(response, piece), pause), { discard: true })
}

const breakOff = ({ reply, response }: Exchange): Effect.Effect<void> => {
  switch (reply.fault?.kind) {
    case "stall":
      return Effect.never
    case "reset":
      return Effect.sync(() => void (response.socket as net.Socket).resetAndDestroy())
    case "truncate":
    case undefined:
      return Effect.sync(() => void response.end())
  }
}

const sendPlain = (exchange: Exchange, body: string): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { reply, response } = exchange
    response.flushHeaders()
    const half = reply.fault === undefined ? body.length : Math.floor(body.length / 2)
    yield* writeIn(exchange, body.slice(0, half))
    yield* breakOff(exchange)
  })

const sendStream = (exchange: Exchange, answer: chat.FakeAnswer, body: unknown): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { reply, response } = exchange
    const { head, tail, tokens } = chat.streamed(answer, body)
    response.flushHeaders()
    yield* writeIn(exchange, head)
    const sent = typeof reply.fault?.after === "number" ? tokens.slice(0, reply.fault.after) : tokens
    for (const token of sent) {
      yield* Effect.sleep(reply.every)
      yield* writeIn(exchange, token)
    }
    if (reply.fault === undefined) yield* writeIn(exchange, tail)
    yield* breakOff(exchange)
  })

const answering = (exchange: Exchange, model: string, id: string, body: unknown): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { reply, response } = exchange
    yield* Effect.sleep(reply.after)
    if (reply.fault?.after === "nothing") return yield* breakOff(exchange)
    response.statusCode = reply.status
    for (const [name, value] of Object.entries(reply.headers)) response.setHeader(name, value)
    if (reply.status !== 200 || reply.body !== undefined) {
      const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body)
      if (!response.hasHeader("content-type")) {
        response.setHeader("content-type", typeof reply.body === "string" ? "text/plain" : "application/json")
      }
      return yield* sendPlain(exchange, text)
    }
    const { reasoningTokens, tokens } = reply
    const answer = { tokens, reasoningTokens, model, id, created: 1_700_000_000 }
    if (json.at(body, "stream") === true) {
      response.setHeader("content-type", "text/event-stream")
      return yield* sendStream(exchange, answer, body)
    }
    response.setHeader("content-type", "application/json")
    yield* Effect.sleep(Duration.times(Duration.fromInputUnsafe(reply.every), tokens.length))
    yield* sendPlain(exchange, JSON.stringify(chat.plain(answer, body)))
  })

const readBody = (request: http.IncomingMessage): Effect.Effect<unknown> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => resume(Effect.succeed(json.parse(Buffer.concat(chunks).toString()))))
  })

const classicPath = /^\/openai\/deployments\/([^/]+)\/chat\/completions$/
const v1Path = "/openai/v1/chat/completions"

const make = Effect.fnUntraced(function*(options: FakeAzureOptions) {
  const deployment = options.deployment ?? "o1"
  const apiKey = options.apiKey ?? "fake-key"
  const script = [...options.script ?? []]
  const requests: Array<FakeRequest> = []
  const sockets = new Set<net.Socket>()

  /** What is wrong with a request, in Azure's order of asking. */
  const refusal = (url: URL, headers: http.IncomingHttpHeaders, body: unknown): chat.Refusal | undefined => {
    const classic = classicPath.exec(url.pathname)
    if (classic === null ? url.pathname !== v1Path : !url.searchParams.has("api-version")) return chat.resourceNotFound
    if (headers["api-key"] !== apiKey) return chat.unauthorized
    const name = classic === null ? json.string(json.at(body, "model")) : decodeURIComponent(classic[1]!)
    return name === deployment ? chat.objection(body, options.streams ?? true) : chat.deploymentNotFound
  }

  const handle = (request: http.IncomingMessage, response: http.ServerResponse): Effect.Effect<void> =>
    Effect.gen(function*() {
      const url = new URL(request.url ?? "/", "http://fake")
      const body = yield* readBody(request)
      let complete = false
      response.on("finish", () => complete = true)
      requests.push({
        path: url.pathname + url.search,
        api: url.pathname === v1Path ? "v1" : "classic",
        headers: request.headers,
        body,
        stream: json.at(body, "stream") === true,
        abandoned: () => response.closed && !complete
      })
      const id = `fake-${requests.length}`
      response.setHeader("apim-request-id", id)
      response.setHeader("x-ms-region", "Fake Central")
      const refused = refusal(url, request.headers, body)
      const reply = refused === undefined ? script.shift() ?? plainReply : { ...plainReply, ...refused }
      yield* answering({ response, reply }, options.model ?? "o1-2024-12-17", `chatcmpl-${id}`, body)
    })

  const server = http.createServer((request, response) => {
    // on the real clock, which is that of an empty context
    const fiber = Effect.runFork(handle(request, response))
    response.on("close", () => fiber.interruptUnsafe())
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const url = `http://127.0.0.1:${port}`

  return FakeAzure.of({
    url,
    config: { endpoint: url, apiKey: Redacted.make(apiKey), deployment },
    requests: Effect.sync(() => [...requests]),
    connections: Effect.sync(() => sockets.size),
    enqueue: (...replies) => Effect.sync(() => void script.push(...replies))
  })
})

/**
 * @category services
 * @since 0.1.0
 */
export class FakeAzure extends Context.Service<FakeAzure, {
  readonly url: string
  /** What a client needs, on the v1 path; with an `apiVersion`, on the classic one. */
  readonly config: AzureO1Config
  /** What was asked so far, in order. */
  readonly requests: Effect.Effect<ReadonlyArray<FakeRequest>>
  /** The connections that are open now. */
  readonly connections: Effect.Effect<number>
  /** Replies for the next requests, after those that are waiting already. */
  readonly enqueue: (...replies: ReadonlyArray<Reply>) => Effect.Effect<void>
}>()("@effect-resilience/azure-o1/testing/FakeAzure") {
  /** The server, as long as the layer lives. */
  static readonly layer = (options?: FakeAzureOptions): Layer.Layer<FakeAzure> =>
    Layer.effect(FakeAzure, make(options ?? {}))

  /** An answer: text that is cut into words, or the tokens themselves. */
  static readonly answer = (
    text: string | ReadonlyArray<string>,
    options?: Partial<Pick<Reply, "after" | "every" | "bytes" | "reasoningTokens" | "headers">>
  ): Reply => ({ ...plainReply, tokens: typeof text === "string" ? tokenize(text) : text, ...options })

  /** A status with a body and the hints that Azure gives. */
  static readonly status = (status: number, options?: {
    readonly body?: unknown
    readonly headers?: Readonly<Record<string, string>>
    /** As `retry-after-ms`, and in whole seconds as `retry-after`. */
    readonly retryAfter?: Duration.Input
    readonly after?: Duration.Input
  }): Reply => {
    const millis = options?.retryAfter === undefined ? undefined : Duration.toMillis(options.retryAfter)
    return {
      ...plainReply,
      status,
      body: options?.body ?? { error: { code: String(status), message: http.STATUS_CODES[status] ?? "" } },
      headers: {
        ...millis === undefined
          ? {}
          : { "retry-after-ms": String(millis), "retry-after": String(Math.ceil(millis / 1000)) },
        ...options?.headers
      },
      after: options?.after ?? 0
    }
  }

  /** Never answers, not even with headers. */
  static readonly stall: Reply = { ...plainReply, fault: { kind: "stall", after: "nothing" } }

  /** A reply that breaks: stalls, is reset or ends, before the headers (`"nothing"`) or after so many tokens. */
  static readonly broken = (
    kind: "stall" | "reset" | "truncate",
    after: "nothing" | number,
    reply: Reply = plainReply
  ): Reply => ({ ...reply, fault: { kind, after } })
}
