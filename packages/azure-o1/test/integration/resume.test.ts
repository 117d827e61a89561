// What `FakeAzure` does not do: gateways and services that keep a response and tell of it badly.
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Error, O1ServerError } from "../../src/O1Error.ts"
import type { O1Event } from "../../src/O1Event.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { patient } from "../support/azure.ts"
import { request } from "../support/harness.ts"
import { type OddAnswer, type OddRequest, oddServer } from "../support/odd-server.ts"

interface Seen {
  /** `POST`, `cancel`, `GET` for the response, `GET N` for its events after N. */
  readonly asked: () => ReadonlyArray<string>
}

const askedFor = ({ method, path }: OddRequest): string => {
  if (path.endsWith("/cancel")) return "cancel"
  const after = /stream=true(?:&starting_after=(\d+))?/.exec(path)
  return after === null ? method : `${method} ${after[1] ?? "all"}`
}

/** A client of a service that answers like this; `nth` counts the requests from 0. */
const against = <A, E>(
  answer: (asked: string, nth: number) => OddAnswer,
  f: (o1: AzureO1["Service"], seen: Seen) => Effect.Effect<A, E>,
  config: Partial<AzureO1Config> = {}
) =>
  Effect.scoped(Effect.gen(function*() {
    const asked: Array<string> = []
    const server = yield* oddServer((request) => {
      asked.push(askedFor(request))
      return answer(asked.at(-1)!, asked.length - 1)
    })
    const transport = O1Transport.layer({
      endpoint: server.url,
      apiKey: Redacted.make("key"),
      deployment: "o1",
      profile: { ...ModelProfile.o1, streaming: "yes" },
      api: "responses",
      pollInterval: "5 millis",
      ...config
    })
    const client = AzureO1.layerServices.pipe(
      Layer.provide([transport, O1Policy.layerWith(patient)]),
      Layer.provide(AzureO1Node.layerHttpClient)
    )
    return yield* Effect.flatMap(AzureO1, (o1) => f(o1, { asked: () => asked })).pipe(Effect.provide(client))
  }))

const whole = (text: string, status = "completed", output: ReadonlyArray<unknown> = []) => ({
  id: "resp_1",
  status,
  model: "o1-2024-12-17",
  output: [...output, { type: "message", content: [{ type: "output_text", text }] }]
})

type Event = readonly [type: string, fields: object]

const created: Event = ["response.created", { response: { ...whole("", "queued"), output: [] } }]
const delta = (text: string): Event => ["response.output_text.delta", { delta: text }]
const completed = (text: string, output: ReadonlyArray<unknown> = []): Event => [
  "response.completed",
  { response: whole(text, "completed", output) }
]

const stream = (events: ReadonlyArray<Event>, first: number | undefined, ending?: OddAnswer["ending"]): OddAnswer => ({
  status: 200,
  headers: { "content-type": "text/event-stream" },
  body: events.map(([type, fields], i) =>
    `data: ${JSON.stringify({ type, ...first === undefined ? {} : { sequence_number: first + i }, ...fields })}\n\n`
  ).join(""),
  ...ending === undefined ? {} : { ending }
})

const one = stream([created, delta("one ")], 0, "reset")
const two = stream([delta("two"), completed("one two")], 2)
const silent: OddAnswer = { status: 200, headers: { "content-type": "text/event-stream" }, body: "" }

const told = (events: ReadonlyArray<O1Event>): string =>
  events.map((event) => event._tag === "TextDelta" ? event.text : "").join("")

const collect = (o1: AzureO1["Service"]) => Stream.runCollect(o1.stream(request))

