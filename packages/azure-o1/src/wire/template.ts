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
  private readonly literals: ReadonlyArray<string>
  private readonly holes: ReadonlyArray<Hole["kind"]>

  constructor(chunk: string, holes: ReadonlyArray<Hole>) {
    const ends = [...holes.map(({ start }) => start), chunk.length]
    this.literals = ends.map((end, i) => chunk.slice(i === 0 ? 0 : holes[i - 1]!.end, end))
    this.holes = holes.map(({ kind }) => kind)
  }

  /** Whether the chunk is of the template. If not, it has to be parsed to know what it says. */
  matches(chunk: string): boolean {
    const { holes, literals } = this
    let at = 0
    for (let i = 0; i < holes.length; i++) {
      const literal = literals[i]!
      if (!chunk.startsWith(literal, at)) return false
      at += literal.length
      const kind = holes[i]!
      const end = kind === "sequence" ? endOfNumber(chunk, at) : chunk.indexOf("\"", at)
      if (end < 0) return false
      const piece = chunk.slice(at, end)
      if (kind === "sequence") this.sequence = Number(piece)
      else if (special.test(piece)) return false
      else if (kind === "text") this.text = piece
      at = end
    }
    const last = literals[holes.length]!
    return at + last.length === chunk.length && chunk.endsWith(last)
  }
}

interface Hole {
  readonly kind: "text" | "sequence" | "padding"
  readonly start: number
  readonly end: number
}

/** What has to be escaped in a JSON string, so that a piece without any of it is its own literal. */
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
  const template = new Template(chunk, sorted)
  // it has to say of its own chunk what parsing it said
  return template.matches(chunk) && template.text === text && (sequence === undefined || template.sequence === sequence)
    ? template
    : undefined
}
