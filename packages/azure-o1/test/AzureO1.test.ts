import { Telemetry } from "@effect-resilience/core"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../src/AzureO1.ts"
import { O1Error, O1RateLimitError, O1ServerError } from "../src/O1Error.ts"
import type { O1Event } from "../src/O1Event.ts"
import { O1Policy } from "../src/O1Policy.ts"
import { type O1Request, user } from "../src/O1Request.ts"
import { AzureO1Test, type Step } from "../src/testing/index.ts"
import { during, request, value } from "./support/harness.ts"

const unavailable = new O1ServerError({ kind: "unavailable" })
const down = AzureO1Test.fail(unavailable)

const show = (event: O1Event): string => {
  switch (event._tag) {
    case "TextDelta":
      return event.text
    case "Started":
      return `started ${event.transport}`
    case "Waiting":
      return `waiting for ${event.phase} ${Duration.toSeconds(event.elapsed)}`
    case "Retrying":
      return `retrying after ${event.attempt} ${O1Error.label(event.error)}`
    case "Finished":
      return `finished ${event.completion.text}`
    default:
      return event._tag
  }
}

/** What one streamed call tells, and how it ends. */
const watch = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const program = Effect.gen(function*() {
      const o1 = yield* AzureO1
      return yield* Effect.exit(
        Stream.runForEach(o1.stream(request), (event) => Effect.sync(() => void seen.push(show(event))))
      )
    })
    const exit = value(yield* during("1 hour", Effect.provide(program, AzureO1Test.layerTransport(steps))))
    return { seen, exit }
  })

