import type * as Response from "effect/ai/Response"
import type * as Schema from "effect/Schema"
import type { O1Completion, ToolCall, Usage } from "../../O1Completion.ts"
import * as json from "../../wire/json.ts"

/** A call with its arguments read. */
export interface ReadCall extends Omit<ToolCall, "arguments"> {
  readonly params: unknown
}

const reasons: ReadonlyMap<string, Response.FinishReason> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool-calls"],
  ["content_filter", "content-filter"],
  ["unknown", "unknown"]
])

/** A refusal is no answer, and no tool is to be called for it. */
const reasonOf = ({ finishReason, refusal, text }: O1Completion): Response.FinishReason =>
  refusal !== undefined && text === "" ? "content-filter" : reasons.get(finishReason) ?? "other"

const usageOf = (usage: Usage | undefined): typeof Response.Usage.Encoded =>
  usage === undefined ? { inputTokens: {}, outputTokens: {} } : {
    inputTokens: {
      total: usage.input,
      cacheRead: usage.cachedInput,
      uncached: Math.max(0, usage.input - usage.cachedInput)
    },
    outputTokens: { total: usage.output, reasoning: usage.reasoning, text: Math.max(0, usage.output - usage.reasoning) }
  }

/** Plain data, without what has no value. */
export const plain = <A>(value: A): A & Schema.Json => JSON.parse(JSON.stringify(value))

/** What sources the answer names; Chat Completions has their fields one level deeper. */
const sourcesOf = ({ id, metadata }: O1Completion): ReadonlyArray<Response.UrlSourcePartEncoded> =>
  metadata.annotations.flatMap((annotation, i) => {
    const citation = json.at(annotation, "url_citation") ?? annotation
    const url = json.string(json.at(citation, "url"))
    if (json.at(annotation, "type") !== "url_citation" || url === undefined || !URL.canParse(url)) return []
    const title = json.string(json.at(citation, "title")) ?? url
    return [{ type: "source", sourceType: "url", id: `${id}-source-${i}`, url, title }]
  })

/** What comes at the end, whether the answer was streamed or not. */
export const endOf = (
  completion: O1Completion,
  calls: ReadonlyArray<ReadCall>
): ReadonlyArray<
  | Response.ToolCallPartEncoded
  | Response.UrlSourcePartEncoded
  | Response.ResponseMetadataPartEncoded
  | Response.FinishPartEncoded
> => {
  const { id, metadata, model, region, requestId, usage, warnings } = completion
  const { filterResults, fingerprint, serviceTier } = metadata
  return [
    ...calls.map((call) => ({ type: "tool-call", ...call }) as const),
    ...sourcesOf(completion),
    {
      type: "response-metadata",
      id: id === "" ? undefined : id,
      modelId: model === "" ? undefined : model,
      metadata: { azureO1: plain({ requestId, region }) }
    },
    {
      type: "finish",
      reason: reasonOf(completion),
      usage: usageOf(usage),
      metadata: { azureO1: plain({ warnings, serviceTier, fingerprint, filterResults }) }
    }
  ]
}

/**
 * What the service asks to have back in the next turn: reasoning and commentary, with the order of all that was said. It stands
 * in the metadata of a part of reasoning, which `Chat` keeps.
 */
export const returnedOf = ({ metadata }: O1Completion): Response.ReasoningEndPartMetadata | undefined =>
  metadata.output.some((item) => json.at(item, "type") === "reasoning" || typeof json.at(item, "phase") === "string")
    ? { azureO1: { items: plain(metadata.output as ReadonlyArray<Schema.JsonObject>) } }
    : undefined

/** The parts of an answer in one piece. */
export const partsOf = (completion: O1Completion, calls: ReadonlyArray<ReadCall>): Array<Response.PartEncoded> => {
  const { commentary, reasoning, refusal, text } = completion
  const returned = returnedOf(completion)
  return [
    ...reasoning === undefined && returned === undefined
      ? []
      : [
        { type: "reasoning", text: reasoning ?? "", ...returned === undefined ? {} : { metadata: returned } } as const
      ],
    ...commentary === undefined ? [] : [{ type: "reasoning", text: commentary, metadata: commentaryMetadata } as const],
    ...text === "" ? [] : [{ type: "text", text } as const],
    ...refusal === undefined
      ? []
      : [{ type: "text", text: refusal, metadata: { azureO1: { refusal: true } } } as const],
    ...endOf(completion, calls)
  ]
}

/** What the model says on its way to the answer must not be taken for a part of it. */
export const commentaryMetadata = { azureO1: { phase: "commentary" } } as const
