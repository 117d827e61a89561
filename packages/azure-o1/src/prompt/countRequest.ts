/**
 * The tokens of a whole request, by whatever counts the tokens of a text.
 *
 * @since 0.1.0
 */
import type { Message, O1Request, OutputItem, Part } from "../O1Request.ts"

/**
 * What tells the number of tokens of a text.
 *
 * @category models
 * @since 0.1.0
 */
export type Count = (text: string) => number

/**
 * Where the tokens of a request are.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestTokens {
  /** The prompt, which is what the service reports as `usage.input`. */
  readonly total: number
  /** Of each message, in the order of the request. */
  readonly messages: ReadonlyArray<number>
  readonly tools: number
  readonly responseFormat: number
}

/**
 * What surrounds a message: its beginning, its role, the mark after the role and its end, as the tokenizer's own chat format
 * has them.
 *
 * @category constants
 * @since 0.1.0
 */
export const tokensPerMessage = 4

/**
 * What surrounds the conversation: the beginning of the answer.
 *
 * @category constants
 * @since 0.1.0
 */
export const tokensPerRequest = 3

/**
 * An image, whose size is not known before it is fetched: with `detail: "low"` the flat price of one tile, else the most
 * that a model with tiles of 512 pixels charges (85 and eight times 170).
 *
 * @category constants
 * @since 0.1.0
 */
export const tokensPerImage = { low: 85, high: 1445 } as const

/**
 * A file, which the service reads as text and as a picture of every page: as many tokens as its bytes divided by this, and where
 * it is not at hand as many as a short document has.
 *
 * @category constants
 * @since 0.1.0
 */
const tokensPerFile = { bytesPerToken: 8, atLeast: 3000 } as const

const countPart = (part: Part, count: Count): number => {
  switch (part.type) {
    case "text":
      return count(part.text)
    case "image":
      return tokensPerImage[part.detail === "low" ? "low" : "high"]
    case "file": {
      const bytes = /^data:/i.test(part.url ?? "") ? (part.url ?? "").length * 0.75 : 0
      return Math.max(tokensPerFile.atLeast, Math.ceil(bytes / tokensPerFile.bytesPerToken))
    }
  }
}

/** What the service is reminded of beside text and calls: as JSON, since nobody else knows what it is made of. */
const countItem = (item: OutputItem, count: Count): number => {
  const { content, encrypted_content: encrypted, phase, summary, type } = item
  if (type === "function_call" || (type === "message" && phase !== "commentary")) return 0
  if (type === "message") return tokensPerMessage + count(JSON.stringify(content ?? ""))
  if (type !== "reasoning") return count(JSON.stringify(item))
  // encrypted it is base64, about four bytes of text to the token
  const hidden = typeof encrypted === "string" ? Math.ceil(encrypted.length * 0.75 / 4) : 0
  return Math.max(hidden, count(JSON.stringify([summary ?? [], content ?? []])))
}

/**
 * The tokens of a message, with what surrounds it.
 *
 * @category getters
 * @since 0.1.0
 */
export const countMessageWith = (message: Message, count: Count): number => {
  const { content } = message
  let total = tokensPerMessage
  if (typeof content === "string") total += count(content)
  else {
    for (const part of content) total += countPart(part, count)
  }
  if (message.role === "assistant") {
    for (const item of message.items ?? []) total += countItem(item, count)
    for (const call of message.toolCalls ?? []) total += tokensPerMessage + count(call.name) + count(call.arguments)
  }
  return total
}

/**
 * The tokens of a request. Tools and the schema of the answer are counted as the JSON that they are sent as; the service writes
 * them down more tersely.
 *
 * @category getters
 * @since 0.1.0
 */
export const countRequestWith = (request: O1Request, count: Count): RequestTokens => {
  const { responseFormat, tools: given = [] } = request
  const messages = request.messages.map((message) => countMessageWith(message, count))
  const tools = given.length === 0 ? 0 : count(JSON.stringify(given))
  const format = typeof responseFormat === "object" ? count(JSON.stringify(responseFormat)) : 0
  const total = messages.reduce((sum, tokens) => sum + tokens, tokensPerRequest + tools + format)
  return { total, messages, tools, responseFormat: format }
}
