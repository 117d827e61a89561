/**
 * What a line of `FakeAzure`'s script says: the answer to one request, and what goes wrong on the way. It knows nothing of
 * the two APIs; the server writes the same reply as Chat Completions or as a response, in one piece or streamed. The
 * constructors are members of `FakeAzure`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import { STATUS_CODES } from "node:http"

/**
 * A call of a function that the answer asks for.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeToolCall {
  readonly name: string
  /** As it is if it is text, as JSON otherwise. */
  readonly arguments: unknown
  /** @default "call_1", "call_2", ... */
  readonly id?: string | undefined
}

/**
 * How a reply that has begun breaks:
 *
 * - `stall`: nothing more is said
 * - `reset`: the connection is closed with a reset
 * - `truncate`: the reply ends as if it were complete
 * - `malformed`: an event that is not JSON
 * - `error`, `flat-error`: an event with an error, its fields inside `error` or at the top
 * - `null-error`: as Azure tells of a rate limit inside a response: `response.failed` without an error, and only then the
 *   error; as Chat Completions the same as `error`
 * - `ping`: comments for ever, and nothing else
 * - `linger`: everything is sent, and then the connection stays open
 *
 * @category models
 * @since 0.1.0
 */
export type FakeBreak =
  | "stall"
  | "reset"
  | "truncate"
  | "malformed"
  | "error"
  | "flat-error"
  | "null-error"
  | "ping"
  | "linger"

/**
 * What can be wrong with a reply. Besides the breaks: a `status` other than 200, an HTML `page`, an `empty` 200, a 200 with
 * an `error-body`, and one that is `slow` to send its headers.
 *
 * @category models
 * @since 0.1.0
 */
export type FakeFaultKind = FakeBreak | "status" | "page" | "empty" | "error-body" | "slow"

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
  /** The tokens of a refusal, which stands in place of the text. */
  readonly refusal: ReadonlyArray<string> | undefined
  readonly toolCalls: ReadonlyArray<FakeToolCall>
  /** The tokens of the reasoning summary; sent if the request asks for one, which only the Responses API can. */
  readonly summary: ReadonlyArray<string>
  readonly reasoningTokens: number
  /** Why the answer ends; `stop` with tool calls is `tool_calls`. */
  readonly finish: "stop" | "length" | "content_filter" | "failed"
  /** The categories that the filter has found, if that is why. */
  readonly categories: ReadonlyArray<string>
  /** The error of an answer that failed. */
  readonly error: { readonly code: string; readonly message: string } | undefined
  /** Whether the usage is told. */
  readonly usage: boolean
  /** The wait before anything is sent; of a background response, its time in the queue. */
  readonly after: Duration.Input
  /** The reasoning: the wait before the first token, which in a stream comes after the headers and the first events. */
  readonly think: Duration.Input
  /** The wait before each token. */
  readonly every: Duration.Input
  /** The number of bytes in a write; absent: all events that are due. */
  readonly bytes: number | undefined
  readonly fault: {
    readonly kind: FakeBreak
    /**
     * Before the headers, or after so many tokens. A plain reply breaks after the first half of its body. The kinds that
     * send something of their own do so after the headers even if it is `"nothing"`.
     */
    readonly after: "nothing" | number
  } | undefined
  /** What else is wrong with it, for the record. */
  readonly injects: Exclude<FakeFaultKind, FakeBreak> | undefined
  /** A read with a cursor begins so many events before it, and sends again what the reader has seen. */
  readonly rewind: number
}

/**
 * What an answer can be given besides its content.
 *
 * @category models
 * @since 0.1.0
 */
export type ReplyOptions = Partial<
  Pick<Reply, "after" | "think" | "every" | "bytes" | "reasoningTokens" | "summary" | "headers" | "usage">
>

export const plainReply: Reply = {
  status: 200,
  headers: {},
  body: undefined,
  tokens: ["Hello", ", ", "world", "."],
  refusal: undefined,
  toolCalls: [],
  summary: ["Greeting", " the", " world", "."],
  reasoningTokens: 64,
  finish: "stop",
  categories: [],
  error: undefined,
  usage: true,
  after: 0,
  think: 0,
  every: 0,
  bytes: undefined,
  fault: undefined,
  injects: undefined,
  rewind: 0
}

