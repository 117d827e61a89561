/** What became of a prompt: the lines of the output. */
import type { O1Completion, O1Error } from "@effect-resilience/azure-o1"
import * as Schema from "effect/Schema"
import type { Prompt } from "./prompts.ts"

const Usage = Schema.Struct({
  input: Schema.Finite,
  cachedInput: Schema.Finite,
  output: Schema.Finite,
  reasoning: Schema.Finite
})

const Answered = Schema.Struct({
  answer: Schema.String,
  model: Schema.String,
  /** `length` means that the answer is cut off. */
  finishReason: Schema.String,
  usage: Schema.optionalKey(Usage)
})

const Failed = Schema.Struct({
  error: Schema.Struct({
    /** In one word, for programs. */
    reason: Schema.String,
    /** In sentences, for people. */
    message: Schema.String
  })
})

export const Result = Schema.Union([Answered, Failed])

export type Result = typeof Result.Type

export const isFailed = (result: Result): result is typeof Failed.Type => "error" in result

/** A line of the output. */
export const lineOf = ({ digest, id }: Pick<Prompt, "digest" | "id">, result: Result): string =>
  `${JSON.stringify({ id, prompt: digest, ...result })}\n`

export const failed = (reason: string, message: string): Result => ({ error: { reason, message } })

/** A refusal in the model's own words is no answer. */
export const ofCompletion = ({ finishReason, model, refusal, text, usage }: O1Completion): Result =>
  refusal === undefined
    ? { answer: text, model, finishReason, ...usage === undefined ? {} : { usage } }
    : failed("refusal", refusal)

export const ofError = (error: O1Error): Result =>
  failed(`${error._tag}/${error.kind}`, error.message.replaceAll(/\s+/gu, " ").trim())
