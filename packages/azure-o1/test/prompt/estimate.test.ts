import { assert, describe, it } from "@effect/vitest"
import { countTokens } from "gpt-tokenizer/encoding/o200k_base"
import { estimate } from "../../src/prompt/estimate.ts"
import { wide } from "../fixtures/token-corpus-wide.ts"
import { corpus } from "../fixtures/token-corpus.ts"

/** Kinds that the estimate is farther off than the others: by design on the high side. */
const loose: Readonly<Record<string, number>> = {
  "Chinese, simplified": 0.25,
  "Arabic": 0.3,
  "Hindi": 0.3,
  "hexadecimal": 0.35,
  "full-width letters": 0.25,
  "Burmese": 0.45,
  "Bengali": 0.25,
  "Armenian": 0.25,
  "Indonesian": 0.25,
  "DNA": 0.25,
  "protein": 0.35
}

/** Kinds that people paste every day, of which the estimate is to be no less than the count. */
const high = new Set([
  "full-width letters",
  "terminal output with colours",
  "Thai",
  "Finnish",
  "formulas",
  "random words"
])

describe("estimate", () => {
  for (const [kind, text] of Object.entries({ ...corpus, ...wide })) {
    it(`${kind}: not 5 % below, not ${100 * (loose[kind] ?? 0.18)} % above`, () => {
      const error = estimate(text) / countTokens(text) - 1
      assert.isAtLeast(error, high.has(kind) ? 0 : -0.05)
      assert.isAtMost(error, loose[kind] ?? 0.18)
    })
  }

  it("all together within 10 %, on the high side", () => {
    const texts = Object.values(corpus)
    const exact = texts.reduce((sum, text) => sum + countTokens(text), 0)
    const estimated = texts.reduce((sum, text) => sum + estimate(text), 0)
    assert.isAtLeast(estimated, exact)
    assert.isAtMost(estimated, 1.1 * exact)
  })

  const odd: ReadonlyArray<readonly [string, string, number, number]> = [
    ["nothing", "", 0, 0],
    ["a letter", "a", 1, 2],
    ["a space", " ", 1, 2],
    ["one hundred spaces", " ".repeat(100), 1, 4],
    ["a long rule", "-".repeat(200), 4, 25],
    ["half a character", "\ud83d", 1, 4],
    ["a control character", "\u0000", 1, 2],
    ["one word of 20,000 letters", "ab".repeat(10_000), 5000, 12_000],
    ["20,000 digits", "12".repeat(10_000), 6667, 7000],
    ["Amharic, of which the vocabulary knows nothing", "መሐንዲሶች የምላሽ ጊዜን", 24, 40]
  ]
  for (const [name, text, min, max] of odd) {
    it(`${name}: from ${min} to ${max}`, () => {
      assert.isAtLeast(estimate(text), min)
      assert.isAtMost(estimate(text), max)
    })
  }

  it("grows with the text, but for the last word", () => {
    for (const text of Object.values({ ...corpus, ...wide })) {
      let most = 0
      for (let end = 0; end <= text.length; end += 7) {
        const tokens = estimate(text.slice(0, end))
        assert.isAtLeast(tokens, most - 12)
        most = Math.max(most, tokens)
      }
    }
  })

  it("takes time that grows with the length and no faster", () => {
    // counted in characters that are looked at, for time itself is not to be relied on
    class Looked extends String {
      looks = 0
      override charCodeAt(index: number): number {
        this.looks++
        return super.charCodeAt(index)
      }
    }
    for (
      const unit of [
        "a",
        "aB1",
        "-",
        " \n",
        "{\"a\":",
        "水",
        "é",
        "😀",
        "'s",
        "\u001b[31m",
        "\\a",
        "Ａ",
        "∑",
        "─",
        "ไทย",
        "xq ",
        "A"
      ]
    ) {
      const text = new Looked(unit.repeat(2000))
      estimate(text as unknown as string)
      assert.isAtMost(text.looks, 8 * text.length, unit)
    }
  })
})
