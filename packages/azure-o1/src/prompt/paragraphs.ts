/** The paragraphs of a request: which of them can go, and what of the others. */
import { type Layout, merged, overlaps, type Range, rangeAt, type Text } from "./texts.ts"
import type { Thinking } from "./thinking.ts"

/** A text of the request with what is in it. */
export interface Passage extends Text {
  readonly layout: Layout
  /** Where the model is told how to think; none if the rule is off. */
  readonly thinking: ReadonlyArray<Thinking>
}

/** A replacement within a passage. */
export type Change = readonly [range: Range, text: string]

export interface Paragraph {
  readonly passage: Passage
  /** Its place among the paragraphs of its passage. */
  readonly index: number
  readonly range: Range
  /** As it reads once everything is gone that means nothing. */
  readonly normal: string
  readonly words: ReadonlyArray<string>
}

const inOrder = (changes: ReadonlyArray<Change>): ReadonlyArray<Change> =>
  changes.toSorted(([a], [b]) => a.start - b.start || b.end - a.end)

/** A range of a text as it reads after the changes within it; of two that overlap, the first, and the longer one. */
const changed = (text: string, { end, start }: Range, changes: ReadonlyArray<Change>): string => {
  let result = ""
  let at = start
  for (const [range, replacement] of inOrder(changes)) {
    if (range.start < at || range.end > end) continue
    result += text.slice(at, range.start) + replacement
    at = range.end
  }
  return result + text.slice(at, end)
}

/** What may come to the beginning of a line without meaning something else there. */
const plain = /[ \t]*(?:[\p{L}\p{N}]|\r?\n)/uy

const isPlainAt = (text: string, at: number): boolean => {
  plain.lastIndex = at
  return plain.test(text)
}

/** Sentences of a paragraph that can go, in order, with nothing but blanks between them. */
interface Run {
  readonly paragraph: Range
  readonly sentences: ReadonlyArray<Range>
}

const runsOf = ({ layout: { paragraphs, text }, thinking }: Passage): ReadonlyArray<Run> => {
  const runs: Array<{ readonly paragraph: Range; readonly sentences: Array<Range> }> = []
  // from the end, for whether a sentence can go depends on what is left after it
  for (const { sentence } of thinking.toReversed()) {
    const paragraph = sentence === undefined ? undefined : rangeAt(paragraphs, sentence.start)
    if (sentence === undefined || paragraph === undefined) continue
    const run = runs.at(-1)
    const next = run?.sentences.at(-1)
    if (next !== undefined && next.start < sentence.end) continue
    if (run?.paragraph === paragraph && text.slice(sentence.end, next!.start).trim() === "") {
      run.sentences.push(sentence)
    } else if (sentence.end >= paragraph.end || isPlainAt(text, sentence.end)) {
      runs.push({ paragraph, sentences: [sentence] })
    }
  }
  return runs.toReversed().map(({ paragraph, sentences }) => ({ paragraph, sentences: sentences.toReversed() }))
}

/**
 * Sentences that can go, in order and without overlaps, each with the blanks on one side of it, so that whatever stays begins
 * and ends a line if it did.
 */
const sentencesOf = (passage: Passage): ReadonlyArray<Range> => {
  const { text } = passage.layout
  return runsOf(passage).flatMap(({ paragraph, sentences }) => {
    const [first, last] = [sentences[0]!.start, sentences.at(-1)!.end]
    let [before, after] = [first, last]
    while (before > paragraph.start && /\s/.test(text.charAt(before - 1))) before--
    while (after < paragraph.end && /\s/.test(text.charAt(after))) after++
    const [left, right] = [text.slice(before, first), text.slice(last, after)]
    const beginsLine = before === paragraph.start || left.includes("\n")
    if (!beginsLine || (after === paragraph.end && before > paragraph.start)) {
      return sentences.map(({ end }, i) => ({ start: sentences[i - 1]?.end ?? before, end }))
    }
    const lineEnd = right.indexOf("\n")
    const [from, to] = lineEnd === -1 ? [first, after] : [before + left.lastIndexOf("\n") + 1, last + lineEnd + 1]
    return sentences.map(({ start }, i) => ({ start: i === 0 ? from : start, end: sentences[i + 1]?.start ?? to }))
  })
}

/** The blanks that mean nothing: at line ends, and empty lines beyond one. */
const blanksOf = ({ lines, paragraphs, text, verbatim }: Layout): ReadonlyArray<Change> => {
  const ends = new Set(paragraphs.map(({ end }) => end))
  const changes: Array<Change> = []
  for (const { content, end, start } of lines) {
    const trimmed = content.trimEnd()
    const range = { start: start + trimmed.length, end: content.endsWith("\r") ? end - 1 : end }
    if (trimmed !== "" && range.end > range.start && !ends.has(range.start) && !overlaps(verbatim, range)) {
      changes.push([range, ""])
    }
  }
  for (const [i, { start }] of paragraphs.entries()) {
    const gap = { start: paragraphs[i - 1]?.end ?? 0, end: start }
    const blanks = text.slice(gap.start, gap.end)
    const wanted = i === 0 ? "" : blanks.includes("\r\n") ? "\r\n\r\n" : "\n\n"
    if (blanks !== wanted) changes.push([gap, wanted])
  }
  const rest = { start: paragraphs.at(-1)?.end ?? text.length, end: text.length }
  if (rest.end - rest.start > 1 && !overlaps(verbatim, rest)) changes.push([rest, ""])
  return changes
}

