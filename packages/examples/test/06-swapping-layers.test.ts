/** What a user's own tests look like: no server, no waiting. */
import { O1ContentFilterError, O1RateLimitError } from "@effect-resilience/azure-o1"
import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { summarize } from "../src/06-swapping-layers.ts"

describe("summarize, with the client mocked", () => {
  it.effect("asks for a summary of the text", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* summarize("long text"), "short text")
      const [call] = yield* (yield* AzureO1Test).calls
      assert.include(call!.request.messages[0]!.content, "long text")
    }).pipe(Effect.provide(AzureO1Test.layer([AzureO1Test.answer("short text")]))))

  it.effect("marks a summary that is cut off", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* summarize("text"), "shor [cut off]")
    }).pipe(Effect.provide(AzureO1Test.layer([
      AzureO1Test.answer("shor", { completion: { finishReason: "length" } })
    ]))))

  it.effect("does not fail where the content filter does", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* summarize("text"), "[not summarized]")
    }).pipe(Effect.provide(AzureO1Test.layer([
      AzureO1Test.fail(new O1ContentFilterError({ kind: "prompt", categories: ["violence"] }))
    ]))))
})

describe("summarize, with the wire mocked under the real policy", () => {
  it.effect("survives a rate limit and a hard prompt, in no time", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(summarize("text"), { startImmediately: true })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* Fiber.join(fiber), "at last")
      assert.strictEqual((yield* (yield* AzureO1Test).calls).length, 3, "three attempts")
    }).pipe(Effect.provide(AzureO1Test.layerTransport([
      AzureO1Test.fail(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(20) })),
      AzureO1Test.answer("too slow for the first limit", { after: "90 seconds" }),
      AzureO1Test.answer("at last", { after: "90 seconds" })
    ]))))
})
