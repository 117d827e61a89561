import {
  type AttemptObservation,
  AzureO1,
  noMetadata,
  O1ConnectionError,
  O1Error,
  type O1Event,
  O1Observer,
  O1OutputLimitError,
  O1Policy,
  O1RateLimitError,
  type O1Request,
  O1ServerError,
  O1Transport,
  user
} from "@effect-resilience/azure-o1"
import { O1Quota, type QuotaOptions } from "@effect-resilience/azure-o1/quota"
import { AzureO1Test, type Step } from "@effect-resilience/azure-o1/testing"
import { PolicyRegistry, RateLimiter, Telemetry } from "@effect-resilience/core"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { RateLimit } from "../../src/O1Completion.ts"
import { Service } from "./virtual.ts"

const untold: RateLimit = { limit: undefined, remaining: undefined, reset: undefined }

const limited = (transport: O1Transport["Service"], options: QuotaOptions) =>
  AzureO1.layerServices.pipe(
    Layer.provideMerge(O1Quota.layer(options)),
    Layer.provide(Layer.succeed(O1Transport, transport))
  )

const script = (steps: ReadonlyArray<Step>, options: QuotaOptions) => limited(AzureO1Test.transport(steps), options)

const always = (step: Step) => [AzureO1Test.when(() => true, step)]
const answer = AzureO1Test.answer("42", { after: "1 second" })

/** A prompt of about 100 tokens. */
const asking = (tokens: number): O1Request => ({ messages: [user("x".repeat(400))], maxCompletionTokens: tokens - 100 })

const seconds = Effect.map(Clock.currentTimeMillis, (millis) => Math.round(millis / 1000))

/** When an effect has ended, in seconds. */
const timed = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.exit(self), (exit) => Effect.map(seconds, (at) => ({ exit, at })))

describe("a call that is larger than the minute", () => {
  it.effect("fails before it is sent", () =>
    Effect.gen(function*() {
      const service = new Service({ tokensPerMinute: 60_000 })
      const error = yield* Effect.gen(function*() {
        const o1 = yield* AzureO1
        return yield* Effect.flip(o1.complete(asking(60_001)))
      }).pipe(Effect.provide(limited(service.transport, { tokensPerMinute: 60_000 })))
      assert.deepInclude(error, { _tag: "O1RateLimitError", kind: "request-exceeds-limit", deployment: "o1" })
      assert.include(error.message, "60,001 tokens")
      assert.strictEqual(service.seen.requests, 0)
    }))

  it.effect("fails as well where the service has lowered its limit, also if it waits already", () =>
    Effect.gen(function*() {
      const service = new Service({ tokensPerMinute: 60_000 })
      yield* Effect.gen(function*() {
        const o1 = yield* AzureO1
        const first = yield* Effect.forkChild(o1.complete(asking(40_000)))
        const waits = yield* Effect.forkChild(Effect.flip(o1.complete(asking(41_000))))
        yield* TestClock.adjust("30 seconds")
        service.change({ tokensPerMinute: 30_000 })
        // the news come with the next answer
        yield* Effect.forkChild(o1.complete(asking(5_000)))
        yield* TestClock.adjust("2 minutes")
        yield* Fiber.join(first)
        assert.strictEqual(O1Error.label(yield* Fiber.join(waits)), "O1RateLimitError/request-exceeds-limit")
      }).pipe(Effect.provide(limited(service.transport, { tokensPerMinute: 60_000 })))
    }))

  it.effect("is asked for where nobody knows the limit", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      assert.strictEqual((yield* o1.complete(asking(90_000))).text, "42")
    }).pipe(Effect.provide(script([AzureO1Test.answer("42")], {}))))
})

