/**
 * What a model can be asked: parameters, roles, efforts, streaming, limits.
 *
 * Azure's deployments have names of their own, and a model can be exchanged under the same name. So the profile is chosen by
 * the configuration, `o1` if it says nothing, and checked against the model that really answered. A request that the profile
 * forbids fails before it is sent; where the profile is known when the program is compiled, `RequestFor` is the type of the
 * requests that it allows.
 *
 * **Example** (What o1-mini takes)
 *
 * ```ts import.meta.vitest
 * import { ModelProfile, developer, user } from "@effect-resilience/azure-o1"
 *
 * const problem = ModelProfile.check(ModelProfile.o1Mini, { messages: [developer("Be brief."), user("Hello")] })
 * problem?.detail // => "o1-mini takes messages of user, assistant, not of developer"
 * ModelProfile.forModel("o3-mini-2025-01-31")?.name // => "o3-mini"
 * ```
 *
 * Sources: Microsoft's pages on reasoning models and on model retirement, read in September 2026. A limit that is not known
 * is left to the service.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import { O1RequestError } from "./O1Error.ts"
import type { Message, O1Request, ReasoningEffort, Role } from "./O1Request.ts"

/**
 * Chat Completions or Responses.
 *
 * @category models
 * @since 0.1.0
 */
export type Api = "chat" | "responses"

/**
 * What a model can be asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelProfile {
  readonly name: string
  /** How the name of a model of this kind begins, as the service tells it. */
  readonly models: ReadonlyArray<string>
  /** The APIs that serve it; the first is the one that is used if the configuration does not say. */
  readonly apis: NonEmptyReadonlyArray<Api>
  /** Whether it streams on Azure. `try`: it is asked once, and what it says is remembered. */
  readonly streaming: "yes" | "no" | "try"
  /** Whether a response can be made in the background. It is asked once, and what it says is remembered. */
  readonly background: boolean
  readonly roles: ReadonlyArray<Role>
  /** The reasoning efforts that it knows; none means that it does not take the parameter. */
  readonly efforts: ReadonlyArray<ReasoningEffort>
  readonly tools: boolean
  readonly parallelToolCalls: boolean
  readonly structuredOutput: boolean
  readonly images: boolean
  readonly reasoningSummary: boolean
  /** The most tokens of prompt and output together. */
  readonly contextTokens?: number | undefined
  /** The most tokens of output, reasoning included. */
  readonly outputTokens?: number | undefined
  /** What one unit of capacity allows in a minute. */
  readonly unit?: { readonly requests: number; readonly tokens: number } | undefined
  /** The day on which Azure retires it, and what is to take its place. */
  readonly retirement?: { readonly date: string; readonly replacement: string | undefined } | undefined
}

/**
 * A profile whose type keeps its values, so that `RequestFor` can use them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const P extends ModelProfile>(profile: P): P => profile

const reasoning = {
  background: true,
  roles: ["developer", "system", "user", "assistant", "tool"],
  efforts: ["low", "medium", "high"],
  tools: true,
  parallelToolCalls: false,
  structuredOutput: true,
  images: true,
  reasoningSummary: false,
  contextTokens: 200_000,
  outputTokens: 100_000
} as const

/**
 * The first that Azure had, and the default here.
 *
 * @category profiles
 * @since 0.1.0
 */
export const o1 = make({
  ...reasoning,
  name: "o1",
  models: ["o1"],
  apis: ["chat", "responses"],
  streaming: "try",
  unit: { requests: 1, tokens: 6000 },
  retirement: { date: "2026-10-21", replacement: "gpt-5.6-sol" }
})

const early = {
  apis: ["chat"],
  streaming: "no",
  background: false,
  roles: ["user", "assistant"],
  efforts: [],
  tools: false,
  parallelToolCalls: false,
  structuredOutput: false,
  images: false,
  reasoningSummary: false,
  contextTokens: 128_000
} as const

/**
 * @category profiles
 * @since 0.1.0
 */
