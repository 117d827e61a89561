import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../src/AzureO1.ts"
import type { O1Client } from "../src/O1Client.ts"
import { O1ContentFilterError, O1RateLimitError, O1ServerError } from "../src/O1Error.ts"
import { O1Policy } from "../src/O1Policy.ts"
import { type O1Request, user } from "../src/O1Request.ts"
import { O1Transport } from "../src/O1Transport.ts"
import { AzureO1Pool } from "../src/pool/index.ts"
import { AzureO1Test, type Step } from "../src/testing/index.ts"
import { clientAt } from "./support/conversations.ts"
import { answer } from "./support/raw-actions.ts"
import { rawServer } from "./support/raw-server.ts"
import { recorder, type Told, told, written } from "./support/spans.ts"
import { responses } from "./support/wire-says.ts"

const request: O1Request = {
  messages: [user("the secret prompt")],
  reasoningEffort: "low",
  maxCompletionTokens: 25_000
}

const run = <A, E, R>(
  layer: Layer.Layer<AzureO1, never, R>,
  call: (o1: O1Client) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const { spans, traced } = recorder()
    const o1 = yield* AzureO1
    const fiber = yield* Effect.forkChild(traced(Effect.exit(call(o1))), { startImmediately: true })
    yield* TestClock.adjust("30 minutes")
    const exit = yield* Fiber.join(fiber)
    const [first, ...others] = spans.map(told)
    return { exit, call: first!, attempts: others, spans }
  }).pipe(Effect.provide(layer))

const against = <A, E>(steps: ReadonlyArray<Step>, call: (o1: O1Client) => Effect.Effect<A, E>) =>
  run(AzureO1Test.layerTransport(steps), call)

const number = (attempt: Told) => attempt.attributes["azure_o1.attempt.number"]
const outcome = (span: Told) => span.attributes["azure_o1.outcome"]
const down = AzureO1Test.fail(new O1ServerError({ kind: "unavailable", status: 503, requestId: "req-503" }), {
  after: "2 seconds"
})
const drain = (o1: O1Client) => Stream.runDrain(o1.stream(request))

