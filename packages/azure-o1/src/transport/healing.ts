import * as Record from "effect/Record"
import type { O1Error } from "../O1Error.ts"
import type { O1Request } from "../O1Request.ts"

type Field = Exclude<keyof O1Request, "messages" | "extra">

/** The names that the APIs have for what an answer can do without. */
const fields: ReadonlyMap<string, ReadonlyArray<Field>> = new Map<string, ReadonlyArray<Field>>([
  ["reasoning_effort", ["reasoningEffort"]],
  ["reasoning.effort", ["reasoningEffort"]],
  ["reasoning.summary", ["reasoningSummary"]],
  ["reasoning", ["reasoningEffort", "reasoningSummary"]],
  ["verbosity", ["verbosity"]],
  ["text.verbosity", ["verbosity"]],
  ["parallel_tool_calls", ["parallelToolCalls"]],
  ["service_tier", ["serviceTier"]],
  ["temperature", ["temperature"]],
  ["top_p", ["topP"]],
  ["logprobs", ["topLogprobs"]],
  ["top_logprobs", ["topLogprobs"]],
  ["presence_penalty", ["presencePenalty"]],
  ["frequency_penalty", ["frequencyPenalty"]],
  ["logit_bias", ["logitBias"]],
  ["seed", ["seed"]],
  ["prompt_cache_key", ["promptCacheKey"]],
  ["safety_identifier", ["safetyIdentifier"]],
  ["user", ["user"]],
  ["metadata", ["metadata"]]
])

/** Those whose values are few, so that one of them can be remembered. */
const chosen: ReadonlySet<Field> = new Set<Field>([
  "reasoningEffort",
  "reasoningSummary",
  "verbosity",
  "parallelToolCalls",
  "serviceTier"
])

const chosenIn = (request: O1Request, field: Field): string | undefined => {
  const value = request[field]
  return chosen.has(field) && (typeof value === "string" || typeof value === "boolean") ? String(value) : undefined
}

/** What a deployment refuses: a field for all of its values, or for one. */
export interface Refusal {
  readonly field: Field
  readonly value: string | undefined
}

/** A request without what was refused. */
export interface Smaller {
  readonly request: O1Request
  /** As the service calls it. */
  readonly parameter: string
  /** What can be remembered of it. */
  readonly refusals: ReadonlyArray<Refusal>
}

const omit = (request: O1Request, omitted: ReadonlyArray<Field>): O1Request => ({
  ...request,
  ...Object.fromEntries(omitted.map((field) => [field, undefined]))
})

/** The service speaks of the parameter as such, whatever its value. */
const isWhole = /\b(?:unsupported parameter|unknown parameter|unrecognized request argument)/i

/** Whatever value there is but the default will be refused, and leaving it out means the default. */
const isDefaultOnly = /\bonly the default\b/i

/** The request without a parameter that the deployment refuses; `undefined` where it cannot do without, or does not have it. */
export const without = (request: O1Request, error: O1Error): Smaller | undefined => {
  if (error._tag !== "O1RequestError" || error.kind !== "unsupported-parameter" || error.param === undefined) {
    return undefined
  }
  const { param: parameter, said = "" } = error
  const present = (fields.get(parameter) ?? []).filter((field) => request[field] !== undefined)
  if (present.length > 0) {
    const refusals = present.flatMap((field): ReadonlyArray<Refusal> => {
      if (isWhole.test(said)) return [{ field, value: undefined }]
      const value = chosenIn(request, field)
      if (value === undefined && isDefaultOnly.test(said)) return [{ field, value: undefined }]
      return value === undefined ? [] : [{ field, value }]
    })
    return { request: omit(request, present), parameter, refusals }
  }
  if (request.extra === undefined || !Object.hasOwn(request.extra, parameter)) return undefined
  return { request: { ...request, extra: Record.remove(request.extra, parameter) }, parameter, refusals: [] }
}

/** Under which key a refusal is remembered. */
export const keyOf = ({ field, value }: Refusal): string => value === undefined ? field : `${field}=${value}`

/** The fields of a request that a memory has something against, each with the keys that it may be under. */
export const suspects = (request: O1Request): ReadonlyArray<readonly [Field, ReadonlyArray<string>]> =>
  droppable.filter((field) => request[field] !== undefined).map((field) => {
    const value = chosenIn(request, field)
    return [field, value === undefined ? [field] : [field, keyOf({ field, value })]] as const
  })

const droppable: ReadonlyArray<Field> = Array.from(new Set(Array.from(fields.values()).flat()))

/** The request without these fields. */
export const leaveOut = (request: O1Request, fields: ReadonlyArray<Field>): O1Request =>
  fields.length === 0 ? request : omit(request, fields)
