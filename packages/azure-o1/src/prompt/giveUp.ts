/** How messages are given up, as wholes and in part. */
import type { Message, O1Request, Role } from "../O1Request.ts"
import { type Count, countMessageWith } from "./countRequest.ts"
import type { DropOrder, Droppable, Truncation } from "./fitPolicy.ts"
import { cutText } from "./truncate.ts"

/**
 * A message of the request that was given up, as a whole or in part.
 *
 * @category models
 * @since 0.1.0
 */
export interface GivenUp {
  readonly how: "dropped" | "cut" | "compressed"
  /** Its index in the request as it was. */
  readonly index: number
  readonly message: Message
  /** What it saved. */
  readonly tokens: number
}

export type Keeps = (message: Message, index: number) => boolean

interface Counted {
  readonly message: Message
  readonly tokens: number
}

/** The state of the work: what is still there, by its index in the request. */
export interface Working {
  readonly request: O1Request
  readonly messages: ReadonlyMap<number, Counted>
  readonly tokens: number
  readonly givenUp: ReadonlyArray<GivenUp>
}

export const keeping = ({ messages }: O1Request, keep: Keeps | false | undefined): Keeps => {
  const lastOfUser = messages.findLastIndex(({ role }) => role === "user")
  return (message, index) =>
    keep !== false && (message.role === "developer" || message.role === "system" || index === lastOfUser ||
      keep?.(message, index) === true)
}

/** Messages that stay or go together: a call of tools and its results. */
const groupsOf = ({ messages }: O1Request): ReadonlyArray<ReadonlyArray<number>> => {
  const groups: Array<Array<number>> = []
  const calls = new Map<string, Array<number>>()
  for (const [index, message] of messages.entries()) {
    const group = message.role === "tool" ? calls.get(message.toolCallId) : undefined
    if (group !== undefined) {
      group.push(index)
      continue
    }
    const own = [index]
    groups.push(own)
    const called = message.role === "assistant" ? message.toolCalls ?? [] : []
    for (const { id } of called) calls.set(id, own)
  }
  return groups
}

export const drop = (working: Working, order: DropOrder, keeps: Keeps, budget: number): Working => {
  const { request } = working
  const droppable = groupsOf(request)
    .filter((indices) =>
      indices.every((index) => working.messages.has(index) && !keeps(request.messages[index]!, index))
    )
    .map((indices): Droppable => {
      const counted = indices.map((index) => working.messages.get(index)!)
      return {
        indices,
        messages: counted.map(({ message }) => message),
        tokens: counted.reduce((sum, { tokens }) => sum + tokens, 0)
      }
    })
  const messages = new Map(working.messages)
  const givenUp = [...working.givenUp]
  let { tokens } = working
  for (const group of order(droppable, { budget, total: tokens })) {
    if (tokens <= budget) break
    // a policy may name a group twice, or one of its own making; and something has to be left
    if (!droppable.includes(group) || !messages.has(group.indices[0]!) || group.indices.length === messages.size) {
      continue
    }
    for (const index of group.indices) {
      givenUp.push({ how: "dropped", index, ...messages.get(index)! })
      messages.delete(index)
    }
    tokens -= group.tokens
  }
  return { request, messages, tokens, givenUp }
}

const withText = (message: Message, part: number, text: string): Message =>
  (typeof message.content === "string"
    ? { ...message, content: text }
    : { ...message, content: message.content.map((each, i) => i === part ? { type: "text", text } : each) }) as Message

interface Shortable {
  readonly index: number
  readonly part: number
  readonly text: string
  readonly role: Role
  readonly tokens: number
}

/** The texts that may be changed, the one with most tokens first. */
export const textsOf = ({ messages }: Working, keeps: Keeps, count: Count): ReadonlyArray<Shortable> => {
  const texts: Array<Shortable> = []
  for (const [index, { message }] of messages) {
    if (keeps(message, index)) continue
    const { content, role } = message
    const parts = typeof content === "string" ? [{ type: "text", text: content } as const] : content
    for (const [part, each] of parts.entries()) {
      if (each.type === "text") texts.push({ index, part, text: each.text, role, tokens: count(each.text) })
    }
  }
  return texts.toSorted((a, b) => b.tokens - a.tokens)
}

/** A text instead of another one, if that is shorter. */
export const shortened = (
  working: Working,
  { index, part }: { readonly index: number; readonly part: number },
  text: string,
  how: "cut" | "compressed",
  count: Count
): Working => {
  const before = working.messages.get(index)!
  const message = withText(before.message, part, text)
  const tokens = countMessageWith(message, count)
  const saved = before.tokens - tokens
  if (saved <= 0) return working
  return {
    request: working.request,
    messages: new Map(working.messages).set(index, { message, tokens }),
    tokens: working.tokens - saved,
    givenUp: [...working.givenUp, { how, index, message: before.message, tokens: saved }]
  }
}

export const cut = (working: Working, policy: Truncation, keeps: Keeps, budget: number, count: Count): Working =>
  textsOf(working, keeps, count).reduce((working, each) => {
    if (working.tokens <= budget) return working
    const others = working.tokens - each.tokens
    return shortened(working, each, cutText(each.text, policy, budget - others, count), "cut", count)
  }, working)
