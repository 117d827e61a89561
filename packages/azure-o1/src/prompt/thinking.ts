/** Where a text tells the model how to think, or asks it to show that it does. */
import { type Layout, type Range, rangeAt } from "./texts.ts"

const steps = String.raw`step[- ]by[- ]step`

/** Telling the model how to think. "Step by step" alone is not: it may describe the answer. */
const thinking = new RegExp(
  [
    String
      .raw`(?:think|reason)(?: (?:about|through|this|it|the|problem|question|task|everything|out|carefully|slowly|hard|and|very)){0,6},? ${steps}`,
    String.raw`work (?:it out|this out|(?:through|out) (?:it|this|the problem|the question|your answer)) ${steps}`,
    String.raw`think (?:out loud|aloud)`,
    String.raw`take a deep breath`,
    String.raw`(?:use|apply|employ|using|with) (?:a )?chain[- ]of[- ]thought(?: reasoning)?`
  ].join("|"),
  "gi"
)

/** What may stand beside such a phrase in a sentence that says nothing else. */
const beside =
  /\b(?:now|first|please|always|and|then|let['’]?s|let us|you should|you must|carefully|before (?:you )?(?:answer|respond|reply)(?:ing)?(?: the question)?)\b|[\s,.!?]/gi

const showing =
  /(?:show|include|output|print|reveal|share|write out|write down|display|provide|give)(?: me| us)?(?: all| the)?(?: of)? your(?: (?:full|complete|detailed|internal|hidden|raw|private|entire|step[- ]by[- ]step))*,? (?:reasoning|thinking|thought process|thoughts|chain[- ]of[- ]thought|train of thought|work(?:ings?)?\b(?! (?:on|in|at|for|history|experience|permit|email|address|samples?)))|explain your (?:reasoning|thinking|thought process|chain[- ]of[- ]thought)/gi

const negation =
  /\b(?:do not|don['’]t|never|without|avoid|no need to|need not|must not|should not|shouldn['’]t|not to|instead of)\b[^.!?\n]{0,30}$/i

/**
 * Whether a place is in a quotation that was opened in its line; to be asked of places in the order of the text. JSON is passed
 * over, for its marks are its own, and its line breaks may go.
 */
const quotations = ({ json, text }: Layout): (place: number) => boolean => {
  const open = new Set<string>()
  let at = 0
  let block = 0
  return (place) => {
    while (at < place) {
      if (at === json[block]?.start) {
        at = json[block]!.end
        block++
        continue
      }
      const mark = text.charAt(at)
      if (mark === "\n") open.clear()
      else if (mark === "”") open.delete("“")
      else if (mark === "„") open.add(mark)
      else if (mark === "“") {
        open.add(mark)
        open.delete("„")
      } else if ((mark === "\"" || mark === "`") && !open.delete(mark)) open.add(mark)
      at++
    }
    return open.size > 0
  }
}

/** Where the author says it, and not the data, a quotation, or a sentence that forbids it. */
const said = (layout: Layout, pattern: RegExp): ReadonlyArray<Range> => {
  const { data, text } = layout
  const quoted = quotations(layout)
  return Array.from(text.matchAll(pattern), ({ 0: found, index }) => ({ start: index, end: index + found.length }))
    .filter(
      ({ start }) =>
        !/\w/.test(text.charAt(start - 1)) && rangeAt(data, start) === undefined && !quoted(start) &&
        !negation.test(text.slice(Math.max(0, start - 60), start))
    )
}

/** The sentence around a phrase, with its full stop. */
const sentenceAround = (text: string, { end, start }: Range): Range => {
  let from = start
  while (from > 0 && !/[.!?\n]/.test(text.charAt(from - 1))) from--
  while (/\s/.test(text.charAt(from))) from++
  let to = end
  while (to < text.length && !/[.!?\n]/.test(text.charAt(to))) to++
  while (/[.!?]/.test(text.charAt(to))) to++
  return { start: from, end: to }
}

/** A phrase, and its sentence if there is nothing else in it. */
export interface Thinking {
  readonly phrase: Range
  readonly sentence: Range | undefined
}

/** Where the model is told how to think. */
export const thinkingIn = (layout: Layout): ReadonlyArray<Thinking> =>
  said(layout, thinking).map((phrase) => {
    const range = sentenceAround(layout.text, phrase)
    const alone = layout.text.slice(range.start, range.end).replaceAll(thinking, "").replaceAll(beside, "") === ""
    return { phrase, sentence: alone ? range : undefined }
  })

/** Where the reasoning itself is asked for. */
export const showingIn = (layout: Layout): ReadonlyArray<Range> => said(layout, showing)
