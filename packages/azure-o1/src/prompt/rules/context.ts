/** The texts that are pasted into a prompt, and their places. */
import type { Passage } from "../paragraphs.ts"
import { type Range, rangeAt } from "../texts.ts"
import { type Found, instructive, placed, type Rule } from "./Rule.ts"

const foreign = String
  .raw`(?:text|documents?|articles?|e-?mails?|messages?|logs?|reports?|transcript|contract|context|excerpts?|passages?|reviews?|essay|letter|notes|source|data|output|file|story|conversation|page)`

/** A line that announces what somebody else has written; "Rules:" and "Output:" announce what the author has. */
const announcement = new RegExp(
  String.raw`\b(?:following|this|these|that|attached|pasted)(?: \w+)? ${foreign}(?: below)?:\s*$` +
    String
      .raw`|\b${foreign} (?:below|follows?|is|are):\s*$|^\W*(?:the )?(?:article|e-?mail|transcript|report|logs?|excerpt|letter)\W*:\s*$`,
  "i"
)

/** The announced passage, to its end. */
const announced = ({ layout: { lines, paragraphs, text } }: Passage): Range | undefined => {
  const line = lines.find(({ content }) => content.length < 200 && announcement.test(content))
  if (line === undefined) return undefined
  const rest = text.slice(line.end)
  const start = line.end + (rest.length - rest.trimStart().length)
  const last = paragraphs.at(-1)
  // a list after a colon is the author's own
  return last === undefined || /^(?:[-*+]|\d+[.)]|#{1,6}) /.test(text.slice(start))
    ? undefined
    : { start, end: last.end }
}

export const undelimitedData: Rule = ({ passages, settings }) =>
  passages.filter(instructive).flatMap((passage): ReadonlyArray<Found> => {
    const { data } = passage.layout
    const pasted = announced(passage)
    if (pasted === undefined || pasted.end - pasted.start < settings["undelimited-data"].minCharacters) return []
    if (data.some(({ end }) => end > pasted.start)) return []
    return [{
      ...placed(passage, pasted),
      explanation:
        "Nothing tells where the pasted text ends and the instructions go on, nor which of the two a sentence is.",
      fix: "Set it apart: <document>...</document>, triple quotes, or a fence."
    }]
  })

const lengthOf = (ranges: ReadonlyArray<Range>): number => ranges.reduce((sum, { end, start }) => sum + end - start, 0)

export const contextShare: Rule = ({ count, passages, settings, tokens }) => {
  const { minTokens, share } = settings["context-share"]
  const context = passages.reduce((sum, { layout: { data }, role, text }) => {
    const part = role === "tool" ? 1 : role === "assistant" || text === "" ? 0 : lengthOf(data) / text.length
    return part === 0 ? sum : sum + part * count(text)
  }, 0)
  return context < minTokens || context / tokens.total <= share ? [] : [{
    explanation:
      `About ${Math.round(context)} of ${tokens.total} tokens (${
        Math.round(100 * context / tokens.total)
      } %) are pasted ` +
      "context. A reasoning model takes all of it seriously, also what has nothing to do with the question.",
    fix: "Give only the passages that the answer needs, the best ones first."
  }]
}

const volatile =
  /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?|\b(?:today(?:['’]s date)?|the (?:current )?(?:date|time)|current (?:date|time|datetime)|now|right now|date|time|as of)(?: and time)?(?: is|:| =)[ \t]*(?:\w+,? )?(?:\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{2,4}|\d\d?(?:st|nd|rd|th)?\.? \p{L}+,? \d{4}|\p{L}+ \d\d?(?:st|nd|rd|th)?,? \d{4}|\d\d?:\d\d)|\b(?:request|session|trace|conversation|correlation|user)[ _-]?id(?: is|:| =|=)[ \t]*[\w-]{6,}/giu

export const volatilePrefix: Rule = ({ count, passages, settings, tokens }) => {
  const { minTokens } = settings["volatile-prefix"]
  if (tokens.total < minTokens) return []
  let before = 0
  for (const [i, passage] of passages.entries()) {
    if (passage.role !== "developer" && passage.role !== "system") break
    const match = Array.from(passage.text.matchAll(volatile)).find(({ index }) =>
      rangeAt(passage.layout.data, index) === undefined
    )
    if (match !== undefined) {
      const start = match.index
      const stable = passages.slice(i + 1).findIndex(({ role }) => role !== "developer" && role !== "system")
      const instructions = passages.slice(i + 1, stable === -1 ? undefined : i + 1 + stable)
      const after = [passage.text.slice(start + match[0].length), ...instructions.map(({ text }) => text)]
        .reduce((sum, text) => sum + count(text), 0)
      const cached = before + count(passage.text.slice(0, start))
      // what comes after it is worth caching, or what comes before it is not enough for any caching
      return after < minTokens / 4 || cached + after < minTokens ? [] : [{
        ...placed(passage, { start, end: start + match[0].length }),
        explanation:
          "This changes from call to call, and the prompt cache ends where a prompt first differs from the one before: after " +
          `about ${cached} tokens, although ${after} more of the instructions stay the same.`,
        fix:
          "Put it at the end of the instructions, or in the user's message. usage.cachedInput shows what was read from the cache."
      }]
    }
    before += count(passage.text)
  }
  return []
}
