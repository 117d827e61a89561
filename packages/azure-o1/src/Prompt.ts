/**
 * Helps to keep prompts clear and concise: what could be better (`lint`), what of it needs no author (`applyFixes`), how many
 * tokens it is (`countRequestWith`), and how it fits a budget (`fit`).
 *
 * Everything that ends in `With` is pure and takes the function that counts tokens; the others use the `TokenCounter` that is
 * provided, and without one the estimate.
 *
 * **Example** (A prompt of other days)
 *
 * ```ts import.meta.vitest
 * import { developer, messageText, Prompt, user } from "@effect-resilience/azure-o1"
 * import { Effect } from "effect"
 *
 * const request = {
 *   messages: [developer("You plan trips. Let's think step by step."), user("Three days in Porto, by train.")]
 * } as const
 *
 * const findings = await Effect.runPromise(Prompt.lint(request))
 * findings.map(({ rule }) => rule) // => ["chain-of-thought"]
 * messageText(Prompt.applyFixes(request, findings).messages[0]!) // => "You plan trips."
 * ```
 *
 * **Example** (A conversation that has become too long)
 *
 * ```ts import.meta.vitest
 * import { assistant, developer, Prompt, user } from "@effect-resilience/azure-o1"
 * import { Effect } from "effect"
 *
 * const request = {
 *   messages: [developer("Be brief."), user("First question?"), assistant("First answer."), user("Second question?")]
 * } as const
 *
 * const fitted = await Effect.runPromise(Prompt.fit(request, { budget: 28, drop: Prompt.dropOldest }))
 * fitted.request.messages.map(({ content }) => content) // => ["Be brief.", "First answer.", "Second question?"]
 * fitted.givenUp.map(({ index, how }) => [index, how]) // => [[1, "dropped"]]
 * ```
 *
 * @since 0.1.0
 */
export { applyFixes } from "./prompt/applyFixes.ts"
export {
  type Count,
  countMessageWith,
  countRequestWith,
  type RequestTokens,
  tokensPerImage,
  tokensPerMessage,
  tokensPerRequest
} from "./prompt/countRequest.ts"
export type { Edit, Finding, LintOptions, RuleId, RuleSettings, Severity } from "./prompt/Finding.ts"
export { fit, type FitOptions, type Fitted, fitWith, PromptTooLarge } from "./prompt/fit.ts"
export {
  dropMiddle,
  dropOldest,
  type DropOrder,
  type Droppable,
  type FitPolicy,
  truncate,
  type Truncation
} from "./prompt/fitPolicy.ts"
export type { GivenUp } from "./prompt/giveUp.ts"
export { lint, lintWith, ruleIds } from "./prompt/lint.ts"
export { PromptCompressor } from "./prompt/PromptCompressor.ts"