describe("a connection that takes over", () => {
  const next: { readonly [name: string]: OddAnswer } = {
    "breaks before its first event": { ...silent, ending: "reset" },
    "ends before its first event": silent,
    "ends with a comment": { ...silent, body: ": keep-alive\n\n" },
    "ends in the middle of an event": { ...silent, body: "data: {\"type\":\"resp" },
    "brings an event that is none": { ...silent, body: "data: {oops\n\n" },
    "brings the whole so far in one piece": { status: 200, body: whole("one ", "in_progress") }
  }
  for (const [name, answer] of Object.entries(next)) {
    it.live(`and ${name} is followed by another`, () =>
      against(
        (_, nth) => [one, answer][nth] ?? two,
        (o1, { asked }) =>
          Effect.gen(function*() {
            assert.strictEqual(told(yield* collect(o1)), "one two")
            assert.deepStrictEqual(asked(), ["POST", "GET 1", "GET 1"])
          })
      ))
  }

  it.live("and brings the whole in one piece adds what was not said", () =>
    against(
      (_, nth) => nth === 0 ? one : { status: 200, body: whole("one two") },
      (o1) => Effect.map(collect(o1), (events) => assert.strictEqual(told(events), "one two"))
    ))

  it.live("and brings nothing new, again and again, is given up: then the response is asked for", () =>
    against(
      (asked) => asked === "POST" ? one : asked === "GET" ? { status: 200, body: whole("one two") } : one,
      (o1, { asked }) =>
        Effect.gen(function*() {
          assert.strictEqual(told(yield* collect(o1)), "one two")
          assert.deepStrictEqual(asked(), ["POST", ...Array.from({ length: 5 }, () => "GET 1"), "GET"])
        })
    ), 20_000)

  it.live("cannot be told from the one before where events have no numbers, so that the response is asked for", () =>
    against(
      (asked) =>
        asked === "POST"
          ? stream([created, delta("one ")], undefined, "reset")
          : asked === "GET"
          ? { status: 200, body: whole("one two") }
          : stream([created, delta("one "), delta("two"), completed("one two")], undefined),
      (o1) => Effect.map(collect(o1), (events) => assert.strictEqual(told(events), "one two"))
    ))
})

describe("what has been paid for", () => {
  it.live("is not asked for again where a stream was asked for and a response came", () =>
    against(
      (_, nth) => ({ status: 200, body: nth < 2 ? whole("", "in_progress") : whole("done") }),
      (o1, { asked }) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* o1.complete(request)).text, "done")
          assert.deepStrictEqual(asked(), ["POST", "GET", "GET"])
        })
    ))

  it.live("nor where the connection is silent", () =>
    against(
      (asked) => asked === "POST" ? stream([created], 0, "stall") : stream([delta("x"), completed("x")], 1),
      (o1, { asked }) =>
        Effect.gen(function*() {
          assert.strictEqual(told(yield* collect(o1)), "x")
          assert.deepStrictEqual(asked(), ["POST", "GET 0"])
        }),
      { clocks: { byteIdle: "200 millis", first: "100 millis" } }
    ))

  it.live("can still be had where it cannot be read now", () =>
    against(
      (asked) => asked === "POST" ? stream([created], 0, "stall") : { status: 403, body: {} },
      (o1, { asked }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(collect(o1))
          assert.strictEqual(O1Error.label(error), "O1AuthError/forbidden")
          assert.strictEqual(error.resume?.responseId, "resp_1")
          assert.deepStrictEqual(asked(), ["POST", "GET 0", "GET"])
        }),
      { clocks: { byteIdle: "200 millis" } }
    ))

  it.live("is cancelled where the stream says that it failed and the response may not have", () =>
    against(
      (asked, nth) =>
        asked === "cancel"
          ? { status: 200, body: whole("", "cancelled") }
          : nth === 0
          ? stream([created, ["error", { code: "server_error", message: "lost it" }]], 0)
          : stream([created, delta("x"), completed("x")], 0),
      (o1, { asked }) =>
        Effect.gen(function*() {
          assert.strictEqual(told(yield* collect(o1)), "x")
          assert.deepStrictEqual(asked().toSorted(), ["POST", "POST", "cancel"])
        })
    ))

  const failures: { readonly [name: string]: unknown } = {
    "an error of its own": new Error("full"),
    "an error of ours": new O1ServerError({ kind: "internal" }),
    "nothing to say": undefined
  }
  for (const [name, failure] of Object.entries(failures)) {
    it.live(`is cancelled where the consumer fails with ${name}`, () =>
      against(
        (asked) => asked === "cancel" ? { status: 200, body: {} } : stream([created, delta("one ")], 0, "stall"),
        (o1, { asked }) =>
          Effect.gen(function*() {
            const exit = yield* Effect.exit(
              Stream.runForEach(
                o1.stream(request),
                (event) => event._tag === "TextDelta" ? Effect.fail(failure) : Effect.void
              )
            )
            assert.isTrue(Exit.hasFails(exit))
            assert.deepStrictEqual(asked(), ["POST", "cancel"])
          })
      ))
  }
})

