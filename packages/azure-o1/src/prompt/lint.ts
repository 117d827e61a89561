/**
 * What could be better about a prompt.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ModelProfile from "../ModelProfile.ts"
import type { O1Request } from "../O1Request.ts"
import { type Count, countRequestWith } from "./countRequest.ts"
import type { Finding, LintOptions, RuleId, Severity } from "./Finding.ts"
import { Paragraphs, type Passage } from "./paragraphs.ts"
import * as Context from "./rules/context.ts"
import * as Phrases from "./rules/phrases.ts"
import * as Redundancy from "./rules/redundancy.ts"
import * as Request from "./rules/request.ts"
import { instructive, type Rule, type Settings } from "./rules/Rule.ts"
import { layoutOf, type Text, textsOf } from "./texts.ts"
import { thinkingIn } from "./thinking.ts"
import { TokenCounter } from "./TokenCounter.ts"

const rules: { readonly [R in RuleId]: readonly [severity: Severity, rule: Rule] } = {
  "developer-and-system": ["error", Request.developerAndSystem],
  "unsupported-role": ["error", Request.unsupportedRole],
  "unsupported-parameter": ["error", Request.unsupportedParameter],
  "context-window": ["error", Request.contextWindow],
  "tokens-per-minute": ["error", Request.tokensPerMinute],
  "output-budget": ["warning", Request.outputBudget],
  "chain-of-thought": ["warning", Phrases.chainOfThought],
  "show-reasoning": ["warning", Phrases.showReasoning],
  "undelimited-data": ["warning", Context.undelimitedData],
  "duplicate-paragraph": ["warning", Redundancy.duplicateParagraph],
  "volatile-prefix": ["warning", Context.volatilePrefix],
  "markdown-not-enabled": ["info", Request.markdownNotEnabled],
  "few-shot-examples": ["info", Phrases.fewShotExamples],
  "near-duplicate-paragraph": ["info", Redundancy.nearDuplicateParagraph],
  "context-share": ["info", Context.contextShare],
  "pretty-json": ["info", Redundancy.prettyJson],
  "excess-whitespace": ["info", Redundancy.excessWhitespace]
}

/**
 * The rules, in the order in which findings are given.
 *
 * @category constants
 * @since 0.1.0
 */
export const ruleIds: ReadonlyArray<RuleId> = Object.keys(rules) as Array<RuleId>

const defaults: Settings = {
  "chain-of-thought": {},
  "show-reasoning": {},
  "few-shot-examples": { max: 3 },
  "developer-and-system": {},
  "unsupported-role": {},
  "unsupported-parameter": {},
  "undelimited-data": { minCharacters: 600 },
  "duplicate-paragraph": { minWords: 12 },
  "near-duplicate-paragraph": { minWords: 25, similarity: 0.7 },
  "excess-whitespace": { minTokens: 5 },
  "pretty-json": { minTokens: 10 },
  "context-share": { share: 0.8, minTokens: 8000 },
  "volatile-prefix": { minTokens: 1024 },
  "markdown-not-enabled": {},
  "output-budget": { minTokens: 25_000 },
  "tokens-per-minute": {},
  "context-window": {}
}

const ranges: Readonly<Record<string, readonly [min: number, max: number, text: string]>> = {
  similarity: [0.5, 1, "from 0.5 to 1"],
  share: [0, 1, "from 0 to 1"],
  max: [0, Infinity, "at least 0"]
}

const checked = (name: string, value: number): number => {
  const [min, max, text] = ranges[name.split(".").at(-1)!] ?? [1, Infinity, "at least 1"]
  if (value >= min && value <= max) return value
  throw new RangeError(`Prompt.lint: ${name} must be ${text}, got ${value}`)
}

interface Resolved {
  readonly settings: Settings
  readonly severities: ReadonlyMap<RuleId, Severity>
}

/** Settings with their defaults, and the severities of the rules that are on. */
const resolve = ({ capacity, rules: chosen = {}, tokensPerMinute }: LintOptions): Resolved => {
  for (const [name, value] of Object.entries({ capacity, tokensPerMinute })) {
    if (value !== undefined) checked(name, value)
  }
  const severities = new Map<RuleId, Severity>()
  const settings = Object.fromEntries(ruleIds.map((id) => {
    const own = chosen[id]
    if (own !== false) severities.set(id, own?.severity ?? rules[id][0])
    const values = Object.entries(own === false ? {} : own ?? {}).filter(([name, value]) =>
      name !== "severity" && value !== undefined
    )
    for (const [name, value] of values) checked(`${id}.${name}`, Number(value))
    return [id, { ...defaults[id], ...Object.fromEntries(values) }]
  })) as unknown as Settings
  return { settings, severities }
}

const passageOf = (text: Text, thinking: boolean): Passage => {
  const layout = layoutOf(text.text)
  return { ...text, layout, thinking: thinking && instructive(text) ? thinkingIn(layout) : [] }
}

/**
 * Looks for what could be better about a prompt, with a count of your own; pure. The order of the findings is that of
 * `ruleIds`, and within a rule that of the text. Throws a `RangeError` if an option is out of range.
 *
 * @category lint
 * @since 0.1.0
 */
export const lintWith = (request: O1Request, count: Count, options: LintOptions = {}): ReadonlyArray<Finding> => {
  const { settings, severities } = resolve(options)
  const thinking = severities.has("chain-of-thought")
  const passages = textsOf(request).map((text) => passageOf(text, thinking))
  const minWords = severities.has("duplicate-paragraph") ? settings["duplicate-paragraph"].minWords : Infinity
  const context = {
    request,
    profile: options.profile ?? ModelProfile.o1,
    limits: options,
    settings,
    count,
    tokens: countRequestWith(request, count),
    passages,
    paragraphs: new Paragraphs(passages, minWords)
  }
  return Array.from(severities).flatMap(([rule, severity]) =>
    rules[rule][1](context).map(({ edits = [], explanation, fix, message, range, tokensSaved = 0 }): Finding => ({
      rule,
      severity,
      message,
      range,
      explanation,
      fix: { text: fix, edits },
      tokensSaved
    }))
  )
}

/**
 * `lintWith` the counter that is provided, the estimate by default.
 *
 * @category lint
 * @since 0.1.0
 */
export const lint = (request: O1Request, options?: LintOptions): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.map(TokenCounter, ({ count }) => lintWith(request, count, options))
