import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1ServerError } from "../../src/O1Error.ts"
import { O1Monitor } from "../../src/O1Monitor.ts"
import { type O1Observation, O1Observer } from "../../src/O1Observation.ts"
import { AzureO1Test, FakeAzure, type Step } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"

/** What is observed of a call, times in seconds. */
const observe = (steps: ReadonlyArray<Step>, call: (o1: AzureO1["Service"]) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    const seen: Array<O1Observation> = []
    const o1 = yield* AzureO1
    const fiber = yield* Effect.forkChild(
      Effect.exit(call(o1)).pipe(Effect.provideService(O1Observer, (observation) => void seen.push(observation)))
    )
    yield* TestClock.adjust("10 minutes")
    yield* Fiber.join(fiber)
    return seen.map((observation) =>
      Object.fromEntries(
        Object.entries(observation).map(([key, value]) => [
          key,
          Duration.isDuration(value) ? Duration.toSeconds(value) : value
        ])
      )
    )
  }).pipe(Effect.provide(AzureO1Test.layerTransport(steps)))

const down = AzureO1Test.fail(new O1ServerError({ kind: "unavailable" }), { after: "2 seconds" })

describe("observation", () => {
  it.effect("of a call: every attempt, and the call", () =>
    Effect.gen(function*() {
      const seen = yield* observe(
        [AzureO1Test.hang, AzureO1Test.answer("42", { after: "30 seconds" })],
        (o1) => o1.complete({ ...request, reasoningEffort: "low" })
      )
      assert.strictEqual(seen.length, 3)
      const [first, second, call] = seen
      assert.deepInclude(first, { _tag: "Attempt", attempt: 1, outcome: "O1TimeoutError/attempt", total: 60 })
      assert.deepInclude(second, {
        attempt: 2,
        outcome: "success",
        total: 30,
        effort: "low",
        model: "o1-2024-12-17",
        firstOutput: undefined
      })
      assert.deepInclude(call, { _tag: "Call", attempts: 2, outcome: "success", effort: "low", deployment: "o1" })
      assert.deepInclude(call!["usage"], { reasoning: 15 })
      assert.isAtLeast(call!["total"] as number, 90)
    }))

  it.effect("of a stream: the time to the first content, and to the end", () =>
    Effect.gen(function*() {
      const seen = yield* observe(
        [down, AzureO1Test.tokens(["a", "b", "c"], { first: "20 seconds", every: "5 seconds" })],
        (o1) => Stream.runDrain(o1.stream(request))
      )
      assert.deepStrictEqual(seen.map(({ _tag, outcome }) => [_tag, outcome]), [
        ["Attempt", "O1ServerError/unavailable"],
        ["Attempt", "success"],
        ["Call", "success"]
      ])
      assert.deepInclude(seen[1], { firstOutput: 20, total: 30, model: "o1-2024-12-17" })
    }))

  it.effect("of a stream that breaks, or is left", () =>
    Effect.gen(function*() {
      const reset = new O1ServerError({ kind: "internal" })
      const broken = yield* observe([AzureO1Test.tokens(["a"], { fail: reset })], (o1) =>
        Stream.runDrain(o1.tokens(request)))
      assert.deepStrictEqual(broken.map(({ _tag, outcome }) => [_tag, outcome]), [
        ["Attempt", "O1ServerError/internal"],
        ["Call", "O1ServerError/internal"]
      ])
      const left = yield* observe(
        [AzureO1Test.hang],
        (o1) =>
          Effect.timeout(o1.complete(request), "5 seconds")
      )
      assert.deepStrictEqual(left.map(({ _tag, outcome, total }) => [_tag, outcome, total]), [
        ["Attempt", "interrupted", 5],
        ["Call", "interrupted", 5]
      ])
    }))

  it.effect("an observer that throws does no harm", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const answer = yield* o1.complete(request).pipe(Effect.provideService(O1Observer, () => {
        throw new Error("oops")
      }))
      assert.strictEqual(answer.text, "42")
    }).pipe(Effect.provide(AzureO1Test.layerTransport([AzureO1Test.answer("42")]))))

  it.live("over sockets: connections, headers and transports as well", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const o1 = yield* AzureO1.make({ ...azure.config, pollInterval: "5 millis" })
      const monitor = yield* O1Monitor
      yield* o1.complete(request)
      yield* Stream.runDrain(o1.stream(request))
      const { origins, series: [series] } = yield* monitor.snapshot
      assert.strictEqual(origins.length, 1)
      assert.strictEqual(origins[0]!.origin, azure.url)
      assert.isAtLeast(O1Monitor.count(origins[0]!.connect).seen, 1)
      assert.strictEqual(series!.deployment, "o1")
      assert.strictEqual(O1Monitor.count(series!.attempts.total).seen, 2)
      assert.strictEqual(O1Monitor.count(series!.attempts.headers).seen, 2)
    }).pipe(
      Effect.provide(AzureO1Node.layerHttpClient.pipe(
        Layer.provideMerge(Layer.mergeAll(FakeAzure.layer(), O1Monitor.layer()))
      ))
    ))

  it.live("a connection that takes too long is a timeout of its own", () =>
    Effect.gen(function*() {
      // an address that does not answer: TEST-NET-1 of RFC 5737
      const o1 = yield* AzureO1.make({
        ...(yield* FakeAzure).config,
        endpoint: "https://192.0.2.1"
      })
      const error = yield* Effect.flip(o1.complete(request, { retries: 0 }))
      assert.include(["O1TimeoutError", "O1ConnectionError"], error._tag)
    }).pipe(
      Effect.provide([AzureO1Node.layerHttpClientWith({ connectTimeout: "200 millis" }), FakeAzure.layer()])
    ))
})