describe("waiting", () => {
  it.effect("leaves no gap where a caller goes away", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const call = timed(o1.complete(asking(30_000)))
      yield* Effect.forkChild(call)
      yield* Effect.forkChild(call)
      const leaves = yield* Effect.forkChild(call)
      const alsoLeaves = yield* Effect.forkChild(call)
      const stays = yield* Effect.forkChild(call)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* (yield* O1Quota).state).deployments["o1"]!.waiting, { default: 3 })
      yield* Fiber.interrupt(leaves)
      yield* Fiber.interrupt(alsoLeaves)
      assert.deepStrictEqual((yield* (yield* O1Quota).state).deployments["o1"]!.waiting, { default: 1 })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* Fiber.join(stays)).at, 61)
      // and nothing is charged for those that left
      assert.strictEqual((yield* (yield* O1Quota).state).deployments["o1"]!.remaining.tokens, 60_000)
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 60_000 }))))

  it.effect("is fair by weight to those who come late", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const order: Array<string> = []
      const call = (key: string, weight: number) =>
        o1.complete(asking(10_000)).pipe(
          Effect.tap(Effect.sync(() => order.push(key))),
          O1Quota.as(key, { weight }),
          Effect.forkChild
        )
      for (let i = 0; i < 12; i++) yield* call("early", 1)
      yield* TestClock.adjust("1 second")
      for (let i = 0; i < 6; i++) yield* call("late", 2)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(order.length, 18)
      // six are let through at once; of the next six, four are of the one with twice the weight
      assert.deepStrictEqual(order.slice(0, 6), Array.from({ length: 6 }, () => "early"))
      assert.strictEqual(order.slice(6, 12).filter((key) => key === "late").length, 4)
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 60_000 }))))

  it.effect("counts for the whole call, and not for its attempt", () =>
    Effect.gen(function*() {
      const attempts: Array<AttemptObservation> = []
      const observer = (observation: { readonly _tag: string }) => {
        if (observation._tag === "Attempt") attempts.push(observation as AttemptObservation)
      }
      yield* Effect.gen(function*() {
        const o1 = yield* AzureO1
        yield* Effect.forkChild(o1.complete(asking(50_000)))
        // the limit of its attempt is shorter than its wait
        const second = yield* Effect.forkChild(
          o1.complete(asking(50_000), { timeout: "20 seconds", total: "5 minutes" })
        )
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* Fiber.join(second)).text, "42")
        // the monitor must not take the wait for the time that the deployment took
        assert.deepStrictEqual(attempts.map(({ total }) => Math.round(Duration.toSeconds(total))), [1, 1])
      }).pipe(
        Effect.provide(script(always(answer), { tokensPerMinute: 60_000 })),
        Effect.provideService(O1Observer, observer)
      )
    }))

  it.effect("is not begun where it would end after the deadline", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      yield* o1.complete(asking(50_000)).pipe(Effect.forkChild)
      yield* TestClock.adjust("1 second")
      const error = yield* Effect.flip(o1.complete(asking(50_000), { timeout: "10 seconds", total: "20 seconds" }))
      assert.deepInclude(error, { _tag: "O1RejectedError", kind: "limiter" })
      assert.strictEqual(yield* seconds, 1)
      assert(error._tag === "O1RejectedError" && error.retryAfter !== undefined)
      assert.approximately(Duration.toSeconds(error.retryAfter), 59, 1)
      assert.deepStrictEqual((yield* (yield* O1Quota).state).deployments["o1"]!.waiting, {})
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 60_000 }))))

  it.effect("has bounds of its own", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const events: Array<Telemetry.Event> = []
      const call = o1.complete(asking(50_000)).pipe(Telemetry.listen((event) => events.push(event)))
      yield* Effect.forkChild(call)
      const waits = yield* Effect.forkChild(timed(Effect.flip(call)))
      yield* TestClock.adjust("1 second")
      // there is no second place in the queue
      const full = yield* Effect.flip(call)
      assert.strictEqual(O1Error.label(full), "O1RejectedError/limiter")
      yield* TestClock.adjust("2 minutes")
      const { at } = yield* Fiber.join(waits)
      assert.isAtMost(at, 30)
      const told = events.filter(({ _tag }) => _tag === "RejectedByRateLimiter")
      assert.deepStrictEqual(told.map(({ name }) => name), ["o1", "o1"])
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 60_000, maxQueue: 1, maxWait: "30 seconds" }))))

  it.effect("shows in a stream, and in its events", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const events: Array<Telemetry.Event> = []
      yield* Effect.forkChild(o1.complete(asking(50_000)))
      const seen = yield* o1.stream(asking(50_000)).pipe(
        Telemetry.listen((event) => events.push(event)).stream,
        Stream.runCollect,
        Effect.forkChild
      )
      yield* TestClock.adjust("12 seconds")
      yield* TestClock.adjust("2 minutes")
      const phases = (yield* Fiber.join(seen)).flatMap((event: O1Event) =>
        event._tag === "Waiting" ? [event.phase] : []
      )
      assert.strictEqual(phases[0], "quota")
      assert.isAbove(phases.length, 2)
      const waited = events.find(({ _tag }) => _tag === "WaitedForRateLimiter")
      assert(waited?._tag === "WaitedForRateLimiter" && waited.name === "o1")
      assert.approximately(Duration.toSeconds(waited.waited), 60, 1)
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 60_000 }))))

  it.effect("survives a clock that jumps", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const service = (yield* O1Quota).state
      for (let i = 0; i < 10; i++) yield* Effect.forkChild(o1.complete(asking(30_000), { total: "9 hours" }))
      yield* TestClock.adjust("1 second")
      yield* TestClock.setTime(0)
      yield* TestClock.adjust("3 hours")
      assert.deepStrictEqual((yield* service).deployments["o1"]!.waiting, {})
      assert.strictEqual((yield* service).deployments["o1"]!.remaining.tokens, 60_000)
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 60_000 }))))

  it.effect("can be foreseen", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const { wait } = yield* O1Quota
      assert.deepStrictEqual(yield* wait("o1", asking(50_000)), Duration.zero)
      yield* Effect.forkChild(o1.complete(asking(50_000)))
      yield* TestClock.adjust("1 second")
      assert.approximately(Duration.toSeconds(yield* wait("o1", asking(40_000))), 30, 2)
      assert.deepStrictEqual(yield* wait("o1", asking(70_000)), Duration.infinity)
      assert.deepStrictEqual(yield* wait("another", asking(50_000)), Duration.zero)
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 60_000 }))))
})

