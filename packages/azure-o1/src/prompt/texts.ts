/** The texts of a request, and what is data in them, paragraphs and blocks of JSON. */
import type { O1Request, Role } from "../O1Request.ts"

/** One stretch of text: a message, or a text part of one. */
export interface Text {
  readonly message: number
  readonly role: Role
  /** Where it begins in the text of the message. */
  readonly offset: number
  readonly text: string
}

export const textsOf = ({ messages }: O1Request): ReadonlyArray<Text> =>
  messages.flatMap(({ content, role }, message) => {
    if (typeof content === "string") return [{ message, role, offset: 0, text: content }]
    let offset = 0
    return content.flatMap((part) => {
      if (part.type !== "text") return []
      const text = { message, role, offset, text: part.text }
      offset += part.text.length
      return [text]
    })
  })

export interface Range {
  readonly start: number
  readonly end: number
}

/** The same places, in order and without overlaps; the other functions need them so. */
export const merged = (ranges: ReadonlyArray<Range>): ReadonlyArray<Range> => {
  const result: Array<Range> = []
  for (const { end, start } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last === undefined || start >= last.end) result.push({ start, end })
    else if (end > last.end) result[result.length - 1] = { start: last.start, end }
  }
  return result
}

/** The first of the ranges that ends after a place. */
const firstAfter = <R extends Range>(ranges: ReadonlyArray<R>, at: number): R | undefined => {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[middle]!.end > at) high = middle
    else low = middle + 1
  }
  return ranges[low]
}

/** The one of the ranges that a place is in. */
export const rangeAt = <R extends Range>(ranges: ReadonlyArray<R>, at: number): R | undefined => {
  const range = firstAfter(ranges, at)
  return range !== undefined && range.start <= at ? range : undefined
}

export const overlaps = (ranges: ReadonlyArray<Range>, { end, start }: Range): boolean =>
  (firstAfter(ranges, start)?.start ?? Infinity) < end

interface Line extends Range {
  readonly content: string
}

const linesOf = (text: string): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf("\n", start)
    const end = found === -1 ? text.length : found
    lines.push({ start, end, content: text.slice(start, end) })
    start = end + 1
  }
  return lines
}

interface Fence extends Range {
  readonly language: string
}

