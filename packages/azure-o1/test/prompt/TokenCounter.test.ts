import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { countTokens } from "gpt-tokenizer/encoding/o200k_base"
import { Prompt, TokenCounter } from "../../src/index.ts"
import { assistant, developer, imagePart, type O1Request, textPart, toolResult, user } from "../../src/O1Request.ts"
import { exact } from "../../src/prompt/tokenizer.ts"
import { corpus } from "../fixtures/token-corpus.ts"

/** As many tokens as characters. */
const characters = (text: string): number => text.length

describe("countRequestWith", () => {
  const { countRequestWith, tokensPerImage, tokensPerMessage, tokensPerRequest } = Prompt

  it("counts texts, what surrounds them, and what surrounds the conversation", () => {
    const request: O1Request = { messages: [developer("12345"), user([textPart("123"), textPart("4567")])] }
    assert.deepStrictEqual(countRequestWith(request, characters), {
      total: tokensPerRequest + 2 * tokensPerMessage + 12,
      messages: [tokensPerMessage + 5, tokensPerMessage + 7],
      tools: 0,
      responseFormat: 0
    })
  })

  it("agrees with the tokenizer's own chat format", () => {
    const request: O1Request = { messages: [developer("hello"), user("hello")] }
    assert.strictEqual(countRequestWith(request, (text) => countTokens(text)).total, 13)
  })

  it("counts images by their detail", () => {
    const of = (detail?: "auto" | "low" | "high"): number =>
      countRequestWith({ messages: [user([imagePart("https://example.com/x.png", detail)])] }, characters)
        .messages[0]! -
      tokensPerMessage
    assert.strictEqual(of("low"), tokensPerImage.low)
    assert.strictEqual(of("high"), tokensPerImage.high)
    assert.strictEqual(of("auto"), tokensPerImage.high)
    assert.strictEqual(of(), tokensPerImage.high)
  })

  it("counts tools, their calls and the schema of the answer as JSON", () => {
    const tool = { name: "now", parameters: { type: "object" } }
    const responseFormat = { name: "answer", schema: { type: "object" } }
    const messages: O1Request["messages"] = [user("?"), assistant("", [{ id: "1", name: "now", arguments: "{}" }])]
    const counted = countRequestWith({ messages, tools: [tool], responseFormat }, characters)
    assert.strictEqual(counted.tools, JSON.stringify([tool]).length)
    assert.strictEqual(counted.responseFormat, JSON.stringify(responseFormat).length)
    assert.strictEqual(counted.messages[1], 2 * tokensPerMessage + "now{}".length)
    assert.strictEqual(countRequestWith({ messages, tools: [], responseFormat: "json" }, characters).tools, 0)
    assert.strictEqual(
      countRequestWith({ messages: [...messages, toolResult("1", "noon")] }, characters).messages[2],
      tokensPerMessage + 4
    )
  })
})

describe("TokenCounter", () => {
  it.effect("is the estimate, if nothing is provided", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* TokenCounter).name, "estimate")
      assert.strictEqual(yield* TokenCounter.count("hello"), TokenCounter.estimate("hello"))
      const request = { messages: [user("hello")] } as const
      assert.deepStrictEqual(
        yield* TokenCounter.countRequest(request),
        Prompt.countRequestWith(request, TokenCounter.estimate)
      )
      yield* TokenCounter.observe(request, { input: 1000 })
      assert.strictEqual(yield* TokenCounter.count("hello"), TokenCounter.estimate("hello"))
    }))

  it.effect("can be one's own", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* TokenCounter.count("hello"), 5)
    }).pipe(Effect.provideService(TokenCounter, TokenCounter.make("characters", characters))))
})

describe("layerExact", () => {
  it.effect("counts as the tokenizer does, text that looks like a control token included", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* TokenCounter).name, "o200k_base")
      for (const text of Object.values(corpus)) assert.strictEqual(yield* TokenCounter.count(text), countTokens(text))
      assert.isAbove(yield* TokenCounter.count("<|endoftext|>"), 1)
    }).pipe(Effect.provide(TokenCounter.layerExact)))

  it.effect("does not hand the tokenizer a piece that it would take forever for", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const count = yield* exact(() =>
        Promise.resolve({
          countTokens: (text) => {
            seen.push(text)
            return text.length
          }
        })
      )
      const text = `start ${"x".repeat(2000)} ${"-".repeat(600)} ${" ".repeat(700)}end`
      assert.strictEqual(count(text), text.length)
      assert.strictEqual(seen.join(""), text)
      assert.isAtMost(Math.max(...seen.map((piece) => piece.length)), 520)
    }))

  it.effect("says what to install where the tokenizer is not", () =>
    Effect.gen(function*() {
      const missing: string = "gpt-tokenizer-that-is-not-there"
      const error = yield* Effect.flip(exact(() => import(missing)))
      assert.strictEqual(error._tag, "TokenizerUnavailable")
      assert.include(error.message, "npm install gpt-tokenizer")
      assert.isDefined(error.cause)
    }))
})