describe("AzureO1", () => {
  describe("complete", () => {
    it.effect("gives the answer", () =>
      Effect.gen(function*() {
        const o1 = yield* AzureO1
        const answer = yield* o1.complete(request)
        assert.deepInclude(answer, { text: "42", finishReason: "stop", model: "o1-2024-12-17" })
        assert.deepInclude(answer.usage, { reasoning: 15 })
      }).pipe(Effect.provide(AzureO1Test.layerTransport([AzureO1Test.answer("42")]))))

    it.effect("an error has the history of its attempts", () =>
      Effect.gen(function*() {
        const limited = new O1RateLimitError({ kind: "requests", retryAfter: Duration.seconds(20), requestId: "r-1" })
        const steps = [
          AzureO1Test.fail(limited, { after: "2 seconds" }),
          AzureO1Test.hang,
          AzureO1Test.fail(new O1ServerError({ kind: "not-implemented" }), { after: "3 seconds" })
        ]
        const program = Effect.flatMap(AzureO1, (o1) => Effect.flip(o1.complete(request)))
        const error = value(yield* during("1 hour", Effect.provide(program, AzureO1Test.layerTransport(steps))))
        assert.deepInclude(error, { _tag: "O1ServerError", deployment: "o1" })
        assert.deepStrictEqual(
          error.attempts.map(({ attempt, duration, outcome }) => [attempt, Duration.toSeconds(duration), outcome]),
          [[1, 2, "O1RateLimitError/requests"], [2, 60, "O1TimeoutError/attempt"], [
            3,
            3,
            "O1ServerError/not-implemented"
          ]]
        )
        const [first, second, third] = error.attempts.map(({ delay }) => delay)
        assert.isTrue(Duration.toSeconds(first!) >= 20 && Duration.toSeconds(first!) <= 22)
        assert.isTrue(Duration.toSeconds(second!) <= 2)
        assert.isUndefined(third)
        const parts = error.attempts.map(({ delay, duration }) =>
          Duration.toMillis(Duration.sum(duration, delay ?? Duration.zero))
        )
        assert.closeTo(Duration.toMillis(error.elapsed!), parts.reduce((sum, part) => sum + part, 0), 5)
        assert.match(error.message, /after 3 attempts in 1m 2\ds/)
      }))

    it.effect("the error that a script gives is not changed by it", () =>
      Effect.gen(function*() {
        const o1 = yield* AzureO1
        const error = yield* Effect.flip(o1.complete(request, { retries: 0 }))
        assert.strictEqual(error.attempts.length, 1)
        assert.strictEqual(unavailable.attempts.length, 0)
      }).pipe(Effect.provide(AzureO1Test.layerTransport([down]))))

    it.effect("a script within the program of another one is its own", () =>
      Effect.gen(function*() {
        const ask = Effect.flatMap(AzureO1, (o1) => Effect.map(o1.complete(request), ({ text }) => text))
        const inner = Effect.provide(ask, AzureO1Test.layerTransport([AzureO1Test.answer("inner")]))
        assert.deepStrictEqual(yield* Effect.all([ask, inner, ask]), ["outer", "inner", "outer"])
      }).pipe(
        Effect.provide(AzureO1Test.layerTransport([AzureO1Test.answer("outer"), AzureO1Test.answer("outer")]))
      ))

    it.effect("the program's own listener hears the policies as well", () =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        const o1 = yield* AzureO1
        yield* o1.complete(request).pipe(Telemetry.listen(({ _tag }) => void heard.push(_tag)))
        assert.deepStrictEqual(heard, ["AttemptStarted", "AttemptEnded"])
      }).pipe(Effect.provide(AzureO1Test.layerTransport([AzureO1Test.answer("42")]))))

    const wrong: ReadonlyArray<readonly [string, unknown, string]> = [
      ["no messages", { messages: [] }, "messages"],
      ["a role that there is not", { messages: [{ role: "wizard", content: "x" }] }, "role"],
      ["an effort that there is not", { messages: [user("x")], reasoningEffort: "extreme" }, "reasoningEffort"],
      ["no tokens to answer with", { messages: [user("x")], maxCompletionTokens: 0 }, "maxCompletionTokens"],
      ["nothing at all", undefined, ""]
    ]
    for (const [name, asked, field] of wrong) {
      it.effect(`${name} fails before anything is sent`, () =>
        Effect.gen(function*() {
          const o1 = yield* AzureO1
          const error = yield* Effect.flip(o1.complete(asked as O1Request))
          assert.deepInclude(error, { _tag: "O1RequestError", kind: "invalid" })
          assert.include(error.detail ?? "", field)
          const streamed = yield* Effect.flip(Stream.runDrain(o1.tokens(asked as O1Request)))
          assert.strictEqual(O1Error.label(streamed), "O1RequestError/invalid")
          assert.deepStrictEqual(yield* (yield* AzureO1Test).calls, [])
        }).pipe(Effect.provide(AzureO1Test.layerTransport([]))))
    }
  })

  describe("stream", () => {
    it.effect("tells the progress before the content, and the whole at the end", () =>
      Effect.gen(function*() {
        const { seen } = yield* watch([
          down,
          AzureO1Test.tokens(["a", "b"], { first: "12 seconds", every: "20 seconds" })
        ])
        assert.deepStrictEqual(seen.filter((line) => !line.startsWith("waiting")), [
          "retrying after 1 O1ServerError/unavailable",
          "a",
          "b",
          "finished ab"
        ])
        const waiting = seen.filter((line) => line.startsWith("waiting"))
        assert.deepStrictEqual(
          waiting,
          ["waiting for attempt 5", "waiting for attempt 10"],
          "none after the first content"
        )
      }))

    it.effect("says when it waits for the next attempt", () =>
      Effect.gen(function*() {
        const limited = AzureO1Test.fail(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(9) }))
        const { seen } = yield* watch([limited, AzureO1Test.tokens(["a"], { first: "4 seconds" })])
        assert.deepStrictEqual(seen, [
          "retrying after 1 O1RateLimitError/tokens",
          "waiting for backoff 5",
          "waiting for attempt 10",
          "a",
          "finished a"
        ])
      }))

    it.effect("progress never commits the call: it is tried again after it was shown", () =>
      Effect.gen(function*() {
        const { exit, seen } = yield* watch([
          AzureO1Test.fail(unavailable, { after: "11 seconds" }),
          AzureO1Test.tokens(["a"])
        ])
        assert.strictEqual(exit._tag, "Success")
        assert.deepStrictEqual(seen.slice(0, 2), ["waiting for attempt 5", "waiting for attempt 10"])
      }))

    it.effect("an error keeps the text so far and the history", () =>
      Effect.gen(function*() {
        for (
          const broken of [
            AzureO1Test.tokens(["a", "b"], { fail: unavailable }),
            AzureO1Test.tokens(["a", "b", "c"], { every: "30 seconds", first: "1 second" })
          ]
        ) {
          const program = Effect.gen(function*() {
            const o1 = yield* AzureO1
            return yield* Effect.flip(
              Stream.runDrain(o1.stream(request, { timeout: "5 seconds", total: "50 seconds" }))
            )
          })
          const error = value(
            yield* during("1 hour", Effect.provide(program, AzureO1Test.layerTransport([down, broken])))
          )
          assert.strictEqual(error.partialText, "ab")
          const outcomes = error.attempts.map(({ outcome }) => outcome)
          assert.deepStrictEqual(outcomes, ["O1ServerError/unavailable", O1Error.label(error)])
        }
      }))

    it.effect("a consumer that has enough stops everything", () =>
      Effect.gen(function*() {
        let open = 0
        const counted = Stream.unwrap(Effect.as(
          Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--)),
          AzureO1Test.tokens(["a", "b"], { every: "1 second" }).stream
        ))
        const step: Step = { complete: Effect.never, stream: counted }
        const taken = (n: number) =>
          Effect.gen(function*() {
            const o1 = yield* AzureO1
            return yield* Stream.runCollect(Stream.take(o1.stream(request), n))
          }).pipe(Effect.provide(AzureO1Test.layerTransport([step])))
        assert.deepStrictEqual(value(yield* during("1 minute", taken(1))).map(show), ["a"])
        assert.strictEqual(open, 0)
      }))

    it.effect("interrupted while nothing has come, it closes what it opened", () =>
      Effect.gen(function*() {
        let open = 0
        const counted = Stream.unwrap(Effect.as(
          Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--)),
          Stream.never
        ))
        const program = Effect.gen(function*() {
          const o1 = yield* AzureO1
          const fiber = yield* Effect.forkChild(Stream.runDrain(o1.stream(request)), { startImmediately: true })
          yield* TestClock.adjust("7 seconds")
          assert.strictEqual(open, 1)
          yield* Fiber.interrupt(fiber)
          const policy = yield* O1Policy
          assert.deepInclude(yield* policy.breakerState("o1"), { _tag: "Closed", consecutiveFailures: 0 })
        })
        yield* Effect.provide(program, AzureO1Test.layerTransport([{ complete: Effect.never, stream: counted }]))
        assert.strictEqual(open, 0)
      }))

    it.effect("a slow consumer gets everything, in order", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const tokens = Array.from({ length: 50 }, (_, i) => `${i} `)
        const program = Effect.gen(function*() {
          const o1 = yield* AzureO1
          yield* Stream.runForEach(o1.stream(request), (event) =>
            Effect.andThen(Effect.sync(() => void seen.push(show(event))), Effect.sleep("3 seconds")))
        })
        const steps = [down, AzureO1Test.tokens(tokens, { first: "6 seconds" })]
        value(yield* during("1 hour", Effect.provide(program, AzureO1Test.layerTransport(steps))))
        assert.strictEqual(seen.slice(-51, -1).join(""), tokens.join(""))
      }))

    it.effect("a consumer that was away is told the newest wait, not each of them", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const program = Effect.gen(function*() {
          const o1 = yield* AzureO1
          yield* Stream.runForEach(o1.stream(request), (event) =>
            Effect.suspend(() => seen.push(show(event)) === 1 ? Effect.sleep("27 seconds") : Effect.void))
        })
        const steps = [AzureO1Test.tokens(["a"], { first: "37 seconds" })]
        value(yield* during("1 minute", Effect.provide(program, AzureO1Test.layerTransport(steps))))
        assert.deepStrictEqual(seen, [
          "waiting for attempt 5",
          "waiting for attempt 30",
          "waiting for attempt 35",
          "a",
          "finished a"
        ])
      }))
  })

  describe("tokens", () => {
    it.effect("is the text and nothing else", () =>
      Effect.gen(function*() {
        const o1 = yield* AzureO1
        assert.deepStrictEqual(yield* Stream.runCollect(o1.tokens(request)), ["a", "b"])
      }).pipe(Effect.provide(AzureO1Test.layerTransport([AzureO1Test.tokens(["a", "b"])]))))
  })
})