const opening = /^ {0,3}(`{3,}|~{3,})\s*([\w+-]*)/

/** Fenced blocks; one that is not closed goes on to the end. */
const fencesOf = (text: string, lines: ReadonlyArray<Line>): ReadonlyArray<Fence> => {
  const fences: Array<Fence> = []
  let open: { readonly start: number; readonly mark: string; readonly language: string } | undefined
  for (const { content, end, start } of lines) {
    if (open === undefined) {
      const [, mark, language] = opening.exec(content) ?? []
      if (mark !== undefined) open = { start, mark, language: language!.toLowerCase() }
    } else if (content.trim().startsWith(open.mark)) {
      fences.push({ start: open.start, end, language: open.language })
      open = undefined
    }
  }
  return open === undefined ? fences : [...fences, { start: open.start, end: text.length, language: open.language }]
}

interface Json extends Range {
  readonly minified: string
}

const jsonToken = /\s+|[{}[\]:,]|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * JSON in the brackets from there on, as far as there are tokens of it and a bracket is open: the outermost of those that are
 * closed. And how far that is.
 */
const jsonFrom = (text: string, start: number): { readonly end: number; readonly blocks: ReadonlyArray<Json> } => {
  const tokens: Array<string> = []
  const open: Array<{ readonly start: number; readonly from: number }> = []
  const closed: Array<{ readonly start: number; readonly from: number; readonly end: number; readonly to: number }> = []
  let end = start
  jsonToken.lastIndex = start
  for (let match = jsonToken.exec(text); match !== null; match = jsonToken.exec(text)) {
    const [token] = match
    end = jsonToken.lastIndex
    if (token.trim() === "") continue
    tokens.push(token)
    if (token === "{" || token === "[") open.push({ start: match.index, from: tokens.length - 1 })
    if (token === "}" || token === "]") {
      const bracket = open.pop()!
      while (closed.length > 0 && closed.at(-1)!.start > bracket.start) closed.pop()
      closed.push({ ...bracket, end, to: tokens.length })
    }
    if (open.length === 0) break
  }
  const blocks = closed.filter(({ end, start }) => isJson(text.slice(start, end)))
  return {
    end,
    blocks: blocks.map(({ end, from, start, to }) => ({ start, end, minified: tokens.slice(from, to).join("") }))
  }
}

/** Whether what begins there is part of something else in its line, of code or of JSON that is not whole. */
const isPart = (text: string, start: number): boolean => {
  let at = start
  while (/[^\S\n]/.test(text.charAt(at - 1))) at--
  return /[=(,[{]$|":$/.test(text.slice(Math.max(0, at - 2), at))
}

/** Objects and lists in JSON. */
const jsonOf = (text: string, fences: ReadonlyArray<Fence>): ReadonlyArray<Json> => {
  const found: Array<Json> = []
  const opening = /[{[]/g
  for (let match = opening.exec(text); match !== null; match = opening.exec(text)) {
    const fence = rangeAt(fences, match.index)
    if (fence !== undefined && !["", "json", "jsonc"].includes(fence.language)) {
      opening.lastIndex = fence.end
      continue
    }
    const { blocks, end } = jsonFrom(text, match.index)
    opening.lastIndex = end
    for (const block of blocks) {
      if (!isPart(text, block.start)) found.push(block)
    }
  }
  return found
}

const quotesOf = (text: string): ReadonlyArray<Range> =>
  Array.from(
    text.matchAll(/("""|''')[\s\S]*?\1/g),
    ({ 0: found, index }) => ({ start: index, end: index + found.length })
  )

/** From a tag at the beginning of a line to the one that closes it. */
const elementsOf = (text: string): ReadonlyArray<Range> => {
  const elements: Array<Range> = []
  const unclosed = new Set<string>()
  let done = 0
  for (const { 0: tag, 1: name, index } of text.matchAll(/^[ \t]*<([A-Za-z][\w-]*)[^<>\n]*>/gm)) {
    if (index < done || unclosed.has(name!)) continue
    const closing = `</${name}>`
    const found = text.indexOf(closing, index + tag.length)
    if (found === -1) unclosed.add(name!)
    else {
      done = found + closing.length
      elements.push({ start: index, end: done })
    }
  }
  return elements
}

const rule = /^[ \t]*([-=*#~])\1{2,}[ \t\r]*$/

/** The text between two lines of dashes or the like. More than two of them divide a text into parts. */
const ruledOf = (lines: ReadonlyArray<Line>): ReadonlyArray<Range> => {
  const [first, second, ...more] = lines.filter(({ content }) => rule.test(content))
  return first === undefined || second === undefined || more.length > 0 ? [] : [{ start: first.start, end: second.end }]
}

export interface Layout {
  readonly text: string
  readonly lines: ReadonlyArray<Line>
  readonly json: ReadonlyArray<Json>
  /** Where line breaks and blanks are not the author's: fences and JSON. In order, without overlaps. */
  readonly verbatim: ReadonlyArray<Range>
  /** The parts that are set apart from the instructions: fences, JSON, and what is between quotes or tags of their own. As above. */
  readonly data: ReadonlyArray<Range>
  /** Paragraphs, without the blanks around them. Nothing that is verbatim is divided. */
  readonly paragraphs: ReadonlyArray<Range>
}

const paragraphsOf = (lines: ReadonlyArray<Line>, verbatim: ReadonlyArray<Range>): ReadonlyArray<Range> => {
  const paragraphs: Array<Range> = []
  let open: Range | undefined
  for (const { content, end, start } of lines) {
    if (content.trim() === "" && rangeAt(verbatim, start) === undefined) {
      if (open !== undefined) paragraphs.push(open)
      open = undefined
    } else if (content.trim() !== "") {
      open = { start: open?.start ?? start, end: end - (content.length - content.trimEnd().length) }
    }
  }
  return open === undefined ? paragraphs : [...paragraphs, open]
}

export const layoutOf = (text: string): Layout => {
  const lines = linesOf(text)
  const fences = fencesOf(text, lines)
  const json = jsonOf(text, fences)
  const verbatim = merged([...fences, ...json])
  const data = merged([...verbatim, ...quotesOf(text), ...elementsOf(text), ...ruledOf(lines)])
  return { text, lines, json, verbatim, data, paragraphs: paragraphsOf(lines, verbatim) }
}
