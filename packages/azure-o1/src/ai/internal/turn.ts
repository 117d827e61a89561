import * as AiError from "effect/ai/AiError"
import type { ProviderOptions } from "effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { CallOptions } from "../../O1Client.ts"
import type { O1Completion } from "../../O1Completion.ts"
import { O1OutputLimitError, O1RefusalError } from "../../O1Error.ts"
import type { O1Request } from "../../O1Request.ts"
import { badInput, type Method, reasonError, toAiError } from "./errors.ts"
import type { ReadCall } from "./parts.ts"
import { messagesOf } from "./prompt.ts"
import type { Settings } from "./settings.ts"
import { type Callable, choiceOf, formatOf, functionsOf, parsed } from "./tools.ts"

/** One turn: what is asked of the client, and how its answer is to be read. */
export interface Turn {
  readonly request: O1Request
  readonly call: CallOptions
  readonly method: Method
  readonly functions: ReadonlyMap<string, Callable>
  /** Calls of tools that nobody has declared are given out as well. */
  readonly deferred: boolean
  readonly object: boolean
}

/**
 * With a `ResponseIdTracker` only what is new is sent, after a response that the service knows. Answers of Chat Completions have
 * ids too, but none that can be continued.
 */
const continuing = (
  { incrementalPrompt, previousResponseId, prompt }: ProviderOptions
): Pick<ProviderOptions, "previousResponseId" | "prompt"> =>
  incrementalPrompt !== undefined && previousResponseId?.startsWith("resp") === true
    ? { previousResponseId, prompt: incrementalPrompt }
    : { previousResponseId: undefined, prompt }

/** What a turn asks, or why it cannot be asked. */
export const turnOf = (
  method: Method,
  settings: Settings,
  options: ProviderOptions
): Effect.Effect<Turn, AiError.AiError> =>
  Effect.suspend(() => {
    const { responseFormat, toolCallValidation, toolChoice, tools } = options
    const { call = {}, strictTools = true, systemRole = "developer", ...fields } = settings
    const { previousResponseId, prompt } = continuing(options)
    const failed = (reason: AiError.AiErrorReason) => Effect.fail(reasonError(method, reason))
    const messages = messagesOf(prompt, { systemRole })
    if (Result.isFailure(messages)) return Effect.fail(badInput(method, messages.failure))
    const functions = functionsOf(tools, strictTools)
    if (Result.isFailure(functions)) return failed(functions.failure)
    const format = responseFormat.type === "json" ? formatOf(responseFormat) : Result.succeed(undefined)
    if (Result.isFailure(format)) return failed(format.failure)
    const declared = Array.from(functions.success.values(), ({ tool }) => tool)
    return Effect.succeed({
      request: {
        ...fields,
        ...previousResponseId === undefined ? {} : { previousResponseId },
        messages: messages.success,
        ...declared.length === 0 ? {} : { tools: declared, toolChoice: choiceOf(toolChoice) },
        ...format.success === undefined ? {} : { responseFormat: format.success }
      },
      call,
      method,
      functions: functions.success,
      deferred: toolCallValidation === "deferred",
      object: responseFormat.type === "json"
    })
  })

/** Whether the answer can be what was asked for. */
const checked = ({ method, object }: Turn, completion: O1Completion): AiError.AiError | undefined => {
  const { finishReason, refusal, text, usage } = completion
  if (!object) return undefined
  if (refusal !== undefined) {
    return toAiError(method)(new O1RefusalError({ kind: "refused", refusal, completion, usage }))
  }
  return finishReason === "length"
    ? toAiError(method)(new O1OutputLimitError({ kind: "cut-off", partialText: text, completion, usage }))
    : undefined
}

/** The tool calls of an answer with their arguments read, or why the answer cannot be given out. */
export const readingOf = (
  turn: Turn,
  completion: O1Completion
): Effect.Effect<ReadonlyArray<ReadCall>, AiError.AiError> =>
  Effect.suspend(() => {
    const { deferred, functions, method } = turn
    const problem = checked(turn, completion)
    if (problem !== undefined) return Effect.fail(problem)
    const calls: Array<ReadCall> = []
    for (const [i, { arguments: args, id, name }] of completion.toolCalls.entries()) {
      const called = functions.get(name)
      if (called === undefined && !deferred) {
        const availableTools = Array.from(functions.keys())
        return Effect.fail(reasonError(method, new AiError.ToolNotFoundError({ toolName: name, availableTools })))
      }
      // not every gateway gives its calls ids, and their results need one
      calls.push({ id: id || `${completion.id}-call-${i}`, name, params: (called?.read ?? parsed)(args) })
    }
    return Effect.succeed(calls)
  })
