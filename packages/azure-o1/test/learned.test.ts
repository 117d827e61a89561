import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { AzureO1Config } from "../src/AzureO1Config.ts"
import * as ModelProfile from "../src/ModelProfile.ts"
import type { O1Client } from "../src/O1Client.ts"
import type { O1Request } from "../src/O1Request.ts"
import { request } from "./support/harness.ts"
import { answer, clientOf, json, noStreams, refusal, type Serve, service } from "./support/service.ts"

const chat = ModelProfile.custom("any", { apis: ["chat", "responses"] })

const absent = json(404, { error: { code: "404", message: "Resource not found" } })

const ask = (o1: O1Client, more: Partial<O1Request> = {}): Effect.Effect<string> =>
  Effect.match(o1.complete({ ...request, ...more }, { retries: 0 }), {
    onFailure: (error) => error.message,
    onSuccess: ({ text }) => text
  })

/** A client, and what it asks from now on. */
const begin = (serve: Serve, config: Partial<AzureO1Config> = {}) => {
  const server = service(serve)
  return Effect.map(clientOf(server, { profile: chat, ...config }), (o1) => {
    let seen = 0
    const news = () => {
      const all = server.asked.slice(seen).flatMap(({ rung }) => rung ?? [])
      seen = server.asked.length
      return all
    }
    return { o1, server, news }
  })
}

describe("learned: what is asked again, and when", () => {
  it.effect("a refusal to stream counts for 10 minutes, then for 20, up to 6 hours", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* begin((asked) => asked.rung === "stream" ? noStreams : answer(asked))
      yield* ask(o1)
      assert.deepStrictEqual(news(), ["stream", "background"])
      for (const minutes of [10, 20, 40, 80, 160, 320, 360, 360]) {
        yield* TestClock.adjust(Duration.seconds(60 * minutes - 1))
        yield* ask(o1)
        assert.deepStrictEqual(news(), ["background"], `within ${minutes} minutes`)
        yield* TestClock.adjust("1 second")
        yield* ask(o1)
        assert.deepStrictEqual(news(), ["stream", "background"], `after ${minutes} minutes`)
        yield* ask(o1)
        assert.deepStrictEqual(news(), ["background"])
      }
    }))

  it.effect("memory says how long", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* begin(
        (asked) => asked.rung === "stream" ? noStreams : answer(asked),
        { memory: { expiry: "1 minute", longest: "90 seconds" } }
      )
      yield* ask(o1)
      for (const seconds of [60, 90, 90]) {
        news()
        yield* TestClock.adjust(Duration.seconds(seconds))
        yield* ask(o1)
        assert.deepStrictEqual(news(), ["stream", "background"])
      }
    }))

  it.effect("another answer to the question ends it", () =>
    Effect.gen(function*() {
      let streams = false
      const { news, o1 } = yield* begin((asked) => asked.rung === "stream" && !streams ? noStreams : answer(asked))
      yield* ask(o1)
      news()
      streams = true
      yield* TestClock.adjust("10 minutes")
      yield* ask(o1)
      yield* ask(o1)
      assert.deepStrictEqual(news(), ["stream", "stream"])
      assert.deepStrictEqual(yield* o1.learned, [])
    }))

  it.effect("one 404 of the other API counts for half a minute, the third in a row for 10 minutes", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* begin(
        (asked) => asked.rung === "background" ? absent : answer(asked),
        { profile: { ...chat, streaming: "no" } }
      )
      for (const seconds of [30, 30, 600, 1200]) {
        yield* ask(o1)
        assert.deepStrictEqual(news(), ["background", "plain"])
        yield* TestClock.adjust(Duration.seconds(seconds - 1))
        yield* ask(o1)
        assert.deepStrictEqual(news(), ["plain"], `within ${seconds} seconds`)
        yield* TestClock.adjust("1 second")
      }
    }))

  it.effect("404s of one moment are one: 20 calls at once cost three times 30 seconds no more than one", () =>
    Effect.gen(function*() {
      let there = true
      const { news, o1 } = yield* begin(
        (asked) => asked.rung === "background" && !there ? absent : answer(asked),
        { profile: { ...chat, streaming: "no" } }
      )
      yield* ask(o1)
      there = false
      yield* Effect.all(Array.from({ length: 20 }, () => ask(o1)), { concurrency: "unbounded" })
      news()
      yield* TestClock.adjust("30 seconds")
      yield* ask(o1)
      assert.deepStrictEqual(news(), ["background", "plain"])
    }))
})

