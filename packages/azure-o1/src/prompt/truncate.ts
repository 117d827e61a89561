/** Cutting a text to a number of tokens, between characters as a reader sees them. */
import type { Count } from "./countRequest.ts"
import type { Truncation } from "./fitPolicy.ts"

/** The last place at or before `at` where a character ends. */
const boundary = (text: Intl.Segments, length: number, at: number): number =>
  at >= length ? length : text.containing(Math.max(0, at))?.index ?? 0

/**
 * The part of a text that fits a budget: as much of it as fits, and a marker for the rest. If not even the marker fits, it is
 * the marker.
 */
export const cutText = (text: string, { lost, marker }: Truncation, budget: number, count: Count): string => {
  const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)
  const at = (index: number): number => boundary(characters, text.length, index)
  const keeping = (length: number): string => {
    const head = lost === "head" ? 0 : at(lost === "tail" ? length : Math.ceil(length / 2))
    const tail = lost === "tail" ? text.length : at(text.length - (length - head))
    return text.slice(0, head) + marker + text.slice(Math.max(head, tail))
  }
  let [low, high] = [0, Math.max(0, text.length - 1)]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (count(keeping(middle)) <= budget) low = middle
    else high = middle - 1
  }
  return keeping(low)
}