const wordsOf = (text: string): ReadonlyArray<string> => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** Half of a pair of delimiters: such a paragraph cannot go alone. */
const unbalanced = /"""|'''|^[ \t]*(?:<\/?[A-Za-z]|([-=*#~])\1{2,}[ \t\r]*$|`{3}|~{3})/m

/** The paragraphs of a request. */
export class Paragraphs {
  /** Of the developer and the user; what others have said is not changed. */
  readonly all: ReadonlyArray<Paragraph>
  /** Those that were there before, with the first of each. */
  readonly repeated: ReadonlyMap<Paragraph, Paragraph>
  private readonly byRange: ReadonlyMap<Range, Paragraph>
  private readonly sentences: ReadonlyMap<Passage, ReadonlyArray<Range>>
  private readonly blanks: ReadonlyMap<Passage, ReadonlyArray<Change>>
  private readonly removals: ReadonlyMap<Paragraph, Range>
  /** Passages of which nothing would stay, so that they stay as they are. */
  private readonly whole = new Set<Passage>()

  /** A paragraph of fewer than `minWords` words is not compared with others. */
  constructor(passages: ReadonlyArray<Passage>, minWords: number) {
    this.sentences = new Map(passages.map((passage) => [passage, sentencesOf(passage)]))
    this.blanks = new Map(passages.map((passage) => [passage, blanksOf(passage.layout)]))
    this.all = passages.filter(({ role }) => role !== "assistant" && role !== "tool").flatMap((passage) => {
      const json = passage.layout.json.map((json): Change => [json, json.minified])
      const sentences = this.sentences.get(passage)!.map((range): Change => [range, ""])
      const changes = inOrder([...sentences, ...this.blanks.get(passage)!, ...json])
      let next = 0
      return passage.layout.paragraphs.map((range, index) => {
        const from = next
        while (next < changes.length && changes[next]![0].start < range.end) next++
        const normal = changed(passage.text, range, changes.slice(from, next))
        return { passage, index, range, normal, words: wordsOf(normal) }
      })
    })
    this.byRange = new Map(this.all.map((paragraph) => [paragraph.range, paragraph]))
    const first = new Map<string, Paragraph>()
    const repeated = new Map<Paragraph, Paragraph>()
    for (const paragraph of this.all) {
      const original = first.get(paragraph.normal)
      if (paragraph.words.length < minWords) continue
      if (original === undefined) first.set(paragraph.normal, paragraph)
      else repeated.set(paragraph, original)
    }
    this.repeated = repeated
    this.removals = this.removalsOf()
  }

  /** What goes with each paragraph that can go; none of a passage of which nothing would stay. */
  private removalsOf(): ReadonlyMap<Paragraph, Range> {
    const gone = new Map<Passage, Array<Paragraph>>()
    for (const paragraph of this.all) {
      const removable = paragraph.normal.trim() === "" ||
        (this.repeated.has(paragraph) && !unbalanced.test(paragraph.normal))
      if (!removable) continue
      const leaving = gone.get(paragraph.passage)
      if (leaving === undefined) gone.set(paragraph.passage, [paragraph])
      else leaving.push(paragraph)
    }
    return new Map(
      Array.from(gone).flatMap(([passage, leaving]) => {
        const { paragraphs } = passage.layout
        if (leaving.length === paragraphs.length) {
          this.whole.add(passage)
          return []
        }
        const indices = new Set(leaving.map(({ index }) => index))
        const lastThatStays = paragraphs.findLastIndex((_, index) => !indices.has(index))
        return leaving.map((paragraph) => {
          const { index, range } = paragraph
          const removal = index < lastThatStays
            ? { start: range.start, end: paragraphs[index + 1]!.start }
            : { start: paragraphs[index - 1]!.end, end: range.end }
          return [paragraph, removal] as const
        })
      })
    )
  }

  /** Whether all that a passage says could go, if something else were there. */
  isWhole(passage: Passage): boolean {
    return this.whole.has(passage)
  }

  /** What goes if the paragraph goes; `undefined` if it has to stay. */
  removalOf(paragraph: Paragraph): Range | undefined {
    return this.removals.get(paragraph)
  }

  /** What goes if the sentence at a place goes: with a paragraph that has nothing else, the paragraph. */
  sentenceAt(passage: Passage, at: number): Range | undefined {
    const range = rangeAt(passage.layout.paragraphs, at)
    const paragraph = range === undefined ? undefined : this.byRange.get(range)
    if (paragraph?.normal.trim() === "") return this.removals.get(paragraph)
    return rangeAt(this.sentences.get(passage)!, at)
  }

  /** The blanks of a passage that can go, but for those that go with something else. */
  blanksOf(passage: Passage): ReadonlyArray<Change> {
    const gone = this.goneOf(passage)
    return this.blanks.get(passage)!.filter(([range]) => !overlaps(gone, range))
  }

  /** A passage without everything that can go, its blanks apart, so that what they cost does not depend on the rest. */
  tidy(passage: Passage, blanks: ReadonlyArray<Change>): string {
    const { layout, text } = passage
    const gone = this.goneOf(passage).map((range): Change => [range, ""])
    const json = layout.json.map((block): Change => [block, block.minified])
    return changed(text, { start: 0, end: text.length }, [...gone, ...json, ...blanks])
  }

  /** Sentences and paragraphs of a passage that can go. */
  goneOf(passage: Passage): ReadonlyArray<Range> {
    const paragraphs = Array.from(this.removals).filter(([paragraph]) => paragraph.passage === passage)
    return merged([...this.sentences.get(passage)!, ...paragraphs.map(([, range]) => range)])
  }
}
