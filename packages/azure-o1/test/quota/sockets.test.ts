/**
 * The same as in virtual time, over sockets. The minute of `FakeAzure` and of the client lasts six seconds, so that each delay of a busy
 * machine counts ten times: the bounds are wider for that.
 */
import { AzureO1, O1Error, O1Transport, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { O1Quota, type QuotaOptions } from "@effect-resilience/azure-o1/quota"
import { FakeAzure, type FakeAzureOptions, type FakeRequest } from "@effect-resilience/azure-o1/testing"
import * as Telemetry from "@effect-resilience/core/Telemetry"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

const speed = 10

/** The live clock, faster. */
const fast = Effect.map(Clock.Clock, (live): Clock.Clock => {
  const began = { wall: live.currentTimeNanosUnsafe(), monotonic: live.monotonicTimeNanosUnsafe() }
  const currentTimeNanosUnsafe = () => began.wall + (live.currentTimeNanosUnsafe() - began.wall) * BigInt(speed)
  const currentTimeMillisUnsafe = () => Number(currentTimeNanosUnsafe() / 1_000_000n)
  const monotonicTimeNanosUnsafe = () =>
    began.monotonic + (live.monotonicTimeNanosUnsafe() - began.monotonic) * BigInt(speed)
  return {
    currentTimeNanosUnsafe,
    currentTimeMillisUnsafe,
    monotonicTimeNanosUnsafe,
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe),
    sleep: (duration) => live.sleep(Duration.divideUnsafe(duration, speed))
  }
})

/** A request for an answer. */
const isQuestion = ({ operation }: FakeRequest): boolean => operation === "responses" || operation === "chat"

const limits = { requestsPerMinute: 60, tokensPerMinute: 60_000 }

const load = (options: QuotaOptions, { perMinute, tokens }: {
  readonly perMinute: number
  readonly tokens: number
}) =>
  Effect.gen(function*() {
    const fake = yield* FakeAzure
    const layer = AzureO1.layerServices.pipe(
      Layer.provideMerge(O1Quota.layer(options)),
      Layer.provide(O1Transport.layer(fake.config)),
      Layer.provide(AzureO1Node.layerHttpClient)
    )
    return yield* Effect.gen(function*() {
      const o1 = yield* AzureO1
      const began = yield* Clock.currentTimeMillis
      const failures: Array<string> = []
      let refused = 0
      const heard: Telemetry.Listener = (event) => {
        if (event._tag === "AttemptEnded" && event.fault?._tag === "Throttled") refused++
      }
      for (let i = 0; i < 2 * perMinute; i++) {
        yield* o1.complete(
          { messages: [user("x".repeat(400))], maxCompletionTokens: tokens - 100 },
          { total: "1 hour" }
        ).pipe(
          Telemetry.listen(heard),
          Effect.catch((error) => Effect.sync(() => failures.push(O1Error.label(error)))),
          Effect.forkChild
        )
        yield* Effect.sleep(60_000 / perMinute)
      }
      assert.deepStrictEqual(failures, [])
      const requests = (yield* fake.requests).filter(isQuestion).length
      // a busy machine takes longer for the load
      const minutes = Math.floor(((yield* Clock.currentTimeMillis) - began) / 60_000)
      return { admitted: requests - refused, minutes, refused, requests }
    }).pipe(Effect.provide(layer))
  }).pipe(Effect.provide(FakeAzure.layer({ limits: { ...limits, speed } })), (self) =>
    Effect.flatMap(fast, (clock) => Effect.provideService(self, Clock.Clock, clock)))

