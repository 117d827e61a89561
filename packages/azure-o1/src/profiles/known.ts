import { early, gpt5Series, oSeries, retirements, units } from "./facts.ts"
import type { ModelProfile } from "./model.ts"

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