export const millis = (duration: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(duration))

/** What is wrong with a reply, in a word. */
export const faultOf = (reply: Reply): FakeFaultKind | undefined => reply.fault?.kind ?? reply.injects

/** Text in pieces as a tokenizer makes them, more or less: a word with the space before it. */
const tokenize = (text: string): ReadonlyArray<string> => text.match(/\s*\S+\s*$|\s*\S+/g) ?? []

const tokensOf = (text: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  typeof text === "string" ? tokenize(text) : text

export const answer = (text: string | ReadonlyArray<string>, options?: ReplyOptions): Reply => ({
  ...plainReply,
  tokens: tokensOf(text),
  ...options
})

export const toolCalls = (
  calls: ReadonlyArray<FakeToolCall>,
  options?: ReplyOptions & { readonly text?: string }
): Reply => {
  const { text, ...rest } = options ?? {}
  return { ...answer(text ?? "", rest), toolCalls: calls }
}

export const refusal = (text: string | ReadonlyArray<string>, options?: ReplyOptions): Reply => ({
  ...answer([], options),
  refusal: tokensOf(text)
})

export const cutOff = (text: string | ReadonlyArray<string>, options?: ReplyOptions): Reply => ({
  ...answer(text, options),
  finish: "length"
})

export const filtered = (
  text: string | ReadonlyArray<string>,
  options?: ReplyOptions & { readonly categories?: ReadonlyArray<string> }
): Reply => {
  const { categories, ...rest } = options ?? {}
  return { ...answer(text, rest), finish: "content_filter", categories: categories ?? ["violence"] }
}

export const failed = (
  error?: { readonly code?: string; readonly message?: string },
  options?: ReplyOptions
): Reply => ({
  ...answer([], options),
  finish: "failed",
  error: {
    code: error?.code ?? "server_error",
    message: error?.message ?? "The server had an error while processing your request."
  }
})

export interface StatusOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** As `retry-after-ms`, and in whole seconds as `retry-after`. */
  readonly retryAfter?: Duration.Input
  readonly after?: Duration.Input
}

const retryAfterHeaders = (millis: number): Readonly<Record<string, string>> => ({
  "retry-after-ms": String(millis),
  "retry-after": String(Math.ceil(millis / 1000))
})

export const status = (status: number, options?: StatusOptions): Reply => ({
  ...plainReply,
  status,
  body: options?.body ?? { error: { code: String(status), message: STATUS_CODES[status] ?? "" } },
  headers: {
    ...options?.retryAfter === undefined ? {} : retryAfterHeaders(millis(options.retryAfter)),
    ...options?.headers
  },
  after: options?.after ?? 0,
  injects: status === 200 ? undefined : "status"
})

export const promptFiltered = (categories: ReadonlyArray<string> = ["violence"]): Reply =>
  status(400, {
    body: {
      error: {
        code: "content_filter",
        message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. " +
          "Please modify your prompt and retry. To learn more about our content filtering policies please read our " +
          "documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
        param: "prompt",
        status: 400,
        type: null,
        innererror: {
          code: "ResponsibleAIPolicyViolation",
          content_filter_result: Object.fromEntries(
            categories.map((category) => [category, { filtered: true, severity: "medium" }])
          )
        }
      }
    }
  })

export const page: Reply = {
  ...plainReply,
  body: "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>",
  headers: { "content-type": "text/html; charset=utf-8" },
  injects: "page"
}

export const empty: Reply = { ...plainReply, body: "", injects: "empty" }

export const errorBody: Reply = {
  ...plainReply,
  body: { error: { code: "429", message: "Rate limit is exceeded. Try again in 1 milliseconds." } },
  injects: "error-body"
}

export const broken = (kind: FakeBreak, after: "nothing" | number, reply: Reply = plainReply): Reply => ({
  ...reply,
  fault: { kind, after }
})

export const slow = (duration: Duration.Input, reply: Reply = plainReply): Reply => ({
  ...reply,
  after: duration,
  injects: "slow"
})
