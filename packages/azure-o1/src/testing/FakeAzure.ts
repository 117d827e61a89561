/**
 * A deployment to test against: real HTTP on an ephemeral loopback port.
 *
 * It speaks Chat Completions and the Responses API, background mode included, on the classic and the v1 path. It checks key or
 * token, deployment, roles and parameters as Azure does for the model, streams with the pace and in the pieces that it is told,
 * and follows a script, one reply for each request for an answer. Without a script, or after it, it answers. Faults come by
 * script, or by chance with a seed. It runs on the real clock, whatever the clock of the test.
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
 * **Example** (A response in the background, for any client)
 *
 * ```ts import.meta.vitest
 * import { FakeAzure } from "@effect-resilience/azure-o1/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { responses, url } = yield* FakeAzure
 *   const ask = (path: string, body: object) =>
 *     Effect.promise(() =>
 *       fetch(`${url}/openai/v1/responses${path}`, {
 *         method: "POST",
 *         headers: { "api-key": "fake-key" },
 *         body: JSON.stringify(body)
 *       }).then((response) => response.json() as Promise<{ readonly id: string; readonly status: string }>)
 *     )
 *   const { id, status } = yield* ask("", { model: "o1", input: "hi", background: true })
 *   yield* ask(`/${id}/cancel`, {})
 *   return [status, (yield* responses)[0]?.status]
 * })
 *
 * const slow = FakeAzure.layer({ script: [FakeAzure.answer("hello", { think: "1 minute" })] })
 * await Effect.runPromise(Effect.provide(program, slow)) // => ["queued", "cancelled"]
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { AzureO1Config } from "../AzureO1Config.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { FakeAzureOptions, FakeLimits, FakeRequest, FakeResponse } from "./FakeOptions.ts"
import { type FakeBreak, type FakeToolCall, plainReply, type Reply, type ReplyOptions } from "./FakeReply.ts"
import { listen } from "./internal/fakeListen.ts"
import * as replies from "./internal/fakeReplies.ts"
import { FakeServer } from "./internal/fakeServer.ts"

const make = Effect.fnUntraced(function*(options: FakeAzureOptions) {
  const server = new FakeServer(options)
  const { sockets, url } = yield* listen(server)
  return FakeAzure.of({
    url,
    config: {
      endpoint: url,
      apiKey: Redacted.make(server.apiKey),
      deployment: server.deployment,
      profile: ModelProfile.make({ ...ModelProfile.o1, streaming: "try" })
    },
    requests: Effect.sync(() => [...server.requests]),
    responses: Effect.sync(() => Array.from(server.stored.values(), ({ seen }) => seen)),
    connections: Effect.sync(() => sockets.size),
    limit: (limits) => Effect.sync(() => server.limiter.adopt(limits)),
    enqueue: (...replies) => Effect.sync(() => void server.script.push(...replies)),
    enqueueReads: (...replies) => Effect.sync(() => void server.reads.push(...replies)),
    enqueueCancels: (...replies) => Effect.sync(() => void server.cancels.push(...replies))
  })
})

/**
 * @category services
 * @since 0.1.0
 */
