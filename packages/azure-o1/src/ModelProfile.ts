/**
 * What a model can be asked: parameters, roles, efforts, streaming, limits.
 *
 * Azure's deployments have names of their own, and a model can be exchanged under the same name. So the configuration chooses
 * the profile (`o1` by default), and the client checks it against the model that really answered. A request that the profile
 * forbids fails before it is sent. If the compiler knows the profile, `RequestFor` is the type of the requests that it
 * allows. A model that is too new to be known here has the profile of the newest one of its kind.
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
 * The facts about the models, with their sources and the days on which they were read, are in `src/profiles/facts.ts`. A limit
 * that is not known is left to the service.
 *
 * @since 0.1.0
 */
import type { FilePart, ImagePart, Message, O1Request, TextPart, UserMessage } from "./O1Request.ts"
import type { ModelProfile } from "./profiles/model.ts"

export { apiFor, check } from "./profiles/check.ts"
export {
  custom,
  deepResearch,
  gpt5,
  gpt51,
  gpt54,
  gpt5Chat,
  gpt5Codex,
  gpt5Pro,
  gpt6,
  known,
  make,
  o1,
  o1Mini,
  o1Preview,
  o1Pro,
  o3,
  o3Mini,
  o3Pro,
  o4Mini
} from "./profiles/known.ts"
export type { Api, ModelProfile, Retirement } from "./profiles/model.ts"
export { forModel, retirementOf, serves } from "./profiles/names.ts"

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
