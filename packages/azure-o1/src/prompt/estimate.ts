/**
 * How many tokens a text is, told from its letters alone: no vocabulary, one pass, linear time.
 *
 * It cuts a text where the tokenizer of the reasoning models (o200k_base) cuts it before it looks anything up: words with the
 * character before them, three digits at most, runs of punctuation, runs of whitespace. What a piece costs was measured by
 * script and length. It leans to the high side, because a budget that is kept in the estimate should be kept in fact.
 */
import {
  abugida,
  accented,
  alphabet,
  blank,
  box,
  cyrillic,
  digit,
  halfKana,
  han,
  hangul,
  isLatin,
  kana,
  kindAt,
  marked,
  newline,
  punctuation,
  rare,
  rareMarked,
  surrogate,
  symbol,
  thai,
  upper,
  wide
} from "./characters.ts"
import {
  beforeWord,
  capitalWord,
  costOf,
  cyrillicWord,
  english,
  markedWord,
  perStrangePair,
  plainWord,
  rareWord,
  strangeness,
  western
} from "./words.ts"

const hyphen = 0x2d
const backslash = 0x5c
const escape = 0x1b

/** Keys, hashes and base64 have letters and digits in no order that a vocabulary could know. */
const randomPerCharacter = 0.7
/** Of hexadecimal, the vocabulary has more pairs. */
const hexPerCharacter = 0.62

/** On top of what was measured, so that a text of an unusual kind is rarely more than its estimate. */
const margin = 1.03

