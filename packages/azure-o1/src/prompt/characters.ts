// What a character is, as far as its price is concerned.
const lower = 1
export const upper = 2
/** Latin letters with marks: those of the west of Europe, and the others, which the vocabulary knows less well. */
export const marked = 3
export const rareMarked = 4
export const digit = 5
export const blank = 6
export const newline = 7
export const punctuation = 8
export const cyrillic = 9
/** Scripts whose words the vocabulary knows in pieces of two or three letters. */
export const alphabet = 10
export const han = 11
export const kana = 12
export const hangul = 13
export const symbol = 14
/** Half of a character beyond the first 65,536. */
export const surrogate = 15
/** Signs of mathematics, small figures and the like: of most of them the vocabulary has only the bytes. */
export const rare = 16
/** Lines, corners and bars that drawings in terminals are made of. */
export const box = 17
/** Letters of twice the width, and katakana of half. */
export const wide = 18
export const halfKana = 19
/** Scripts that the vocabulary knows in pieces of one or two letters. */
export const abugida = 20
export const thai = 21
/** Greek with the marks of antiquity. */
export const accented = 22
const unknown = 23

const signOf = (code: number): number => {
  if (code >= 0x2500 && code < 0x25a0) return box
  if (code >= 0x2070 && code < 0x2190) return code >= 0x20a0 && code < 0x20c0 ? symbol : rare
  if (code >= 0x2200 && code < 0x2500) return rare
  return code >= 0x2800 && code < 0x2b00 ? unknown : symbol
}

const kindOf = (code: number): number => {
  if (code < 0x80) {
    if (code >= 0x61 && code <= 0x7a) return lower
    if (code >= 0x41 && code <= 0x5a) return upper
    if (code >= 0x30 && code <= 0x39) return digit
    if (code === 0x0a || code === 0x0d) return newline
    return code === 0x20 || (code >= 0x09 && code <= 0x0c) ? blank : punctuation
  }
  if (code < 0xc0) return code === 0xa0 ? blank : symbol
  if (code < 0x100) return code === 0xd7 || code === 0xf7 ? symbol : marked
  if (code < 0x250) return rareMarked
  if (code < 0x300) return unknown
  if (code < 0x370) return rare
  if (code < 0x400) return alphabet
  if (code < 0x530) return cyrillic
  if (code < 0xe80) return code < 0xe00 ? alphabet : thai
  if (code < 0x1000) return unknown
  if (code < 0x10a0) return abugida
  if (code < 0x1100) return alphabet
  if (code < 0x1200) return hangul
  if (code < 0x1e00) return code >= 0x1780 && code < 0x1800 ? abugida : unknown
  if (code < 0x1f00) return rareMarked
  if (code < 0x2000) return accented
  if (code < 0x2e80) return signOf(code)
  if (code < 0x3040) return code < 0x3000 ? han : symbol
  if (code < 0x3100) return kana
  if (code < 0xa000) return han
  if (code >= 0xac00 && code < 0xd7b0) return hangul
  if (code >= 0xd800 && code < 0xe000) return surrogate
  if (code >= 0xf900 && code < 0xfb00) return han
  if (code >= 0xff66 && code < 0xffa0) return halfKana
  if (code >= 0xff10 && code < 0xff5b) return code < 0xff1a ? symbol : wide
  return code >= 0xfe00 ? symbol : unknown
}

/** The kinds of the characters up to 0x250, which are most of them. */
const kinds = Uint8Array.from({ length: 0x250 }, (_, code) => kindOf(code))

export const kindAt = (code: number): number => code < 0x250 ? kinds[code]! : kindOf(code)

export const isLatin = (kind: number): boolean => kind >= lower && kind <= rareMarked