describe("the spans of a call", () => {
  it.effect("one of the call, with what it has cost, and one of each attempt, with the wait before it", () =>
    Effect.gen(function*() {
      const busy = AzureO1Test.fail(new O1RateLimitError({ kind: "tokens", status: 429, requestId: "req-429" }), {
        after: "1 second"
      })
      const { attempts, call } = yield* against(
        [busy, AzureO1Test.answer("42", { after: "30 seconds", completion: { id: "resp_1" } })],
        (o1) => o1.complete(request)
      )
      assert.deepInclude(call, { name: "chat o1", parent: undefined, from: 0, failed: false })
      assert.deepStrictEqual(call.attributes, {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.system": "azure.ai.openai",
        "gen_ai.request.model": "o1",
        "gen_ai.request.max_tokens": 25_000,
        "gen_ai.output.type": "text",
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "o1-2024-12-17",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 15,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "azure_o1.operation": "complete",
        "azure_o1.reasoning_effort": "low",
        "azure_o1.outcome": "success",
        "azure_o1.attempts": 2
      })
      const [first, second] = attempts
      assert.strictEqual(attempts.length, 2)
      for (const attempt of attempts) {
        assert.deepInclude(attempt, { name: "AzureO1.attempt", parent: "chat o1" })
        assert.isTrue(Object.keys(attempt.attributes).every((key) => !key.startsWith("gen_ai.")))
      }
      assert.deepInclude(first, { from: 0, to: 1, failed: true })
      assert.deepStrictEqual(first!.attributes, {
        "azure_o1.deployment": "o1",
        "azure_o1.attempt.number": 1,
        "azure_o1.attempt.wait_ms": 0,
        "azure_o1.outcome": "O1RateLimitError/tokens",
        "error.type": "O1RateLimitError/tokens",
        "azure.service.request.id": "req-429",
        "http.response.status_code": 429
      })
      const wait = second!.attributes["azure_o1.attempt.wait_ms"] as number
      assert.isAbove(wait, 0)
      assert.strictEqual(number(second!), 2)
      assert.closeTo(second!.from, 1 + wait / 1000, 0.01)
      // nothing of the wait is in the time of an attempt
      assert.closeTo(second!.to! - second!.from, 30, 0.01)
      assert.strictEqual(call.to, second!.to)
    }))

  it.effect("the attempt of a stream goes to the end of the stream", () =>
    Effect.gen(function*() {
      const { attempts, call } = yield* against(
        [down, AzureO1Test.tokens(["a", "b", "c"], { first: "20 seconds", every: "5 seconds" })],
        drain
      )
      assert.deepStrictEqual(attempts.map(outcome), ["O1ServerError/unavailable", "success"])
      assert.closeTo(attempts[1]!.to! - attempts[1]!.from, 30, 0.01)
      assert.deepInclude(call.attributes, { "gen_ai.usage.output_tokens": 20, "azure_o1.operation": "stream" })
    }))

  const ends: ReadonlyArray<
    readonly [
      name: string,
      steps: ReadonlyArray<Step>,
      call: (o1: O1Client) => Effect.Effect<unknown, unknown>,
      outcome: string,
      attempts: ReadonlyArray<string>
    ]
  > = [
    ["an answer", [AzureO1Test.answer("a")], (o1) => o1.complete(request), "success", ["success"]],
    ["tokens", [AzureO1Test.tokens(["a"])], (o1) => Stream.runDrain(o1.tokens(request)), "success", ["success"]],
    [
      "an attempt that times out",
      [AzureO1Test.hang, AzureO1Test.answer("a")],
      (o1) => o1.complete(request),
      "success",
      ["O1TimeoutError/attempt", "success"]
    ],
    [
      "a stream that breaks",
      [AzureO1Test.tokens(["a"], { fail: new O1ServerError({ kind: "internal" }) })],
      drain,
      "O1ServerError/internal",
      ["O1ServerError/internal"]
    ],
    [
      "a stream that breaks and begins anew",
      [AzureO1Test.tokens(["a"], { fail: new O1ServerError({ kind: "internal" }) }), AzureO1Test.tokens(["b"])],
      (o1) => Stream.runDrain(o1.stream(request, { onBreak: "restart" })),
      "success",
      ["O1ServerError/internal", "success"]
    ],
    [
      "a stream that is left",
      [AzureO1Test.tokens(["a", "b"], { every: "1 second" })],
      (o1) => Stream.runDrain(Stream.take(o1.tokens(request), 1)),
      "success",
      ["success"]
    ],
    [
      "a call that is interrupted",
      [AzureO1Test.hang],
      (o1) => Effect.timeout(o1.complete(request), "5 seconds"),
      "interrupted",
      ["interrupted"]
    ],
    [
      "a stream that is interrupted before its first content",
      [AzureO1Test.hang],
      (o1) => Effect.timeout(drain(o1), "5 seconds"),
      "interrupted",
      ["interrupted"]
    ],
    [
      "a stream that is interrupted in the middle",
      [AzureO1Test.tokens(["a", "b"], { every: "1 minute" })],
      (o1) => Effect.timeout(drain(o1), "5 seconds"),
      "interrupted",
      ["interrupted"]
    ],
    [
      "a request that is none",
      [],
      (o1) => o1.complete({ messages: [] }),
      "O1RequestError/invalid",
      []
    ],
    [
      "options that are none",
      [],
      (o1) => Stream.runDrain(o1.tokens(request, { retries: -1 })),
      "O1RequestError/invalid",
      []
    ]
  ]
  for (const [name, steps, make, callOutcome, attemptOutcomes] of ends) {
    it.effect(`${name}: all end, with how it ended`, () =>
      Effect.gen(function*() {
        const { attempts, call } = yield* against(steps, make)
        assert.strictEqual(outcome(call), callOutcome)
        assert.deepStrictEqual(attempts.map(outcome), [...attemptOutcomes])
        assert.strictEqual(call.attributes["azure_o1.attempts"], attemptOutcomes.length)
        for (const span of [call, ...attempts]) {
          assert.isNumber(span.to)
          assert.strictEqual(span.failed, outcome(span) !== "success")
          assert.strictEqual(span.attributes["error.type"], outcome(span) === "success" ? undefined : outcome(span))
        }
      }))
  }

  it.effect("an attempt that the circuit breaker refuses is none", () =>
    Effect.gen(function*() {
      const layer = AzureO1Test.layerTransport([down, AzureO1Test.answer("a")], {
        policy: O1Policy.layerWith({ breaker: { failures: 1, open: "1 hour" } })
      })
      const { attempts, call } = yield* run(layer, (o1) => o1.complete(request))
      assert.strictEqual(outcome(call), "O1RejectedError/circuit-open")
      assert.deepStrictEqual(attempts.map(outcome), ["O1ServerError/unavailable"])
    }))

  it.effect("with failover each deployment that is asked has one", () =>
    Effect.gen(function*() {
      const layer = AzureO1Pool.layer(AzureO1Pool.inOrder([
        { ...AzureO1Test.transport([down], { deployment: "a" }), server: { address: "a.test", port: 443 } },
        AzureO1Test.transport([AzureO1Test.answer("42")], { deployment: "b" })
      ]))
      const { attempts, call } = yield* run(layer, (o1) => o1.complete(request))
      assert.strictEqual(call.name, "chat a, b")
      assert.deepStrictEqual(
        attempts.map((attempt) => [attempt.attributes["azure_o1.deployment"], number(attempt), outcome(attempt)]),
        [["a", 1, "O1ServerError/unavailable"], ["b", 1, "success"]]
      )
      assert.deepInclude(attempts[0]!.attributes, { "server.address": "a.test", "server.port": 443 })
    }))

  for (const [face, ask] of [["complete", (o1: O1Client) => o1.complete(request)], ["stream", drain]] as const) {
    it.effect(`with a hedge each deployment that is asked has one, whoever wins: ${face}`, () =>
      Effect.gen(function*() {
        const slow = AzureO1Test.answer("slow", { after: "15 seconds" })
        const raced = (first: Step, second: Step) =>
          Effect.gen(function*() {
            const layer = AzureO1Pool.layer(
              AzureO1Pool.inOrder([
                AzureO1Test.transport([first], { deployment: "a" }),
                AzureO1Test.transport([second], { deployment: "b" })
              ]),
              { hedge: { delay: "10 seconds" } }
            )
            const { attempts, call } = yield* run<unknown, unknown, never>(layer, ask)
            assert.strictEqual(outcome(call), "success")
            assert.strictEqual(call.attributes["azure_o1.attempts"], 2)
            const rows = attempts.map((attempt) =>
              [
                attempt.attributes["azure_o1.deployment"],
                number(attempt),
                outcome(attempt),
                attempt.from - call.from,
                attempt.to! - call.from
              ] as const
            )
            return rows.toSorted(([a], [b]) => String(a).localeCompare(String(b)))
          })
        assert.deepStrictEqual(yield* raced(slow, AzureO1Test.hang), [
          ["a", 1, "success", 0, 15],
          ["b", 1, "interrupted", 10, 15]
        ])
        assert.deepStrictEqual(yield* raced(AzureO1Test.hang, AzureO1Test.answer("b", { after: "2 seconds" })), [
          ["a", 1, "interrupted", 0, 12],
          ["b", 1, "success", 10, 12]
        ])
      }))
  }

  it.effect("what was billed is told of a failure, too", () =>
    Effect.gen(function*() {
      const usage = { input: 1, cachedInput: 0, output: 2, reasoning: 2 }
      const { call } = yield* against(
        [AzureO1Test.fail(new O1ContentFilterError({ kind: "completion", categories: [], usage }))],
        (o1) => o1.complete(request)
      )
      assert.deepInclude(call.attributes, { "gen_ai.usage.output_tokens": 2 })
    }))

  it.effect("nothing of the prompt, of the answer, and of what the service says of them", () =>
    Effect.gen(function*() {
      const error = new O1ServerError({
        kind: "internal",
        said: "the secret words",
        detail: "the secret detail",
        partialText: "the secret text"
      })
      for (const step of [AzureO1Test.fail(error), AzureO1Test.tokens(["the secret answer"], { fail: error })]) {
        const { exit, spans } = yield* against([step], (o1) => Stream.runDrain(o1.stream(request, { retries: 0 })))
        assert.isTrue(Exit.isFailure(exit))
        for (const span of spans) assert.notInclude(written(span), "secret")
      }
    }))

  it.effect("where nobody looks there are none", () =>
    Effect.gen(function*() {
      const seen: Array<boolean> = []
      const transport = AzureO1Test.transport([AzureO1Test.answer("a")])
      const layer = Layer.provide(
        AzureO1.layerServices,
        Layer.merge(
          O1Policy.layer,
          Layer.succeed(O1Transport, {
            ...transport,
            complete: (request) =>
              Effect.flatMap(Effect.option(Effect.currentSpan), (span) => {
                seen.push(span._tag === "Some")
                return transport.complete(request)
              })
          })
        )
      )
      yield* Effect.provide(Effect.flatMap(AzureO1, (o1) => o1.complete(request)), layer)
      assert.deepStrictEqual(seen, [false])
    }))

  it.live("over sockets: one of the attempt, however often it asks, with where it asked", () =>
    Effect.gen(function*() {
      const server = yield* rawServer(
        {
          on: "POST stream",
          does: [answer(400, { error: { code: "unsupported_value", param: "stream", message: "no" } })]
        },
        { on: "POST background", does: [answer(200, responses.body("queued"))] },
        { on: "GET", does: [answer(200, responses.body("in_progress"))], times: 5 },
        { on: "GET", does: [answer(200, responses.body("completed", "Hello"))] }
      )
      const { spans, traced } = recorder()
      yield* Effect.provide(
        traced(Effect.flatMap(AzureO1, (o1) => o1.complete(request))),
        clientAt(server.url, { api: "responses" })
      )
      assert.isAbove(server.requests.length, 6)
      const [call, attempt] = spans.map(told)
      assert.lengthOf(spans, 2)
      const where = { "server.address": "127.0.0.1", "server.port": Number(new URL(server.url).port) }
      assert.deepInclude(call!.attributes, { ...where, "gen_ai.usage.output_tokens": 7 })
      assert.deepInclude(attempt!.attributes, { ...where, "azure_o1.transport": "background" })
    }))
})
