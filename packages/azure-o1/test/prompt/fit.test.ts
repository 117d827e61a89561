import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Prompt, TokenCounter } from "../../src/index.ts"
import {
  assistant,
  developer,
  imagePart,
  type Message,
  messageText,
  type O1Request,
  textPart,
  toolResult,
  user
} from "../../src/O1Request.ts"

const characters = (text: string): number => text.length
const overhead = Prompt.tokensPerMessage

/** The tokens of a request whose texts have so many characters. */
const budget = (...texts: ReadonlyArray<number>): number =>
  texts.reduce((sum, length) => sum + length + overhead, Prompt.tokensPerRequest)

const conversation: O1Request = {
  messages: [
    developer("rules"),
    user("question 1"),
    assistant("answer 1"),
    user("question 2"),
    assistant("answer 2"),
    user("question 3")
  ]
}

const fitted = (request: O1Request, options: Prompt.FitOptions): Prompt.Fitted =>
  Result.getOrThrow(Prompt.fitWith(request, characters, options))

const texts = ({ messages }: O1Request): ReadonlyArray<string> => messages.map(messageText)

describe("fitWith", () => {
  it("gives a request that fits back as it is", () => {
    const result = fitted(conversation, { budget: 1000, drop: Prompt.dropOldest })
    assert.strictEqual(result.request, conversation)
    assert.deepStrictEqual(result.givenUp, [])
    assert.strictEqual(result.tokensAfter, result.tokensBefore)
  })

  it("drops the oldest first, and as little as it has to", () => {
    const result = fitted(conversation, { budget: budget(5, 10, 8, 10), drop: Prompt.dropOldest })
    assert.deepStrictEqual(texts(result.request), ["rules", "question 2", "answer 2", "question 3"])
    assert.deepStrictEqual(
      result.givenUp.map(({ how, index, tokens }) => ({ how, index, tokens })),
      [{ how: "dropped", index: 1, tokens: 14 }, { how: "dropped", index: 2, tokens: 12 }]
    )
    assert.strictEqual(result.tokensAfter, budget(5, 10, 8, 10))
    assert.strictEqual(result.tokensBefore - result.tokensAfter, 26)
  })

  it("drops the middle first", () => {
    const result = fitted(conversation, { budget: budget(5, 10, 8, 10), drop: Prompt.dropMiddle })
    assert.deepStrictEqual(texts(result.request), ["rules", "question 1", "answer 2", "question 3"])
  })

  it("drops what the caller says, in the caller's order, and nothing else", () => {
    const answersFirst: Prompt.DropOrder = (droppable) =>
      droppable.filter(({ messages }) => messages[0]!.role === "assistant").toReversed()
    const result = fitted(conversation, { budget: budget(5, 10, 8, 10, 10), drop: answersFirst })
    assert.deepStrictEqual(texts(result.request), ["rules", "question 1", "answer 1", "question 2", "question 3"])
    const error = Result.flip(Prompt.fitWith(conversation, characters, { budget: budget(5, 10), drop: answersFirst }))
    assert.isTrue(Result.isSuccess(error))
  })

  it("does what an own policy says only with what there is", () => {
    const strange: Prompt.DropOrder = (droppable) => [
      { ...droppable[0]!, indices: [0] },
      droppable[0]!,
      droppable[0]!
    ]
    const result = Prompt.fitWith(conversation, characters, { budget: 20, drop: strange })
    assert.isTrue(Result.isFailure(result))
    assert.deepStrictEqual(
      texts(fitted(conversation, { budget: budget(5, 8, 10, 8, 10), drop: strange }).request),
      ["rules", "answer 1", "question 2", "answer 2", "question 3"]
    )
  })

  it("keeps what the caller wants kept", () => {
    const keep = (message: Message): boolean => messageText(message) === "question 1"
    const result = fitted(conversation, { budget: budget(5, 10, 8, 10), drop: Prompt.dropOldest, keep })
    assert.deepStrictEqual(texts(result.request), ["rules", "question 1", "answer 2", "question 3"])
  })

  it("drops instructions and the last question only when told", () => {
    const result = fitted(conversation, { budget: budget(10), drop: Prompt.dropOldest, keep: false })
    assert.deepStrictEqual(texts(result.request), ["question 3"])
  })

  it("never drops everything", () => {
    const result = Prompt.fitWith(conversation, characters, { budget: 1, drop: Prompt.dropOldest, keep: false })
    assert.isTrue(Result.isFailure(result))
  })

  it("never separates a call of tools from its results", () => {
    const calls = [{ id: "a", name: "f", arguments: "{}" }, { id: "b", name: "g", arguments: "{}" }]
    const request: O1Request = {
      messages: [
        user("first"),
        assistant("", calls),
        toolResult("b", "result b"),
        toolResult("a", "result a"),
        assistant("so"),
        user("last")
      ]
    }
    const { total } = Prompt.countRequestWith(request, characters)
    const result = fitted(request, { budget: total - 5 - overhead - 1, drop: Prompt.dropOldest })
    assert.deepStrictEqual(texts(result.request), ["so", "last"])
    assert.deepStrictEqual(result.givenUp.map(({ index }) => index), [0, 1, 2, 3])
    const keep = (message: Message): boolean => messageText(message) === "result a"
    assert.deepStrictEqual(
      texts(fitted(request, { budget: total - 10, drop: Prompt.dropOldest, keep }).request),
      ["", "result b", "result a", "last"]
    )
  })

  it("says what remains when it cannot be done", () => {
    const request: O1Request = { ...conversation, tools: [{ name: "now", parameters: {} }] }
    const result = Prompt.fitWith(request, characters, { budget: 30, drop: Prompt.dropOldest })
    const error = Result.getOrThrow(Result.flip(result))
    assert.strictEqual(error._tag, "PromptTooLarge")
    assert.deepStrictEqual(error.remaining, [
      { what: "developer", index: 0, tokens: 9 },
      { what: "user", index: 5, tokens: 14 },
      { what: "tools", tokens: JSON.stringify(request.tools).length }
    ])
    assert.strictEqual(error.tokens, error.remaining.reduce((sum, { tokens }) => sum + tokens, Prompt.tokensPerRequest))
    assert.include(error.message, "within 30 tokens")
    assert.include(error.message, "developer message 0 (9)")
  })

  for (const value of [0, -1, NaN]) {
    it(`refuses a budget of ${value}`, () => {
      assert.throws(
        () => Prompt.fitWith(conversation, characters, { budget: value, drop: [] }),
        RangeError,
        `Prompt.fit: budget must be at least 1, got ${value}`
      )
    })
  }
})