describe("learned: one asks, the others do not", () => {
  const slowly = (asked: Parameters<Serve>[0]) =>
    asked.rung === "stream" ? Effect.delay(noStreams, "200 millis") : answer(asked)

  it.effect("1,000 calls at once: one is asked to stream, one makes the first response", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* begin(slowly)
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 1000 }, () => ask(o1)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      const texts = yield* Fiber.join(fiber)
      assert.deepStrictEqual(new Set(texts), new Set(["background"]))
      assert.strictEqual(server.rungs().filter((rung) => rung === "stream").length, 1)
      assert.strictEqual(server.asked.length, 1001)
    }))

  it.effect("with a profile that promises streams as well", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* begin(slowly, { profile: { ...chat, streaming: "yes" } })
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 100 }, () => ask(o1)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual(server.rungs().filter((rung) => rung === "stream").length, 1)
    }))

  it.effect("where it streams, the others stream as soon as that is known", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* begin((asked) => Effect.delay(answer(asked), "1 second"))
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 10 }, () => ask(o1)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(new Set(yield* Fiber.join(fiber)), new Set(["stream"]))
      assert.strictEqual(server.asked.length, 10)
    }))

  it.effect("nobody waits long: a question without an answer is gone around", () =>
    Effect.gen(function*() {
      const { o1 } = yield* begin((asked) => asked.rung === "stream" ? Effect.never : answer(asked))
      yield* Effect.forkChild(ask(o1), { startImmediately: true })
      const second = yield* Effect.forkChild(ask(o1), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(second), "background")
      // and who comes later does not wait at all
      assert.strictEqual(yield* ask(o1), "background")
    }))

  /** What becomes of the call that asks. */
  const ends: ReadonlyArray<readonly [string, Serve, (fiber: Fiber.Fiber<unknown>) => Effect.Effect<void>]> = [
    ["is interrupted", (asked, nth) => nth === 1 ? Effect.never : answer(asked), Fiber.interrupt],
    [
      "fails otherwise",
      (asked, nth) => nth === 1 ? Effect.delay(json(500, {}), "1 second") : answer(asked),
      () => TestClock.adjust("1 second")
    ],
    [
      "dies",
      (asked, nth) => nth === 1 ? Effect.delay(Effect.die("broken"), "1 second") : answer(asked),
      () => TestClock.adjust("1 second")
    ],
    ["times out", (asked, nth) => nth === 1 ? Effect.never : answer(asked), () => TestClock.adjust("2 seconds")]
  ]
  for (const [name, serve, end] of ends) {
    it.effect(`the call that asks ${name}: one of those that wait asks`, () =>
      Effect.gen(function*() {
        const { o1, server } = yield* begin(serve)
        const first = yield* Effect.forkChild(
          Effect.exit(o1.complete(request, { retries: 0, timeout: "2 seconds" })),
          { startImmediately: true }
        )
        const others = yield* Effect.forkChild(
          Effect.all([ask(o1), ask(o1)], { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        assert.strictEqual(server.asked.length, 1)
        yield* end(first)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* Fiber.join(others), ["stream", "stream"])
      }))
  }

  it.effect("the call that asks is told to wait: those that wait for its answer wait for that as well", () =>
    Effect.gen(function*() {
      const busy = json(429, { error: { code: "429", message: "Slow down" } }, { "retry-after": "2" })
      const { o1, server } = yield* begin((asked, nth) => nth === 1 ? Effect.delay(busy, "100 millis") : answer(asked))
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 20 }, () => o1.complete(request)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(server.asked.length, 1)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(new Set((yield* Fiber.join(fiber)).map(({ text }) => text)), new Set(["stream"]))
      assert.strictEqual(server.asked.length, 21)
    }))

  it.effect("wherever the call that asks is interrupted, the next one does not wait for it", () =>
    Effect.gen(function*() {
      for (let steps = 0; steps < 2000; steps += 9) {
        const { o1 } = yield* begin((asked) => Effect.andThen(Effect.yieldNow, answer(asked)))
        const first = yield* Effect.forkChild(Effect.provideService(ask(o1), Scheduler.MaxOpsBeforeYield, 3))
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        const ended = first.pollUnsafe() !== undefined
        yield* Fiber.interrupt(first)
        assert.strictEqual(yield* ask(o1), "stream", `after ${steps} steps`)
        if (ended) return assert.isAbove(steps, 50)
      }
      return assert.fail("it was never allowed to end")
    }))

  it.effect("after the end of a fact one asks again, while the others go on with what is known", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* begin(slowly)
      const first = yield* Effect.forkChild(ask(o1))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      news()
      yield* TestClock.adjust("10 minutes")
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 50 }, () => ask(o1)), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      assert.deepStrictEqual(news().toSorted(), [...Array.from({ length: 49 }, () => "background"), "stream"])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(news(), ["background"])
    }))
})

