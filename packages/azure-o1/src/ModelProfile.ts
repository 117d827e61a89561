/**
 * What a model can be asked: parameters, roles, efforts, streaming, limits.
 *
 * Azure's deployments have names of their own, and a model can be exchanged under the same name. So the profile is chosen by
 * the configuration, `o1` if it says nothing, and checked against the model that really answered. A request that the profile
 * forbids fails before it is sent; where the profile is known when the program is compiled, `RequestFor` is the type of the
 * requests that it allows. A model that is too new to be known here has the profile of the newest one of its kind.
 *
 * **Example** (What o1-mini takes)
 *
 * ```ts import.meta.vitest
 * import { ModelProfile, developer, user } from "@effect-resilience/azure-o1"
 *
 * const problem = ModelProfile.check(ModelProfile.o1Mini, { messages: [developer("Be brief."), user("Hello")] })
 * problem?.detail // => "o1-mini takes messages of user, assistant, not of developer"
 * ModelProfile.forModel("o3-mini-2025-01-31")?.name // => "o3-mini"
 * ModelProfile.forModel("gpt-5.4-pro")?.apis // => ["responses"]
 * ```
 *
 * What is known of the models, with its sources and the days on which they were read, is in `src/profiles/facts.ts`. A limit
 * that is not known is left to the service.
 *
 * @since 0.1.0
 */
import type { FilePart, ImagePart, Message, O1Request, TextPart, UserMessage } from "./O1Request.ts"
import { early, gpt5Series, oSeries, retirements, units } from "./profiles/facts.ts"
import type { ModelProfile, Retirement } from "./profiles/model.ts"

export { apiFor, check } from "./profiles/check.ts"
export type { Api, ModelProfile, Retirement } from "./profiles/model.ts"

/**
 * A profile whose type keeps its values, so that `RequestFor` can use them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const P extends ModelProfile>(profile: P): P => profile

/**
 * The first that Azure had, and the default here.
 *
 * @category profiles
 * @since 0.1.0
 */