describe("truncate", () => {
  const paste: O1Request = { messages: [developer("rules"), user("0123456789".repeat(10)), user("?")] }
  const cut = (lost: "head" | "middle" | "tail", most: number): string =>
    texts(fitted(paste, { budget: budget(5, most, 1), drop: Prompt.truncate(lost, { marker: "~" }) }).request)[1]!

  it("cuts the head, the middle or the tail, to what fits exactly", () => {
    assert.strictEqual(cut("tail", 13), "012345678901~")
    assert.strictEqual(cut("head", 13), "~890123456789")
    assert.strictEqual(cut("middle", 13), "012345~456789")
    assert.strictEqual(cut("middle", 1), "~")
  })

  it("says what it has cut", () => {
    const result = fitted(paste, { budget: budget(5, 13, 1), drop: Prompt.truncate("tail", { marker: "~" }) })
    assert.deepStrictEqual(result.givenUp, [{ how: "cut", index: 1, message: paste.messages[1]!, tokens: 87 }])
  })

  it("cuts the longest text first, and leaves images alone", () => {
    const request: O1Request = {
      messages: [
        user([textPart("a".repeat(50)), imagePart("https://example.com/x.png"), textPart("b".repeat(90))]),
        user("c".repeat(70)),
        user("?")
      ]
    }
    const { total } = Prompt.countRequestWith(request, characters)
    const result = fitted(request, { budget: total - 100, drop: Prompt.truncate("tail", { marker: "~" }) })
    assert.deepStrictEqual(
      result.request.messages[0],
      user([
        textPart("a".repeat(50)),
        imagePart("https://example.com/x.png"),
        textPart("~")
      ])
    )
    assert.strictEqual(messageText(result.request.messages[1]!), `${"c".repeat(58)}~`)
  })

  it("is followed by the next policy where it is not enough", () => {
    const result = fitted(conversation, {
      budget: budget(5, 10),
      drop: [Prompt.truncate("tail", { marker: "~" }), Prompt.dropOldest]
    })
    assert.deepStrictEqual(texts(result.request), ["rules", "question 3"])
  })

  it("does not cut the last question, unless told", () => {
    const request: O1Request = { messages: [user("x".repeat(100))] }
    const options = { budget: budget(20), drop: Prompt.truncate("tail", { marker: "~" }) }
    assert.isTrue(Result.isFailure(Prompt.fitWith(request, characters, options)))
    assert.strictEqual(texts(fitted(request, { ...options, keep: false }).request)[0], `${"x".repeat(19)}~`)
  })

  for (
    const [name, character] of [["emoji", "😀"], ["family", "👨‍👩‍👧‍👦"], ["flag", "🇩🇪"], ["accent", "e\u0301"], [
      "Hangul",
      "각"
    ]] as const
  ) {
    it(`never cuts inside a character: ${name}`, () => {
      const text = character.repeat(30)
      const request: O1Request = { messages: [user(text), user("?")] }
      for (const lost of ["head", "middle", "tail"] as const) {
        for (let most = 1; most < text.length; most++) {
          const result = fitted(request, { budget: budget(most, 1), drop: Prompt.truncate(lost, { marker: "~" }) })
          const left = texts(result.request)[0]!.split("~")
          for (const part of left) {
            assert.strictEqual(part.length % character.length, 0)
            assert.strictEqual(part.replaceAll(character, ""), "")
          }
        }
      }
    })
  }
})

