/**
 * How many tokens a text is, told from its letters alone: no vocabulary, one pass, linear time.
 *
 * It cuts a text where the tokenizer of the reasoning models (o200k_base) cuts it before it looks anything up: words with the
 * character before them, three digits at most, runs of punctuation, runs of whitespace. What a piece costs was measured by
 * script and length. It leans to the high side, because a budget that is kept in the estimate should be kept in fact.
 */
import {
  alphabet,
  blank,
  cyrillic,
  digit,
  han,
  hangul,
  isLatin,
  kana,
  kindAt,
  marked,
  newline,
  punctuation,
  rareMarked,
  surrogate,
  symbol,
  upper
} from "./characters.ts"

const hyphen = 0x2d

/** Tokens of a word by its length: the given lengths, a line between them, a slope after the last. */
const byLength = (points: ReadonlyArray<readonly [length: number, tokens: number]>, slope: number): Float64Array => {
  const table = new Float64Array(256)
  let [fromLength, fromTokens] = [0, 0]
  for (const [length, tokens] of points) {
    for (let i = fromLength + 1; i <= length; i++) {
      table[i] = fromTokens + (tokens - fromTokens) * ((i - fromLength) / (length - fromLength))
    }
    ;[fromLength, fromTokens] = [length, tokens]
  }
  for (let i = fromLength + 1; i < table.length; i++) table[i] = fromTokens + (i - fromLength) * slope
  return table
}

/** Words where no letter has had a mark lately: English, and code. */
const plainWord = byLength([[1, 1], [4, 1.02], [6, 1.1], [8, 1.18], [10, 1.3], [13, 1.6], [16, 2.4]], 0.5)
/** Where letters of the west of Europe have marks: German, French, Spanish. */
const markedWord = byLength([[1, 1], [4, 1.05], [5, 1.15], [6, 1.25], [8, 1.7], [10, 2.2], [12, 2.5], [16, 4]], 0.3)
/** Where other letters have marks: Polish, Czech, Turkish. */
const rareWord = byLength([[1, 1], [2, 1.05], [3, 1.2], [4, 1.45], [6, 2.15], [8, 2.8], [10, 3.4], [16, 5.2]], 0.32)
const cyrillicWord = byLength([[1, 1], [3, 1.05], [5, 1.4], [6, 1.65], [8, 2.15], [10, 2.5], [16, 3.9]], 0.25)
const capitalWord = byLength([[1, 1], [2, 1.03], [3, 1.2], [4, 1.35], [8, 2]], 0.5)

const costOf = (table: Float64Array, length: number): number =>
  length < 256 ? table[length]! : table[255]! + (length - 255) * (table[255]! - table[254]!)

/** What a mark costs if a word follows it at once, `.map` or `"name`: less than a token where the two are often one. */
const beforeWord = new Float64Array(128).fill(0.95)
for (const [mark, tokens] of [["./_", 0.2], ["-,", 0.35], ["('", 0.45], ["\\", 0.2], ["<[", 0.65]] as const) {
  for (const char of mark) beforeWord[char.charCodeAt(0)] = tokens
}

/** Keys, hashes and base64 have letters and digits in no order that a vocabulary could know. */
const randomPerCharacter = 0.7

/** On top of what was measured, so that a text of an unusual kind is rarely more than its estimate. */
const margin = 1.03

class Estimator {
  private at = 0
  private total = 0
  /** 0: no marks on the words so far; 1: those of the west; 2: others. */
  private foreign = 0
  /** The unbroken run of letters, digits and hyphens that this is in: where it began, and how often the kind changed. */
  private runStart = 0
  private runTotal = 0
  private runChanges = 0
  private inRun = false

  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  estimate(): number {
    while (this.at < this.text.length) {
      const code = this.text.charCodeAt(this.at)
      const kind = kindAt(code)
      if (isLatin(kind)) {
        this.enterRun()
        this.word(kind)
      } else if (kind === digit) {
        this.enterRun()
        this.digits()
      } else {
        if (code !== hyphen) this.leaveRun()
        if (kind === blank || kind === newline) this.whitespace()
        else if (kind === punctuation) this.marks()
        else this.other(kind)
      }
    }
    this.leaveRun()
    return Math.ceil(this.total * margin)
  }

  private kind(): number {
    return this.at < this.text.length ? kindAt(this.text.charCodeAt(this.at)) : 0
  }

  /** The end of the characters of one kind. */
  private skip(kind: number): number {
    const start = this.at
    while (this.kind() === kind) this.at++
    return this.at - start
  }

  private enterRun(): void {
    if (this.inRun) {
      this.runChanges++
      return
    }
    this.inRun = true
    this.runStart = this.at
    this.runTotal = this.total
    this.runChanges = 0
  }

