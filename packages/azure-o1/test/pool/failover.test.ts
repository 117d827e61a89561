import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import type { CallOptions } from "../../src/O1Client.ts"
import {
  O1AuthError,
  O1ConnectionError,
  O1ContentFilterError,
  O1DeploymentError,
  O1Error,
  O1OutputLimitError,
  O1RateLimitError,
  O1RequestError,
  O1ServerError
} from "../../src/O1Error.ts"
import type { O1Event } from "../../src/O1Event.ts"
import { type O1Observation, O1Observer } from "../../src/O1Observation.ts"
import { O1Policy, type O1PolicySettings } from "../../src/O1Policy.ts"
import { developer, type O1Request, user } from "../../src/O1Request.ts"
import { AzureO1Pool } from "../../src/pool/index.ts"
import { AzureO1Test, type Step, type TestTransport } from "../../src/testing/index.ts"
import { CurrentCall } from "../../src/transport/call.ts"
import { CurrentWatch } from "../../src/transport/watch.ts"
import { during, request, timed, value } from "../support/harness.ts"

type Wires = readonly [TestTransport, ...Array<TestTransport>]

const { answer, fail, hang, tokens } = AzureO1Test
const unavailable = new O1ServerError({ kind: "unavailable" })
const down = fail(unavailable)
const many = (step: Step, n = 100): ReadonlyArray<Step> => Array.from({ length: n }, () => step)
const limited = (retryAfter?: Duration.Input, options?: { readonly after?: Duration.Input }): Step =>
  fail(
    new O1RateLimitError({
      kind: "tokens",
      retryAfter: retryAfter === undefined ? undefined : Duration.fromInputUnsafe(retryAfter)
    }),
    options
  )

/** Deployments "a", "b" and so on, each with its script. */
const wires = (...scripts: readonly [ReadonlyArray<Step>, ...Array<ReadonlyArray<Step>>]): Wires =>
  scripts.map((steps, i) => AzureO1Test.transport(steps, { deployment: "abc"[i]! })) as unknown as Wires

/** How often each of them was asked. */
const asked = (pool: Wires): Effect.Effect<ReadonlyArray<number>> =>
  Effect.forEach(pool, ({ calls }) => Effect.map(calls, ({ length }) => length))

/** One call: how it ends, when, and how often each deployment was asked. */
const call = (pool: Wires, options: CallOptions = {}, settings: O1PolicySettings = {}) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool), settings)
    const outcome = value(yield* during("2 hours", timed(o1.complete(request, options))))
    return [...outcome, ...yield* asked(pool)]
  })

const errorOf = (pool: Wires, options: CallOptions = {}, settings: O1PolicySettings = {}) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool), settings)
    return value(yield* during("2 hours", Effect.flip(o1.complete(request, options))))
  })

const near = (seconds: number, least: number): void => {
  assert.isTrue(seconds >= least && seconds <= least * 1.1, `${seconds} is not ${least} and up to a tenth more`)
}

const show = (event: O1Event): string => {
  switch (event._tag) {
    case "TextDelta":
      return event.text
    case "FailedOver":
      return `from ${event.from} to ${event.to} after ${O1Error.label(event.error)}`
    case "Retrying":
      return `retrying after ${event.attempt} ${O1Error.label(event.error)}`
    case "Finished":
      return "finished"
    default:
      return event._tag
  }
}

