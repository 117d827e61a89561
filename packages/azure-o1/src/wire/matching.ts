import * as json from "./json.ts"

/** The features of an item of the stream that tell it from others. */
interface Known {
  readonly type: string
  readonly id: string | undefined
  readonly place: number | undefined
  readonly call: { readonly id: string } | undefined
  /** All its words so far. */
  readonly words: string
}

const wordsIn = (raw: unknown): string =>
  [...json.array(json.at(raw, "summary")), ...json.array(json.at(raw, "content"))]
    .map((part) => json.string(json.at(part, "text")) ?? json.string(json.at(part, "refusal")) ?? "").join("")

const couldBe = (raw: unknown, item: Known): boolean => {
  if (json.at(raw, "type") !== item.type) return false
  const callId = json.string(json.at(raw, "call_id"))
  return !callId || !item.call?.id || callId === item.call.id
}

const goesOn = (raw: unknown, { words }: Known): boolean => words === "" || wordsIn(raw).startsWith(words)

/**
 * Which items of the stream the items of the whole output are. Their own ids tell first. Without them, or where a gateway makes
 * up new ones, their place does; and as the whole need not have all that the stream had, at last their words and order.
 */
export const matched = <I extends Known>(
  output: ReadonlyArray<unknown>,
  items: ReadonlyArray<I>
): ReadonlyArray<I | undefined> => {
  const found = new Map<number, I>()
  const taken = new Set<I>()
  const pass = (fits: (raw: unknown, position: number, item: I) => boolean): void => {
    output.forEach((raw, position) => {
      const item = found.has(position)
        ? undefined
        : items.find((item) => !taken.has(item) && fits(raw, position, item))
      if (item === undefined) return
      found.set(position, item)
      taken.add(item)
    })
  }
  pass((raw, _, item) => item.id !== undefined && item.id === json.at(raw, "id") && json.at(raw, "type") === item.type)
  pass((raw, position, item) => item.place === position && couldBe(raw, item) && goesOn(raw, item))
  pass((raw, _, item) => couldBe(raw, item) && goesOn(raw, item))
  // it says something else there: the service has corrected itself
  pass((raw, position, item) => item.place === position && couldBe(raw, item) && !(item.id && json.at(raw, "id")))
  return output.map((_, position) => found.get(position))
}