  private leaveRun(): void {
    if (!this.inRun) return
    this.inRun = false
    const length = this.at - this.runStart
    if (this.runChanges >= 4 && this.runChanges * 3.5 > length) {
      this.total = Math.max(this.total, this.runTotal + length * randomPerCharacter)
    }
  }

  /** Capitals, then small letters: `word`, `Word`, `WORD`, `HTTPServer`; `getUser` is two. */
  private word(first: number): void {
    const start = this.at
    const capitals = this.skip(upper)
    let worst = first
    for (let kind = this.kind(); isLatin(kind) && kind !== upper; kind = this.kind()) {
      if (kind > worst) worst = kind
      this.at++
    }
    const length = this.at - start
    if (capitals > 1 && capitals === length) this.total += costOf(capitalWord, length)
    else this.total += this.wordCost(length, worst) + Math.max(0, capitals - 1) * 0.4
  }

  private wordCost(length: number, worst: number): number {
    if (worst === rareMarked) this.foreign += (2 - this.foreign) * 0.5
    else if (worst === marked) this.foreign += Math.max(0, 1 - this.foreign) * 0.4
    else this.foreign *= 0.98
    const level = Math.max(this.foreign, worst === rareMarked ? 2 : worst === marked ? 1 : 0)
    const middle = costOf(markedWord, length)
    return level <= 1
      ? costOf(plainWord, length) * (1 - level) + middle * level
      : middle * (2 - level) + costOf(rareWord, length) * (level - 1)
  }

  private digits(): void {
    this.total += Math.ceil(this.skip(digit) / 3)
  }

  /** The last blank belongs to the word after it, and a line's end is one piece with the lines' ends and blanks before it. */
  private whitespace(): void {
    const start = this.at
    let afterLine = start
    for (let kind = this.kind(); kind === blank || kind === newline; kind = this.kind()) {
      this.at++
      if (kind === newline) afterLine = this.at
    }
    if (afterLine > start) this.total += 1 + Math.floor((afterLine - start) / 16)
    const blanks = this.at - afterLine
    const before = this.kind()
    const taken = before === 0 || before === digit || this.text.charCodeAt(this.at - 1) !== 0x20 ? 0 : 1
    if (blanks > taken) this.total += 1 + Math.floor(blanks / 64)
  }

  /** A run of marks; a short one takes the line's end after it. */
  private marks(): void {
    const start = this.at
    let changes = 0
    let last = 0
    for (let code = this.text.charCodeAt(this.at); kindAt(code) === punctuation; code = this.text.charCodeAt(this.at)) {
      if (code !== last) changes++
      last = code
      this.at++
    }
    const length = this.at - start
    const after = this.kind()
    const alone = length === 1 && (start === 0 || this.text.charCodeAt(start - 1) !== 0x20)
    if (alone && isLatin(after)) this.total += beforeWord[last]!
    else this.total += Math.max(1, 0.25 + changes * 0.48) + (length - changes) / 12
    if (after === newline) this.skip(newline)
  }

  /** Russian is known best: a letter that it does not have makes a word dearer. */
  private cyrillicWord(): void {
    const start = this.at
    let russian = true
    while (this.kind() === cyrillic) {
      const code = this.text.charCodeAt(this.at++)
      if (code < 0x410 || code > 0x44f) russian &&= code === 0x401 || code === 0x451
    }
    const cost = costOf(cyrillicWord, this.at - start)
    this.total += russian ? cost : 0.7 + cost * 1.25
  }

  private other(kind: number): void {
    switch (kind) {
      case cyrillic: {
        this.cyrillicWord()
        return
      }
      case alphabet: {
        this.total += 0.3 + 0.37 * this.skip(kind)
        return
      }
      case han: {
        this.total += 0.1 + 0.9 * this.skip(kind)
        return
      }
      case kana: {
        this.total += 0.1 + 0.72 * this.skip(kind)
        return
      }
      case hangul: {
        this.total += 0.45 + 0.65 * this.skip(kind)
        return
      }
      case surrogate: {
        // 0xd83c to 0xd83e are the first halves of emoji
        const first = this.text.charCodeAt(this.at)
        this.at += this.at + 1 < this.text.length && kindAt(this.text.charCodeAt(this.at + 1)) === surrogate ? 2 : 1
        this.total += first >= 0xd83c && first <= 0xd83e ? 2 : 3.5
        return
      }
      default: {
        this.at++
        this.total += kind === symbol ? 1 : 2
      }
    }
  }
}

/**
 * The number of tokens of a text, estimated.
 */
export const estimate = (text: string): number => new Estimator(text).estimate()
