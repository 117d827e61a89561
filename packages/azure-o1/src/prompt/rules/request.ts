/** What the model or the deployment does not take. */
import * as ModelProfile from "../../ModelProfile.ts"
import type { O1Request } from "../../O1Request.ts"
import type { Edit } from "../Finding.ts"
import { rangeAt } from "../texts.ts"
import { instructive, type Rule } from "./Rule.ts"

export const developerAndSystem: Rule = ({ request: { messages } }) =>
  messages.some(({ role }) => role === "developer") && messages.some(({ role }) => role === "system")
    ? messages.flatMap(({ role }, message) =>
      role === "system"
        ? [{
          message,
          explanation:
            "A conversation has developer messages or system messages, and the service refuses both together.",
          fix: "Make it a developer message.",
          edits: [{ _tag: "SetRole", message, role: "developer" } as const]
        }]
        : []
    )
    : []

export const unsupportedRole: Rule = ({ profile, request: { messages } }) =>
  messages.flatMap(({ role }, message) => {
    if (profile.roles.includes(role)) return []
    const instructions = role === "developer" || role === "system"
    return [{
      message,
      explanation: `${profile.name} takes messages of ${profile.roles.join(", ")}, not of ${role}.`,
      fix: instructions ? "Say it as the user." : "Tell the model what is in it in a message of the user.",
      edits: instructions ? [{ _tag: "SetRole", message, role: "user" } as const] : []
    }]
  })

type Field = Extract<Edit, { readonly _tag: "Set" }>["field"]

const fields: ReadonlySet<string> = new Set<Field>([
  "reasoningEffort",
  "maxCompletionTokens",
  "tools",
  "toolChoice",
  "parallelToolCalls",
  "responseFormat",
  "reasoningSummary",
  "verbosity",
  "previousResponseId",
  "temperature",
  "topP",
  "topLogprobs",
  "presencePenalty",
  "frequencyPenalty",
  "logitBias",
  "stop"
])

const isField = (name: string): name is Field => fields.has(name)

/** A parameter under its own name in the request; in `extra` there may be one of the same name. */
const isOwn = (request: O1Request, param: string): param is Field =>
  isField(param) && (request[param] !== undefined || param === "tools")

const editsFor = (request: O1Request, param: string, profile: ModelProfile.ModelProfile): ReadonlyArray<Edit> => {
  if (param === "maxCompletionTokens") return [{ _tag: "Set", field: param, value: profile.outputTokens }]
  if (param === "tools") {
    return [{ _tag: "Set", field: param, value: undefined }, { _tag: "Set", field: "toolChoice", value: undefined }]
  }
  return isOwn(request, param)
    ? [{ _tag: "Set", field: param, value: undefined }]
    : [{ _tag: "RemoveExtra", field: param }]
}

const without = (request: O1Request, param: string): O1Request =>
  isOwn(request, param)
    ? { ...request, [param]: undefined, ...param === "tools" ? { toolChoice: undefined } : undefined }
    : { ...request, extra: Object.fromEntries(Object.entries(request.extra ?? {}).filter(([name]) => name !== param)) }

const isRemovable = (request: O1Request, param: string): boolean =>
  isOwn(request, param) || Object.hasOwn(request.extra ?? {}, param)

export const unsupportedParameter: Rule = ({ profile, request }) => {
  const found: Array<ReturnType<Rule>[number]> = []
  const words = { role: "user", content: "" } as const
  // roles have rules of their own
  let rest: O1Request = { ...request, messages: [words] }
  while (true) {
    const problem = ModelProfile.check(profile, rest)
    const param = problem?.param
    // what cannot be taken out would be found for ever
    if (problem === undefined || param === undefined || !isRemovable(rest, param)) break
    found.push({
      explanation: `The service refuses the request: ${problem.detail}.`,
      fix: param === "maxCompletionTokens" ? `Ask for at most ${profile.outputTokens}.` : `Leave ${param} out.`,
      edits: editsFor(rest, param, profile)
    })
    rest = without(rest, param)
  }
  for (const [message, { content }] of request.messages.entries()) {
    if (typeof content === "string") continue
    if (!profile.images && content.some(({ type }) => type === "image")) {
      found.push({
        message,
        explanation: `${profile.name} takes no images.`,
        fix: "Say in words what is in the picture, or choose a model that sees."
      })
    }
    if (!profile.files && content.some(({ type }) => type === "file")) {
      found.push({
        message,
        explanation: `${profile.name} takes no files.`,
        fix: "Put the text of the file into the message, or choose a model that reads files."
      })
    }
  }
  return found
}