describe("AzureO1Test", () => {
  it.effect("layer: whole calls, in order, and a record of them", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      assert.strictEqual((yield* o1.complete(request, { timeout: "2 minutes" })).text, "one")
      assert.deepStrictEqual(yield* Stream.runCollect(o1.tokens(request)), ["t", "wo"])
      assert.deepStrictEqual((yield* Stream.runCollect(o1.stream(request))).map(({ _tag }) => _tag), [
        "TextDelta",
        "Finished"
      ])
      assert.strictEqual((yield* Effect.flip(o1.complete(request)))._tag, "O1ServerError")
      const calls = yield* (yield* AzureO1Test).calls
      assert.deepStrictEqual(calls.map(({ face }) => face), ["complete", "stream", "stream", "complete"])
      assert.deepStrictEqual(calls[0], { request, options: { timeout: "2 minutes" }, face: "complete" })
    }).pipe(Effect.provide(AzureO1Test.layer([
      AzureO1Test.answer("one"),
      AzureO1Test.tokens(["t", "wo"]),
      AzureO1Test.answer("three"),
      down
    ]))))

  it.effect("when: by predicate, as often as it comes", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const ask = (text: string) => Effect.map(o1.complete({ messages: [user(text)] }), (answer) => answer.text)
      assert.deepStrictEqual([yield* ask("ping"), yield* ask("else"), yield* ask("ping")], ["pong", "next", "pong"])
    }).pipe(Effect.provide(AzureO1Test.layer([
      AzureO1Test.answer("next"),
      AzureO1Test.when(({ messages }) => messages[0]!.content === "ping", AzureO1Test.answer("pong"))
    ].toReversed()))))

  it.effect("a call for which there is no step dies, and says so", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const exit = yield* Effect.exit(o1.complete(request))
      assert.include(String(exit), "AzureO1Test: there is no step for call 1 (\"hello\")")
    }).pipe(Effect.provide(AzureO1Test.layer([]))))

  it.effect("delays are those of the test clock", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const fiber = yield* Effect.forkChild(o1.complete(request), { startImmediately: true })
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).text, "late")
    }).pipe(Effect.provide(AzureO1Test.layer([AzureO1Test.answer("late", { after: "30 seconds" })]))))
})
