// A pause that the service asks one caller for is kept by all callers of the deployment.
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../src/AzureO1.ts"
import type { CallOptions } from "../src/O1Client.ts"
import { O1Error, O1RateLimitError, O1ServerError } from "../src/O1Error.ts"
import { O1Policy } from "../src/O1Policy.ts"
import { O1Transport } from "../src/O1Transport.ts"
import { AzureO1Test, type Step } from "../src/testing/index.ts"
import { request } from "./support/harness.ts"

const { answer, fail } = AzureO1Test
const seconds = (n: number) => Duration.seconds(n)
const told = (error: O1Error): Step => fail(error)
const busy = (retryAfter?: Duration.Duration): O1Error => new O1RateLimitError({ kind: "requests", retryAfter })

/** A client of one deployment, and what it has sent. */
const clientOf = (steps: ReadonlyArray<Step>, policy: Layer.Layer<O1Policy> = O1Policy.layer) => {
  const transport = AzureO1Test.transport([...steps, ...Array.from({ length: 100 }, () => answer("42"))])
  return Effect.map(
    AzureO1.pipe(Effect.provide(
      AzureO1.layerServices.pipe(Layer.provide(policy), Layer.provide(Layer.succeed(O1Transport, transport)))
    )),
    (o1) => ({ o1, sent: Effect.map(transport.calls, ({ length }) => length) })
  )
}

const complete = (o1: AzureO1["Service"], options?: CallOptions) =>
  Effect.match(o1.complete(request, options), { onFailure: O1Error.label, onSuccess: ({ text }) => text })

const faces = {
  complete,
  stream: (o1: AzureO1["Service"], options?: CallOptions) =>
    Effect.match(Stream.runCollect(o1.tokens(request, options)), {
      onFailure: O1Error.label,
      onSuccess: (texts) => texts.join("")
    })
}

describe("a pause that one caller is told", () => {
  const pauses: ReadonlyArray<readonly [string, O1Error, number]> = [
    ["a rate limit with a pause", busy(seconds(2)), 2],
    ["a service that is down for a while", new O1ServerError({ kind: "unavailable", retryAfter: seconds(5) }), 5]
  ]
  for (const [name, error, pause] of pauses) {
    for (const [face, one] of Object.entries(faces)) {
      it.effect(`${name}: 20 callers of ${face} wait, one is refused`, () =>
        Effect.gen(function*() {
          const { o1, sent } = yield* clientOf([told(error)])
          const first = yield* Effect.forkChild(one(o1), { startImmediately: true })
          yield* TestClock.adjust("10 millis")
          const others = yield* Effect.forkChild(
            Effect.all(Array.from({ length: 19 }, () => one(o1)), { concurrency: "unbounded" }),
            { startImmediately: true }
          )
          yield* TestClock.adjust(seconds(pause - 0.1))
          assert.strictEqual(yield* sent, 1)
          yield* TestClock.adjust(seconds(pause))
          assert.deepStrictEqual(new Set([yield* Fiber.join(first), ...yield* Fiber.join(others)]), new Set(["42"]))
          assert.strictEqual(yield* sent, 21)
        }))
    }
  }

  it.effect("a caller who must not wait fails at once, with the time that is left, and nothing of the other call", () =>
    Effect.gen(function*() {
      const { o1, sent } = yield* clientOf([told(busy(seconds(30)))])
      yield* Effect.flip(o1.complete(request, { retries: 0 }))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Effect.flip(o1.complete(request, { retries: 0 }))
      assert.deepInclude(error, {
        _tag: "O1RateLimitError",
        retryAfter: seconds(20),
        partialText: "",
        resume: undefined
      })
      assert.deepStrictEqual(error.attempts.map(({ deployment, outcome }) => [deployment, outcome]), [
        [undefined, "O1RateLimitError/requests"]
      ])
      assert.strictEqual(yield* sent, 1)
    }))

  it.effect("a caller who waits and goes away sends nothing", () =>
    Effect.gen(function*() {
      const { o1, sent } = yield* clientOf([told(busy(seconds(30)))])
      yield* Effect.flip(o1.complete(request, { retries: 0 }))
      const waiting = yield* Effect.forkChild(complete(o1), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* sent, 1)
    }))

  /** Nobody can wait for these, so that everybody is told by the service itself. */
  const unheld: ReadonlyArray<readonly [string, O1Error]> = [
    ["a quota that is used up", new O1RateLimitError({ kind: "quota", retryAfter: seconds(60) })],
    [
      "a request that alone is too large",
      new O1RateLimitError({ kind: "request-exceeds-limit", retryAfter: seconds(60) })
    ],
    ["a pause of a day", busy(Duration.days(1))],
    ["a rate limit without a pause", busy()],
    ["a failure without a pause", new O1ServerError({ kind: "unavailable" })]
  ]
  for (const [name, error] of unheld) {
    it.effect(`${name} holds nobody back`, () =>
      Effect.gen(function*() {
        const { o1, sent } = yield* clientOf([told(error)])
        yield* Effect.flip(o1.complete(request, { retries: 0 }))
        assert.strictEqual(yield* complete(o1, { retries: 0 }), "42")
        assert.strictEqual(yield* sent, 2)
      }))
  }

  it.effect("it is among what is known", () =>
    Effect.gen(function*() {
      const { o1 } = yield* clientOf([told(busy(seconds(30)))])
      yield* Effect.flip(o1.complete(request, { retries: 0 }))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* o1.learned, [{
        deployment: "o1",
        about: "pause",
        parameter: undefined,
        value: undefined,
        text: "\"o1\" has asked to be left alone: O1RateLimitError/requests.",
        expiresIn: seconds(20)
      }])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* o1.learned, [])
    }))

  it.effect("the plain policy is the sentence as it stands", () =>
    Effect.gen(function*() {
      const { o1, sent } = yield* clientOf([told(busy(seconds(30)))], O1Policy.layerPlain)
      const first = yield* Effect.forkChild(complete(o1), { startImmediately: true })
      assert.strictEqual(yield* complete(o1), "42")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(first), "42")
      assert.strictEqual(yield* sent, 3)
    }))
})