export const o1 = make({
  ...oSeries,
  name: "o1",
  models: ["o1"],
  apis: ["chat", "responses"],
  streaming: "no",
  unit: units.o1,
  retirement: retirements.o1
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o1Mini = make({
  ...early,
  name: "o1-mini",
  models: ["o1-mini"],
  outputTokens: 65_536,
  unit: units.small
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o1Preview = make({
  ...early,
  name: "o1-preview",
  models: ["o1-preview"],
  outputTokens: 32_768,
  retirement: retirements["o1-preview"]
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o1Pro = make({
  ...oSeries,
  name: "o1-pro",
  models: ["o1-pro"],
  apis: ["responses"],
  streaming: "no",
  retirement: retirements["o1-pro"]
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o3 = make({
  ...oSeries,
  name: "o3",
  models: ["o3"],
  apis: ["chat", "responses"],
  streaming: "try",
  reasoningSummary: true,
  encryptedReasoning: true,
  unit: units.o3,
  retirement: retirements.o3
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o3Mini = make({
  ...oSeries,
  name: "o3-mini",
  models: ["o3-mini"],
  apis: ["chat", "responses"],
  streaming: "yes",
  images: false,
  files: false,
  encryptedReasoning: true,
  unit: units.small,
  retirement: retirements["o3-mini"]
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o3Pro = make({
  ...oSeries,
  name: "o3-pro",
  models: ["o3-pro"],
  apis: ["responses"],
  streaming: "no",
  unit: units.small,
  retirement: retirements["o3-pro"]
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o4Mini = make({
  ...oSeries,
  name: "o4-mini",
  models: ["o4-mini"],
  apis: ["chat", "responses"],
  streaming: "yes",
  reasoningSummary: true,
  encryptedReasoning: true,
  unit: units.o3,
  retirement: retirements["o4-mini"]
})

/**
 * o3-deep-research, o4-mini-deep-research and the like: they take minutes, search with the tools in `extra`, and have only the
 * Responses API.
 *
 * @category profiles
 * @since 0.1.0
 */
export const deepResearch = make({
  ...oSeries,
  name: "deep-research",
  models: ["o3-deep-research", "o4-mini-deep-research"],
  apis: ["responses"],
  streaming: "try",
  reasoningSummary: true,
  encryptedReasoning: true
})

/**
 * gpt-5, gpt-5-mini and gpt-5-nano.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt5 = make({
  ...gpt5Series,
  name: "gpt-5",
  models: ["gpt-5"],
  efforts: ["minimal", "low", "medium", "high"],
  retirement: retirements["gpt-5"]
})

/**
 * gpt-5-chat, which does not reason.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt5Chat = make({
  ...gpt5Series,
  name: "gpt-5-chat",
  models: ["gpt-5-chat"],
  reasons: false,
  efforts: [],
  reasoningSummary: false,
  encryptedReasoning: false,
  sampling: "always",
  contextTokens: 128_000,
  outputTokens: 16_384
})

/**
 * gpt-5.1 to gpt-5.3; they do not reason unless they are asked to, and take sampling parameters as long as they do not.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt51 = make({
  ...gpt5Series,
  name: "gpt-5.1",
  models: ["gpt-5.1", "gpt-5.2", "gpt-5.3"],
  efforts: ["none", "low", "medium", "high", "xhigh", "max"],
  sampling: "without-reasoning",
  retirement: retirements["gpt-5.1"]
})

/**
 * gpt-5.4 and what came after it, gpt-5.6-sol among them. With tools, reasoning is for the Responses API.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt54 = make({
  ...gpt5Series,
  name: "gpt-5.4",
  models: ["gpt-5.4", "gpt-5.5", "gpt-5.6"],
  efforts: ["none", "low", "medium", "high", "xhigh", "max"],
  chatTools: "without-reasoning",
  sampling: "without-reasoning",
  contextTokens: undefined
})

/**
 * The pro models from gpt-5-pro on, which have only the Responses API.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt5Pro = make({
  ...gpt5Series,
  name: "gpt-5-pro",
  models: ["gpt-5-pro"],
  apis: ["responses"],
  efforts: ["low", "medium", "high", "xhigh", "max"],
  streaming: "no"
})

/**
 * The codex models, which have only the Responses API.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt5Codex = make({
  ...gpt5Series,
  name: "gpt-5-codex",
  models: ["gpt-5-codex", "codex-mini"],
  apis: ["responses"],
  efforts: ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
})

/**
 * gpt-6 and what comes after it: it takes no sampling parameters, and its limits are left to the service.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt6 = make({
  ...gpt5Series,
  name: "gpt-6",
  models: ["gpt-6"],
  efforts: ["none", "low", "medium", "high", "xhigh", "max"],
  chatTools: "without-reasoning",
  contextTokens: undefined,
  outputTokens: undefined
})

/**
 * A model that is not known here, or one that does not reason, such as gpt-4.1: nothing is forbidden, and the service has the
 * last word. `overrides` says what is known of it; without `models`, whatever model answers is taken for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const custom = (name: string, overrides?: Partial<Omit<ModelProfile, "name">>): ModelProfile => ({
  ...gpt5Series,
  models: [],
  streaming: "try",
  reasons: false,
  efforts: ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
  encryptedReasoning: false,
  sampling: "always",
  contextTokens: undefined,
  outputTokens: undefined,
  ...overrides,
  name
})

/**
 * The profiles that have a name.
 *
 * @category profiles
 * @since 0.1.0
 */
export const known = [
  o1,
  o1Mini,
  o1Preview,
  o1Pro,
  o3,
  o3Mini,
  o3Pro,
  o4Mini,
  deepResearch,
  gpt5,
  gpt5Chat,
  gpt51,
  gpt54,
  gpt5Pro,
  gpt5Codex,
  gpt6
] as const

/** By the name of the model, the first that matches: what a name ends in says more than the number in it. */
const kinds: ReadonlyArray<readonly [pattern: RegExp, profile: ModelProfile]> = [
  [/^(?:o\d+|gpt-\d).*-deep-research\b/, deepResearch],
  [/^(?:gpt-\d.*-)?codex\b/, gpt5Codex],
  [/^o1-mini\b/, o1Mini],
  [/^o1-preview\b/, o1Preview],
  [/^o1-pro\b/, o1Pro],
  [/^o1(?:-|$)/, o1],
  [/^o\d+-pro\b/, o3Pro],
  [/^o3-mini\b/, o3Mini],
  [/^o3(?:-|$)/, o3],
  [/^o[4-9](?:-|$)/, o4Mini],
  [/^gpt-(?:[5-9]|[12]\d)(?:\.\d+)?(?:-\w+)*?-pro\b/, gpt5Pro],
  [/^gpt-5-chat\b/, gpt5Chat],
  [/^gpt-5(?:-|$)/, gpt5],
  [/^gpt-5\.[1-3](?:-|$)/, gpt51],
  [/^gpt-5\.\d+(?:-|$)/, gpt54],
  [/^gpt-(?:[6-9]|[12]\d)(?:\.\d+)?(?:-|$)/, gpt6]
]

/**
 * The profile of a model by the name that the service gives it, for example `o3-mini-2025-01-31`. A successor that is not known
 * here has the profile of the newest one of its kind; `undefined` is a model of another family.
 *
 * @category getters
 * @since 0.1.0
 */
export const forModel = (model: string): ModelProfile | undefined => {
  const name = model.toLowerCase()
  return kinds.find(([pattern]) => pattern.test(name))?.[1]
}

/** A prefix counts only up to a boundary, so that `o1` is not `o1x`. */
const begins = ({ models }: ModelProfile, model: string): boolean =>
  models.some((prefix) => model === prefix || model.startsWith(prefix.endsWith(".") ? prefix : `${prefix}-`))

/**
 * Whether a model that answered is of this profile. One that is of another known profile is not, even if its name begins the
 * same; of a model that nobody knows, nobody can say.
 *
 * @category guards
 * @since 0.1.0
 */
export const serves = (profile: ModelProfile, model: string): boolean => {
  if (model === "" || profile.models.length === 0) return true
  const found = forModel(model)
  return found?.name === profile.name || (begins(profile, model) && (found === undefined || !isKnown(profile)))
}

const isKnown = (profile: ModelProfile): boolean => known.some(({ name }) => name === profile.name)

/**
 * When a model is to be retired, as Microsoft's page said on the day in `told`.
 *
 * @category getters
 * @since 0.1.0
 */
export const retirementOf = (model: string): Retirement | undefined => {
  const name = model.toLowerCase().replace(/-\d{4}-?\d{2}-?\d{2}$/, "")
  return new Map<string, Retirement>(Object.entries(retirements)).get(name)
}

type Tools = Pick<O1Request, "tools" | "toolChoice">
type Parallel = Pick<O1Request, "parallelToolCalls">
type Format = Pick<O1Request, "responseFormat">
type Summary = Pick<O1Request, "reasoningSummary">
type Verbose = Pick<O1Request, "verbosity">
type Sampling = Pick<
  O1Request,
  "temperature" | "topP" | "topLogprobs" | "presencePenalty" | "frequencyPenalty" | "logitBias"
>

type Only<Allowed, Fields> = Allowed extends true ? Fields : { readonly [K in keyof Fields]?: never }

type PartFor<P extends ModelProfile> =
  | TextPart
  | (P["images"] extends true ? ImagePart : never)
  | (P["files"] extends true ? FilePart : never)

type MessageFor<P extends ModelProfile> =
  | Exclude<Extract<Message, { readonly role: P["roles"][number] }>, UserMessage>
  | UserMessage<string | ReadonlyArray<PartFor<P>>>

/**
 * The requests that a profile allows, for a profile whose type says what it has: those that are here, and what `make` gives.
 *
 * **Example** (What does not compile)
 *
 * ```ts
 * import { type ModelProfile, user } from "@effect-resilience/azure-o1"
 *
 * export const request: ModelProfile.RequestFor<typeof ModelProfile.o1Mini> = {
 *   messages: [user("What is 6 x 7?")],
 *   // @ts-expect-error o1-mini does not take an effort
 *   reasoningEffort: "high"
 * }
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type RequestFor<P extends ModelProfile> = string extends P["name"] ? O1Request :
  & {
    readonly messages: ReadonlyArray<MessageFor<P>>
    readonly reasoningEffort?: P["efforts"][number] | undefined
  }
  & Omit<
    O1Request,
    | "messages"
    | "reasoningEffort"
    | keyof Tools
    | keyof Parallel
    | keyof Format
    | keyof Summary
    | keyof Verbose
    | keyof Sampling
  >
  & Only<P["tools"], Tools>
  & Only<P["parallelToolCalls"], Parallel>
  & Only<P["structuredOutput"], Format>
  & Only<P["reasoningSummary"], Summary>
  & Only<P["verbosity"], Verbose>
  & Only<P["sampling"] extends "never" ? false : true, Sampling>