describe("what a call is charged", () => {
  const remaining = Effect.flatMap(
    O1Quota,
    ({ state }) => Effect.map(state, ({ deployments }) => deployments["o1"]!.remaining)
  )

  it.effect("is nothing where nothing was sent", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      // five of them open the circuit
      yield* Effect.forEach([1, 2, 3, 4, 5], () => Effect.flip(o1.complete(asking(1_000), { retries: 0 })))
      const before = yield* remaining
      const error = yield* Effect.flip(o1.complete(asking(1_000), { retries: 0 }))
      assert.strictEqual(O1Error.label(error), "O1RejectedError/circuit-open")
      assert.deepStrictEqual(yield* remaining, before)
      assert.deepStrictEqual(before, { requests: 55, tokens: 55_000 })
    }).pipe(
      Effect.provide(script(
        always(AzureO1Test.fail(new O1ServerError({ kind: "unavailable", status: 503 }))),
        { requestsPerMinute: 60, tokensPerMinute: 60_000 }
      ))
    ))

  it.effect("is each of its attempts; a refusal costs a request and no tokens", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const call = yield* Effect.forkChild(o1.complete(asking(1_000)))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(call)
      // nothing but the refusal tells that others use the limit as well: it holds at 70 %, and 1 % more
      assert.deepStrictEqual(yield* remaining, { requests: 57, tokens: 42_600 - 2_000 })
    }).pipe(
      Effect.provide(script([
        AzureO1Test.fail(new O1ConnectionError({ kind: "reset" })),
        AzureO1Test.fail(
          new O1RateLimitError({ kind: "tokens", status: 429, retryAfter: Duration.seconds(2) })
        ),
        AzureO1Test.answer("42")
      ], { requestsPerMinute: 60, tokensPerMinute: 60_000 }))
    ))

  it.effect("is more where the client asks for more", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const call = yield* Effect.forkChild(o1.complete(asking(1_000), { moreTokens: 19_900 }))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.await(call)
      assert.deepStrictEqual((yield* remaining).tokens, 60_000 - 1_000 - 20_000)
    }).pipe(
      Effect.provide(script([
        AzureO1Test.fail(new O1OutputLimitError({ kind: "reasoning-exhausted", status: 200 })),
        AzureO1Test.answer("42")
      ], { tokensPerMinute: 60_000 }))
    ))
})

