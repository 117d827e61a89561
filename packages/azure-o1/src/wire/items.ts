import type { AttemptEvent } from "../O1Event.ts"
import { argumentsIn, Calls, type OpenCall } from "./calls.ts"
import * as json from "./json.ts"
import { matched } from "./matching.ts"
import { Part } from "./part.ts"

/** The kinds of text that an answer is made of. */
export type Channel = "text" | "commentary" | "reasoning" | "refusal"

/** How the pieces of each channel are told. */
export const deltaTags = {
  text: "TextDelta",
  commentary: "CommentaryDelta",
  reasoning: "ReasoningDelta",
  refusal: "RefusalDelta"
} as const

/** Between messages, and between the parts of reasoning. */
const separator = "\n\n"

/** An item of the output: a message, reasoning, a tool call. */
export class Item {
  readonly type: string
  id: string | undefined
  readonly place: number | undefined
  phase: string | undefined = undefined
  done = false
  /** As the service gave it as a whole. */
  raw: unknown = undefined
  readonly begun: boolean
  /** Nobody has announced it. */
  implied: boolean
  readonly texts = new Map<string, { readonly channel: Channel; readonly part: Part }>()
  call: OpenCall | undefined = undefined

  constructor(type: string, id: string | undefined, place: number | undefined, begun: boolean, implied: boolean) {
    this.type = type
    this.id = id
    this.place = place
    this.begun = begun
    this.implied = implied
  }

  /** What it says in these channels, in one. */
  textOf(...channels: ReadonlyArray<Channel>): string {
    return Array.from(this.texts.values()).filter(({ channel }) => channels.includes(channel))
      .map(({ part }) => part.text).filter((text) => text !== "")
      .join(channels.includes("reasoning") ? separator : "")
  }

  /** All its words, to compare with those of the whole. */
  get words(): string {
    return Array.from(this.texts.values(), ({ part }) => part.text).join("")
  }
}

/** How an event names the item that it is about. */
export interface Address {
  readonly type: string
  readonly id: string | undefined
  readonly place: number | undefined
}

/** The output of a response, item by item, however it comes: in deltas, in events that say that a part is done, or whole. */
export class Items {
  readonly calls = new Calls()
  private list: Array<Item> = []
  private whole: ReadonlyArray<unknown> = []
  /** Of each channel, whose words were the last. */
  private readonly last = new Map<Channel, Item | Part>()
  /** The beginning was read elsewhere. */
  private readonly continues: boolean

  constructor(continues: boolean) {
    this.continues = continues
  }

  /** The items as the service gave them. */
  get raw(): ReadonlyArray<unknown> {
    return this.whole.length > 0 ? this.whole : this.list.flatMap(({ raw }) => raw === undefined ? [] : [raw])
  }

  /** The text of a channel; messages that are told apart by phases: the answer is the final one, the rest is commentary. */
  textOf(channel: Channel): string {
    if (channel === "reasoning" || channel === "refusal") return joined(this.list, channel)
    const final = this.list.some(({ phase }) => phase === "final_answer")
    const isAnswer = ({ phase }: Item): boolean => final ? phase === "final_answer" : phase !== "commentary"
    return joined(this.list.filter((item) => isAnswer(item) === (channel === "text")), "text", "commentary")
  }

  /** An item is announced, with what it has already. */
  added(address: Address, raw: unknown, events: Array<AttemptEvent>): void {
    const known = this.withId(address) ??
      this.list.findLast((item) => item.implied && item.type === address.type && item.place === address.place)
    const item = known ?? this.open(address, true, false)
    item.implied = false
    item.id ??= address.id
    this.complete(item, raw, events)
  }

  /** An item is done: what it holds has the last word. */
  done(address: Address, raw: unknown, events: Array<AttemptEvent>): void {
    const item = this.at(address)
    item.raw = raw
    this.complete(item, raw, events)
    item.done = true
  }

  /** The whole output. What it leaves out has been said, and stays. */
  takeWhole(output: ReadonlyArray<unknown>, events: Array<AttemptEvent>): void {
    if (output.length === 0) return
    this.whole = output
    const items = matched(output, this.list).map((known, position) => {
      const raw = output[position]
      const address = { type: json.string(json.at(raw, "type")) ?? "", id: idOf(raw), place: position }
      const item = known ?? this.open(address, !this.continues, false)
      item.raw = raw
      this.complete(item, raw, events)
      return item
    })
    if (items.length === this.list.length) this.list = items
  }

