import { Policy } from "@effect-resilience/core"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../src/AzureO1.ts"
import * as ModelProfile from "../src/ModelProfile.ts"
import type { CallOptions } from "../src/O1Client.ts"
import {
  O1AuthError,
  O1ConnectionError,
  type O1Error,
  O1ProtocolError,
  O1RateLimitError,
  O1RequestError,
  O1ServerError,
  O1TimeoutError
} from "../src/O1Error.ts"
import type { AttemptEvent } from "../src/O1Event.ts"
import { O1Policy, type O1PolicySettings } from "../src/O1Policy.ts"
import type { O1Request, ReasoningEffort } from "../src/O1Request.ts"
import { AzureO1Test, type Step } from "../src/testing/index.ts"
import { during, request, timed, value } from "./support/harness.ts"

const unavailable = new O1ServerError({ kind: "unavailable" })
const down = AzureO1Test.fail(unavailable)
const many = (step: Step, n = 100): ReadonlyArray<Step> => Array.from({ length: n }, () => step)

/** One call against a script: how it ends, when, and the attempts it took. */
const call = (
  steps: ReadonlyArray<Step>,
  options?: CallOptions & { readonly request?: O1Request; readonly settings?: O1PolicySettings }
) =>
  Effect.gen(function*() {
    const { request: asked = request, settings = {}, ...callOptions } = options ?? {}
    const policy = O1Policy.layerWith(settings)
    const program = Effect.gen(function*() {
      const o1 = yield* AzureO1
      const outcome = yield* timed(o1.complete(asked, callOptions))
      return [...outcome, (yield* (yield* AzureO1Test).calls).length] as const
    })
    return value(yield* during("2 hours", Effect.provide(program, AzureO1Test.layerTransport(steps, { policy }))))
  })