describe("learned: parameters", () => {
  const heals = (serve: Serve) => begin(serve, { heal: true, profile: { ...chat, streaming: "no", background: false } })
  const efforts = (server: { readonly asked: ReadonlyArray<{ readonly body: Record<string, any> }> }) =>
    server.asked.map(({ body }) => body.reasoning_effort ?? "absent")

  it.effect("a value that is refused is left out, and no other one", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* heals((asked) =>
        asked.body.reasoning_effort === "xhigh"
          ? refusal(
            "reasoning_effort",
            "Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model."
          )
          : answer(asked)
      )
      for (const reasoningEffort of ["xhigh", "high", "xhigh", undefined, "low"] as const) {
        yield* ask(o1, { reasoningEffort })
      }
      assert.deepStrictEqual(efforts(server), ["xhigh", "absent", "high", "absent", "absent", "low"])
      assert.deepInclude((yield* o1.learned)[0], {
        about: "parameter",
        parameter: "reasoning_effort",
        value: "xhigh",
        expiresIn: Duration.minutes(10)
      })
    }))

  it.effect("a parameter that is refused is left out with all of its values, and asked for again by one call", () =>
    Effect.gen(function*() {
      let takes = false
      const { o1, server } = yield* heals((asked) =>
        asked.body.reasoning_effort !== undefined && !takes
          ? refusal(
            "reasoning_effort",
            "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
            "unsupported_parameter"
          )
          : answer(asked)
      )
      yield* ask(o1, { reasoningEffort: "high" })
      yield* ask(o1, { reasoningEffort: "low" })
      assert.deepStrictEqual(efforts(server), ["high", "absent", "absent"])
      yield* TestClock.adjust("10 minutes")
      takes = true
      yield* ask(o1, { reasoningEffort: "low" })
      yield* ask(o1, { reasoningEffort: "high" })
      assert.deepStrictEqual(efforts(server).slice(3), ["low", "high"])
      assert.deepStrictEqual(yield* o1.learned, [])
    }))

  it.effect("the answer says what was left out, the next one too, and one without it does not", () =>
    Effect.gen(function*() {
      const { o1 } = yield* heals((asked) =>
        asked.body.user === undefined
          ? answer(asked)
          : refusal("user", "Unsupported parameter: 'user'", "unsupported_parameter")
      )
      const warnings = (more: Partial<O1Request>) =>
        Effect.map(o1.complete({ ...request, ...more }), ({ warnings }) => warnings)
      const warning = "The deployment \"d\" does not take user, so that it is left out."
      assert.deepStrictEqual(yield* warnings({ user: "x" }), [warning])
      assert.deepStrictEqual(yield* warnings({ user: "x" }), [warning])
      assert.deepStrictEqual(yield* warnings({}), [])
    }))

  for (const param of ["constructor", "__proto__", "toString"]) {
    it.effect(`a parameter that is called ${param} is an error as any other`, () =>
      Effect.gen(function*() {
        const { o1, server } = yield* heals(() =>
          refusal(param, `Unsupported parameter: '${param}'`, "unsupported_parameter")
        )
        for (const extra of [undefined, { seed: 1 }]) {
          const error = yield* Effect.flip(o1.complete({ ...request, extra }))
          assert.deepInclude(error, { _tag: "O1RequestError", kind: "unsupported-parameter", param })
        }
        assert.strictEqual(server.asked.length, 2)
      }))
  }

  it.effect("without heal nothing is left out", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* begin(
        () => refusal("user", "Unsupported parameter: 'user'", "unsupported_parameter"),
        { profile: { ...chat, streaming: "no", background: false } }
      )
      yield* ask(o1, { user: "x" })
      assert.strictEqual(server.asked.length, 1)
    }))
})

describe("learned: what teaches nothing", () => {
  it.effect("requests with extra: each finds its own way", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* begin((asked) =>
        asked.body.provider !== undefined && asked.rung !== "plain"
          ? refusal(asked.rung === "stream" ? "stream" : "background", "Unsupported value: it is not supported.")
          : answer(asked)
      )
      yield* ask(o1, { extra: { provider: "x" } })
      assert.deepStrictEqual(news(), ["stream", "background", "plain"])
      yield* ask(o1)
      assert.deepStrictEqual(news(), ["stream"])
      assert.deepStrictEqual(yield* o1.learned, [])
      // an empty one asks for nothing
      yield* ask(o1, { extra: {} })
      assert.deepStrictEqual(news(), ["stream"])
    }))

  it.effect("they go by what others have learnt, and ask nothing again", () =>
    Effect.gen(function*() {
      const { news, o1 } = yield* begin((asked) => asked.rung === "stream" ? noStreams : answer(asked))
      yield* ask(o1)
      news()
      yield* TestClock.adjust("10 minutes")
      yield* ask(o1, { extra: { provider: "x" } })
      assert.deepStrictEqual(news(), ["background"])
      yield* ask(o1)
      assert.deepStrictEqual(news(), ["stream", "background"])
    }))

  it.effect("a call that meets the refusal of another one's parameter with extra heals itself only", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* begin(
        (asked) =>
          asked.body.user !== undefined && asked.body.provider !== undefined
            ? refusal("user", "Unsupported parameter: 'user'", "unsupported_parameter")
            : answer(asked),
        { heal: true, profile: { ...chat, streaming: "no", background: false } }
      )
      assert.strictEqual(yield* ask(o1, { user: "x", extra: { provider: "y" } }), "plain")
      yield* ask(o1, { user: "x" })
      assert.deepStrictEqual(server.asked.map(({ body }) => body.user), ["x", undefined, "x"])
    }))
})