  /** The item that an event is about; where none is known, it begins with the event. */
  at(address: Address): Item {
    const { id, place, type } = address
    const item = this.withId(address) ??
      // some gateways give an item another id with every event: then its place tells
      this.list.findLast((item) =>
        item.type === type && !item.done && (place === undefined ? id === undefined : item.place === place)
      ) ?? this.open(address, !this.continues, true)
    item.id ??= id
    return item
  }

  /** The part of an item, which begins with the event if it is not known. */
  partOf(item: Item, key: string, channel: Channel, begun = item.begun): Part {
    const known = item.texts.get(key)
    if (known !== undefined) return known.part
    const part = new Part(begun)
    item.texts.set(key, { channel, part })
    return part
  }

  say(item: Item, part: Part, channel: Channel, text: string, events: Array<AttemptEvent>): void {
    if (text === "") return
    const owner = channel === "reasoning" ? part : item
    const before = this.last.get(channel)
    const apart = part.isEmpty && before !== undefined && before !== owner
    this.last.set(channel, owner)
    part.add(text)
    events.push({ _tag: deltaTags[channel], text: apart ? separator + text : text })
  }

  callOf(item: Item): OpenCall {
    return item.call ??= this.calls.open(item.begun)
  }

  private withId({ id, type }: Address): Item | undefined {
    return id === undefined ? undefined : this.list.findLast((item) => item.id === id && item.type === type)
  }

  private open({ id, place, type }: Address, begun: boolean, implied: boolean): Item {
    const item = new Item(type, id, place, begun, implied)
    this.list.push(item)
    return item
  }

  /** What an item holds as a whole, in whichever event: what has not been said yet is said. */
  private complete(item: Item, raw: unknown, events: Array<AttemptEvent>): void {
    item.phase = json.string(json.at(raw, "phase")) ?? item.phase
    switch (item.type) {
      case "message":
        return json.array(json.at(raw, "content")).forEach((content, i) => this.completePart(item, i, content, events))
      case "reasoning":
        json.array(json.at(raw, "summary")).forEach((part, i) =>
          this.completeText(item, `summary:${i}`, "reasoning", json.at(part, "text"), events)
        )
        return json.array(json.at(raw, "content")).forEach((part, i) =>
          this.completeText(item, `content:${i}`, "reasoning", json.at(part, "text"), events)
        )
      case "function_call": {
        const { call: known } = item
        const call = this.callOf(item)
        const id = json.string(json.at(raw, "call_id"))
        const name = json.string(json.at(raw, "name"))
        const rest = call.arguments.complete(argumentsIn(json.at(raw, "arguments")))
        const news = (id && call.id === "") || (name && call.name === "")
        if (!item.begun) {
          call.id ||= id ?? ""
          call.name ||= name ?? ""
        } else if (known === undefined || rest !== "" || news) {
          this.calls.extend(call, { id, name, arguments: rest }, events)
        }
      }
    }
  }

  /** A part of a message. */
  completePart(item: Item, index: number, content: unknown, events: Array<AttemptEvent>): void {
    const type = json.string(json.at(content, "type"))
    if (type === "refusal") {
      this.completeText(item, `refusal:${index}`, "refusal", json.at(content, "refusal"), events)
    } else if (type === "output_text" || type === "text") {
      this.completeText(item, `content:${index}`, textChannel(item), json.at(content, "text"), events)
    }
  }

  completeText(item: Item, key: string, channel: Channel, text: unknown, events: Array<AttemptEvent>): void {
    if (typeof text !== "string") return
    const part = this.partOf(item, key, channel)
    this.say(item, part, channel, part.complete(text), events)
  }
}

/** The channel of a message's text, as far as is known of it yet. */
export const textChannel = ({ phase }: Item): Channel => phase === "commentary" ? "commentary" : "text"

const idOf = (raw: unknown): string | undefined => json.string(json.at(raw, "id")) || undefined

const joined = (items: ReadonlyArray<Item>, ...channels: ReadonlyArray<Channel>): string =>
  items.map((item) => item.textOf(...channels)).filter((text) => text !== "").join(separator)