export const o1Mini = make({
  ...early,
  name: "o1-mini",
  models: ["o1-mini"],
  outputTokens: 65_536,
  unit: { requests: 1, tokens: 10_000 }
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
  retirement: { date: "2025-07-28", replacement: undefined }
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o1Pro = make({
  ...reasoning,
  name: "o1-pro",
  models: ["o1-pro"],
  apis: ["responses"],
  streaming: "no",
  retirement: { date: "2026-10-21", replacement: "gpt-5.6-sol" }
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o3 = make({
  ...reasoning,
  name: "o3",
  models: ["o3"],
  apis: ["chat", "responses"],
  streaming: "try",
  reasoningSummary: true,
  unit: { requests: 1, tokens: 1000 },
  retirement: { date: "2026-10-21", replacement: "gpt-5.6-sol" }
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o3Mini = make({
  ...reasoning,
  name: "o3-mini",
  models: ["o3-mini"],
  apis: ["chat", "responses"],
  streaming: "yes",
  images: false,
  unit: { requests: 1, tokens: 10_000 },
  retirement: { date: "2026-10-01", replacement: "o4-mini" }
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o3Pro = make({
  ...reasoning,
  name: "o3-pro",
  models: ["o3-pro"],
  apis: ["responses"],
  streaming: "no",
  unit: { requests: 1, tokens: 10_000 },
  retirement: { date: "2026-12-17", replacement: undefined }
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const o4Mini = make({
  ...reasoning,
  name: "o4-mini",
  models: ["o4-mini"],
  apis: ["chat", "responses"],
  streaming: "yes",
  reasoningSummary: true,
  unit: { requests: 1, tokens: 1000 },
  retirement: { date: "2026-10-16", replacement: undefined }
})

const family = {
  ...reasoning,
  apis: ["chat", "responses"],
  streaming: "yes",
  parallelToolCalls: true,
  reasoningSummary: true,
  contextTokens: 272_000,
  outputTokens: 128_000
} as const

/**
 * gpt-5, gpt-5-mini and gpt-5-nano.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt5 = make({
  ...family,
  name: "gpt-5",
  models: ["gpt-5"],
  efforts: ["minimal", "low", "medium", "high"],
  retirement: { date: "2027-02-09", replacement: undefined }
})

/**
 * gpt-5.1 and what came after it; they do not reason unless they are asked to.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt51 = make({
  ...family,
  name: "gpt-5.1",
  models: ["gpt-5."],
  efforts: ["none", "low", "medium", "high", "xhigh", "max"]
})

/**
 * @category profiles
 * @since 0.1.0
 */
export const gpt5Pro = make({
  ...family,
  name: "gpt-5-pro",
  models: ["gpt-5-pro"],
  apis: ["responses"],
  streaming: "no"
})

/**
 * The codex models of the family, which have only the Responses API.
 *
 * @category profiles
 * @since 0.1.0
 */
export const gpt5Codex = make({
  ...family,
  name: "gpt-5-codex",
  models: ["gpt-5-codex", "gpt-5.1-codex"],
  apis: ["responses"],
  efforts: ["minimal", "low", "medium", "high", "xhigh"]
})

/**
 * A model that is not known here: nothing is forbidden, and the service has the last word. `overrides` says what is known of
 * it; without `models`, whatever model answers is taken for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const custom = (name: string, overrides?: Partial<Omit<ModelProfile, "name">>): ModelProfile => ({
  ...family,
  models: [],
  streaming: "try",
  efforts: ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
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
export const known = [o1, o1Mini, o1Preview, o1Pro, o3, o3Mini, o3Pro, o4Mini, gpt5, gpt51, gpt5Pro, gpt5Codex] as const

/** A prefix counts only up to a boundary, so that `o1` is not `o1x`; of several, the longest. */
const lengthOfMatch = ({ models }: ModelProfile, model: string): number =>
  Math.max(
    0,
    ...models.map((prefix) => {
      const rest = model.slice(prefix.length)
      return model.startsWith(prefix) && (prefix.endsWith(".") || rest === "" || rest.startsWith("-"))
        ? prefix.length
        : 0
    })
  )

/**
 * The profile of a model by the name that the service gives it, for example `o3-mini-2025-01-31`.
 *
 * @category getters
 * @since 0.1.0
 */
export const forModel = (model: string): ModelProfile | undefined => {
  const [best] = known
    .map((profile) => ({ profile, length: lengthOfMatch(profile, model) }))
    .toSorted((a, b) => b.length - a.length)
  return best !== undefined && best.length > 0 ? best.profile : undefined
}

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
  return found === undefined ? lengthOfMatch(profile, model) > 0 : found.name === profile.name
}

const names = (values: ReadonlyArray<string>): string => values.length === 0 ? "none" : values.join(", ")

/** Whether a message says something in pictures. */
const hasImage = (message: Message): boolean =>
  typeof message.content !== "string" && message.content.some((part) => part.type === "image")

/** What every reasoning model refuses, whatever the profile. */
const refusedByAll: ReadonlySet<string> = new Set([
  "temperature",
  "top_p",
  "presence_penalty",
  "frequency_penalty",
  "logprobs",
  "top_logprobs",
  "logit_bias",
  "max_tokens"
])

/**
 * What of a request the profile forbids, if anything, with the name of the parameter.
 *
 * @category guards
 * @since 0.1.0
 */
export const check = (profile: ModelProfile, request: O1Request): O1RequestError | undefined => {
  const refuse = (param: string, what: string): O1RequestError =>
    new O1RequestError({ kind: "unsupported-parameter", param, detail: `${profile.name} ${what}` })
  const { maxCompletionTokens, messages, reasoningEffort, responseFormat } = request

  const role = messages.map((message) => message.role).find((role) => !profile.roles.includes(role))
  if (role !== undefined) {
    return refuse("messages", `takes messages of ${names(profile.roles)}, not of ${role}`)
  }
  if (messages.some(({ role }) => role === "developer") && messages.some(({ role }) => role === "system")) {
    return refuse("messages", "takes messages of developer or of system, not of both")
  }
  if (!profile.images && messages.some(hasImage)) return refuse("messages", "takes no images")
  if (reasoningEffort !== undefined && !profile.efforts.includes(reasoningEffort)) {
    return refuse("reasoningEffort", `has the efforts ${names(profile.efforts)}, not ${reasoningEffort}`)
  }
  if (!profile.tools && (request.tools !== undefined || request.toolChoice !== undefined)) {
    return refuse("tools", "takes no tools")
  }
  if (request.parallelToolCalls === true && !profile.parallelToolCalls) {
    return refuse("parallelToolCalls", "asks for one tool at a time")
  }
  if (request.parallelToolCalls === true && reasoningEffort === "minimal") {
    return refuse("parallelToolCalls", "asks for one tool at a time with minimal effort")
  }
  if (!profile.structuredOutput && responseFormat !== undefined && responseFormat !== "text") {
    return refuse("responseFormat", "answers in text only")
  }
  if (!profile.reasoningSummary && request.reasoningSummary !== undefined) {
    return refuse("reasoningSummary", "gives no summary of its reasoning")
  }
  if (maxCompletionTokens !== undefined && maxCompletionTokens > (profile.outputTokens ?? Infinity)) {
    return refuse("maxCompletionTokens", `gives at most ${profile.outputTokens} tokens, not ${maxCompletionTokens}`)
  }
  const extra = Object.keys(request.extra ?? {}).find((name) => refusedByAll.has(name))
  return extra === undefined ? undefined : refuse(extra, `does not take ${extra}`)
}

type Only<Allowed, Fields> = Allowed extends true ? Fields : { readonly [K in keyof Fields]?: never }

type MessageFor<P extends ModelProfile> = Message extends infer M
  ? M extends { readonly role: infer R } ? Extract<R, P["roles"][number]> extends never ? never
    : P["images"] extends true ? M & { readonly role: Extract<R, P["roles"][number]> }
    : M & { readonly role: Extract<R, P["roles"][number]>; readonly content: string }
  : never
  : never

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
    readonly messages: NonEmptyReadonlyArray<MessageFor<P>>
    readonly reasoningEffort?: P["efforts"][number] | undefined
  }
  & Pick<O1Request, "maxCompletionTokens" | "user" | "extra">
  & Only<P["tools"], Pick<O1Request, "tools" | "toolChoice">>
  & Only<P["parallelToolCalls"], Pick<O1Request, "parallelToolCalls">>
  & Only<P["structuredOutput"], Pick<O1Request, "responseFormat">>
  & Only<P["reasoningSummary"], Pick<O1Request, "reasoningSummary">>
