/**
 * Most chunks of a stream are the one before with another piece of text in the same place, another number, and other padding.
 * Such a chunk need not be parsed: it says what the one before said, but for these. In a JSON text an unescaped `"content":` is
 * always the key itself, for inside of a string its quotes would be escaped; so a chunk that has it once has the text there, and
 * nowhere else.
 */
export class Template {
  /** Of the last chunk that matched. */
  text = ""
  /** Of the last chunk that matched. */
  sequence = -1
  /** Where the last chunk that matched ends. */
  end = 0
  private readonly literals: ReadonlyArray<string>
  private readonly holes: ReadonlyArray<Hole["kind"]>
  private matched = 0
  private pattern: RegExp | undefined = undefined

  constructor(literals: ReadonlyArray<string>, holes: ReadonlyArray<Hole["kind"]>) {
    this.literals = literals
    this.holes = holes
  }

  static of(chunk: string, holes: ReadonlyArray<Hole>): Template {
    const ends = [...holes.map(({ start }) => start), chunk.length]
    return new Template(
      ends.map((end, i) => chunk.slice(i === 0 ? 0 : holes[i - 1]!.end, end)),
      holes.map(({ kind }) => kind)
    )
  }

  /** The template of a text that has such a chunk between these two. */
  between(before: string, after: string): Template {
    const { holes, literals } = this
    const last = literals.length - 1
    return new Template(
      literals.map((literal, i) => `${i === 0 ? before : ""}${literal}${i === last ? after : ""}`),
      holes
    )
  }

  /** Whether the chunk is of the template. If not, it has to be parsed to know what it says. */
  matches(chunk: string): boolean {
    return this.matchesAt(chunk, 0) && this.end === chunk.length
  }

  /** Whether what begins there is of the template. */
  matchesAt(text: string, start: number): boolean {
    if (this.pattern !== undefined) return this.matchesPattern(this.pattern, text, start)
    const { holes, literals } = this
    let at = start
    for (let i = 0; i < literals.length; i++) {
      const literal = literals[i]!
      // faster than startsWith
      if (text.slice(at, at + literal.length) !== literal) return false
      at += literal.length
      const kind = holes[i]
      if (kind === undefined) continue
      const end = kind === "sequence" ? endOfNumber(text, at) : text.indexOf("\"", at)
      if (end < 0) return false
      const piece = text.slice(at, end)
      if (kind !== "sequence" && special.test(piece)) return false
      this.take(kind, piece)
      at = end
    }
    this.end = at
    if (++this.matched === worthCompiling) this.pattern = patternOf(literals, holes)
    return true
  }

  private matchesPattern(pattern: RegExp, text: string, start: number): boolean {
    pattern.lastIndex = start
    const found = pattern.exec(text)
    if (found === null) return false
    for (let i = 0; i < this.holes.length; i++) this.take(this.holes[i]!, found[i + 1]!)
    this.end = pattern.lastIndex
    return true
  }

  private take(kind: Hole["kind"], piece: string): void {
    if (kind === "text") this.text = piece
    else if (kind === "sequence") this.sequence = Number(piece)
  }
}

/** After so many chunks an expression pays, which is five times as fast, and has to be compiled. */
const worthCompiling = 64

const patternOf = (literals: ReadonlyArray<string>, holes: ReadonlyArray<Hole["kind"]>): RegExp =>
  new RegExp(
    literals.map((literal, i) => {
      const kind = holes[i]
      const hole = kind === undefined ? "" : kind === "sequence" ? wholeNumber : plainText
      return literal.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&") + hole
    }).join(""),
    "y"
  )

/** The same as `special` and `endOfNumber` allow. */
const plainText = "([^\"\\\\\\u0000-\\u001f]*)"
const wholeNumber = "(0|[1-9][0-9]{0,14})(?![0-9])"

interface Hole {
  readonly kind: "text" | "sequence" | "padding"
  readonly start: number
  readonly end: number
}

/** The characters that have to be escaped in a JSON string, so that a piece without any of it is its own literal. */
// oxlint-disable-next-line no-control-regex -- they are what JSON does not allow
const special = /["\\\u0000-\u001f]/

const zero = 48
const nine = 57

/** The end of a whole number as JSON writes it; -1 where there is none. */
const endOfNumber = (chunk: string, start: number): number => {
  let end = start
  for (let code = chunk.charCodeAt(end); code >= zero && code <= nine; code = chunk.charCodeAt(end)) end++
  const digits = end - start
  return digits === 0 || digits > 15 || (digits > 1 && chunk.charCodeAt(start) === zero) ? -1 : end
}

/** Where the value of a key begins: -1 without the key, `undefined` where it is there more than once. */
const valueOf = (chunk: string, name: string): number | undefined => {
  const key = `"${name}":`
  const at = chunk.indexOf(key)
  if (at < 0) return -1
  if (chunk.lastIndexOf(key) !== at) return undefined
  let start = at + key.length
  while (chunk[start] === " ") start++
  return start
}

/** The hole of a string, `undefined` where it has to be parsed. */
const textHole = (chunk: string, kind: Hole["kind"], start: number): Hole | undefined => {
  const end = chunk.indexOf("\"", start + 1)
  return chunk[start] === "\"" && end >= 0 && !special.test(chunk.slice(start + 1, end))
    ? { kind, start: start + 1, end }
    : undefined
}

/**
 * The template of a chunk whose only news is a text under this key, and a number if it has one; `undefined` where these are not
 * found beyond doubt. The padding that hides how long the text is may differ as well.
 */
export const templateOf = (chunk: string, key: string, text: string, sequence?: number): Template | undefined => {
  const content = valueOf(chunk, key)
  const padding = valueOf(chunk, "obfuscation")
  const number = sequence === undefined ? -1 : valueOf(chunk, "sequence_number")
  if (content === undefined || content < 0 || padding === undefined || number === undefined) return undefined
  const holes: Array<Hole | undefined> = [textHole(chunk, "text", content)]
  if (padding >= 0) holes.push(textHole(chunk, "padding", padding))
  if (number >= 0) holes.push({ kind: "sequence", start: number, end: endOfNumber(chunk, number) })
  const sorted = holes.filter((hole) => hole !== undefined).toSorted((a, b) => a.start - b.start)
  if (sorted.length < holes.length) return undefined
  const template = Template.of(chunk, sorted)
  // it has to say of its own chunk what parsing it said
  return template.matches(chunk) && template.text === text && (sequence === undefined || template.sequence === sequence)
    ? template
    : undefined
}
