/** An answer as the events of a stream, in the form that is written, paced, broken and replayed; the same for both APIs. */
import * as json from "../../wire/json.ts"
import { type FakeBreak, millis, type Reply } from "../FakeReply.ts"

export type FilterMode = "default" | "asynchronous"

/** What an API's encoder is given. */
export interface FakeAnswer {
  readonly reply: Reply
  /** The request. */
  readonly body: unknown
  readonly model: string
  readonly id: string
  /** seconds since the epoch */
  readonly created: number
  readonly filterMode: FilterMode | undefined
}

export interface FakeEvent {
  /** Ready to be written. */
  readonly text: string
  /** How many tokens of the answer it brings. */
  readonly tokens: number
}

export interface Transcript {
  readonly events: ReadonlyArray<FakeEvent>
  /** The first event that says how the answer ends. */
  readonly end: number
  /** The events that come before the wait in the queue. */
  readonly queued: number
  /** The text of a break in place of the event at `index`; none for those that send nothing of their own. */
  readonly broken: (kind: FakeBreak, index: number) => string
}

/** From here on, after so many milliseconds, the events before `until` are out. */
export interface Due {
  readonly wait: number
  readonly until: number
}

/** The tokens that the filter lets through at once. */
const block = 8

/** The tokens as they reach the stream: by themselves, or in the blocks of the default filter. */
export const pieces = (
  tokens: ReadonlyArray<string>,
  mode: FilterMode | undefined
): ReadonlyArray<{ readonly text: string; readonly tokens: number }> =>
  mode === "default"
    ? Array.from({ length: Math.ceil(tokens.length / block) }, (_, i) => {
      const some = tokens.slice(i * block, (i + 1) * block)
      return { text: some.join(""), tokens: some.length }
    })
    : tokens.map((text) => ({ text, tokens: 1 }))

/** After which of `count` pieces the asynchronous filter reports. */
export const reports = (index: number, count: number): boolean => (index + 1) % block === 0 && index + 1 < count

/** The arguments of a call: the text, and the pieces in which it is streamed. */
export const argumentsOf = (value: unknown): { readonly text: string; readonly tokens: ReadonlyArray<string> } => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return { text, tokens: text.match(/[\s\S]{1,6}/gu) ?? [] }
}

const firstToken = ({ end, events }: Transcript, from: number): number => {
  const index = events.findIndex(({ tokens }, index) => index >= from && tokens > 0)
  return index < 0 ? Math.max(from, end) : index
}

/** The index at which a stream breaks that brings so many tokens, counted from the event at `from`. */
export const breakAt = (transcript: Transcript, after: "nothing" | number, from = 0): number => {
  if (after === "nothing") return from
  let index = firstToken(transcript, from)
  for (let left = after; left > 0 && index < transcript.end; index++) left -= transcript.events[index]!.tokens
  return index
}

/** When the events are out. Those with nothing to wait for are out together. */
export const schedule = (transcript: Transcript, reply: Reply): ReadonlyArray<Due> => {
  const { events, queued } = transcript
  const every = millis(reply.every)
  const first = firstToken(transcript, queued)
  const dues: Array<Due> = []
  let wait = 0
  let until = 0
  for (const [index, event] of events.entries()) {
    const before = (queued > 0 && index === queued ? millis(reply.after) : 0) +
      (index === first ? millis(reply.think) : 0) + event.tokens * every
    if (before > 0) {
      if (until > 0) dues.push({ wait, until })
      wait = before
    }
    until = index + 1
  }
  return [...dues, { wait, until }]
}

const contentOf = (content: unknown): ReadonlyArray<string> =>
  typeof content === "string"
    ? [content]
    : json.array(content).flatMap((part) => json.string(json.at(part, "text")) ?? [])

/** The texts of a prompt, of either API. */
export const promptOf = (body: unknown): ReadonlyArray<string> => {
  const messages = [...json.array(json.at(body, "messages")), ...json.array(json.at(body, "input"))]
  const fields = messages.flatMap((message) => [json.at(message, "content"), json.at(message, "output")])
  return [json.at(body, "instructions"), json.at(body, "input"), ...fields].flatMap(contentOf)
}

/** Words for tokens, and three for the frame. */
export const usageOf = ({ body, reply }: FakeAnswer): { readonly input: number; readonly output: number } => {
  const input = promptOf(body).reduce((total, text) => total + text.split(/\s+/).length, 3)
  const calls = reply.toolCalls.reduce((total, call) => total + argumentsOf(call.arguments).tokens.length, 0)
  return { input, output: (reply.refusal ?? reply.tokens).length + calls + reply.reasoningTokens }
}

const safe = { filtered: false, severity: "safe" }

/** A verdict of the content filter. */
export const verdict = (categories: ReadonlyArray<string> = []): Readonly<Record<string, unknown>> => ({
  hate: safe,
  self_harm: safe,
  sexual: safe,
  violence: safe,
  ...Object.fromEntries(categories.map((category) => [category, { filtered: true, severity: "medium" }]))
})

export const malformed = `{"choices":[{"index":0,"delta":{"content":"`
