/**
 * What a line of `FakeAzure`'s script says: the answer to one request, and what goes wrong on the way. It knows nothing of
 * the two APIs; the server writes the same reply as Chat Completions or as a response, in one piece or streamed. The
 * constructors are members of `FakeAzure`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

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
 * - `stall`: nothing more is said, and the connection stays open, as where a router has dropped it without a word
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
 * an `error-body`, one that is `slow` to send its headers, and of background responses a `slow-create`, and one that is
 * `unreadable` for a while.
 *
 * @category models
 * @since 0.1.0
 */
export type FakeFaultKind =
  | FakeBreak
  | "status"
  | "page"
  | "empty"
  | "error-body"
  | "slow"
  | "slow-create"
  | "unreadable"

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
  /**
   * What the model says besides its answer, on the way to it: a message of the phase `commentary`, before that of the phase
   * `final_answer`. Only the Responses API tells it.
   */
  readonly commentary: ReadonlyArray<string>
  /**
   * The Responses API tells text and arguments in its `done` events only, and its last event has an empty output, as some
   * gateways have it.
   */
  readonly doneOnly: boolean
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
  /** While a stream waits for what comes next, a comment that often, so that the connection does not look dead. */
  readonly heartbeat: Duration.Input | undefined
  /** How long the request that begins a background response waits for its answer; the response is made meanwhile. */
  readonly creating: Duration.Input
  /** How long a response that is stored cannot be read yet, from its beginning on: 404. */
  readonly readableAfter: Duration.Input
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
  Pick<
    Reply,
    | "after"
    | "think"
    | "every"
    | "heartbeat"
    | "creating"
    | "readableAfter"
    | "bytes"
    | "reasoningTokens"
    | "summary"
    | "commentary"
    | "doneOnly"
    | "headers"
    | "usage"
  >
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
  commentary: [],
  doneOnly: false,
  finish: "stop",
  categories: [],
  error: undefined,
  usage: true,
  after: 0,
  think: 0,
  every: 0,
  heartbeat: undefined,
  creating: 0,
  readableAfter: 0,
  bytes: undefined,
  fault: undefined,
  injects: undefined,
  rewind: 0
}

export const millis = (duration: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(duration))

/** The fault of a reply, in a word. */
export const faultOf = (reply: Reply): FakeFaultKind | undefined => reply.fault?.kind ?? reply.injects
