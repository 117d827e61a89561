/**
 * Keeps a request within a number of tokens.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Message, O1Request, Role } from "../O1Request.ts"
import { type Count, countRequestWith } from "./countRequest.ts"
import type { FitPolicy } from "./fitPolicy.ts"
import { cut, drop, type GivenUp, keeping, shortened, textsOf, type Working } from "./giveUp.ts"
import { PromptCompressor } from "./PromptCompressor.ts"
import { TokenCounter } from "./TokenCounter.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface FitOptions {
  /** The most tokens of the prompt, at least 1; the answer's are not among them. */
  readonly budget: number
  /** The parts that are given up, and how; of several, the next one where the one before was not enough. */
  readonly drop: FitPolicy | ReadonlyArray<FitPolicy>
  /**
   * The parts that are neither dropped nor cut, beside the messages of developer and system and the last of the user; `false` leaves
   * those to the policy as well.
   */
  readonly keep?: ((message: Message, index: number) => boolean) | false | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Fitted {
  readonly request: O1Request
  readonly tokensBefore: number
  /** By the same counter, at most the budget. */
  readonly tokensAfter: number
  /** In the order of the messages. */
  readonly givenUp: ReadonlyArray<GivenUp>
}

/**
 * What may be given up is not enough.
 *
 * @category errors
 * @since 0.1.0
 */
export class PromptTooLarge extends Data.TaggedError("PromptTooLarge")<{
  readonly budget: number
  /** Of what remains. */
  readonly tokens: number
  /** What remains: messages by their index in the request, tools, the schema of the answer. */
  readonly remaining: ReadonlyArray<
    { readonly what: Role | "tools" | "schema"; readonly index?: number; readonly tokens: number }
  >
}> {
  override get message(): string {
    const remaining = this.remaining
      .toSorted((a, b) => b.tokens - a.tokens)
      .slice(0, 5)
      .map(({ index, tokens, what }) => `${what}${index === undefined ? "" : ` message ${index}`} (${tokens})`)
    return `The prompt cannot be brought within ${this.budget} tokens: ${this.tokens} remain, most of them in ` +
      `${remaining.join(", ")}. Raise the budget, shorten what remains, or let the policy give up more of it.`
  }
}

const begin = (request: O1Request, count: Count): Working => {
  const { messages, total } = countRequestWith(request, count)
  return {
    request,
    messages: new Map(request.messages.map((message, index) => [index, { message, tokens: messages[index]! }])),
    tokens: total,
    givenUp: []
  }
}

const end = (working: Working, before: number, budget: number, count: Count): Result.Result<Fitted, PromptTooLarge> => {
  const { givenUp, messages, request, tokens } = working
  if (tokens <= budget) {
    const left = Array.from(messages.values(), ({ message }) => message)
    return Result.succeed({
      request: givenUp.length === 0 ? request : { ...request, messages: left },
      tokensBefore: before,
      tokensAfter: tokens,
      givenUp: givenUp.toSorted((a, b) => a.index - b.index)
    })
  }
  const { responseFormat, tools } = countRequestWith(request, count)
  const remaining = [
    ...Array.from(messages, ([index, { message: { role }, tokens }]) => ({ what: role, index, tokens })),
    ...tools === 0 ? [] : [{ what: "tools", tokens: tools } as const],
    ...responseFormat === 0 ? [] : [{ what: "schema", tokens: responseFormat } as const]
  ]
  return Result.fail(new PromptTooLarge({ budget, tokens, remaining }))
}

const checkBudget = (budget: number): void => {
  if (!(budget >= 1)) throw new RangeError(`Prompt.fit: budget must be at least 1, got ${budget}`)
}

const give = (working: Working, options: FitOptions, count: Count): Working => {
  const { budget, drop: given, keep } = options
  const keeps = keeping(working.request, keep)
  return [given].flat().reduce(
    (working, policy) =>
      working.tokens <= budget
        ? working
        : typeof policy === "function"
        ? drop(working, policy, keeps, budget)
        : cut(working, policy, keeps, budget, count),
    working
  )
}

/**
 * Brings a request within a budget, with a count of your own; pure. The order of the messages stays, a call of tools and its
 * results stay or go together, and a request that fits is given back as it is. Throws a `RangeError` if the budget is not a
 * number of tokens.
 *
 * @category fit
 * @since 0.1.0
 */
export const fitWith = (
  request: O1Request,
  count: Count,
  options: FitOptions
): Result.Result<Fitted, PromptTooLarge> => {
  checkBudget(options.budget)
  const begun = begin(request, count)
  return end(give(begun, options, count), begun.tokens, options.budget, count)
}

/** What a compressor makes of the longest texts, until it is enough. */
const compressed = (
  working: Working,
  compressor: PromptCompressor["Service"],
  { budget, keep }: FitOptions,
  count: Count
): Effect.Effect<Working> =>
  Effect.reduce(textsOf(working, keeping(working.request, keep), count), () => working, (working, each) => {
    if (working.tokens <= budget || each.text === "") return Effect.succeed(working)
    const tokens = Math.max(1, each.tokens - (working.tokens - budget))
    return Effect.map(
      compressor.compress(each.text, { tokens, role: each.role }),
      (text) => shortened(working, each, text, "compressed", count)
    )
  })

/**
 * `fitWith` the counter that is provided, the estimate by default. If a `PromptCompressor` is provided, it is asked first, and
 * the policy gives up what is still too much.
 *
 * @category fit
 * @since 0.1.0
 */
export const fit = (request: O1Request, options: FitOptions): Effect.Effect<Fitted, PromptTooLarge> =>
  Effect.gen(function*() {
    checkBudget(options.budget)
    const { count } = yield* TokenCounter
    const compressor = yield* Effect.serviceOption(PromptCompressor)
    const begun = begin(request, count)
    const working = Option.isNone(compressor)
      ? begun
      : yield* compressed(begun, compressor.value, options, count)
    return yield* Effect.fromResult(end(give(working, options, count), begun.tokens, options.budget, count))
  })
