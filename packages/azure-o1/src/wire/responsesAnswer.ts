import type { AssistantMessage, OutputItem } from "../O1Request.ts"
import * as json from "./json.ts"

/** Reasoning as the service takes it back: it refuses fields that it has itself sent as `null`. */
const reasoningOf = ({ content, encrypted_content: encrypted, id, summary }: OutputItem): unknown => ({
  type: "reasoning",
  id,
  summary: summary ?? [],
  content: json.array(content).length === 0 ? undefined : content,
  encrypted_content: encrypted ?? undefined
})

const textOf = (item: OutputItem): string =>
  json.array(item["content"]).map((part) => json.string(json.at(part, "text")) ?? "").join("")

const messageOf = (text: string, phase: unknown, item: OutputItem | undefined, refusal?: string): unknown => {
  const part = refusal === undefined
    ? { type: "output_text", text, annotations: [] }
    : { type: "refusal", refusal }
  return item === undefined
    ? { type: "message", role: "assistant", content: [part], phase }
    : { type: "message", id: item["id"], role: "assistant", status: "completed", content: [part], phase }
}

/** Whether the response is stored, and who makes it. */
export interface Asked {
  readonly store: boolean
  readonly host?: string | undefined
}

/**
 * What the model has answered as items of the input: in the order that the service gave them, with the text and the calls that
 * the message has now. Where nothing is stored, the service knows no item by its id, so that only reasoning that is encrypted
 * can go back. Reasoning belongs to what follows it, and goes with it.
 */
export const itemsOfAnswer = (message: AssistantMessage, { host, ...asked }: Asked): ReadonlyArray<unknown> => {
  const { content, items = [], phase, refusal } = message
  const foreign = message.host !== undefined && host !== undefined && message.host !== host
  const store = asked.store && !foreign
  const calls = [...message.toolCalls ?? []]
  const sent: Array<unknown> = []
  let reasoning: Array<unknown> = []
  let answered = content === "" && refusal === undefined

  const answer = (item: OutputItem | undefined): unknown => {
    answered = true
    const said = phase ?? item?.["phase"] ?? undefined
    if (content === "") return messageOf("", said, undefined, refusal)
    if (item !== undefined && store && typeof item["id"] === "string" && textOf(item) === content) {
      return messageOf(content, said, item)
    }
    return said === undefined ? { role: "assistant", content } : { role: "assistant", content, phase: said }
  }

  const itemOf = (item: OutputItem): unknown => {
    switch (item["type"]) {
      case "message":
        if (item["phase"] === "commentary") return messageOf(textOf(item), "commentary", store ? item : undefined)
        return answered ? undefined : answer(item)
      case "function_call": {
        const index = calls.findIndex(({ id }) => id === item["call_id"])
        const [call] = index === -1 ? [] : calls.splice(index, 1)
        return call && {
          type: "function_call",
          ...store ? { id: item["id"] } : {},
          call_id: call.id,
          name: call.name,
          arguments: call.arguments
        }
      }
      default:
        return store ? item : undefined
    }
  }

  for (const item of items) {
    if (item["type"] === "reasoning") {
      if (store || (!foreign && typeof item["encrypted_content"] === "string")) reasoning.push(reasoningOf(item))
      continue
    }
    const next = itemOf(item)
    if (next !== undefined) sent.push(...reasoning, next)
    reasoning = []
  }
  const rest = [
    ...answered ? [] : [answer(undefined)],
    ...calls.map(({ arguments: args, id, name }) => ({ type: "function_call", call_id: id, name, arguments: args }))
  ]
  if (rest.length > 0) return [...sent, ...reasoning, ...rest]
  // a turn in which the model said nothing at all has its place nevertheless
  return sent.length > 0 ? sent : [{ role: "assistant", content }]
}
