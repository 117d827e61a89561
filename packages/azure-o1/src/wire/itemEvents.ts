import type { AttemptEvent } from "../O1Event.ts"
import { argumentsIn } from "./calls.ts"
import { type Address, type Channel, type Item, type Items, textChannel } from "./items.ts"
import * as json from "./json.ts"
import type { Part } from "./part.ts"

/** Where an event's text goes. */
interface Target {
  readonly item: Item
  readonly part: Part
  readonly channel: Channel
}

/** A piece of text that an event said, and nothing else. */
export interface Piece extends Target {
  readonly text: string
}

const addressOf = (event: unknown, type: string): Address => ({
  type,
  id: json.string(json.at(event, "item_id")) || undefined,
  place: json.number(json.at(event, "output_index"))
})

const indexOf = (event: unknown, list: "content" | "summary"): number =>
  json.number(json.at(event, `${list}_index`)) ?? 0

/** The part of the output that an event's text belongs to. */
const targetOf = (items: Items, type: string, event: unknown): Target => {
  if (type.startsWith("response.reasoning")) {
    const item = items.at(addressOf(event, "reasoning"))
    const list = type.includes("summary") ? "summary" : "content"
    return { item, channel: "reasoning", part: items.partOf(item, `${list}:${indexOf(event, list)}`, "reasoning") }
  }
  const item = items.at(addressOf(event, "message"))
  const refusal = type.startsWith("response.refusal")
  const channel = refusal ? "refusal" : textChannel(item)
  const key = `${refusal ? "refusal" : "content"}:${indexOf(event, "content")}`
  return { item, channel, part: items.partOf(item, key, channel) }
}

/** A part of an item begins, or is done. */
const takePart = (items: Items, event: unknown, events: Array<AttemptEvent>, added: boolean): void => {
  const part = json.at(event, "part")
  const index = indexOf(event, "content")
  if (json.at(part, "type") === "reasoning_text") {
    const item = items.at(addressOf(event, "reasoning"))
    return items.completeText(item, `content:${index}`, "reasoning", json.at(part, "text"), events)
  }
  const item = items.at(addressOf(event, "message"))
  const refusal = json.at(part, "type") === "refusal"
  const key = `${refusal ? "refusal" : "content"}:${index}`
  items.partOf(item, key, refusal ? "refusal" : textChannel(item), item.begun || added)
  items.completePart(item, index, part, events)
}

const takeSummary = (items: Items, event: unknown, events: Array<AttemptEvent>, added: boolean): void => {
  const item = items.at(addressOf(event, "reasoning"))
  const key = `summary:${indexOf(event, "summary")}`
  items.partOf(item, key, "reasoning", item.begun || added)
  items.completeText(item, key, "reasoning", json.at(event, "part", "text"), events)
}

const takeItem = (items: Items, event: unknown, events: Array<AttemptEvent>, added: boolean): void => {
  const item = json.at(event, "item")
  const address = {
    type: json.string(json.at(item, "type")) ?? "",
    id: json.string(json.at(item, "id")) || undefined,
    place: json.number(json.at(event, "output_index"))
  }
  if (added) items.added(address, item, events)
  else items.done(address, item, events)
}

/** Takes in an event that is about the output. A piece of text is given back, for the next event may be like it. */
export const takeItemEvent = (
  items: Items,
  type: string,
  event: unknown,
  events: Array<AttemptEvent>
): Piece | undefined => {
  switch (type) {
    case "response.output_text.delta":
    case "response.refusal.delta":
    case "response.reasoning_summary_text.delta":
    case "response.reasoning_text.delta": {
      const target = targetOf(items, type, event)
      const text = json.string(json.at(event, "delta")) ?? ""
      items.say(target.item, target.part, target.channel, text, events)
      return text === "" ? undefined : { ...target, text }
    }
    case "response.output_text.done":
    case "response.refusal.done":
    case "response.reasoning_summary_text.done":
    case "response.reasoning_text.done": {
      const { channel, item, part } = targetOf(items, type, event)
      const text = json.string(json.at(event, "text")) ?? json.string(json.at(event, "refusal")) ?? ""
      items.say(item, part, channel, part.complete(text), events)
      return
    }
    case "response.function_call_arguments.delta":
    case "response.function_call_arguments.done": {
      const call = items.callOf(items.at(addressOf(event, "function_call")))
      const whole = json.at(event, "arguments")
      const rest = whole === undefined
        ? json.string(json.at(event, "delta")) ?? ""
        : call.arguments.complete(argumentsIn(whole))
      if (rest !== "") items.calls.extend(call, { arguments: rest }, events)
      return
    }
    case "response.content_part.added":
    case "response.content_part.done":
      takePart(items, event, events, type.endsWith("added"))
      return
    case "response.reasoning_summary_part.added":
    case "response.reasoning_summary_part.done":
      takeSummary(items, event, events, type.endsWith("added"))
      return
    case "response.output_item.added":
    case "response.output_item.done":
      takeItem(items, event, events, type.endsWith("added"))
  }
  return undefined
}