describe("O1Policy", () => {
  describe("timeouts", () => {
    it.effect("escalate: 60, 120, 240 and 480 s by default, within the 15 minutes of the whole", () =>
      Effect.gen(function*() {
        const program = Effect.gen(function*() {
          const o1 = yield* AzureO1
          return yield* Effect.flip(o1.complete(request))
        })
        const error = value(
          yield* during("1 hour", Effect.provide(program, AzureO1Test.layerTransport(many(AzureO1Test.hang))))
        )
        assert.strictEqual(error._tag, "O1TimeoutError")
        assert.strictEqual(error.kind, "total")
        const seconds = error.attempts.map(({ duration }) => Duration.toSeconds(duration))
        assert.deepStrictEqual(seconds.slice(0, 3), [60, 120, 240])
        assert.deepStrictEqual(error.attempts.map(({ outcome }) => outcome), [
          "O1TimeoutError/attempt",
          "O1TimeoutError/attempt",
          "O1TimeoutError/attempt",
          "interrupted"
        ])
      }))

    it.effect("an answer that takes 300 s comes on the third attempt", () =>
      Effect.gen(function*() {
        const [outcome, seconds, attempts] = yield* call(many(AzureO1Test.answer("42", { after: "200 seconds" })))
        assert.deepStrictEqual([outcome, attempts], ["success", 3])
        assert.isTrue(seconds >= 380 && seconds <= 386, String(seconds))
      }))

    it.effect("start higher for high effort", () =>
      Effect.gen(function*() {
        const asked: O1Request = { ...request, reasoningEffort: "high" }
        const [outcome, seconds] = yield* call(many(AzureO1Test.answer("42", { after: "110 seconds" })), {
          request: asked
        })
        assert.deepStrictEqual([outcome, seconds], ["success", 110])
      }))

    it.effect("same: repeats the limit; never: does not try again", () =>
      Effect.gen(function*() {
        const hang = many(AzureO1Test.hang)
        const [same, seconds, attempts] = yield* call(hang, { timeout: "10 seconds", onTimeout: "same" })
        assert.deepStrictEqual([same, attempts], ["O1TimeoutError/attempt", 4])
        assert.isTrue(seconds >= 40 && seconds <= 47, String(seconds))
        assert.deepStrictEqual(yield* call(hang, { timeout: "10 seconds", onTimeout: "never" }), [
          "O1TimeoutError/attempt",
          10,
          1
        ])
      }))

    it.effect("only timeouts escalate", () =>
      Effect.gen(function*() {
        const steps = [down, AzureO1Test.hang, AzureO1Test.answer("42", { after: "15 seconds" })]
        assert.strictEqual((yield* call(steps, { timeout: "10 seconds" }))[0], "success")
        const short = [
          down,
          down,
          AzureO1Test.answer("42", { after: "15 seconds" }),
          AzureO1Test.answer("42", { after: "15 seconds" })
        ]
        assert.strictEqual((yield* call(short, { timeout: "10 seconds" }))[0], "success", "after one timeout")
      }))

    it.effect("every call begins again with its own limit", () =>
      Effect.gen(function*() {
        const program = Effect.gen(function*() {
          const o1 = yield* AzureO1
          const once = Effect.flip(o1.complete(request, { retries: 1, timeout: "10 seconds" }))
          return [yield* once, yield* once].map(({ attempts }) =>
            attempts.map(({ duration }) => Duration.toSeconds(duration))
          )
        })
        const seconds = value(
          yield* during("1 hour", Effect.provide(program, AzureO1Test.layerTransport(many(AzureO1Test.hang))))
        )
        assert.deepStrictEqual(seconds, [[10, 20], [10, 20]])
      }))

    it.effect("total: the whole call, retries and waits included", () =>
      Effect.gen(function*() {
        const outcome = yield* call(many(AzureO1Test.hang), { timeout: "10 seconds", total: "25 seconds" })
        assert.deepStrictEqual(outcome, ["O1TimeoutError/total", 25, 2])
      }))

    it.effect("a timeout longer than the default total takes the total with it", () =>
      Effect.gen(function*() {
        const answer = AzureO1Test.answer("42", { after: "19 minutes" })
        assert.deepStrictEqual(yield* call([answer], { timeout: "20 minutes" }), ["success", 19 * 60, 1])
      }))

    it.effect("the error tells the limit that was exceeded", () =>
      Effect.gen(function*() {
        const program = Effect.flatMap(AzureO1, (o1) =>
          Effect.flip(o1.complete(request, { timeout: "90 seconds", retries: 0 })))
        const error = value(
          yield* during("1 hour", Effect.provide(program, AzureO1Test.layerTransport([AzureO1Test.hang])))
        )
        assert.deepInclude(error, { kind: "attempt", limit: Duration.seconds(90) })
        assert.include(error.message, "No answer within 1m 30s")
      }))
  })

  describe("retries", () => {
    it.effect("three, after at most 1, 2 and 4 seconds", () =>
      Effect.gen(function*() {
        const [outcome, seconds, attempts] = yield* call(many(down))
        assert.deepStrictEqual([outcome, attempts], ["O1ServerError/unavailable", 4])
        assert.isAtMost(seconds, 7)
      }))

    it.effect("as many as the call says", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* call(many(down), { retries: 0 }))[2], 1)
        assert.strictEqual((yield* call([...many(down, 4), AzureO1Test.answer("42")], { retries: 5 }))[0], "success")
      }))

    const table: ReadonlyArray<readonly [O1Error, number]> = [
      [new O1TimeoutError({ kind: "service" }), 2],
      [new O1TimeoutError({ kind: "gateway" }), 2],
      [new O1RateLimitError({ kind: "requests" }), 2],
      [new O1RateLimitError({ kind: "capacity" }), 2],
      [new O1RateLimitError({ kind: "quota" }), 1],
      [new O1RateLimitError({ kind: "request-exceeds-limit" }), 1],
      [new O1ServerError({ kind: "internal" }), 2],
      [new O1ServerError({ kind: "upstream" }), 2],
      [new O1ServerError({ kind: "not-implemented" }), 1],
      [new O1ServerError({ kind: "internal", shouldRetry: false }), 1],
      [new O1ConnectionError({ kind: "reset" }), 2],
      [new O1ConnectionError({ kind: "tls" }), 1],
      [new O1RequestError({ kind: "invalid" }), 1],
      [new O1RequestError({ kind: "invalid", shouldRetry: true }), 2],
      [new O1ProtocolError({ kind: "truncated" }), 2],
      [new O1ProtocolError({ kind: "truncated", partialText: "so far" }), 1]
    ]
    for (const [error, attempts] of table) {
      it.effect(`${error._tag}/${error.kind}${error.partialText ? " after content" : ""}${error.shouldRetry === undefined ? "" : " x-should-retry"}: ${attempts} attempts`, () =>
        Effect.gen(function*() {
          assert.strictEqual((yield* call([AzureO1Test.fail(error), AzureO1Test.answer("42")]))[2], attempts)
        }))
    }
  })

  describe("429", () => {
    const limited = (retryAfter?: Duration.Input) =>
      AzureO1Test.fail(
        new O1RateLimitError({
          kind: "tokens",
          retryAfter: retryAfter === undefined ? undefined : Duration.fromInputUnsafe(retryAfter)
        })
      )

    it.effect("waits as long as it is told, and up to a tenth more", () =>
      Effect.gen(function*() {
        const [outcome, seconds] = yield* call([limited("20 seconds"), AzureO1Test.answer("42")])
        assert.strictEqual(outcome, "success")
        assert.isTrue(seconds >= 20 && seconds <= 22, String(seconds))
      }))

    it.effect("waits at least 10 seconds when it is told nothing", () =>
      Effect.gen(function*() {
        const [, seconds] = yield* call([limited(), AzureO1Test.answer("42")])
        assert.isTrue(seconds >= 10 && seconds <= 11, String(seconds))
      }))

    it.effect("fails at once when told to wait longer than two minutes", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* call([limited("121 seconds")]), ["O1RateLimitError/tokens", 0, 1])
        assert.strictEqual((yield* call([limited("119 seconds"), AzureO1Test.answer("42")]))[0], "success")
      }))

    it.effect("fails at once when the wait would end after the deadline", () =>
      Effect.gen(function*() {
        const outcome = yield* call([limited("30 seconds")], { timeout: "10 seconds", total: "20 seconds" })
        assert.deepStrictEqual(outcome, ["O1RateLimitError/tokens", 0, 1])
      }))
  })

  describe("circuit breaker", () => {
    const withClient = <A, E>(
      steps: ReadonlyArray<Step>,
      f: (o1: AzureO1["Service"], policy: O1Policy["Service"]) => Effect.Effect<A, E>
    ) =>
      Effect.gen(function*() {
        return yield* f(yield* AzureO1, yield* O1Policy)
      }).pipe(Effect.provide(AzureO1Test.layerTransport(steps)))
    const once = { retries: 0, timeout: "10 seconds" } as const

    it.effect("opens after five server failures in a row, and rejects without asking", () =>
      withClient(many(down, 5), (o1, policy) =>
        Effect.gen(function*() {
          for (let i = 0; i < 5; i++) yield* Effect.exit(o1.complete(request, once))
          assert.strictEqual((yield* policy.breakerState("o1"))._tag, "Open")
          const error = yield* Effect.flip(o1.complete(request, once))
          assert.deepInclude(error, { _tag: "O1RejectedError", kind: "circuit-open", retryAfter: Duration.seconds(30) })
          assert.strictEqual((yield* policy.breakerState("another"))._tag, "Closed")
        })))

    it.effect("five hard prompts do not open it", () =>
      withClient(many(AzureO1Test.hang), (o1, policy) =>
        Effect.gen(function*() {
          for (let i = 0; i < 6; i++) yield* during("11 seconds", Effect.exit(o1.complete(request, once)))
          for (let i = 0; i < 6; i++) {
            const total = { retries: 0, timeout: "10 seconds", total: "10 seconds" } as const
            yield* during("11 seconds", Effect.exit(o1.complete(request, total)))
          }
          assert.deepInclude(yield* policy.breakerState("o1"), { _tag: "Closed", consecutiveFailures: 0 })
        })))

    const counts: ReadonlyArray<readonly [O1Error, string]> = [
      [new O1ServerError({ kind: "internal" }), "Open"],
      [new O1ConnectionError({ kind: "refused" }), "Open"],
      [new O1TimeoutError({ kind: "idle" }), "Closed"],
      [new O1TimeoutError({ kind: "byte-idle" }), "Closed"],
      [new O1TimeoutError({ kind: "headers" }), "Closed"],
      [new O1AuthError({ kind: "credential" }), "Closed"],
      [new O1ConnectionError({ kind: "unusable" }), "Closed"],
      [new O1TimeoutError({ kind: "connect" }), "Open"],
      [new O1TimeoutError({ kind: "gateway" }), "Open"],
      [new O1TimeoutError({ kind: "service" }), "Closed"],
      [new O1RateLimitError({ kind: "tokens" }), "Closed"],
      [new O1RequestError({ kind: "invalid" }), "Closed"]
    ]
    for (const [error, expected] of counts) {
      it.effect(`five times ${error._tag}/${error.kind}: ${expected}`, () =>
        withClient(many(AzureO1Test.fail(error)), (o1, policy) =>
          Effect.gen(function*() {
            for (let i = 0; i < 5; i++) yield* Effect.exit(o1.complete(request, once))
            assert.strictEqual((yield* policy.breakerState("o1"))._tag, expected)
          })))
    }

    it.effect("after 30 seconds three probes close it", () =>
      withClient([...many(down, 5), ...many(AzureO1Test.answer("42"))], (o1, policy) =>
        Effect.gen(function*() {
          for (let i = 0; i < 5; i++) yield* Effect.exit(o1.complete(request, once))
          yield* TestClock.adjust("30 seconds")
          for (const succeeded of [1, 2]) {
            yield* o1.complete(request)
            assert.deepInclude(yield* policy.breakerState("o1"), { _tag: "HalfOpen", succeeded })
          }
          yield* o1.complete(request)
          assert.strictEqual((yield* policy.breakerState("o1"))._tag, "Closed")
        })))

    it.effect("a probe that thinks lets another one pass after ten seconds, and answers nevertheless", () => {
      const thinks = AzureO1Test.answer("42", { after: "50 seconds" })
      return withClient([...many(down, 5), ...many(thinks, 6)], (o1, policy) =>
        Effect.gen(function*() {
          for (let i = 0; i < 5; i++) yield* Effect.exit(o1.complete(request, once))
          yield* TestClock.adjust("30 seconds")
          const ask = Effect.forkChild(Effect.result(o1.complete(request)), { startImmediately: true })
          const probes = yield* Effect.all([ask, ask, ask])
          const refused = yield* Effect.flip(o1.complete(request))
          assert.deepInclude(refused, { _tag: "O1RejectedError", kind: "circuit-open" })
          yield* TestClock.adjust("10 seconds")
          const others = yield* Effect.all([ask, ask, ask])
          yield* TestClock.adjust("40 seconds")
          assert.strictEqual((yield* policy.breakerState("o1"))._tag, "Closed")
          yield* TestClock.adjust("10 seconds")
          const answers = yield* Effect.forEach([...probes, ...others], Fiber.join)
          assert.deepStrictEqual(answers.map(({ _tag }) => _tag), Array.from(answers, () => "Success"))
        }))
    })

    it.effect("a caller that goes away counts for nothing", () =>
      withClient(many(AzureO1Test.hang), (o1, policy) =>
        Effect.gen(function*() {
          for (let i = 0; i < 6; i++) {
            const fiber = yield* Effect.forkChild(o1.complete(request), { startImmediately: true })
            yield* Fiber.interrupt(fiber)
          }
          assert.deepInclude(yield* policy.breakerState("o1"), { _tag: "Closed", consecutiveFailures: 0 })
        })))
  })

  describe("streams", () => {
    const stream = (steps: ReadonlyArray<Step>, options?: CallOptions) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const program = Effect.gen(function*() {
          const o1 = yield* AzureO1
          const outcome = yield* timed(
            Stream.runForEach(o1.tokens(request, options), (text) => Effect.sync(() => seen.push(text)))
          )
          return [...outcome, (yield* (yield* AzureO1Test).calls).length] as const
        })
        const outcome = value(yield* during("2 hours", Effect.provide(program, AzureO1Test.layerTransport(steps))))
        return [seen.join(""), ...outcome] as const
      })

    it.effect("the attempt's limit ends with the first content", () =>
      Effect.gen(function*() {
        const slow = AzureO1Test.tokens(["a", "b", "c"], { first: "50 seconds", every: "50 seconds" })
        assert.deepStrictEqual(yield* stream([slow]), ["abc", "success", 150, 1])
      }))

    it.effect("is tried again before the first content", () =>
      Effect.gen(function*() {
        const [text, outcome, , attempts] = yield* stream([down, AzureO1Test.hang, AzureO1Test.tokens(["a"])])
        assert.deepStrictEqual([text, outcome, attempts], ["a", "success", 3])
      }))

    it.effect("is never tried again after it", () =>
      Effect.gen(function*() {
        const broken = AzureO1Test.tokens(["a", "b"], { fail: unavailable })
        assert.deepStrictEqual(yield* stream([broken, AzureO1Test.tokens(["again"])]), [
          "ab",
          "O1ServerError/unavailable",
          0,
          1
        ])
      }))

    it.effect("a silence of two minutes within the answer ends it", () =>
      Effect.gen(function*() {
        const silent = AzureO1Test.tokens(["a", "b"], { every: "121 seconds" })
        assert.deepStrictEqual(yield* stream([silent]), ["a", "O1TimeoutError/idle", 120, 1])
      }))

    describe("the silence that ends an answer", () => {
      /** A piece of this kind, and text after so many seconds. */
      const after = (tag: "TextDelta" | "ReasoningDelta" | "CommentaryDelta", seconds: number): Step => {
        const text: AttemptEvent = { _tag: "TextDelta", text: "later" }
        const later = Stream.fromEffect(Effect.delay(Effect.succeed(text), `${seconds} seconds`))
        const events = Stream.concat(Stream.make<[AttemptEvent]>({ _tag: tag, text: "first" }), later)
        return { complete: Effect.never, stream: events }
      }
      const table: ReadonlyArray<
        readonly [ReasoningEffort, Parameters<typeof after>[0], O1PolicySettings, number, number | undefined]
      > = [
        // effort, first piece, settings, seconds until the next one, when it ends for silence
        ["medium", "TextDelta", {}, 119, undefined],
        ["medium", "TextDelta", {}, 121, 120],
        ["high", "TextDelta", {}, 479, undefined],
        ["high", "TextDelta", {}, 481, 480],
        ["xhigh", "ReasoningDelta", {}, 479, undefined],
        ["medium", "TextDelta", { idle: "20 seconds" }, 21, 20],
        ["medium", "ReasoningDelta", { idle: "20 seconds" }, 59, undefined],
        ["medium", "ReasoningDelta", { idle: "20 seconds" }, 61, 60],
        ["medium", "CommentaryDelta", { idle: "20 seconds" }, 59, undefined],
        ["medium", "ReasoningDelta", { idle: "80 seconds" }, 79, undefined],
        ["medium", "ReasoningDelta", { idle: "80 seconds" }, 81, 80]
      ]
      for (const [reasoningEffort, tag, settings, seconds, ends] of table) {
        it.effect(`${reasoningEffort}, ${tag}, ${JSON.stringify(settings)}, ${seconds} s`, () =>
          Effect.gen(function*() {
            const program = Effect.flatMap(
              AzureO1,
              (o1) => timed(Stream.runDrain(o1.stream({ ...request, reasoningEffort })))
            )
            const wire = AzureO1Test.layerTransport([after(tag, seconds)], {
              policy: O1Policy.layerWith(settings),
              profile: ModelProfile.gpt51
            })
            const outcome = value(yield* during("1 hour", Effect.provide(program, wire)))
            assert.deepStrictEqual(outcome, ends === undefined ? ["success", seconds] : ["O1TimeoutError/idle", ends])
          }))
      }
    })

    it.effect("the total includes the answer", () =>
      Effect.gen(function*() {
        const long = AzureO1Test.tokens(Array.from({ length: 100 }, () => "x"), { every: "1 second" })
        assert.deepStrictEqual((yield* stream([long], { timeout: "5 seconds", total: "10 seconds" })).slice(1), [
          "O1TimeoutError/total",
          10,
          1
        ])
      }))
  })

  describe("options", () => {
    const bad: ReadonlyArray<readonly [CallOptions, string]> = [
      [{ timeout: 0 }, "timeout must be a finite duration > 0, got 0"],
      [{ timeout: "soon" as "1 second" }, "timeout must be a finite duration > 0, got soon"],
      [{ total: "-1 second" }, "total must be a finite duration > 0, got -1 second"],
      [{ total: "30 seconds" }, "total must be at least the timeout, 1m, got 30s"],
      [{ retries: -1 }, "retries must be an integer >= 0, got -1"],
      [{ idle: 0 }, "idle must be a finite duration > 0, got 0"],
      [{ fruitless: 0.5 }, "fruitless must be an integer >= 1, got 0.5"],
      [{ onBreak: "panic" as "restart" }, "onBreak must be \"continue\" or \"restart\", got panic"],
      [{ onLeave: "panic" as "keep" }, "onLeave must be \"cancel\" or \"keep\", got panic"],
      [{ onTimeout: "panic" as "never" }, "onTimeout must be \"escalate\", \"same\" or \"never\", got panic"]
    ]
    for (const [options, detail] of bad) {
      it.effect(`${JSON.stringify(options)} fails typed, before anything is sent`, () =>
        Effect.gen(function*() {
          const o1 = yield* AzureO1
          const error = yield* Effect.flip(o1.complete(request, options))
          assert.deepInclude(error, { _tag: "O1RequestError", kind: "invalid", detail })
          const streamed = yield* Effect.flip(Stream.runDrain(o1.stream(request, options)))
          assert.deepInclude(streamed, { _tag: "O1RequestError", kind: "invalid", detail })
          assert.deepStrictEqual(yield* (yield* AzureO1Test).calls, [])
        }).pipe(Effect.provide(AzureO1Test.layerTransport([]))))
    }

    const settings: ReadonlyArray<readonly [O1PolicySettings, string]> = [
      [{ timeout: { high: 0 } }, "O1Policy: timeout must be"],
      [{ retries: 0.5 }, "O1Policy: retries must be"],
      [{ breaker: { failures: 0 } }, "CircuitBreaker.consecutive: failures must be"],
      [{ breaker: { probes: 0 } }, "CircuitBreaker.make: halfOpen.probes must be"],
      [{ breaker: { lease: 0 } }, "CircuitBreaker.make: halfOpen.lease must be"],
      [{ idle: 0 }, "O1Policy: idle must be"],
      [{ fruitless: 0 }, "O1Policy: fruitless must be"],
      [{ backoff: 0 }, "Backoff.exponential: base must be"],
      [{ retryAfterCap: 0 }, "Retry.make: retryAfter.maxDelay must be"]
    ]
    for (const [wrong, message] of settings) {
      it.effect(`settings ${JSON.stringify(wrong)} are a defect when the layer is built`, () =>
        Effect.gen(function*() {
          const exit = yield* Effect.exit(Effect.scoped(Layer.build(O1Policy.layerWith(wrong))))
          assert.include(Exit.isFailure(exit) ? String(exit.cause) : "", message)
        }))
    }

    it.effect("can be explained", () =>
      Effect.gen(function*() {
        const policy = (yield* O1Policy).forRequest(request, { deployment: "my-o1" })
        assert.strictEqual(
          Policy.explain(policy).replace(/\npath: .*/, ""),
          [
            "timeout total \"azure-o1\" (limit: 15m)",
            "└─ retry \"azure-o1\" (schedule: custom, retryAfter: 2m)",
            "   └─ circuit-breaker \"my-o1\" (trip: 5 failures in a row, open: 30s, halfOpen: 100% of 3, lease 10s)",
            "      └─ route (attempt: 1m, idle: 2m, onTimeout: escalate, fruitless: 8)"
          ].join("\n")
        )
      }).pipe(Effect.provide(O1Policy.layer)))
  })
})