describe("a token from the middle of an answer", () => {
  const token = { responseId: "resp_1", deployment: "o1", after: 2 }
  const call = { type: "function_call", call_id: "call_1", name: "weather", arguments: "{\"city\":\"Ulm\"}" }

  const rest = (events: ReadonlyArray<Event>, f: (events: ReadonlyArray<O1Event>) => void) =>
    against(() => stream(events, 3), (o1) => Effect.map(Stream.runCollect(o1.resume(token)), f))

  it.live("does not say again what was said before it", () =>
    rest([["response.output_text.done", { text: "one two" }], completed("one two")], (events) => {
      assert.strictEqual(told(events), "")
      const last = events.at(-1)!
      assert.strictEqual(last._tag === "Finished" ? last.completion.text : "", "one two")
    }))

  it.live("gives a tool call whole in the end, whatever was said of it before", () =>
    rest([
      ["response.function_call_arguments.delta", { output_index: 0, delta: "\"Ulm\"}" }],
      ["response.output_item.done", { output_index: 0, item: call }],
      completed("", [call])
    ], (events) => {
      const said = events.flatMap((event) => event._tag === "ToolCallDelta" ? [event.arguments] : [])
      assert.deepStrictEqual(said, ["\"Ulm\"}"])
      const last = events.at(-1)!
      assert.deepStrictEqual(last._tag === "Finished" ? last.completion.toolCalls : [], [
        { id: "call_1", name: "weather", arguments: "{\"city\":\"Ulm\"}" }
      ])
    }))
})

it.live("a gateway that lets responses be made but not asked for (405) is asked once, and the token is kept", () =>
  against(
    (asked) => asked === "POST" ? { status: 200, body: whole("", "queued") } : { status: 405, body: {} },
    (o1, { asked }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(o1.complete(request))
        assert.strictEqual(error.resume?.responseId, "resp_1")
        assert.deepStrictEqual(asked(), ["POST", "GET"])
      }),
    { api: "chat", profile: { ...ModelProfile.o1, streaming: "no" } }
  ))

it.live("an error of a poll has the status and the id of the answer that it is", () =>
  against(
    (asked) =>
      asked === "POST"
        ? { status: 200, headers: { "apim-request-id": "first" }, body: whole("", "queued") }
        : { status: 403, headers: { "apim-request-id": "second" }, body: {} },
    (o1) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(o1.complete(request))
        assert.strictEqual(O1Error.label(error), "O1AuthError/forbidden")
        assert.deepInclude(error, { status: 403, requestId: "second" })
        assert.strictEqual(error.resume?.responseId, "resp_1")
      }),
    { profile: { ...ModelProfile.o1, streaming: "no" } }
  ))

describe("a response that is not found before the whole time is up", () => {
  const token = { responseId: "resp_1", deployment: "o1", after: 7 }
  const absent: OddAnswer = { status: 404, body: { error: { code: "404", message: "Resource not found" } } }
  for (const [onLeave, resume, cancels] of [["keep", token, 0], ["cancel", undefined, 1]] as const) {
    it.live(`leaves its token, unless it is given up: ${onLeave}`, () =>
      against(
        (asked) => asked === "cancel" ? { status: 200, body: whole("", "cancelled") } : absent,
        (o1, { asked }) =>
          Effect.gen(function*() {
            const error = yield* Effect.flip(Stream.runDrain(o1.resume(token, { total: "300 millis", onLeave })))
            assert.strictEqual(O1Error.label(error), "O1TimeoutError/total")
            assert.deepStrictEqual(error.resume, resume)
            assert.strictEqual(asked().filter((asked) => asked === "cancel").length, cancels)
          })
      ))
  }
})

describe("numbers of events that nothing can be found by", () => {
  it.live("are not asked for", () =>
    against(
      (asked) =>
        asked === "POST"
          ? {
            ...stream([created], 0),
            body: stream([created], 0).body + String(stream([delta("one ")], 1e300).body),
            ending: "reset"
          }
          : { status: 200, body: whole("one two") },
      (o1, { asked }) =>
        Effect.gen(function*() {
          assert.strictEqual(told(yield* collect(o1)), "one two")
          assert.deepStrictEqual(asked(), ["POST", "GET"])
        })
    ))
})