describe("over sockets, at 1.5 times the quota", () => {
  it.live("requests", () =>
    Effect.gen(function*() {
      const seen = yield* load(limits, { perMinute: 90, tokens: 600 })
      assert.isAtMost(seen.refused / seen.requests, 0.05)
      assert.isAtLeast(seen.admitted / (60 * seen.minutes), 0.95)
    }), 60_000)

  it.live("tokens, where the limits are learnt", () =>
    Effect.gen(function*() {
      const seen = yield* load({}, { perMinute: 75, tokens: 1_200 })
      assert.isAtMost(seen.refused / seen.requests, 0.05)
      assert.isAtLeast(seen.admitted * 1_200 / (60_000 * seen.minutes), 0.95)
    }), 60_000)
})

describe("over sockets", () => {
  const quota = { requestsPerMinute: 60, tokensPerMinute: 60_000, tokensPerHour: 1_000_000 }
  const request = { messages: [user("x".repeat(400))], maxCompletionTokens: 900 }

  const run = (
    options: FakeAzureOptions,
    face: (o1: AzureO1["Service"]) => Effect.Effect<unknown, O1Error>,
    limited: QuotaOptions = quota
  ) =>
    Effect.gen(function*() {
      const fake = yield* FakeAzure
      return yield* Effect.gen(function*() {
        const exit = yield* Effect.exit(face(yield* AzureO1))
        const { deployments, spent } = yield* (yield* O1Quota).state
        const asked = (yield* fake.requests).filter(isQuestion)
        return { exit, spent, asked: asked.length, remaining: deployments["o1"]!.remaining }
      }).pipe(
        Effect.provide(AzureO1.layerServices.pipe(
          Layer.provideMerge(O1Quota.layer({ ...limited, policy: { retries: 0 } })),
          Layer.provide(O1Transport.layer(fake.config)),
          Layer.provide(AzureO1Node.layerHttpClient)
        ))
      )
    }).pipe(Effect.provide(FakeAzure.layer({ limits: limits, ...options })))

  for (
    const [what, options] of [
      ["configured", { requestsPerMinute: 120 }],
      ["learnt", {}],
      ["lower than configured", { requestsPerMinute: 600 }]
    ] as const
  ) {
    it.live(
      `forty calls at once, of which the service admits twenty, with a limit that is ${what}`,
      () =>
        Effect.gen(function*() {
          const { asked } = yield* run({ limits: { requestsPerMinute: 120 } }, (o1) =>
            Effect.all(
              Array.from({ length: 40 }, () => o1.complete({ messages: [user("hello")], maxCompletionTokens: 100 })),
              { concurrency: "unbounded" }
            ), options)
          assert.strictEqual(asked, 40)
        }),
      60_000
    )
  }

  it.live("every request of an attempt is counted, as the service counts it", () =>
    Effect.gen(function*() {
      // refused as a stream and in the background, and then made plain
      const { asked, remaining, spent } = yield* run(
        { streams: false, background: false },
        (o1) => Stream.runDrain(o1.stream(request))
      )
      assert.isAtLeast(asked, 2)
      assert.strictEqual(remaining.requests, 60 - asked)
      assert.approximately(remaining.tokens!, 60_000 - asked * 1_000, 20 * asked)
      // and one answer was billed
      assert.isBelow(spent, 900)
    }))

  it.live("a stream that breaks may have been billed as a whole", () =>
    Effect.gen(function*() {
      const { exit, remaining, spent } = yield* run(
        { responses: false, script: [FakeAzure.broken("reset", 3)] },
        (o1) => Stream.runDrain(o1.stream(request))
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.approximately(spent, 1_000, 10)
      assert.approximately(remaining.tokens!, 59_000, 40)
    }))

  it.live("a refusal tells what others have used", () =>
    Effect.gen(function*() {
      const { exit, remaining, spent } = yield* run(
        { limits: { requestsPerMinute: 60, tokensPerMinute: 900 } },
        (o1) => o1.complete(request)
      )
      assert.include(String(exit), "O1RateLimitError")
      assert.strictEqual(spent, 0)
      assert.isAtMost(remaining.tokens!, 900)
      assert.strictEqual(remaining.requests, 59)
    }))
})