export class FakeAzure extends Context.Service<FakeAzure, {
  readonly url: string
  /**
   * What a client needs, on the v1 path; with an `apiVersion`, on the classic one. The profile is that of an o1 that may stream,
   * which it does here by default.
   */
  readonly config: AzureO1Config
  /** The requests so far, in order. */
  readonly requests: Effect.Effect<ReadonlyArray<FakeRequest>>
  /** The responses that are stored, those that are being made in the background among them, in order. */
  readonly responses: Effect.Effect<ReadonlyArray<FakeResponse>>
  /** The connections that are open now. */
  readonly connections: Effect.Effect<number>
  /** Other limits from now on, as when Azure lowers them for a while. They forget nothing of what was used. */
  readonly limit: (limits: FakeLimits) => Effect.Effect<void>
  /** Replies for the next requests for an answer, after those that are waiting already. */
  readonly enqueue: (...replies: ReadonlyArray<Reply>) => Effect.Effect<void>
  /**
   * Replies for the next reads of stored responses, polls as well as streams: what goes wrong with them. Without a fault
   * they tell what is stored.
   */
  readonly enqueueReads: (...replies: ReadonlyArray<Reply>) => Effect.Effect<void>
  /**
   * Replies for the next cancels. A reply that refuses cancels nothing. A reply that breaks has cancelled, and only its
   * answer is lost.
   */
  readonly enqueueCancels: (...replies: ReadonlyArray<Reply>) => Effect.Effect<void>
}>()("@effect-resilience/azure-o1/testing/FakeAzure") {
  /** The server, as long as the layer lives. */
  static readonly layer = (options?: FakeAzureOptions): Layer.Layer<FakeAzure> =>
    Layer.effect(FakeAzure, make(options ?? {}))

  /** An answer: text that is cut into words, or the tokens themselves. JSON of a structured answer is text as any other. */
  static readonly answer: (text: string | ReadonlyArray<string>, options?: ReplyOptions) => Reply = replies.answer

  /** Calls of functions, with or without text before them. */
  static readonly toolCalls: (
    calls: ReadonlyArray<FakeToolCall>,
    options?: ReplyOptions & { readonly text?: string }
  ) => Reply = replies.toolCalls

  /** The model refuses, in these words. */
  static readonly refusal: (text: string | ReadonlyArray<string>, options?: ReplyOptions) => Reply = replies.refusal

  /** An answer that ends at the limit of its tokens. */
  static readonly cutOff: (text: string | ReadonlyArray<string>, options?: ReplyOptions) => Reply = replies.cutOff

  /** The reasoning has used up the whole budget: the limit is reached, and there is no text. */
  static readonly reasoningExhausted = (options?: ReplyOptions): Reply =>
    replies.cutOff([], { reasoningTokens: 1024, ...options })

  /** An answer that the content filter stops after this text. */
  static readonly filtered: (
    text: string | ReadonlyArray<string>,
    options?: ReplyOptions & {
      /** @default ["violence"] */
      readonly categories?: ReadonlyArray<string>
    }
  ) => Reply = replies.filtered

  /** A prompt that the content filter refuses, with the categories that it names. */
  static readonly promptFiltered: (categories?: ReadonlyArray<string>) => Reply = replies.promptFiltered

  /** An answer that fails while it is made: a response with that status, as Chat Completions an error. */
  static readonly failed: (
    error?: { readonly code?: string; readonly message?: string },
    options?: ReplyOptions
  ) => Reply = replies.failed

  /** A status with a body and the hints that Azure gives. */
  static readonly status: (status: number, options?: {
    readonly body?: unknown
    readonly headers?: Readonly<Record<string, string>>
    /** As `retry-after-ms`, and in whole seconds as `retry-after`. */
    readonly retryAfter?: Duration.Input
    readonly after?: Duration.Input
  }) => Reply = replies.status

  /** Another address to ask; nobody who sends a key along should. */
  static readonly redirect = (location: string): Reply => replies.status(307, { body: "", headers: { location } })

  /** A 200 with an HTML page, as of a proxy that wants a login. */
  static readonly page: Reply = replies.page

  /** A 200 with nothing in it. */
  static readonly empty: Reply = replies.empty

  /** A 200 whose body is an error, a rate limit. */
  static readonly errorBody: Reply = replies.errorBody

  /** Never answers, not even with headers. */
  static readonly stall: Reply = replies.broken("stall", "nothing")

  /** An answer whose headers take a while. */
  static readonly slow: (duration: Duration.Input, reply?: Reply) => Reply = replies.slow

  /**
   * A background response that stays silent for a while, although the server makes it: a caller that leaves meanwhile has
   * begun something that goes on.
   */
  static readonly slowCreate: (duration: Duration.Input, reply?: Reply) => Reply = replies.slowCreate

  /** A stored response that cannot be read for a while after its beginning: 404, as if there were none. */
  static readonly unreadable: (duration: Duration.Input, reply?: Reply) => Reply = replies.unreadable

  /**
   * A reply that breaks, before the headers (`"nothing"`) or after so many tokens. In background mode only the connection
   * breaks: the server goes on making the answer.
   */
  static readonly broken: (kind: FakeBreak, after: "nothing" | number, reply?: Reply) => Reply = replies.broken

  /** A read of stored events that begins so many before its cursor, and repeats what the reader has seen. */
  static readonly rewound = (events: number): Reply => ({ ...plainReply, rewind: events })
}
