// Members of a failover that do not work, or are too slow: who is asked, by whom, and when again.
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { AzureO1 } from "../../src/AzureO1.ts"
import type * as Credential from "../../src/Credential.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import {
  O1AuthError,
  O1ConnectionError,
  O1DeploymentError,
  O1Error,
  O1ProtocolError,
  O1RateLimitError,
  O1ServerError
} from "../../src/O1Error.ts"
import { AzureO1Pool } from "../../src/pool/index.ts"
import { AzureO1Test, type Step } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"
import { answer as answered, configOf, json, service } from "../support/service.ts"

const { answer, fail, hang, transport } = AzureO1Test
const many = (step: Step): ReadonlyArray<Step> => Array.from({ length: 200 }, () => step)

const unauthorized = new O1AuthError({ kind: "unauthorized" })

/** A client of "a" and "b", and how often each was asked since that was asked last. */
const pool = (first: ReadonlyArray<Step>, second: ReadonlyArray<Step> = many(answer("b"))) => {
  const members = [transport(first, { deployment: "a" }), transport(second, { deployment: "b" })] as const
  let seen = [0, 0]
  const news = Effect.map(Effect.forEach(members, ({ calls }) => calls), (calls) => {
    const counts = calls.map(({ length }) => length)
    const added = counts.map((count, i) => count - seen[i]!)
    seen = counts
    return added
  })
  return Effect.map(AzureO1Pool.make(AzureO1Pool.inOrder(members)), (o1) => ({ o1, news }))
}

const ask = (o1: AzureO1["Service"]) =>
  Effect.match(o1.complete(request, { retries: 0 }), { onFailure: O1Error.label, onSuccess: ({ text }) => text })

const stream = (o1: AzureO1["Service"]) =>
  Effect.match(Stream.runCollect(o1.tokens(request, { retries: 0 })), {
    onFailure: O1Error.label,
    onSuccess: (texts) => texts.join("")
  })