describe("learned: another model", () => {
  const gpt = "gpt-5.1-2025-11-13"
  const mini = "o3-mini-2025-01-31"
  const complete = (o1: O1Client, more: Partial<O1Request> = {}) =>
    Effect.match(o1.complete({ ...request, ...more }, { retries: 0 }), {
      onFailure: (error): ReadonlyArray<string> => [error._tag],
      onSuccess: ({ warnings }) =>
        warnings.map((warning) => /taken for/.test(warning) ? "taken for" : "set the profile")
    })

  it.effect("one answer of another model makes no request impossible", () =>
    Effect.gen(function*() {
      let model = gpt
      const { o1 } = yield* begin((asked) => answer(asked, "", model), { heal: true, profile: ModelProfile.gpt51 })
      const none = { reasoningEffort: "none" } as const
      assert.deepStrictEqual(yield* complete(o1, none), [])
      model = mini
      // o3-mini cannot have been asked this, so that it is not what the deployment is
      assert.deepStrictEqual(yield* complete(o1, none), ["set the profile"])
      assert.deepStrictEqual(yield* complete(o1), ["taken for"])
      assert.deepStrictEqual(yield* complete(o1), [])
      assert.deepStrictEqual(yield* complete(o1, none), ["set the profile"])
      model = gpt
      assert.deepStrictEqual(yield* complete(o1, none), [])
      assert.deepStrictEqual(yield* o1.learned, [])
    }))

  it.effect("a model that is able to do more is asked for more", () =>
    Effect.gen(function*() {
      const { o1, server } = yield* begin((asked) => answer(asked, "", gpt), { heal: true, profile: ModelProfile.o1 })
      assert.deepStrictEqual(yield* complete(o1, { reasoningEffort: "xhigh" }), ["O1RequestError"])
      yield* complete(o1)
      assert.deepStrictEqual(yield* complete(o1, { reasoningEffort: "xhigh" }), [])
      assert.deepStrictEqual(server.rungs(), ["background", "stream"])
    }))

  it.effect("models that take turns are told once", () =>
    Effect.gen(function*() {
      const logged: Array<unknown> = []
      const logger = Logger.make(({ message }) => void logged.push(message))
      const { o1 } = yield* begin(
        (asked, nth) => answer(asked, "", nth % 2 === 0 ? mini : gpt),
        { heal: true, profile: ModelProfile.gpt51 }
      )
      yield* Effect.forEach(Array.from({ length: 20 }), () => complete(o1)).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      assert.strictEqual(logged.length, 1)
    }))
})

describe("learned: what is told", () => {
  it.effect("one event and one line in the log, and with every attempt that it shapes", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${String(message)}`))
      const { o1 } = yield* begin((asked) => asked.rung === "stream" ? noStreams : answer(asked))
      const watch = Effect.map(Stream.runCollect(o1.stream(request)), (events) =>
        events.flatMap((event) =>
          event._tag === "Started"
            ? [event.transport, ...event.learned]
            : event._tag === "Learned"
            ? [`! ${event.text}`]
            : []
        ))
      const seen = yield* Effect.all([watch, watch]).pipe(Effect.provide(Logger.layer([logger])))
      const text = "The deployment \"d\" refuses to stream."
      assert.deepStrictEqual(seen, [["stream", `! ${text}`, "background", text], ["background", text]])
      assert.deepStrictEqual(
        logged.filter((line) =>
          line.includes("stream")
        ),
        [`Info ${text}`]
      )
      yield* TestClock.adjust("4 minutes")
      assert.deepStrictEqual(yield* o1.learned, [
        {
          deployment: "d",
          about: "streaming",
          parameter: undefined,
          value: undefined,
          text,
          expiresIn: Duration.minutes(6)
        }
      ])
    }))
})
