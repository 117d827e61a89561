/** The constructors of replies, which are members of `FakeAzure`. */
import type * as Duration from "effect/Duration"
import { STATUS_CODES } from "node:http"
import { type FakeBreak, type FakeToolCall, millis, plainReply, type Reply, type ReplyOptions } from "../FakeReply.ts"

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

export const slowCreate = (duration: Duration.Input, reply: Reply = plainReply): Reply => ({
  ...reply,
  creating: duration,
  injects: "slow-create"
})

export const unreadable = (duration: Duration.Input, reply: Reply = plainReply): Reply => ({
  ...reply,
  readableAfter: duration,
  injects: "unreadable"
})