describe("the hour", () => {
  it.effect("has a ceiling of true usage", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const quota = yield* O1Quota
      const call = o1.complete(asking(6_000))
      yield* call
      // 10 in, 20 out, whatever was asked for
      assert.deepInclude(yield* quota.state, { spent: 30, tokensPerHour: 10_000 })
      const under = yield* Effect.forkChild(o1.complete(asking(6_000)).pipe(Effect.delay("1 minute")))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* quota.state).spent, 6_030)
      const error = yield* Effect.flip(call)
      assert.deepInclude(error, { _tag: "O1RejectedError", kind: "ceiling" })
      assert(error._tag === "O1RejectedError" && error.retryAfter !== undefined)
      assert.include(error.message, "The hour has 10,000 tokens")
      yield* Fiber.interrupt(under)
      // an attempt that was interrupted may have been billed
      assert.strictEqual((yield* quota.state).spent, 6_030)
      yield* TestClock.adjust(error.retryAfter)
      const again = yield* Effect.forkChild(call)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(again)).text, "later")
    }).pipe(
      Effect.provide(script([AzureO1Test.answer("42"), AzureO1Test.hang, AzureO1Test.answer("later")], {
        tokensPerHour: 10_000
      }))
    ))

  it.effect("gives back what a call that waited and left had reserved", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const quota = yield* O1Quota
      yield* Effect.forkChild(o1.complete(asking(6_000)))
      const waits = yield* Effect.forkChild(o1.complete(asking(6_000)))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* quota.state).spent, 30 + 6_000)
      yield* Fiber.interrupt(waits)
      assert.strictEqual((yield* quota.state).spent, 30)
    }).pipe(Effect.provide(script(always(answer), { tokensPerMinute: 10_000, tokensPerHour: 100_000 }))))

  it.effect("refuses a call that is larger than it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip((yield* AzureO1).complete(asking(100_001)))
      assert.deepInclude(error, { _tag: "O1RejectedError", kind: "ceiling", retryAfter: undefined })
    }).pipe(Effect.provide(script([], { tokensPerHour: 100_000 }))))
})

describe("what the service tells", () => {
  const told = (requests: RateLimit, tokens: RateLimit) =>
    AzureO1Test.answer("42", {
      completion: { metadata: { ...noMetadata, headers: { ...noMetadata.headers, rateLimits: { requests, tokens } } } }
    })

  it.effect("is taken from the completion of a transport that tells nothing else", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      yield* o1.complete(asking(1_000))
      const { deployments } = yield* (yield* O1Quota).state
      assert.deepStrictEqual(deployments["o1"], {
        limits: { requests: 10, tokens: 60_000 },
        remaining: { requests: 4, tokens: 20_000 },
        waiting: {}
      })
    }).pipe(
      Effect.provide(script([
        told(
          { limit: 10, remaining: 4, reset: Duration.seconds(30) },
          { limit: 60_000, remaining: 20_000, reset: undefined }
        )
      ], {}))
    ))

  it.effect("may be nothing, and then nobody waits", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      yield* o1.complete(asking(1_000))
      const all = yield* Effect.forEach(Array.from({ length: 20 }), () => o1.complete(asking(90_000)), {
        concurrency: "unbounded"
      })
      assert.strictEqual(all.length, 20)
      assert.strictEqual(yield* seconds, 0)
    }).pipe(Effect.provide(script(always(told(untold, untold)), {}))))

  it.effect("is waited for where nothing is known, by all but one, and not for long", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const calls = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(o1.complete(asking(1_000))))
      yield* TestClock.adjust("4 seconds")
      const { deployments } = yield* (yield* O1Quota).state
      assert.deepStrictEqual(deployments["o1"]!.waiting, { default: 2 })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual((yield* (yield* O1Quota).state).deployments["o1"]!.waiting, { default: 1 })
      yield* Effect.forEach(calls, Fiber.interrupt)
    }).pipe(Effect.provide(script(always(AzureO1Test.hang), {}))))
})

