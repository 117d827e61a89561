// What a word costs, by its length, its letters and the language that it seems to be of.
/** Up to four letters as a number. */
const packed = (word: string): number =>
  Array.from(word).reduce((sum, letter) => (sum << 5) | (letter.charCodeAt(0) & 31), 0)

const packedAll = (words: string): ReadonlyArray<number> =>
  words.split(" ").filter((word) => word.length > 1 && word.length < 5).map(packed)

/** Small words of English, of which the vocabulary knows most words as a whole. */
export const english: ReadonlySet<number> = new Set(packedAll(
  "the of and to in is it you that was for are with as his they be at one have this from or had by not but what all were we " +
    "when your can an each do how if will up out them then she so her him has its who now my over did down only may than any " +
    "into been use get set new"
))

/** Small words of German, French, Spanish, Italian and Portuguese, which are known nearly as well. */
export const western: ReadonlySet<number> = new Set(packedAll(
  "der die das und ist ein eine zu den von mit sich des auf dem im als auch es ich er sie wir nur wie noch nach bei aus wird " +
    "sind le la les et un une du est que qui pas pour dans ce il elle au avec sont el los las y en por con del lo al su como " +
    "mas pero sus di che per non si da nel sono os um uma com na em mais ao"
))

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
export const plainWord = byLength([[1, 1], [4, 1.02], [6, 1.1], [8, 1.18], [10, 1.3], [13, 1.6], [16, 2.4]], 0.5)
/** Where letters of the west of Europe have marks: German, French, Spanish. */
export const markedWord = byLength(
  [[1, 1], [4, 1.05], [5, 1.15], [6, 1.25], [8, 1.7], [10, 2.2], [12, 2.5], [16, 4]],
  0.3
)
/** Where other letters have marks: Polish, Czech, Turkish. */
export const rareWord = byLength(
  [[1, 1], [2, 1.05], [3, 1.2], [4, 1.45], [6, 2.15], [8, 2.8], [10, 3.4], [16, 5.2]],
  0.32
)
export const cyrillicWord = byLength([[1, 1], [3, 1.05], [5, 1.4], [6, 1.65], [8, 2.15], [10, 2.5], [16, 3.9]], 0.25)
export const capitalWord = byLength([[1, 1], [2, 1.03], [3, 1.2], [4, 1.35], [8, 2]], 0.5)

export const costOf = (table: Float64Array, length: number): number =>
  length < 256 ? table[length]! : table[255]! + (length - 255) * (table[255]! - table[254]!)

/** What a mark costs if a word follows it at once, `.map` or `"name`: less than a token where the two are often one. */
export const beforeWord = new Float64Array(128).fill(0.95)
for (const [mark, tokens] of [["./_", 0.2], ["-,", 0.35], ["('", 0.45], ["<[", 0.65]] as const) {
  for (const char of mark) beforeWord[char.charCodeAt(0)] = tokens
}

/** What two letters that never stand together add to a word, for each of the nine steps. */
export const perStrangePair = 0.22

/**
 * How seldom two letters follow each other within the pieces of the vocabulary, from 0 to 9: counted once, a row for each first
 * letter. It tells words, of whatever language, from letters in no order.
 */
const pairs =
  "11003212131000413000112312135507651461551681341658370625067006115505513017773404520543055344156224144634" +
  "02001212132000213000212122166512561772661782422767471465063216524226812317573705650676165343166242254837" +
  "02000113321010013100315332277425673736752677462668761565166415336425832226484704420334043034046521135716" +
  "01650555076424117624265847040002030323411444002246232211221323200011400101133405450552176155027022266747" +
  "48876887599578685686188889022103230522110351001237130414044105223411440014373404340451055244047011153513" +
  "12121324142110326000434444176708671785751783564778571665167327646326943657674836463695388667537773577558" +
  "2534265737533333942447585526651865276565377675354844"

/** Of two letters, from `a` at 0. */
export const strangeness = Uint8Array.from(pairs, (digit) => digit.charCodeAt(0) - 0x30)