describe("members that do not work", () => {
  const unfit: ReadonlyArray<O1Error> = [
    unauthorized,
    new O1AuthError({ kind: "forbidden" }),
    new O1DeploymentError({ kind: "deployment-not-found" }),
    new O1DeploymentError({ kind: "endpoint-not-found" }),
    new O1DeploymentError({ kind: "model-retired" }),
    new O1ConnectionError({ kind: "tls" }),
    new O1ConnectionError({ kind: "unusable" }),
    new O1ProtocolError({ kind: "unexpected-content-type" })
  ]
  for (const error of unfit) {
    for (const [face, one] of [["complete", ask], ["tokens", stream]] as const) {
      it.effect(`${O1Error.label(error)}: 20 calls ask it once, and once a minute later, ${face}`, () =>
        Effect.gen(function*() {
          const { news, o1 } = yield* pool(many(fail(error)))
          for (let i = 0; i < 20; i++) assert.strictEqual(yield* one(o1), "b")
          assert.deepStrictEqual(yield* news, [1, 20])
          yield* TestClock.adjust("59 seconds")
          yield* one(o1)
          assert.deepStrictEqual(yield* news, [0, 1])
          yield* TestClock.adjust("1 second")
          for (let i = 0; i < 5; i++) yield* one(o1)
          assert.deepStrictEqual(yield* news, [1, 5])
        }))
    }
  }

  it.effect("one that works again is the first again", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* pool([fail(unauthorized), ...many(answer("a"))])
      yield* ask(o1)
      yield* news
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* ask(o1), "a")
      assert.strictEqual(yield* ask(o1), "a")
      assert.deepStrictEqual(yield* o1.learned, [])
    }))

  it.effect("after the minute one call asks, and the others do not wait for it", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* pool([fail(unauthorized), hang, ...many(answer("a"))])
      yield* ask(o1)
      yield* news
      yield* TestClock.adjust("1 minute")
      const first = yield* Effect.forkChild(ask(o1), { startImmediately: true })
      for (let i = 0; i < 5; i++) assert.strictEqual(yield* ask(o1), "b")
      assert.deepStrictEqual(yield* news, [1, 5])
      // it goes away without an answer, so that another one may ask
      yield* Fiber.interrupt(first)
      assert.strictEqual(yield* ask(o1), "a")
    }))

  it.effect("wherever the call that asks again is interrupted, the next one asks", () =>
    Effect.gen(function*() {
      for (let steps = 0; steps < 2000; steps += 5) {
        const { o1 } = yield* pool([fail(unauthorized), ...many(answer("a"))])
        yield* ask(o1)
        yield* TestClock.adjust("1 minute")
        const first = yield* Effect.forkChild(Effect.provideService(ask(o1), Scheduler.MaxOpsBeforeYield, 3))
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        const ended = first.pollUnsafe() !== undefined
        yield* Fiber.interrupt(first)
        assert.strictEqual(yield* ask(o1), "a", `after ${steps} steps`)
        if (ended) return assert.isAbove(steps, 10)
      }
      return assert.fail("it was never allowed to end")
    }))

  it.effect("all of them: a call still asks every one of them, and fails as the service says", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* pool(many(fail(unauthorized)), many(fail(new O1AuthError({ kind: "forbidden" }))))
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(yield* ask(o1), "O1AuthError/forbidden")
        assert.deepStrictEqual(yield* news, [1, 1])
      }
    }))

  it.effect("the others are waited for, where they ask for a pause", () =>
    Effect.gen(function*() {
      const busy = fail(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(5) }))
      const { news, o1 } = yield* pool(many(fail(unauthorized)), [answer("b"), busy, answer("b")])
      yield* ask(o1)
      yield* news
      const fiber = yield* Effect.forkChild(Effect.map(o1.complete(request), ({ text }) => text))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "b")
      assert.deepStrictEqual(yield* news, [0, 2])
    }))

  it.effect("and asked last, where the others fail", () =>
    Effect.gen(function*() {
      const down = fail(new O1ServerError({ kind: "unavailable" }))
      const { news, o1 } = yield* pool([fail(unauthorized), ...many(answer("a"))], [answer("b"), down])
      yield* ask(o1)
      yield* news
      assert.strictEqual(yield* ask(o1), "a")
      assert.deepStrictEqual(yield* news, [1, 1])
    }))

  it.effect("it is told", () =>
    Effect.gen(function*() {
      const { o1 } = yield* pool(many(fail(unauthorized)))
      const told = Effect.map(Stream.runCollect(o1.stream(request)), (events) =>
        events.flatMap((event) => event._tag === "Learned" ? [event.text] : []))
      const text = "\"a\" failed with O1AuthError/unauthorized, so that the others are asked first."
      assert.deepStrictEqual([yield* told, yield* told], [[text], []])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* o1.learned, [{
        deployment: "a",
        about: "member",
        parameter: undefined,
        value: undefined,
        text,
        expiresIn: Duration.seconds(40)
      }])
    }))
})

describe("a startup on members that nobody knows", () => {
  it.effect("callers that wait for an answer go on to the next member when the first asks for a pause", () =>
    Effect.gen(function*() {
      const busy = json(429, { error: { code: "429", message: "Slow down" } }, { "retry-after": "30" })
      const server = service((asked) =>
        asked.host.startsWith("a") ? Effect.delay(busy, "100 millis") : answered(asked, asked.host)
      )
      const member = (name: string) =>
        configOf({ endpoint: `https://${name}.openai.azure.com`, deployment: name, profile: ModelProfile.o3 })
      const o1 = yield* Effect.provide(AzureO1Pool.make(AzureO1Pool.inOrder([member("a"), member("b")])), server.http)
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 20 }, () => ask(o1)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(new Set(yield* Fiber.join(fiber)), new Set(["b.openai.azure.com"]))
      assert.strictEqual(server.asked.filter(({ host }) => host.startsWith("a")).length, 1)
    }))

  it.effect("what passes a member over is told with the attempt", () =>
    Effect.gen(function*() {
      const server = service((asked) => asked.host.startsWith("a") ? json(401, {}) : answered(asked))
      const member = (name: string) => configOf({ endpoint: `https://${name}.openai.azure.com`, deployment: name })
      const o1 = yield* Effect.provide(AzureO1Pool.make(AzureO1Pool.inOrder([member("a"), member("b")])), server.http)
      yield* ask(o1)
      const events = yield* Stream.runCollect(o1.stream(request))
      assert.deepStrictEqual(events.flatMap((event) => event._tag === "Started" ? [event.learned] : []), [
        ["\"a\" failed with O1AuthError/unauthorized, so that the others are asked first."]
      ])
    }))
})