describe("several processes", () => {
  it.effect("share a limiter by one option", () =>
    Effect.gen(function*() {
      const made = new Map<string, unknown>()
      const options: QuotaOptions = {
        tokensPerMinute: 60_000,
        tokensPerHour: 1_000_000,
        limiter: <D extends string>(name: string, limits: { readonly [K in D]: RateLimiter.Limit }) =>
          Effect.sync(() => {
            const known = made.get(name) ?? RateLimiter.makeUnsafe({ limits })
            made.set(name, known)
            return known as RateLimiter.RateLimiter<D>
          })
      }
      const process = Effect.gen(function*() {
        const o1 = yield* AzureO1
        return yield* Effect.forEach([1, 2, 3], () => timed(o1.complete(asking(20_000))), { concurrency: "unbounded" })
      }).pipe(Effect.provide(Layer.fresh(script(always(answer), options))))
      const both = yield* Effect.forkChild(Effect.all([process, process], { concurrency: "unbounded" }))
      yield* TestClock.adjust("5 minutes")
      const ends = (yield* Fiber.join(both)).flat().map(({ at }) => at).toSorted((a, b) => a - b)
      assert.deepStrictEqual(ends, [1, 1, 1, 61, 61, 61])
      assert.deepStrictEqual(Array.from(made.keys()).toSorted(), ["o1", "per hour"])
    }))

  it.effect("make one limiter, though all ask for it at once, and the first goes away", () =>
    Effect.gen(function*() {
      let made = 0
      const options: QuotaOptions = {
        tokensPerMinute: 60_000,
        limiter: (_, limits) =>
          Effect.delay(
            Effect.sync(() => {
              made++
              return RateLimiter.makeUnsafe({ limits })
            }),
            "2 seconds"
          )
      }
      yield* Effect.gen(function*() {
        const o1 = yield* AzureO1
        const { state, wait } = yield* O1Quota
        const foreseen = yield* Effect.forkChild(wait("o1", asking(1_000)))
        const calls = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(timed(o1.complete(asking(20_000)))))
        const seen = yield* Effect.forkChild(state)
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(foreseen)
        yield* Fiber.interrupt(calls[0]!)
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual([(yield* Fiber.join(calls[1]!)).at, (yield* Fiber.join(calls[2]!)).at], [3, 3])
        assert.strictEqual((yield* Fiber.join(seen)).spent, 40_000)
      }).pipe(Effect.provide(script(always(answer), options)))
      assert.strictEqual(made, 1)
    }))

  it.effect("and a limiter that dies leaves nobody waiting", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const exit = yield* Effect.exit(o1.complete(asking(1_000)))
      assert.include(String(exit), "no store")
    }).pipe(Effect.provide(script(always(answer), {
      tokensPerMinute: 60_000,
      limiter: (name, limits) =>
        name === O1Quota.hour
          ? Effect.sync(() => RateLimiter.makeUnsafe({ limits }))
          : Effect.die(new Error("no store"))
    }))))
})

describe("O1Quota", () => {
  it.effect("is in the registry of policies", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      yield* o1.complete(asking(10_000))
      const entries = (yield* PolicyRegistry.snapshot).filter(({ kind }) => kind === "quota")
      assert.deepStrictEqual(entries, [{
        kind: "quota",
        name: "per hour",
        state: { spent: 30, tokensPerHour: null }
      }, {
        kind: "quota",
        name: "o1",
        state: {
          limits: { requests: null, tokens: 60_000 },
          remaining: { requests: null, tokens: 50_000 },
          waiting: {}
        }
      }])
    }).pipe(Effect.provide(
      script([AzureO1Test.answer("42")], { tokensPerMinute: 60_000 }).pipe(Layer.provideMerge(PolicyRegistry.layer))
    )))

  it.effect("stands around `forRequest` as well", () =>
    Effect.gen(function*() {
      const policies = yield* O1Policy
      const call = Effect.succeed("42").pipe(policies.forRequest(asking(50_000), { deployment: "o1" }), timed)
      yield* call
      const second = yield* Effect.forkChild(call)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* Fiber.join(second)).at, 60)
    }).pipe(Effect.provide(O1Quota.layer({ tokensPerMinute: 60_000 }))))

  const bad: ReadonlyArray<[QuotaOptions, string]> = [
    [{ requestsPerMinute: 0 }, "O1Quota: requestsPerMinute must be an integer from 1 to 1000000000, got 0"],
    [{ tokensPerMinute: 1.5 }, "O1Quota: tokensPerMinute must be an integer from 1 to 1000000000, got 1.5"],
    [{ tokensPerHour: -1 }, "O1Quota: tokensPerHour must be an integer from 1 to 1000000000, got -1"],
    [{ maxQueue: Number.NaN }, "O1Quota: maxQueue must be an integer from 1 to 1000000000, got NaN"],
    [{ outputTokens: -5 }, "O1Quota: outputTokens must be an integer from 0 to 1000000000, got -5"],
    [{ maxWait: "soon" as never }, "O1Quota: maxWait must be a duration of 0 or more, got soon"],
    [{ estimate: 3 as never }, "O1Quota: estimate must be a function, got 3"],
    [{ limiter: "redis" as never }, "O1Quota: limiter must be a function, got redis"],
    [
      { deployments: { east: { tokensPerMinute: 0 } } },
      "O1Quota: deployments.east.tokensPerMinute must be an integer from 1 to 1000000000, got 0"
    ]
  ]
  for (const [options, message] of bad) {
    it.effect(message, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Layer.build(O1Quota.layer(options)))
        assert.include(String(exit), message)
      }).pipe(Effect.scoped))
  }

  it("takes a weight of more than nothing", () => {
    assert.throws(() => O1Quota.as("a", { weight: 0 }), RangeError, "O1Quota: weight must be a number > 0, got 0")
  })
})
