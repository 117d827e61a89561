/**
 * What `FakeAzure` is told, and what it has seen.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { IncomingHttpHeaders } from "node:http"
import type { FakeFaultKind, Reply } from "./FakeReply.ts"

/**
 * A request as the server saw it.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeRequest {
  readonly method: string
  readonly path: string
  readonly api: "classic" | "v1"
  /** The operation; `undefined` if there is nothing at that path. */
  readonly operation: "chat" | "responses" | "retrieve" | "cancel" | "delete" | "models" | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
  readonly stream: boolean
  /** What went wrong, by script or by chance. Refusals for a reason, a rate limit among them, are not faults. */
  readonly fault: FakeFaultKind | undefined
  /** The limit for which it was refused. */
  readonly refused: "requests" | "tokens" | undefined
  /** The client has closed the connection before the reply was complete. */
  readonly abandoned: () => boolean
}

/**
 * A response that the server has stored, as it is now.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeResponse {
  readonly id: string
  readonly background: boolean
  readonly status: "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled"
  readonly cancelled: boolean
  /** How often its status was asked for. */
  readonly polls: number
  /** How often its events were read again, with a cursor or from the beginning. */
  readonly cursorReads: number
}

/**
 * Faults by chance, reproducible by their seed. They hit the requests for an answer, the reads of stored responses, their
 * cancels and the list of models; what is refused for a reason is refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeFaults {
  /** The share of the requests that a fault hits, from 0 to 1. */
  readonly rate: number
  /**
   * An integer. The same seed gives the same faults in the order of the requests.
   *
   * @default 0
   */
  readonly seed?: number | undefined
  /**
   * What happens, each as often. A `status` is one of 408, 429, 500, 502 and 503, with a hint of a millisecond.
   *
   * @default ["status", "reset", "truncate", "error", "empty", "error-body"]
   */
  readonly kinds?: ReadonlyArray<FakeFaultKind> | undefined
  /**
   * Where a reply breaks: before the headers (`"nothing"`), or after so many tokens.
   *
   * @default 0
   */
  readonly after?: "nothing" | number | undefined
  /**
   * How long `slow` headers and a `slow-create` take, and how long a response is `unreadable`.
   *
   * @default "1 second"
   */
  readonly slow?: Duration.Input | undefined
}

/**
 * Rate limits, charged when a request is admitted, whatever becomes of it: a request, and as many tokens as a quarter of the
 * prompt's characters plus the largest output that it allows.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeLimits {
  /** 1 or more. Checked by the minute, and in windows of 10 seconds of a sixth each. */
  readonly requestsPerMinute?: number | undefined
  /** 1 or more. A request that is larger than the minute is refused for a day. */
  readonly tokensPerMinute?: number | undefined
  /**
   * How many times faster than others the clock of the limits runs, in what it counts and in what it tells: for clients under a
   * `Clock` that runs as fast, whose tests then need not take minutes.
   *
   * @default 1
   */
  readonly speed?: number | undefined
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
   * The tokens that are accepted as `Authorization: Bearer`, or a verdict on each.
   *
   * @default []
   */
  readonly tokens?: ReadonlyArray<string> | ((token: string) => "ok" | "expired" | "unknown") | undefined
  /**
   * Whether the model streams; o1 on Azure does not.
   *
   * @default true
   */
  readonly streams?: boolean | undefined
  /**
   * Whether the deployment takes `background`.
   *
   * @default true
   */
  readonly background?: boolean | undefined
  /**
   * Whether there is a Responses API.
   *
   * @default true
   */
  readonly responses?: boolean | undefined
  /**
   * Decides which parameters and roles are accepted: those of the o-series and of gpt-5 are known.
   *
   * @default "o1-2024-12-17"
   */
  readonly model?: string | undefined
  /**
   * How the content filter works on streams. `"default"`: the deltas come in blocks that have been filtered.
   * `"asynchronous"`: token by token, and the filter's reports in chunks without a delta, after the end as well. Absent:
   * token by token, without reports.
   */
  readonly filterMode?: "default" | "asynchronous" | undefined
  /** The replies to the first requests for an answer. */
  readonly script?: ReadonlyArray<Reply> | undefined
  /**
   * The reply to a request for an answer that the script has none for, by the request's body.
   *
   * @default "Hello, world."
   */
  readonly reply?: ((body: unknown) => Reply) | undefined
  /**
   * How long a stored response cannot be read yet, counted from its beginning: 404 until then. Half a minute has been
   * measured on Azure.
   *
   * @default "0 seconds"
   */
  readonly readableAfter?: Duration.Input | undefined
  /** Faults by chance. One that hits a request leaves its scripted reply to the next. */
  readonly faults?: FakeFaults | undefined
  readonly limits?: FakeLimits | undefined
}