describe("failover", () => {
  it.effect("the first answers as long as it can", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* call(wires([answer("a")], [answer("b")])), ["success", 0, 1, 0])
    }))

  const here: ReadonlyArray<O1Error> = [
    unavailable,
    new O1ConnectionError({ kind: "refused" }),
    new O1ConnectionError({ kind: "tls" }),
    new O1RateLimitError({ kind: "requests" }),
    new O1RateLimitError({ kind: "quota" }),
    new O1RateLimitError({ kind: "request-exceeds-limit", retryAfter: Duration.days(1) }),
    new O1RateLimitError({ kind: "tokens", retryAfter: Duration.hours(3) }),
    new O1DeploymentError({ kind: "model-retired" }),
    new O1AuthError({ kind: "unauthorized" }),
    new O1RequestError({ kind: "operation-not-supported" }),
    new O1RequestError({ kind: "unsupported-parameter", param: "user" })
  ]
  for (const error of here) {
    it.effect(`${O1Error.label(error)}: the next one, at once`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* call(wires([fail(error)], [answer("b")])), ["success", 0, 1, 1])
      }))
  }

  const everywhere: ReadonlyArray<O1Error> = [
    new O1RequestError({ kind: "invalid" }),
    new O1RequestError({ kind: "too-large" }),
    new O1RequestError({ kind: "context-length" }),
    new O1ContentFilterError({ kind: "prompt", categories: [] }),
    new O1OutputLimitError({ kind: "reasoning-exhausted" })
  ]
  for (const error of everywhere) {
    it.effect(`${O1Error.label(error)} is the request's own fault: nobody else is asked`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* call(wires([fail(error)], [answer("b")])), [O1Error.label(error), 0, 1, 0])
      }))
  }

  describe("429", () => {
    it.effect("the first is left alone for as long as it asked, and then preferred again", () =>
      Effect.gen(function*() {
        const pool = wires([limited("20 seconds"), answer("a")], [answer("b"), answer("b")])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        const text = Effect.map(o1.complete(request), ({ text }) => text)
        assert.strictEqual(yield* text, "b")
        yield* TestClock.adjust("19 seconds")
        assert.strictEqual(yield* text, "b")
        assert.deepStrictEqual(yield* asked(pool), [1, 2])
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* text, "a")
      }))

    it.effect("the pause begins when it is told, not when the request went out", () =>
      Effect.gen(function*() {
        const pool = wires([limited("20 seconds", { after: "5 seconds" })], many(answer("b")))
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        value(yield* during("5 seconds", o1.complete(request)))
        yield* TestClock.adjust("19 seconds")
        yield* o1.complete(request)
        assert.deepStrictEqual(yield* asked(pool), [1, 2])
      }))

    it.effect("a 503 with a pause cools as well", () =>
      Effect.gen(function*() {
        const error = new O1ServerError({ kind: "unavailable", retryAfter: Duration.seconds(20) })
        const pool = wires([fail(error)], many(answer("b"), 2))
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        yield* o1.complete(request)
        yield* o1.complete(request)
        assert.deepStrictEqual(yield* asked(pool), [1, 2])
      }))

    it.effect("without a pause it is left alone for ten seconds", () =>
      Effect.gen(function*() {
        const pool = wires([limited(), answer("a")], many(answer("b")))
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        yield* o1.complete(request)
        yield* TestClock.adjust("9 seconds")
        yield* o1.complete(request)
        yield* TestClock.adjust("1 second")
        yield* o1.complete(request)
        assert.deepStrictEqual(yield* asked(pool), [2, 2])
      }))

    it.effect("all are cooling: waits for the earliest, whichever place it has", () =>
      Effect.gen(function*() {
        const [outcome, seconds, ...times] = yield* call(
          wires([limited("60 seconds")], [limited("20 seconds"), answer("b")])
        )
        assert.deepStrictEqual([outcome, times], ["success", [1, 2]])
        near(Number(seconds), 20)
      }))

    it.effect("a call that begins while all are cooling asks nobody, and waits for what is left", () =>
      Effect.gen(function*() {
        const pool = wires([limited("60 seconds")], [limited("20 seconds"), answer("b")])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        yield* Effect.exit(o1.complete(request, { retries: 0 }))
        yield* TestClock.adjust("12 seconds")
        const [outcome, seconds] = value(yield* during("2 hours", timed(o1.complete(request))))
        assert.strictEqual(outcome, "success")
        near(seconds, 8)
        assert.deepStrictEqual(yield* asked(pool), [1, 2])
      }))

    it.effect("a call that failed otherwise waits for a pause that another call was asked for", () =>
      Effect.gen(function*() {
        const pool = wires([
          fail(new O1ConnectionError({ kind: "reset" })),
          limited("30 seconds"),
          answer("a"),
          answer("a")
        ])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        const first = yield* Effect.forkChild(timed(o1.complete(request)), { startImmediately: true })
        yield* Effect.forkChild(o1.complete(request), { startImmediately: true })
        yield* TestClock.adjust("2 minutes")
        const [outcome, seconds] = yield* Fiber.join(first)
        assert.strictEqual(outcome, "success")
        near(seconds, 30)
        assert.deepStrictEqual(yield* asked(pool), [4])
      }))

    it.effect("a call that finds all cooling fails with what they said, and nothing of the other call, if it must not wait", () =>
      Effect.gen(function*() {
        const error = new O1RateLimitError({
          kind: "tokens",
          retryAfter: Duration.seconds(60),
          requestId: "r-1",
          partialText: "private",
          resume: { responseId: "resp_1", deployment: "a", after: 3 }
        })
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(wires([fail(error)])))
        yield* Effect.exit(o1.complete(request, { retries: 0 }))
        yield* TestClock.adjust("15 seconds")
        const second = yield* Effect.flip(o1.complete(request, { retries: 0 }))
        assert.deepInclude(second, {
          _tag: "O1RateLimitError",
          deployment: "a",
          retryAfter: Duration.seconds(45),
          partialText: "",
          resume: undefined
        })
        assert.deepStrictEqual(second.attempts, [{
          attempt: 1,
          deployment: undefined,
          duration: Duration.zero,
          outcome: "O1RateLimitError/tokens",
          delay: undefined
        }])
      }))

    it.effect("fails at once when the earliest is beyond the cap", () =>
      Effect.gen(function*() {
        const pool = wires([limited("3 minutes")], [limited("4 minutes")])
        assert.deepStrictEqual(yield* call(pool), ["O1RateLimitError/tokens", 0, 1, 1])
      }))

    it.effect("or beyond the deadline", () =>
      Effect.gen(function*() {
        const pool = wires([limited("40 seconds")], [limited("30 seconds")])
        const error = yield* errorOf(pool, { timeout: "10 seconds", total: "20 seconds" })
        assert.deepInclude(error, {
          _tag: "O1RateLimitError",
          deployment: "b",
          retryAfter: Duration.seconds(30)
        })
      }))

    it.effect("a used-up quota is not waited for, and left alone if it says how long", () =>
      Effect.gen(function*() {
        const quota = fail(new O1RateLimitError({ kind: "quota", retryAfter: Duration.seconds(30) }))
        const pool = wires([quota], [quota])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        for (const times of [1, 1]) {
          assert.strictEqual(O1Error.label(yield* Effect.flip(o1.complete(request))), "O1RateLimitError/quota")
          assert.deepStrictEqual(yield* asked(pool), [times, times])
        }
      }))

    it.effect("a request that is too large for one deployment does not keep the others from it", () =>
      Effect.gen(function*() {
        const huge = fail(new O1RateLimitError({ kind: "request-exceeds-limit", retryAfter: Duration.days(1) }))
        const pool = wires([huge, answer("a")], [huge])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        assert.strictEqual(
          O1Error.label(yield* Effect.flip(o1.complete(request))),
          "O1RateLimitError/request-exceeds-limit"
        )
        assert.strictEqual((yield* o1.complete(request)).text, "a")
      }))

    it.effect("interrupted while it waits, it asks nobody any more", () =>
      Effect.gen(function*() {
        const pool = wires([limited("20 seconds")], [limited("20 seconds")])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        const fiber = yield* Effect.forkChild(o1.complete(request), { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* asked(pool), [1, 1])
      }))

    it.effect("two callers at the same moment: both are told, and both go on to the next", () =>
      Effect.gen(function*() {
        const slow = limited("20 seconds", { after: "1 second" })
        const pool = wires([slow, slow], many(answer("b", { after: "1 second" })))
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        const texts = Effect.all([o1.complete(request), o1.complete(request)], { concurrency: 2 })
        const both = value(yield* during("2 seconds", texts))
        assert.deepStrictEqual(both.map(({ text }) => text), ["b", "b"])
        assert.deepStrictEqual(yield* asked(pool), [2, 2])
        yield* Effect.forkChild(o1.complete(request), { startImmediately: true })
        assert.deepStrictEqual(yield* asked(pool), [2, 3], "a third one does not ask the first")
      }))

    it.effect("an answer to what was asked later ends the cooldown, one to what was asked before does not", () =>
      Effect.gen(function*() {
        const text = ({ messages }: O1Request) => messages[0]!.content
        const pool = wires(
          [
            AzureO1Test.when((request) => text(request) === "early", answer("a", { after: "4500 millis" })),
            AzureO1Test.when((request) => text(request) === "refused", limited("1 minute", { after: "3 seconds" })),
            AzureO1Test.when((request) => text(request) === "late", answer("a", { after: "5 seconds" }))
          ],
          many(answer("b"))
        )
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        const ask = (text: string) => o1.complete({ messages: [user(text)] })
        for (const text of ["early", "refused", "late"]) {
          yield* Effect.forkChild(ask(text), { startImmediately: true })
          yield* TestClock.adjust("1 second")
        }
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* ask("during")).text, "b", "the early one has been answered")
        yield* TestClock.adjust("2 seconds")
        const fiber = yield* Effect.forkChild(ask("late"), { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(fiber)).text, "a")
      }))
  })

  describe("attempts", () => {
    it.effect("go round with backoff, three times by default", () =>
      Effect.gen(function*() {
        const [outcome, seconds, ...times] = yield* call(wires(many(down), many(down)), {}, {
          breaker: { failures: 50 }
        })
        assert.deepStrictEqual([outcome, times], ["O1ServerError/unavailable", [4, 4]])
        assert.isTrue(Number(seconds) > 0 && Number(seconds) <= 7)
      }))

    it.effect("of one deployment are those of a client of one", () =>
      Effect.gen(function*() {
        const script = [down, hang, limited("20 seconds"), answer("a", { after: "100 seconds" })]
        const [outcome, seconds, times] = yield* call(wires(script))
        assert.deepStrictEqual([outcome, times], ["success", 4])
        assert.isTrue(Number(seconds) >= 180 && Number(seconds) <= 189)
      }))

    it.effect("a timeout goes to the next, and each has its own count of them", () =>
      Effect.gen(function*() {
        const error = yield* errorOf(wires(many(hang), many(hang)), { retries: 1 })
        assert.deepStrictEqual(
          error.attempts.map(({ deployment, duration }) => [deployment, Math.round(Duration.toSeconds(duration))]),
          [["a", 60], ["b", 60], ["a", 120], ["b", 120]]
        )
        assert.strictEqual(O1Error.label(error), "O1TimeoutError/attempt")
      }))

    it.effect("onTimeout \"never\" is the end", () =>
      Effect.gen(function*() {
        const pool = wires(many(hang), [answer("b")])
        assert.deepStrictEqual(yield* call(pool, { onTimeout: "never" }), ["O1TimeoutError/attempt", 60, 1, 0])
      }))

    it.effect("what failed for good is not asked again by the same call", () =>
      Effect.gen(function*() {
        const unauthorized = fail(new O1AuthError({ kind: "unauthorized" }))
        assert.deepStrictEqual(
          (yield* call(wires([unauthorized], [down, answer("b")]))).filter((_, i) => i !== 1),
          ["success", 1, 2]
        )
      }))

    it.effect("the error is that of whoever can be asked the soonest, and worth waiting for", () =>
      Effect.gen(function*() {
        const unauthorized = fail(new O1AuthError({ kind: "unauthorized" }))
        const [outcome, seconds, ...times] = yield* call(
          wires([limited("20 seconds"), answer("a")], [unauthorized])
        )
        assert.deepStrictEqual([outcome, times], ["success", [2, 1]])
        near(Number(seconds), 20)
        const both = wires([unauthorized], [fail(new O1DeploymentError({ kind: "model-retired" }))])
        assert.deepStrictEqual(yield* call(both), ["O1DeploymentError/model-retired", 0, 1, 1])
      }))

    it.effect("the error has the history, with who was asked", () =>
      Effect.gen(function*() {
        const slow = (error: O1Error, seconds: number) => fail(error, { after: Duration.seconds(seconds) })
        const pool = wires(
          [slow(unavailable, 2), slow(new O1RequestError({ kind: "invalid" }), 3)],
          [slow(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(30) }), 1)]
        )
        const error = yield* errorOf(pool)
        assert.deepInclude(error, { _tag: "O1RequestError", deployment: "a" })
        assert.deepStrictEqual(
          error.attempts.map(({ attempt, deployment, duration, outcome }) => [
            attempt,
            deployment,
            Duration.toSeconds(duration),
            outcome
          ]),
          [
            [1, "a", 2, "O1ServerError/unavailable"],
            [1, "b", 1, "O1RateLimitError/tokens"],
            [2, "a", 3, "O1RequestError/invalid"]
          ]
        )
        const [first, second, third] = error.attempts.map(({ delay }) => delay)
        assert.isUndefined(first)
        assert.isTrue(Duration.toSeconds(second!) <= 1)
        assert.isUndefined(third)
      }))

    it.effect("one that finds all of them cooling has asked nobody", () =>
      Effect.gen(function*() {
        const first = ({ messages }: O1Request) => messages[0]!.content === "first"
        const pool = wires([
          AzureO1Test.when(first, limited("30 seconds", { after: "15 seconds" })),
          limited("20 seconds"),
          fail(new O1RequestError({ kind: "invalid" }))
        ])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        yield* Effect.forkChild(o1.complete({ messages: [user("first")] }), { startImmediately: true })
        const error = value(yield* during("1 hour", Effect.flip(o1.complete(request))))
        assert.deepStrictEqual(error.attempts.map(({ deployment, outcome }) => [deployment, outcome]), [
          ["a", "O1RateLimitError/tokens"],
          [undefined, "O1RateLimitError/tokens"],
          ["a", "O1RequestError/invalid"]
        ])
      }))

    it.effect("whoever observes is told of each deployment", () =>
      Effect.gen(function*() {
        const seen: Array<O1Observation> = []
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(wires([down], [answer("b")])))
        yield* Effect.provideService(o1.complete(request), O1Observer, (observation) => void seen.push(observation))
        assert.deepStrictEqual(
          seen.map((observation) =>
            observation._tag === "Connection" ? [] : [observation._tag, observation.deployment, observation.outcome]
          ),
          [["Attempt", "a", "O1ServerError/unavailable"], ["Attempt", "b", "success"], ["Call", "b", "success"]]
        )
      }))

    it.effect("and of a stream, how long each took to its first content", () =>
      Effect.gen(function*() {
        const seen: Array<O1Observation> = []
        const slow = fail(unavailable, { after: "3 seconds" })
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(
          wires([slow], [tokens(["1", "2"], { first: "2 seconds", every: "1 second" })])
        ))
        const drained = Stream.runDrain(o1.tokens(request))
        value(
          yield* during(
            "1 minute",
            Effect.provideService(drained, O1Observer, (observation) => void seen.push(observation))
          )
        )
        const seconds = (duration: Duration.Duration | undefined) => duration && Duration.toSeconds(duration)
        assert.deepStrictEqual(
          seen.map((observation) =>
            observation._tag === "Connection"
              ? []
              : [observation._tag, observation.deployment, seconds(observation.firstOutput), seconds(observation.total)]
          ),
          [["Attempt", "a", undefined, 3], ["Attempt", "b", 2, 3], ["Call", "b", 5, 6]]
        )
      }))

    it.effect("moreTokens is for the same deployment", () =>
      Effect.gen(function*() {
        const exhausted = fail(new O1OutputLimitError({ kind: "reasoning-exhausted" }))
        const pool = wires([exhausted, answer("a")], [])
        assert.strictEqual((yield* call(pool, { moreTokens: 50_000 }))[0], "success")
        const calls = yield* pool[0].calls
        assert.deepStrictEqual(calls.map(({ request }) => request.maxCompletionTokens), [undefined, 50_000])
      }))
  })

  describe("circuit breakers", () => {
    const settings: O1PolicySettings = { breaker: { failures: 2, open: "30 seconds", probes: 1 } }
    const states = (policy: O1Policy["Service"]) =>
      Effect.forEach(["a", "b"], (name) => Effect.map(policy.breakerState(name), ({ _tag }) => _tag))

    it.effect("each deployment has one; an open one is passed over, and tried after its time", () => {
      const pool = wires([down, down, answer("a")], many(answer("b")))
      return Effect.gen(function*() {
        const o1 = yield* AzureO1
        const policy = yield* O1Policy
        for (let i = 0; i < 4; i++) yield* o1.complete(request)
        assert.deepStrictEqual(yield* asked(pool), [2, 4])
        assert.deepStrictEqual(yield* states(policy), ["Open", "Closed"])
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual((yield* o1.complete(request)).text, "a")
        assert.deepStrictEqual(yield* states(policy), ["Closed", "Closed"])
      }).pipe(Effect.provide(AzureO1Pool.layer(AzureO1Pool.inOrder(pool), settings)))
    })

    it.effect("the same deployment at two endpoints has two", () => {
      const twins = [AzureO1Test.transport(many(down)), AzureO1Test.transport(many(answer("b")))] as const
      return Effect.gen(function*() {
        const o1 = yield* AzureO1
        const policy = yield* O1Policy
        for (let i = 0; i < 3; i++) yield* o1.complete(request)
        assert.strictEqual((yield* policy.breakerState("o1#1"))._tag, "Open")
        assert.strictEqual((yield* policy.breakerState("o1#2"))._tag, "Closed")
      }).pipe(Effect.provide(AzureO1Pool.layer(AzureO1Pool.inOrder(twins), settings)))
    })

    it.effect("all open: waits for the earliest", () =>
      Effect.gen(function*() {
        const pool = wires([down, down, answer("a")], [down, down])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool), settings)
        for (let i = 0; i < 2; i++) yield* Effect.exit(o1.complete(request, { retries: 0 }))
        const rejected = yield* Effect.flip(o1.complete(request, { retries: 0 }))
        assert.deepInclude(rejected, { _tag: "O1RejectedError", retryAfter: Duration.seconds(30) })
        const [outcome, seconds] = value(yield* during("2 hours", timed(o1.complete(request))))
        assert.strictEqual(outcome, "success")
        near(seconds, 30)
      }))
  })

  describe("profiles", () => {
    const developing: O1Request = { messages: [developer("Be brief."), user("hello")] }
    const pool = (first: ReadonlyArray<Step>, second: ReadonlyArray<Step>, profile: ModelProfile.ModelProfile) =>
      [
        AzureO1Test.transport(first, { deployment: "a", profile }),
        AzureO1Test.transport(second, { deployment: "b", profile: ModelProfile.o3 })
      ] as const

    it.effect("whose profile forbids the request is not asked", () =>
      Effect.gen(function*() {
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool([], [answer("b")], ModelProfile.o1Mini)))
        assert.strictEqual((yield* o1.complete(developing)).text, "b")
      }))

    it.effect("all forbid it: fails before anything is sent", () =>
      Effect.gen(function*() {
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool([], [], ModelProfile.o1Mini)))
        const asked = { messages: [developer("x"), user("x")], reasoningEffort: "max" } as const
        const error = yield* Effect.flip(o1.complete(asked))
        assert.deepInclude(error, { kind: "unsupported-parameter", param: "messages" })
      }))

    it.effect("a prompt longer than the context goes to a larger one", () =>
      Effect.gen(function*() {
        const long = fail(new O1RequestError({ kind: "context-length" }))
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool([long], [answer("b")], ModelProfile.o1Mini)))
        assert.strictEqual((yield* o1.complete(request)).text, "b")
        const same = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool([long], [], ModelProfile.o1)))
        assert.strictEqual(O1Error.label(yield* Effect.flip(same.complete(request))), "O1RequestError/context-length")
      }))
  })

  describe("streams", () => {
    /** What one streamed call tells, and how it ends. */
    const watch = (pool: Wires, options?: CallOptions) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        const outcome = value(
          yield* during(
            "2 hours",
            timed(Stream.runForEach(o1.stream(request, options), (event) => Effect.sync(() => seen.push(show(event)))))
          )
        )
        return { seen: seen.filter((line) => line !== "Waiting"), outcome: outcome[0] }
      })

    it.effect("go over before the first content, and say so", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* watch(wires([limited("20 seconds")], [down], [tokens(["1", "2"])])), {
          seen: [
            "from a to b after O1RateLimitError/tokens",
            "from b to c after O1ServerError/unavailable",
            "1",
            "2",
            "finished"
          ],
          outcome: "success"
        })
      }))

    it.effect("never after it", () =>
      Effect.gen(function*() {
        const error = new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(20) })
        const pool = wires([tokens(["1", "2"], { fail: error })], [tokens(["3"]), tokens(["4"])])
        assert.deepStrictEqual(yield* watch(pool), { seen: ["1", "2"], outcome: "O1RateLimitError/tokens" })
        assert.deepStrictEqual(yield* asked(pool), [1, 0])
      }))

    it.effect("but what is told then holds for the next call", () =>
      Effect.gen(function*() {
        const error = new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(20) })
        const o1 = yield* AzureO1Pool.make(
          AzureO1Pool.inOrder(wires([tokens(["1"], { fail: error })], [tokens(["2"])]))
        )
        const failed = yield* Effect.flip(Stream.runDrain(o1.tokens(request)))
        assert.deepInclude(failed, { partialText: "1", deployment: "a" })
        assert.deepStrictEqual(yield* Stream.runCollect(o1.tokens(request)), ["2"])
      }))

    it.effect("resume \"restart\" begins anew with the next attempt, at another one", () =>
      Effect.gen(function*() {
        const pool = wires([tokens(["1"], { fail: unavailable })], [down], [tokens(["2"])])
        assert.deepStrictEqual(yield* watch(pool, { onBreak: "restart" }), {
          seen: [
            "1",
            "retrying after 1 O1ServerError/unavailable",
            "Restarted",
            "from b to c after O1ServerError/unavailable",
            "2",
            "finished"
          ],
          outcome: "success"
        })
      }))

    it.effect("what failed is closed before the next one is asked", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const scoped = (name: string, rest: Step): Step => ({
          ...rest,
          stream: Stream.unwrap(
            Effect.as(
              Effect.acquireRelease(
                Effect.sync(() => log.push(`open ${name}`)),
                () => Effect.sync(() => log.push(`close ${name}`))
              ),
              rest.stream
            )
          )
        })
        const pool = wires([scoped("a", down)], [scoped("b", tokens(["1"]))])
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
        yield* Stream.runDrain(o1.stream(request))
        assert.deepStrictEqual(log, ["open a", "close a", "open b", "close b"])
      }))

    it.effect("a consumer that leaves closes what is open", () =>
      Effect.gen(function*() {
        let open = 0
        const held: Step = {
          complete: Effect.never,
          stream: Stream.unwrap(Effect.as(
            Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--)),
            Stream.never
          ))
        }
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(wires([down], [held])))
        const fiber = yield* Effect.forkChild(Stream.runDrain(o1.stream(request)), { startImmediately: true })
        yield* TestClock.adjust("7 seconds")
        assert.strictEqual(open, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(open, 0)
      }))
  })

  it.effect("tokens and object go over as well", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1Pool.make(
        AzureO1Pool.inOrder(wires([down, down], [tokens(["1", "2"]), answer("{\"n\":42}")]))
      )
      assert.deepStrictEqual(yield* Stream.runCollect(o1.tokens(request)), ["1", "2"])
      assert.deepStrictEqual((yield* o1.object(Schema.Struct({ n: Schema.Finite }), request)).value, { n: 42 })
    }))

  describe("what the service makes in the background", () => {
    /** A deployment that takes a response on, and keeps it until it is told otherwise. */
    const keeping = (log: Array<string>, name: string, then: Step, stops = true): Step => ({
      ...then,
      complete: Effect.flatMap(Effect.all([CurrentCall, CurrentWatch]), ([call, watch]) => {
        watch?.kept()
        log.push(call!.open === undefined ? `${name} begins` : `${name} goes on with ${call!.open.id}`)
        call!.open ??= {
          id: name,
          streams: false,
          token: () => ({ responseId: name, deployment: name, after: -1 }),
          text: () => "",
          cancel: Effect.sync(() => log.push(`${name} is cancelled`) > 0 && stops)
        }
        return Effect.tap(then.complete, Effect.sync(() => call!.open = undefined))
      })
    })

    it.effect("is cancelled when another deployment is asked, which begins its own", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const pool = wires([keeping(log, "a", down)], [keeping(log, "b", answer("b"))])
        assert.deepStrictEqual(yield* call(pool), ["success", 0, 1, 1])
        assert.deepStrictEqual(log, ["a begins", "a is cancelled", "b begins"])
      }))

    it.effect("no error says how to continue it then", () =>
      Effect.gen(function*() {
        const broken = new O1ServerError({
          kind: "internal",
          resume: { responseId: "a", deployment: "a", after: 3 }
        })
        const gone = fail(new O1AuthError({ kind: "unauthorized" }))
        const error = yield* errorOf(wires([keeping([], "a", fail(broken))], [gone]), { retries: 0 })
        assert.deepInclude(error, { _tag: "O1ServerError", resume: undefined })
      }))

    it.effect("onLeave \"keep\" leaves it", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const pool = wires([keeping(log, "a", down)], [keeping(log, "b", answer("b"))])
        assert.strictEqual((yield* call(pool, { onLeave: "keep" }))[0], "success")
        assert.deepStrictEqual(log, ["a begins", "b begins"])
      }))

    it.effect("is not limited as an attempt: what was begun is waited for", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const pool = wires([down], [keeping(log, "b", answer("b", { after: "500 seconds" }))])
        assert.deepStrictEqual(yield* call(pool), ["success", 500, 1, 1])
        assert.deepStrictEqual(log, ["b begins"])
      }))

    it.effect("stands in the attempts where it could not be cancelled in time", () =>
      Effect.gen(function*() {
        const pool = wires([keeping([], "a", down, false)], [fail(new O1AuthError({ kind: "unauthorized" }))])
        const error = yield* errorOf(pool, { retries: 0 })
        assert.deepStrictEqual(error.attempts.map(({ deployment, resume }) => [deployment, resume?.responseId]), [
          ["a", "a"],
          ["b", undefined]
        ])
      }))
  })

  it.effect("resume asks whoever keeps the response", () =>
    Effect.gen(function*() {
      const notFound = fail(new O1RequestError({ kind: "response-not-found" }))
      const token = { responseId: "resp_1", deployment: "o1", after: 3 }
      const members = [
        { ...AzureO1Test.transport([], { deployment: "o3" }), name: "other" },
        { ...AzureO1Test.transport([notFound]), name: "east" },
        { ...AzureO1Test.transport([tokens(["1"])]), name: "west" }
      ] as const
      const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(members))
      assert.deepStrictEqual((yield* Stream.runCollect(o1.resume(token))).map(show), ["1", "finished"])
    }))

  it.effect("under the plain policy: an attempt asks all of them, with the plain delays between the attempts", () =>
    Effect.gen(function*() {
      const pool = wires([down, hang, answer("a")], [down, down])
      const program = Effect.flatMap(AzureO1, (o1) => timed(o1.complete(request))).pipe(
        Effect.provide(Layer.provide(AzureO1Pool.layerServices(AzureO1Pool.inOrder(pool)), O1Policy.layerPlain))
      )
      assert.deepStrictEqual(value(yield* during("1 hour", program)), ["success", 63])
    }))

  it.effect("bad options fail typed, before anything is sent", () =>
    Effect.gen(function*() {
      const pool = wires([answer("a")], [answer("b")])
      const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder(pool))
      const error = yield* Effect.flip(o1.complete(request, { retries: -1 }))
      assert.deepInclude(error, { _tag: "O1RequestError", param: "retries" })
      const streamed = yield* Effect.flip(Stream.runDrain(o1.stream(request, { timeout: 0 })))
      assert.deepInclude(streamed, { _tag: "O1RequestError", param: "timeout" })
      assert.deepStrictEqual(yield* asked(pool), [0, 0])
    }))

  it.effect("what makes no sense is a defect that says so", () =>
    Effect.gen(function*() {
      const member = { ...AzureO1Test.transport([]), name: "east" }
      const twice = yield* Effect.exit(AzureO1Pool.make(AzureO1Pool.inOrder([member, member])))
      assert.include(String(twice), "AzureO1Pool: name must be another one for each member, got \"east\" twice")
      const none = yield* Effect.exit(AzureO1Pool.make(AzureO1Pool.inOrder([] as unknown as [TestTransport])))
      assert.include(String(none), "AzureO1Pool: members must not be empty")
    }))
})