describe("calibrated", () => {
  const request = (length: number): O1Request => ({ messages: [user("x".repeat(length))] })
  const base = TokenCounter.make("characters", characters)
  const overhead = Prompt.tokensPerMessage + Prompt.tokensPerRequest
  const charged = (length: number, factor: number) => ({ input: length * factor + overhead })

  it.effect("comes to count what the service charges", () =>
    Effect.gen(function*() {
      const counter = TokenCounter.calibrated({ base })
      for (let i = 0; i < 50; i++) yield* counter.observe(request(1000), charged(1000, 1.25))
      assert.isAtLeast(counter.count("x".repeat(1000)), 1220)
      assert.isAtMost(counter.count("x".repeat(1000)), 1250)
    }))

  it.effect("changes little for one short prompt", () =>
    Effect.gen(function*() {
      const counter = TokenCounter.calibrated({ base })
      yield* counter.observe(request(20), charged(20, 3))
      assert.isAtMost(counter.count("x".repeat(1000)), 1020)
    }))

  it.effect("never leaves its bounds, whatever is observed", () =>
    Effect.gen(function*() {
      const counter = TokenCounter.calibrated({ base, min: 0.8, max: 1.5 })
      for (let i = 0; i < 100; i++) yield* counter.observe(request(1000), { input: 1e9 })
      assert.isAtMost(counter.count("x".repeat(1000)), 1500)
      for (let i = 0; i < 500; i++) yield* counter.observe(request(1000), { input: 8 })
      assert.isAtLeast(counter.count("x".repeat(1000)), 800)
      for (const input of [0, -5, NaN]) yield* counter.observe(request(1000), { input })
      assert.isAtLeast(counter.count("x".repeat(1000)), 800)
    }))

  it.effect("forgets: what it has seen lately weighs more", () =>
    Effect.gen(function*() {
      const counter = TokenCounter.calibrated({ base, halfLife: 5 })
      for (let i = 0; i < 100; i++) yield* counter.observe(request(1000), charged(1000, 2))
      for (let i = 0; i < 25; i++) yield* counter.observe(request(1000), charged(1000, 1))
      assert.isAtMost(counter.count("x".repeat(1000)), 1040)
    }))

  it.effect("learns nothing from requests with images", () =>
    Effect.gen(function*() {
      const counter = TokenCounter.calibrated({ base })
      const picture: O1Request = {
        messages: [user([textPart("x".repeat(5000)), imagePart("https://example.com/x.png")])]
      }
      yield* counter.observe(picture, { input: 9000 })
      assert.strictEqual(counter.count("x".repeat(1000)), 1000)
    }))

  it.effect("as a layer has a memory of its own, and is told by TokenCounter.observe", () =>
    Effect.gen(function*() {
      const learn = Effect.gen(function*() {
        for (let i = 0; i < 50; i++) yield* TokenCounter.observe(request(4000), charged(4000, 0.5))
        yield* TokenCounter.observe(request(10), undefined)
        return yield* TokenCounter.count("x".repeat(1000))
      })
      const layer = TokenCounter.layerCalibrated({ base })
      assert.isAtMost(yield* Effect.provide(learn, layer), 520)
      assert.strictEqual(yield* Effect.provide(TokenCounter.count("x".repeat(1000)), Layer.fresh(layer)), 1000)
    }))

  for (
    const [options, message] of [
      [{ min: 0 }, "TokenCounter.calibrated: min must be from 0.1 to 1, got 0"],
      [{ max: 11 }, "TokenCounter.calibrated: max must be from 1 to 10, got 11"],
      [{ halfLife: NaN }, "TokenCounter.calibrated: halfLife must be at least 1, got NaN"],
      [{ prior: 0 }, "TokenCounter.calibrated: prior must be at least 1, got 0"]
    ] as const
  ) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => TokenCounter.calibrated(options), RangeError, message)
    })
  }
})