describe("properties", () => {
  const Turn = Schema.Struct({
    role: Schema.Literals(["developer", "user", "assistant", "call"]),
    words: Schema.Literals([0, 1, 5, 40]),
    text: Schema.Literals(["word ", "слово ", "水", "👨‍👩‍👧 ", "{\"a\":1} "])
  })
  const Policy = Schema.Literals(["oldest", "middle", "head", "cut middle", "tail", "both"])
  const policies: Readonly<Record<typeof Policy.Type, Prompt.FitPolicy | ReadonlyArray<Prompt.FitPolicy>>> = {
    oldest: Prompt.dropOldest,
    middle: Prompt.dropMiddle,
    head: Prompt.truncate("head"),
    "cut middle": Prompt.truncate("middle"),
    tail: Prompt.truncate("tail"),
    both: [Prompt.truncate("middle"), Prompt.dropOldest]
  }
  const requestOf = (turns: ReadonlyArray<typeof Turn.Type>): O1Request => ({
    messages: [
      user("begin"),
      ...turns.flatMap(({ role, text, words }, i): ReadonlyArray<Message> => {
        const content = text.repeat(words)
        if (role === "call") {
          return [assistant("", [{ id: `${i}`, name: "f", arguments: "{}" }]), toolResult(`${i}`, content)]
        }
        return [role === "developer" ? developer(content) : role === "user" ? user(content) : assistant(content)]
      })
    ]
  })
  const { estimate } = TokenCounter
  const runs = { arbitrary: { runs: Number(process.env.PROPERTY_RUNS ?? 300) }, timeout: 600_000 }

  it.effect.prop(
    "what comes out fits by the same count, in the same order, with nothing split, and fits again as it is",
    { turns: Schema.Array(Turn), policy: Policy, share: Schema.Literals([0.1, 0.5, 0.8, 1]) },
    ({ policy, share, turns }) =>
      Effect.sync(() => {
        const request = requestOf(turns)
        const before = Prompt.countRequestWith(request, estimate).total
        const options = { budget: Math.max(1, Math.floor(share * before)), drop: policies[policy] }
        const result = Prompt.fitWith(request, estimate, options)
        if (Result.isFailure(result)) {
          assert.isAbove(result.failure.tokens, options.budget)
          return
        }
        const { givenUp, request: after, tokensAfter } = result.success
        assert.strictEqual(Prompt.countRequestWith(after, estimate).total, tokensAfter)
        assert.isAtMost(tokensAfter, options.budget)
        assert.strictEqual(before - givenUp.reduce((sum, { tokens }) => sum + tokens, 0), tokensAfter)

        const dropped = new Set(givenUp.filter(({ how }) => how === "dropped").map(({ index }) => index))
        const stayed = request.messages.filter((_, index) => !dropped.has(index))
        assert.deepStrictEqual(after.messages.map(({ role }) => role), stayed.map(({ role }) => role))
        const changed = new Set(givenUp.map(({ message }) => message))
        for (const [i, message] of stayed.entries()) {
          if (!changed.has(message)) assert.strictEqual(after.messages[i], message)
          else assert.notStrictEqual(after.messages[i], message)
        }
        const lastQuestion = request.messages.findLast(({ role }) => role === "user")!
        assert.isTrue(after.messages.includes(lastQuestion))
        for (const message of request.messages) {
          if (message.role === "developer") assert.isTrue(after.messages.includes(message))
        }

        const called = after.messages.flatMap((message) => message.role === "assistant" ? message.toolCalls ?? [] : [])
        const answered = after.messages.flatMap((message) => message.role === "tool" ? [message.toolCallId] : [])
        assert.deepStrictEqual(answered, called.map(({ id }) => id))
        assert.isTrue(
          after.messages.every((message) => Buffer.from(messageText(message)).toString() === messageText(message))
        )

        const again = Result.getOrThrow(Prompt.fitWith(after, estimate, options))
        assert.strictEqual(again.request, after)
      }),
    runs
  )
})