describe("members that are too slow", () => {
  /** One call after another, each with as much time as it takes. */
  const after = (o1: AzureO1["Service"], one = ask) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(one(o1), { startImmediately: true })
      if (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("61 seconds")
      return yield* Fiber.join(fiber)
    })

  for (const [face, one] of [["complete", ask], ["tokens", stream]] as const) {
    it.effect(`three timeouts in a row while another one answers: then it is asked last, ${face}`, () =>
      Effect.gen(function*() {
        const { news, o1 } = yield* pool(many(hang))
        for (let i = 0; i < 3; i++) assert.strictEqual(yield* after(o1, one), "b")
        assert.deepStrictEqual(yield* news, [3, 3])
        for (let i = 0; i < 5; i++) assert.strictEqual(yield* one(o1), "b")
        assert.deepStrictEqual(yield* news, [0, 5])
        yield* TestClock.adjust("1 minute")
        // one call finds out, and it is enough that it does not answer this one
        assert.strictEqual(yield* after(o1, one), "b")
        assert.strictEqual(yield* one(o1), "b")
        assert.deepStrictEqual(yield* news, [1, 2])
      }))
  }

  it.effect("it is asked rather than waiting for the others, for it may answer other requests", () =>
    Effect.gen(function*() {
      const busy = fail(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(50) }))
      const { news, o1 } = yield* pool(
        [hang, hang, hang, answer("a")],
        [answer("b"), answer("b"), answer("b"), busy]
      )
      for (let i = 0; i < 3; i++) yield* after(o1)
      yield* news
      assert.strictEqual(yield* ask(o1), "a")
      assert.deepStrictEqual(yield* news, [1, 1])
    }))

  it.effect("answers in between begin the row anew", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* pool([hang, hang, answer("a"), hang, hang, answer("a")])
      const texts: Array<string> = []
      for (let i = 0; i < 6; i++) texts.push(yield* after(o1))
      assert.deepStrictEqual(texts, ["b", "b", "a", "b", "b", "a"])
      assert.deepStrictEqual(yield* news, [6, 4])
    }))
})

describe("credentials that give no token", () => {
  const broken: Credential.TokenCredential = { getToken: () => Promise.reject(new Error("no identity here")) }

  const poolOf = (...credentials: ReadonlyArray<Credential.TokenCredential | undefined>) => {
    const server = service((asked) => asked.host.startsWith("c") ? json(503, {}) : answered(asked, asked.host))
    const [first, ...others] = credentials.map((credential, i) =>
      configOf({
        endpoint: `https://${"abc"[i]}.openai.azure.com`,
        deployment: "abc"[i]!,
        credential,
        apiKey: credential === undefined ? Redacted.make("key") : undefined
      })
    )
    return Effect.map(
      Effect.provide(AzureO1Pool.make(AzureO1Pool.inOrder([first!, ...others])), server.http),
      (o1) => ({ o1, server })
    )
  }

  it.effect("another member with another credential is asked, and nothing is held against the first", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* poolOf(broken, undefined)
      assert.strictEqual(yield* ask(o1), "b.openai.azure.com")
      assert.deepStrictEqual(server.asked.map(({ host }) => host), ["b.openai.azure.com"])
      assert.deepStrictEqual((yield* o1.learned).filter(({ about }) => about === "member"), [])
    }))

  it.effect("another member with the same credential is not", () =>
    Effect.gen(function*() {
      let asked = 0
      const counting: Credential.TokenCredential = { getToken: () => (asked++, Promise.reject(new Error("no"))) }
      const { o1, server } = yield* poolOf(counting, counting)
      assert.strictEqual(yield* ask(o1), "O1AuthError/credential")
      assert.deepStrictEqual([asked, server.asked.length], [1, 0])
    }))
})