class Estimator {
  private at = 0
  private total = 0
  /** 0: no marks on the words so far; 1: those of the west; 2: others. */
  private foreign = 0
  /** How much of the prose so far has none of the small words that are known best, from 0 to 1. */
  private unknown = 0.68
  private words = 0
  /** Where the last word ended. */
  private wordEnd = -2
  /** The unbroken run of letters, digits and hyphens that this is in: where it began, and how often the kind changed. */
  private runStart = 0
  private runTotal = 0
  private runChanges = 0
  private runIsHex = true
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
        if (code === escape) this.sequence()
        else if (kind === blank || kind === newline) this.whitespace()
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
    this.runIsHex = true
  }

  private leaveRun(): void {
    if (!this.inRun) return
    this.inRun = false
    const length = this.at - this.runStart
    if (this.runChanges >= 4 && this.runChanges * 3.5 > length) {
      const perCharacter = this.runIsHex ? hexPerCharacter : randomPerCharacter
      this.total = Math.max(this.total, this.runTotal + length * perCharacter)
    }
  }

  /** Capitals, then small letters: `word`, `Word`, `WORD`, `HTTPServer`; `getUser` is two. */
  private word(first: number): void {
    const start = this.at
    let capitals = 0
    let worst = first
    let strange = 0
    let letters = 0
    let last = -1
    let isUpper = true
    for (let kind = this.kind(); isLatin(kind); kind = this.kind()) {
      if (kind === upper && !isUpper) break
      if (kind === upper) capitals++
      else isUpper = false
      if (kind > worst) worst = kind
      const code = this.text.charCodeAt(this.at++)
      const letter = code < 0x80 ? (code & 31) - 1 : -1
      if (letter >= 0 && last >= 0) strange += strangeness[last * 26 + letter]!
      letters = (letters << 5) | (letter + 1)
      if (letter > 5) this.runIsHex = false
      last = letter
    }
    const length = this.at - start
    const before = start === 0 ? newline : kindAt(this.text.charCodeAt(start - 1))
    // what is said in code and in logs has few small words as well, and more marks
    if (before !== blank && before !== newline) this.unknown += (0.5 - this.unknown) * 0.04
    else if (capitals === 0 && this.wordEnd === start - 1) {
      // the first words say much, for a prompt may have no more
      const weight = Math.max(0.08, 1 / (3.5 + this.words++))
      const isWestern = length < 5 && western.has(letters)
      this.unknown += ((isWestern || (length < 5 && english.has(letters)) ? 0 : 1) - this.unknown) * weight
      if (isWestern) this.foreign += Math.max(0, 0.8 - this.foreign) * 0.2
    }
    this.wordEnd = this.at
    const cost = capitals > 1 && capitals === length
      ? costOf(capitalWord, length)
      : this.wordCost(length, worst) + Math.max(0, capitals - 1) * 0.4
    // pieces of letters in no order have two of them, and some have one
    const more = Math.max(0, strange - 1.5 * (length - 1)) * perStrangePair
    this.total += Math.max(cost, Math.min(cost + more, (capitals === length ? 0.7 : 0.68) * length))
  }

  private wordCost(length: number, worst: number): number {
    if (worst === rareMarked) this.foreign += (2 - this.foreign) * 0.5
    else if (worst === marked) this.foreign += Math.max(0, 1 - this.foreign) * 0.4
    else this.foreign *= 0.98
    const other = Math.min(1.8, Math.max(0, this.unknown - 0.8) * 18)
    const level = Math.max(
      this.foreign + 0.4 * other * this.foreign * (2 - this.foreign),
      worst === rareMarked ? 2 : worst === marked ? 1 : 0,
      other
    )
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

  /** What colours a terminal: the escape, the bracket, each number, each mark between them, and the letter at the end. */
  private sequence(): void {
    const afterBlank = this.at > 0 && this.text.charCodeAt(this.at - 1) === 0x20
    this.at++
    this.total += afterBlank ? 2.2 : 1.2
    if (this.at >= this.text.length || this.text.charCodeAt(this.at) !== 0x5b) return
    this.at++
    this.total++
    for (let kind = this.kind(); kind === digit || kind === punctuation; kind = this.kind()) {
      if (kind === digit) this.digits()
      else if (this.text.charCodeAt(this.at) === escape) return
      else {
        this.at++
        this.total++
      }
    }
    if (isLatin(this.kind())) {
      this.at++
      this.total++
    }
  }

  /** A run of marks; a short one takes the line's end after it. */
  private marks(): void {
    const start = this.at
    let changes = 0
    let last = 0
    for (
      let code = this.text.charCodeAt(this.at);
      kindAt(code) === punctuation && code !== escape;
      code = this.text.charCodeAt(this.at)
    ) {
      if (code !== last) changes++
      last = code
      this.at++
    }
    const length = this.at - start
    const after = this.kind()
    const alone = length === 1 && (start === 0 || this.text.charCodeAt(start - 1) !== 0x20)
    if (alone && isLatin(after)) this.total += last === backslash ? this.afterBackslash() : beforeWord[last]!
    else this.total += Math.max(1, 0.25 + changes * 0.48) + (length - changes) / 12
    if (length > 1 && last === backslash && isLatin(after)) this.total += this.afterBackslash() * 0.7
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

  /** The escapes of strings are known as one piece, the commands of LaTeX are not. */
  private afterBackslash(): number {
    return "ntrux".includes(this.text.charAt(this.at)) ? 0.2 : 0.95
  }

  /** A line of one sign is few pieces. */
  private boxes(): void {
    let last = 0
    while (this.kind() === box) {
      const code = this.text.charCodeAt(this.at++)
      this.total += code !== last ? 1.3 : code < 0x2580 ? 0.1 : 0.75
      last = code
    }
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
      case thai: {
        this.total += 0.3 + 0.46 * this.skip(kind)
        return
      }
      case rare: {
        this.total += 1.95 * this.skip(kind)
        return
      }
      case box: {
        this.boxes()
        return
      }
      case wide: {
        this.total += 0.1 + 1.78 * this.skip(kind)
        return
      }
      case halfKana: {
        this.total += 0.2 + 1.8 * this.skip(kind)
        return
      }
      case abugida: {
        this.total += 0.3 + 0.62 * this.skip(kind)
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
        this.total += kind === symbol ? 1 : kind === accented ? 2.4 : 2
      }
    }
  }
}

/**
 * The number of tokens of a text, estimated.
 */
export const estimate = (text: string): number => new Estimator(text).estimate()
