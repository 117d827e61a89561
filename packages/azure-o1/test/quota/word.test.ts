import { assert, describe, it } from "@effect/vitest"
import type { Told } from "../../src/quota/line.ts"
import { type Sent, Word } from "../../src/quota/word.ts"

const untold: Told = { limit: undefined, remaining: undefined, reset: undefined }
const sent = (at: number, tokens = 1_000): Sent => ({ at, cost: { requests: 1, tokens } })
const cost = (tokens: number) => ({ requests: 1, tokens })
const newWord = () => new Word(true)
const configured = { requests: undefined, tokens: undefined }

/** One call, and the tokens that the headers of its answer tell of. */
const asked = (word: Word, at: number, told: Partial<Told>, tokens = 1_000): Sent => {
  const one = sent(at, tokens)
  word.sent(one)
  word.heard(at + 20, one, { requests: untold, tokens: { ...untold, ...told } })
  return one
}

describe("the word of the service", () => {
  it("lowers a limit, and raises it again, but not beyond what is configured", () => {
    const word = newWord()
    asked(word, 0, { limit: 60_000 })
    assert.strictEqual(word.limits(0, { ...configured, tokens: 90_000 }).tokens, 60_000)
    assert.strictEqual(word.limits(0, { ...configured, tokens: 30_000 }).tokens, 30_000)
    asked(word, 100, { limit: 120_000 })
    assert.strictEqual(word.limits(100, { ...configured, tokens: 90_000 }).tokens, 90_000)
  })

  it("keeps calls back until the reset, and not those that fit", () => {
    const word = newWord()
    asked(word, 0, { limit: 60_000, remaining: 5_000, reset: 30_000 }, 55_000)
    assert.strictEqual(word.wait(20, cost(5_000), true), 0)
    assert.strictEqual(word.wait(20, cost(5_001), true), 30_000)
    assert.strictEqual(word.wait(30_020, cost(5_001), true), 0)
  })

  it("counts for half a second where nobody knows when the service counts anew", () => {
    const word = newWord()
    asked(word, 0, { limit: 60_000, remaining: 0 }, 60_000)
    assert.strictEqual(word.wait(20, cost(1), true), 500)
    asked(word, 10_000, { limit: 60_000, remaining: 0, reset: 86_400_000 }, 1)
    assert.strictEqual(word.wait(10_020, cost(1), true), 500)
    assert.strictEqual(word.wait(10_520, cost(1), true), 0)
  })

  it("counts as briefly where the minute seems to have begun just now, each time", () => {
    const word = newWord()
    asked(word, 0, { limit: 60_000, remaining: 40_000, reset: 60_000 }, 20_000)
    assert.strictEqual(word.wait(20, cost(41_000), true), 60_000)
    asked(word, 5_000, { limit: 60_000, remaining: 20_000, reset: 60_000 }, 20_000)
    assert.strictEqual(word.wait(5_020, cost(41_000), true), 500)
    // for a while it is taken for what it was seen to be
    asked(word, 65_000, { limit: 60_000, remaining: 20_000, reset: 60_000 }, 40_000)
    assert.strictEqual(word.wait(65_020, cost(41_000), true), 500)
  })

  it("is not believed where it says that nothing is left of a minute that is hardly used", () => {
    const word = newWord()
    asked(word, 0, { limit: 60_000, remaining: 0, reset: 30_000 }, 1_000)
    assert.strictEqual(word.wait(20, cost(1_000), true), 0)
    assert.strictEqual(word.rest("tokens", 20), Infinity)
  })

  it("is no longer true when its answer comes late", () => {
    const word = newWord()
    const one = sent(0)
    word.sent(one)
    word.heard(120_000, one, { requests: untold, tokens: { limit: 60_000, remaining: 0, reset: 60_000 } })
    assert.strictEqual(word.wait(120_000, cost(1_000), true), 0)
    assert.strictEqual(word.limits(120_000, configured).tokens, 60_000)
  })

  it("does not know of calls that are on their way", () => {
    const word = newWord()
    const first = sent(0, 10_000)
    const second = sent(0, 20_000)
    word.sent(first)
    word.sent(second)
    word.heard(20, first, { requests: untold, tokens: { limit: 60_000, remaining: 50_000, reset: 50_000 } })
    assert.strictEqual(word.wait(20, cost(30_000), true), 0)
    assert.isAbove(word.wait(20, cost(30_001), true), 0)
    // one that never went out was none
    word.unsent(second)
    assert.strictEqual(word.wait(20, cost(50_000), true), 0)
  })

  it("lets one call ask where nothing is known, and the others after it has said something, or five seconds", () => {
    const word = newWord()
    const first = sent(0)
    assert.strictEqual(word.wait(0, cost(1), false), 0)
    word.sent(first)
    assert.strictEqual(word.wait(0, cost(1), false), 5_000)
    assert.strictEqual(word.wait(0, cost(1), true), 0)
    word.unanswered(first)
    assert.strictEqual(word.wait(0, cost(1), false), 0)
    word.sent(sent(10))
    word.heard(30, first, { requests: untold, tokens: untold })
    assert.strictEqual(word.wait(30, cost(1), false), 0)
  })

  it("shows what others use, and what they are going to use", () => {
    const word = newWord()
    // by the second 20 of its minute, others have used 20,000
    asked(word, 20_000, { limit: 60_000, remaining: 39_000, reset: 40_000 })
    // in the 40 seconds that are left they would use 40,000; half of the limit is kept for them at most
    assert.isAbove(word.wait(20_020, cost(20_000), true), 0)
    assert.strictEqual(word.wait(20_020, cost(18_000), true), 0)
    assert.strictEqual(word.rest("tokens", 20_020), 39_000)
  })

  it("forgets others that it has not heard of for a minute", () => {
    const word = newWord()
    asked(word, 20_000, { limit: 60_000, remaining: 39_000, reset: 40_000 })
    assert.isAbove(word.wait(60_500, cost(50_000), true), 0)
    assert.strictEqual(word.wait(200_000, cost(60_000), true), 0)
  })

  const refuse = (word: Word, now: number, dimension: "requests" | "tokens", retryAfter: number | undefined) => {
    const one = sent(now)
    word.sent(one)
    word.refused(now, one, { dimension, retryAfter, limits: { requests: 60, tokens: 60_000 } })
  }

  it("holds everybody back after a refusal, for as long as it says, and a minute at most", () => {
    for (
      const [retryAfter, held] of [[3_000, 3_000], [undefined, 10_000], [0, 10_000], [86_400_000, 60_000]] as const
    ) {
      const word = newWord()
      refuse(word, 0, "tokens", retryAfter)
      assert.strictEqual(word.wait(0, cost(1), true), held)
      assert.strictEqual(word.wait(held, cost(1), true), 0)
    }
  })

  it("is taken from refusals where no header tells what is left", () => {
    const word = newWord()
    const known = { requests: 60, tokens: 60_000 }
    refuse(word, 0, "tokens", 1_000)
    assert.strictEqual(word.limits(0, known).tokens, 42_000)
    // others of the same minute tell nothing new
    refuse(word, 2_000, "tokens", 1_000)
    assert.strictEqual(word.limits(2_000, known).tokens, 42_000)
    assert.strictEqual(word.limits(120_000, known).tokens, 48_000)
    assert.strictEqual(word.limits(600_000, known).tokens, 60_000)
    assert.strictEqual(word.limits(0, known).requests, 60)
  })

  it("shows a span that is shorter than ten seconds", () => {
    const word = newWord()
    const one = sent(0)
    word.sent(one)
    word.heard(20, one, { requests: { limit: 60, remaining: 50, reset: 50_000 }, tokens: untold })
    assert.isFalse(word.isEven(20))
    refuse(word, 1_000, "requests", 1_000)
    assert.isTrue(word.isEven(1_000))
    assert.isFalse(word.isEven(700_000))
    // the minute has not changed
    assert.strictEqual(word.rest("requests", 3_000), 49)
  })
})