describe("fit", () => {
  it.effect("uses the counter that is provided", () =>
    Effect.gen(function*() {
      const options = { budget: 60, drop: Prompt.dropOldest }
      assert.strictEqual((yield* Prompt.fit(conversation, options)).givenUp.length, 0)
      const counted = yield* Prompt.fit(conversation, options).pipe(
        Effect.provideService(TokenCounter, TokenCounter.make("characters", characters))
      )
      assert.strictEqual(counted.givenUp.length, 2)
    }))

  it.effect("fails with what remains", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Prompt.fit(conversation, { budget: 5, drop: [] }))
      assert.strictEqual(error._tag, "PromptTooLarge")
      assert.lengthOf(error.remaining, 6)
    }))

  describe("with a compressor", () => {
    const counter = TokenCounter.make("characters", characters)
    const request: O1Request = {
      messages: [developer("rules"), user("x".repeat(100)), user("y".repeat(40)), user("last")]
    }
    const provided =
      (asked: Array<readonly [string, number]>, shrink: (text: string, tokens: number) => string) =>
      <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
        effect.pipe(
          Effect.provideService(Prompt.PromptCompressor, {
            compress: (text, { tokens }) =>
              Effect.sync(() => {
                asked.push([text[0]!, tokens])
                return shrink(text, tokens)
              })
          }),
          Effect.provideService(TokenCounter, counter)
        )

    it.effect("asks it first, for the longest text, and only for as much as is needed", () =>
      Effect.gen(function*() {
        const asked: Array<readonly [string, number]> = []
        const shrink = (text: string, tokens: number): string => text.slice(0, tokens)
        const result = yield* Prompt.fit(request, { budget: budget(5, 70, 40, 4), drop: Prompt.dropOldest }).pipe(
          provided(asked, shrink)
        )
        assert.deepStrictEqual(asked, [["x", 70]])
        assert.deepStrictEqual(result.givenUp.map(({ how, index, tokens }) => [how, index, tokens]), [[
          "compressed",
          1,
          30
        ]])
      }))

    it.effect("gives up what it could not make shorter", () =>
      Effect.gen(function*() {
        const asked: Array<readonly [string, number]> = []
        const result = yield* Prompt.fit(request, { budget: budget(5, 40, 4), drop: Prompt.dropOldest }).pipe(
          provided(asked, (text) => `${text}!`)
        )
        assert.deepStrictEqual(asked.map(([text]) => text), ["x", "y"])
        assert.deepStrictEqual(result.givenUp.map(({ how, index }) => [how, index]), [["dropped", 1]])
      }))

    it.effect("does not ask it if the request fits", () =>
      Effect.gen(function*() {
        const asked: Array<readonly [string, number]> = []
        yield* Prompt.fit(request, { budget: 1000, drop: Prompt.dropOldest }).pipe(provided(asked, () => ""))
        assert.deepStrictEqual(asked, [])
      }))
  })
})
