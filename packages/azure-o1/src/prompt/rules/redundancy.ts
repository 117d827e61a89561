/** Parts of a prompt that are there twice, or for the eye only. */
import type { Paragraph } from "../paragraphs.ts"
import { overlaps } from "../texts.ts"
import { type Found, placed, replacing, type Rule } from "./Rule.ts"

const place = ({ passage }: Paragraph): string => `message ${passage.message}`

export const duplicateParagraph: Rule = ({ count, paragraphs }) =>
  Array.from(paragraphs.repeated, ([paragraph, original]) => {
    const { passage, range } = paragraph
    const removal = paragraphs.removalOf(paragraph)
    return {
      ...placed(passage, range),
      explanation: `This paragraph has been said before, in ${place(original)}.`,
      fix: "Say it once, where it belongs.",
      edits: removal === undefined ? [] : [replacing(passage, removal, "")],
      tokensSaved: count(passage.text.slice(range.start, range.end))
    }
  })

const runsOfFour = (words: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(words.slice(3).map((_, i) => words.slice(i, i + 4).join(" ")))

/** A run of words that so many paragraphs have is a formula, and says nothing. */
const formula = 20

export const nearDuplicateParagraph: Rule = ({ paragraphs, settings }) => {
  const { minWords, similarity } = settings["near-duplicate-paragraph"]
  const candidates = paragraphs.all.filter((paragraph) =>
    paragraph.words.length >= minWords && !paragraphs.repeated.has(paragraph)
  )
  const runs = candidates.map(({ words }) => runsOfFour(words))
  const holders = new Map<string, Array<number>>()
  return candidates.flatMap((paragraph, index): ReadonlyArray<Found> => {
    const shared = new Map<number, number>()
    for (const run of runs[index]!) {
      const earlier = holders.get(run) ?? []
      if (earlier.length >= formula) continue
      for (const other of earlier) shared.set(other, (shared.get(other) ?? 0) + 1)
      holders.set(run, earlier.concat(index))
    }
    const [best] = Array.from(shared, ([other, count]) => ({
      original: candidates[other]!,
      alike: count / (runs[index]!.size + runs[other]!.size - count)
    })).toSorted((a, b) => b.alike - a.alike)
    return best === undefined || best.alike < similarity ? [] : [{
      ...placed(paragraph.passage, paragraph.range),
      explanation:
        `This paragraph is ${Math.round(100 * best.alike)} % like one in ${place(best.original)}. Where they ` +
        "differ, the model has to guess which one holds.",
      fix: "Merge the two."
    }]
  })
}

export const excessWhitespace: Rule = ({ count, paragraphs, passages, settings }) =>
  passages.filter(({ role }) => role !== "assistant").flatMap((passage): ReadonlyArray<Found> => {
    const blanks = paragraphs.blanksOf(passage)
    if (blanks.length === 0) return []
    const saved = count(paragraphs.tidy(passage, [])) - count(paragraphs.tidy(passage, blanks))
    return saved < settings["excess-whitespace"].minTokens ? [] : [{
      ...placed(passage, {
        start: Math.min(...blanks.map(([{ start }]) => start)),
        end: Math.max(...blanks.map(([{ end }]) => end))
      }),
      explanation: "Blanks at the ends of lines and empty lines beyond one are paid for and say nothing.",
      fix: "Take them out.",
      edits: blanks.map(([range, replacement]) => replacing(passage, range, replacement)),
      tokensSaved: saved
    }]
  })

export const prettyJson: Rule = ({ count, paragraphs, passages, settings }) =>
  passages.filter(({ role }) => role !== "assistant").flatMap((passage) => {
    const gone = paragraphs.goneOf(passage)
    return passage.layout.json.flatMap((json): ReadonlyArray<Found> => {
      const saved = count(passage.text.slice(json.start, json.end)) - count(json.minified)
      return saved < settings["pretty-json"].minTokens || overlaps(gone, json) ? [] : [{
        ...placed(passage, json),
        explanation: "Line breaks and indentation of JSON are for people; a model reads it without them.",
        fix: "Write it without blanks between its tokens.",
        edits: [replacing(passage, json, json.minified)],
        tokensSaved: saved
      }]
    })
  })
