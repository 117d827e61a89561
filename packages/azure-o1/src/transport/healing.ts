import * as Record from "effect/Record"
import type { O1Request } from "../O1Request.ts"

/** The names that the APIs have for what can be left out. */
const fields: { readonly [param: string]: ReadonlyArray<keyof O1Request> } = {
  reasoning_effort: ["reasoningEffort"],
  "reasoning.effort": ["reasoningEffort"],
  "reasoning.summary": ["reasoningSummary"],
  reasoning: ["reasoningEffort", "reasoningSummary"],
  parallel_tool_calls: ["parallelToolCalls"],
  user: ["user"]
}

/** The request without a parameter that the deployment refuses; `undefined` where it cannot do without, or does not have it. */
export const without = (request: O1Request, param: string): O1Request | undefined => {
  const present = (fields[param] ?? []).filter((field) => request[field] !== undefined)
  if (present.length > 0) return { ...request, ...Object.fromEntries(present.map((field) => [field, undefined])) }
  if (request.extra?.[param] === undefined) return undefined
  return { ...request, extra: Record.remove(request.extra, param) }
}
