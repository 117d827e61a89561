// What FakeAzure does that makes trouble for a client of the Responses API, asked by hand.
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FakeAzure, type FakeAzureOptions, type Reply } from "../../src/testing/index.ts"
import * as json from "../../src/wire/json.ts"

interface Answered {
  readonly status: number
  readonly text: string
  readonly json: unknown
  /** milliseconds */
  readonly took: number
}

const on = <A>(
  options: FakeAzureOptions,
  f: (
    ask: (method: string, path: string, body?: object) => Effect.Effect<Answered>,
    azure: FakeAzure["Service"]
  ) => Effect.Effect<A>
): Effect.Effect<A> =>
  Effect.flatMap(FakeAzure, (azure) =>
    f((method, path, body) =>
      Effect.promise(async (signal) => {
        const start = performance.now()
        const response = await fetch(`${azure.url}/openai/v1/responses${path}`, {
          method,
          headers: { "api-key": "fake-key" },
          signal,
          ...body === undefined ? {} : { body: JSON.stringify(body) }
        })
        const text = await response.text()
        return { status: response.status, text, json: json.parse(text), took: performance.now() - start }
      }), azure)).pipe(Effect.provide(FakeAzure.layer(options)))

const background = { model: "o1", input: "hi", background: true }
const idOf = ({ json: body }: Answered): string => String(json.at(body, "id"))
const reply = (reply: Reply): FakeAzureOptions => ({ script: [reply] })

const eventsOf = ({ text }: Answered): ReadonlyArray<Record<string, unknown>> =>
  text.split("\n").filter((line) => line.startsWith("data: ")).map((line) => JSON.parse(line.slice(6)))

describe("FakeAzure makes trouble", () => {
  const unreadable: ReadonlyArray<readonly [string, FakeAzureOptions]> = [
    ["a reply's", reply(FakeAzure.unreadable("2 seconds"))],
    ["the server's", { readableAfter: "2 seconds" }],
    ["the chance's", { faults: { rate: 1, kinds: ["unreadable"], slow: "2 seconds" } }]
  ]
  for (const [name, options] of unreadable) {
    it.live(`404 for a while after the create: ${name}`, () =>
      on(options, (ask) =>
        Effect.gen(function*() {
          const id = idOf(yield* ask("POST", "", background))
          const early = yield* ask("GET", `/${id}`)
          assert.strictEqual(early.status, 404)
          assert.include(early.text, `Response with id '${id}' not found.`)
          yield* Effect.repeat(Effect.delay(ask("GET", `/${id}`), "50 millis"), {
            until: ({ status }) => status === 200
          })
        })))
  }

  for (const stream of [true, false]) {
    it.live(`a slow create, ${stream ? "as a stream" : "to be polled"}: the response is made meanwhile`, () =>
      on(reply(FakeAzure.slowCreate("100 millis")), (ask, azure) =>
        Effect.gen(function*() {
          const { status, took } = yield* ask("POST", "", { ...background, stream })
          assert.strictEqual(status, 200)
          assert.isAtLeast(took, 95)
          assert.deepStrictEqual((yield* azure.responses).map(({ status }) => status), ["completed"])
          assert.deepStrictEqual((yield* azure.requests).map(({ fault }) => fault), ["slow-create"])
        })))
  }

  it.live("whoever leaves a slow create leaves work behind", () =>
    on(
      reply(FakeAzure.slowCreate("1 minute", FakeAzure.answer("hi", { think: "1 minute" }))),
      (ask, azure) =>
        Effect.gen(function*() {
          const begun = Effect.repeat(Effect.delay(azure.responses, "5 millis"), { until: (all) => all.length > 0 })
          yield* Effect.raceFirst(ask("POST", "", background), begun)
          assert.deepStrictEqual((yield* azure.responses).map(({ cancelled, status }) => [status, cancelled]), [
            ["in_progress", false]
          ])
        })
    ))

  it.live("a refused cancel has not happened, one whose answer is lost has", () =>
    on(
      { script: [FakeAzure.answer("hi", { think: "1 minute" })] },
      (ask, azure) =>
        Effect.gen(function*() {
          yield* azure.enqueueCancels(FakeAzure.status(503), FakeAzure.broken("stall", "nothing"))
          const id = idOf(yield* ask("POST", "", background))
          const cancelled = Effect.map(azure.responses, (all) => all.map(({ cancelled }) => cancelled))
          assert.strictEqual((yield* ask("POST", `/${id}/cancel`, {})).status, 503)
          assert.deepStrictEqual(yield* cancelled, [false])
          const heard = Effect.repeat(Effect.delay(cancelled, "5 millis"), {
            until: ([cancelled]) => cancelled === true
          })
          yield* Effect.raceFirst(ask("POST", `/${id}/cancel`, {}), heard)
          assert.strictEqual(json.at((yield* ask("POST", `/${id}/cancel`, {})).json, "status"), "cancelled")
        })
    ))

  for (const background of [true, false]) {
    it.live(`heartbeats while it thinks, ${background ? "in the background" : "in the foreground"}`, () =>
      on(
        reply(FakeAzure.answer("hi", { think: "100 millis", heartbeat: "10 millis" })),
        (ask) =>
          Effect.gen(function*() {
            const { text } = yield* ask("POST", "", { model: "o1", input: "hi", background, stream: true })
            assert.isAtLeast(text.split(": keep-alive\n\n").length, 3)
            assert.include(text, "response.completed")
          })
      ))
  }

  it.live("commentary is a message of its own, before the answer", () =>
    on(
      reply(FakeAzure.answer("It is Monday.", { commentary: ["I look ", "it up."] })),
      (ask) =>
        Effect.gen(function*() {
          const streamed = eventsOf(yield* ask("POST", "", { model: "o1", input: "hi", stream: true }))
          const items = streamed.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item)
          const told = (items: unknown) =>
            json.array(items).filter((item) => json.at(item, "type") === "message").map((item) => [
              json.at(item, "phase"),
              json.at(item, "content", 0, "text")
            ])
          const expected = [["commentary", "I look it up."], ["final_answer", "It is Monday."]]
          assert.deepStrictEqual(told(items), expected)
          assert.deepStrictEqual(told(json.at(streamed.at(-1), "response", "output")), expected)
          assert.strictEqual(new Set(items.map((item) => json.at(item, "id"))).size, items.length)
        })
    ))

  it.live("text and arguments in done events alone", () =>
    on(
      reply(FakeAzure.toolCalls([{ name: "now", arguments: { a: 1 } }], { text: "Hi", doneOnly: true })),
      (ask) =>
        Effect.gen(function*() {
          const tools = [{ type: "function", name: "now", parameters: { type: "object", properties: {} } }]
          const { text, ...answered } = yield* ask("POST", "", { model: "o1", input: "hi", stream: true, tools })
          const events = eventsOf({ text, ...answered })
          assert.notInclude(text, ".delta")
          assert.deepStrictEqual(
            events.flatMap(({ arguments: args, text, type }) =>
              /(text|arguments)\.done$/.test(String(type)) ? [text ?? args] : []
            ),
            ["Hi", "{\"a\":1}"]
          )
          assert.deepStrictEqual(json.at(events.at(-1), "response", "output"), [])
        })
    ))
})
