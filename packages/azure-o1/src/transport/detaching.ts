import type { Message, O1Request, OutputItem } from "../O1Request.ts"

/** An item by itself: what the service knows by an id alone has nothing else to say. */
const byItself = (item: OutputItem): ReadonlyArray<OutputItem> =>
  item["type"] === "reasoning" && typeof item["encrypted_content"] !== "string"
    ? []
    : [Object.fromEntries(Object.entries(item).filter(([field]) => field !== "id"))]

/**
 * The conversation for a deployment that does not know what an earlier answer was made of: it was made elsewhere, or is kept no
 * more. First without the ids, so that encrypted reasoning can still go along, and then without all items; texts and tool calls
 * stay. `undefined` where there is nothing to leave out.
 */
export const withoutItems = (request: O1Request): O1Request | undefined => {
  const items = request.messages.flatMap((message) => message.role === "assistant" ? message.items ?? [] : [])
  if (items.length === 0) return undefined
  const identified = items.some(({ id }) => id !== undefined)
  const lighter = (message: Message): Message =>
    message.role !== "assistant" || message.items === undefined
      ? message
      : { ...message, items: identified ? message.items.flatMap(byItself) : undefined }
  return { ...request, messages: request.messages.map(lighter) }
}