const wanted =
  /\b(?:in|as|use|using|with|format(?:ted)?(?: it| this| the \w+)?(?: as| in)?|output|write|return|produce|valid|github)(?: (?:\w+ ){0,3}?)?markdown\b|\bmarkdown (?:table|list|headings?|headers?|formatting|document|report|code block)s?\b/gi
const unwanted = /\b(?:no|not|don['’]t|without|avoid|never|plain text|instead of|rather than|from)\b[^.!?\n]{0,60}$/i
const enabled = /formatting re-enabled/i

/** Microsoft names these two families; the later models write markdown when they are asked for it. */
const avoidsMarkdown: ReadonlySet<string> = new Set(["o1", "o3-mini"])

export const markdownNotEnabled: Rule = ({ paragraphs, passages, profile, request: { messages, responseFormat } }) => {
  const json = responseFormat !== undefined && responseFormat !== "text"
  const instructions = messages.findIndex(({ role }) => role === "developer" || role === "system")
  if (!avoidsMarkdown.has(profile.name) || json) return []
  const latest = messages.findLastIndex(({ role }) => role === "user")
  const asks = passages.some((passage) =>
    instructive(passage) && (passage.role !== "user" || passage.message === latest) &&
    Array.from(passage.text.matchAll(wanted)).some(({ 0: found, index }) => {
      const named = index + found.toLowerCase().indexOf("markdown")
      return rangeAt(passage.layout.data, index) === undefined &&
        !unwanted.test(passage.text.slice(Math.max(0, named - 80), named))
    })
  )
  if (!asks || passages.some(({ role, text }) => role !== "user" && enabled.test(text))) return []
  const first = passages.find(({ message }) => message === instructions)
  const alone = first === undefined || paragraphs.isWhole(first)
  const system = !messages.some(({ role }) => role === "developer") && instructions !== -1
  const edit: Edit = alone
    ? { _tag: "Insert", message: { role: system ? "system" : "developer", content: "Formatting re-enabled" } }
    : { _tag: "Replace", message: instructions, start: 0, end: 0, text: "Formatting re-enabled\n" }
  return [{
    ...alone ? {} : { message: instructions, range: { start: 0, end: 0 } },
    explanation: `${profile.name} writes no markdown by itself, and here it is asked for.`,
    fix: "Begin the developer message with the line: Formatting re-enabled",
    edits: [edit]
  }]
}

export const outputBudget: Rule = ({ request: { maxCompletionTokens, reasoningEffort = "medium" }, settings }) => {
  const { minTokens } = settings["output-budget"]
  const high = reasoningEffort === "high" || reasoningEffort === "xhigh" || reasoningEffort === "max"
  return maxCompletionTokens === undefined || maxCompletionTokens >= minTokens || !high ? [] : [{
    explanation:
      `With the effort ${reasoningEffort}, reasoning alone can take the ${maxCompletionTokens} tokens that are allowed ` +
      "for reasoning and answer together, and then there is no answer.",
    fix:
      `Allow at least ${minTokens} at first, and lower it once usage.reasoning shows what is needed; or lower the effort.`
  }]
}

export const tokensPerMinute: Rule = ({ limits, profile, request: { maxCompletionTokens = 0 }, tokens }) => {
  const limit = limits.tokensPerMinute ??
    (limits.capacity === undefined || profile.unit === undefined ? Infinity : limits.capacity * profile.unit.tokens)
  const needed = tokens.total + maxCompletionTokens
  return needed <= limit ? [] : [{
    explanation:
      `The prompt (about ${tokens.total} tokens) and maxCompletionTokens (${maxCompletionTokens}) are charged when the call ` +
      `is admitted, and together they are more than the ${limit} of a whole minute: it can never be admitted.`,
    fix: "Shorten the prompt, lower maxCompletionTokens, or raise the capacity of the deployment."
  }]
}

export const contextWindow: Rule = ({ profile, request: { maxCompletionTokens = 0 }, tokens }) => {
  const limit = profile.contextTokens ?? Infinity
  return tokens.total + maxCompletionTokens <= limit ? [] : [{
    explanation:
      `The prompt (about ${tokens.total} tokens) and maxCompletionTokens (${maxCompletionTokens}) are more than the ` +
      `${limit} that ${profile.name} can hold.`,
    fix: "Shorten the prompt, for example with Prompt.fit, or lower maxCompletionTokens."
  }]
}
