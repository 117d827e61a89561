// What follows when something takes too long, against servers that write to sockets. Times are short, and no test is lost by a
// timer that is late: what must not happen would happen much sooner.
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import type { CallOptions, O1Client } from "../../src/O1Client.ts"
import { O1Error } from "../../src/O1Error.ts"
import type { O1Event } from "../../src/O1Event.ts"
import { O1Policy, type O1PolicySettings } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { AzureO1Pool } from "../../src/pool/index.ts"
import { faster } from "../support/fast-clock.ts"
import { request } from "../support/harness.ts"
import {
  answer,
  busy,
  cut,
  down,
  end,
  heartbeats,
  notFound,
  say,
  silence,
  stream,
  streaming,
  wait
} from "../support/raw-actions.ts"
import { type Action, type Exchange, type RawServer, rawServer } from "../support/raw-server.ts"
import { chat, responses } from "../support/wire-says.ts"

type Face = "complete" | "stream"

const faces: ReadonlyArray<Face> = ["complete", "stream"]

/** No hint of a wait anywhere, and limits that only what is meant comes to. */
const settings: O1PolicySettings = {
  backoff: "1 millis",
  throttledWait: "1 millis",
  timeout: { medium: "20 seconds" },
  total: "30 seconds",
  breaker: { failures: 5 }
}

interface Against {
  readonly config?: Partial<AzureO1Config>
  readonly settings?: O1PolicySettings | undefined
  readonly does: ReadonlyArray<Exchange>
}

/** A client of a server that does this. */
const against = <A, E>(
  { config, does, settings: more }: Against,
  f: (o1: O1Client, server: RawServer, policy: O1Policy["Service"]) => Effect.Effect<A, E>
) =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* rawServer(...does)
    const transport = O1Transport.layer({
      endpoint: server.url,
      apiKey: Redacted.make("key"),
      deployment: "o1",
      profile: ModelProfile.gpt51,
      pollInterval: "5 millis",
      ...config
    })
    const client = AzureO1.layerServices.pipe(
      Layer.provide(transport),
      Layer.provideMerge(O1Policy.layerWith({ ...settings, ...more })),
      Layer.provide(AzureO1Node.layerHttpClient)
    )
    return yield* Effect.gen(function*() {
      return yield* f(yield* AzureO1, server, yield* O1Policy)
    }).pipe(Effect.provide(client))
  }))

interface Outcome {
  readonly text: string
  readonly error: O1Error | undefined
  readonly events: ReadonlyArray<O1Event["_tag"]>
}

/** One call in one of its faces: the text that was told, or that the error holds. */
const call = (o1: O1Client, face: Face, options?: CallOptions): Effect.Effect<Outcome> => {
  if (face === "complete") {
    return Effect.match(o1.complete(request, options), {
      onFailure: (error) => ({ text: error.partialText, error, events: [] }),
      onSuccess: ({ text }) => ({ text, error: undefined, events: [] })
    })
  }
  const events: Array<O1Event> = []
  return Stream.runForEach(o1.stream(request, options), (event) => Effect.sync(() => void events.push(event))).pipe(
    Effect.match({ onFailure: (error) => error, onSuccess: () => undefined }),
    Effect.map((error) => ({
      text: events.map((event) => event._tag === "TextDelta" ? event.text : "").join(""),
      error,
      events: events.map(({ _tag }) => _tag).filter((tag) => tag !== "Waiting")
    }))
  )
}

const labelOf = ({ error }: Outcome): string => error === undefined ? "success" : O1Error.label(error)

/** Once it is so, which it will be. */
const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => condition() ? Effect.void : Effect.delay(until(condition), "5 millis"))

const kept: Partial<AzureO1Config> = { api: "responses" }
const onChat: Partial<AzureO1Config> = { api: "chat" }
const polled: Partial<AzureO1Config> = { api: "responses", profile: { ...ModelProfile.gpt51, streaming: "no" } }

const does = (on: Exchange["on"], ...actions: ReadonlyArray<Action>): Exchange => ({ on, does: actions })
const done = answer(200, responses.body("completed", "one two"))
const pending = answer(200, responses.body("in_progress"))
const queued = answer(200, responses.body("queued"))
const rest = stream(responses.delta(2, "two"), responses.completed(3, "one two"))
const half = [responses.created(), responses.delta(1, "one ")] as const
const slow = { timeout: { medium: "1 second" } } as const

for (const face of faces) {
  describe(`${face} of what the service keeps`, () => {
    const calls: {
      readonly [what: string]: Against & { readonly asked: ReadonlyArray<string>; readonly options?: CallOptions }
    } = {
      "is continued after a silent drop": {
        config: { ...kept, clocks: { byteIdle: "100 millis" } },
        does: [does("POST", streaming(...half), silence), does("GET", rest)],
        asked: ["POST /responses background stream", "GET /responses/resp_1?stream=true&starting_after=1"]
      },
      "is continued after a silence as long as idle": {
        config: kept,
        settings: { idle: "100 millis" },
        does: [does("POST", streaming(...half), silence), does("GET", rest)],
        asked: ["POST /responses background stream", "GET /responses/resp_1?stream=true&starting_after=1"]
      },
      "is polled after a second silence": {
        config: { ...kept, clocks: { byteIdle: "100 millis" } },
        does: [
          does("POST", streaming(...half), silence),
          does("GET stream", streaming(), silence),
          does("GET plain", done)
        ],
        asked: [
          "POST /responses background stream",
          "GET /responses/resp_1?stream=true&starting_after=1",
          "GET /responses/resp_1"
        ]
      },
      "is continued after a silent drop before any content": {
        config: { ...kept, clocks: { byteIdle: "100 millis" } },
        settings: slow,
        does: [
          does("POST", streaming(responses.created()), silence),
          does("GET", stream(responses.delta(1, "one "), responses.delta(2, "two"), responses.completed(3, "one two")))
        ],
        asked: ["POST /responses background stream", "GET /responses/resp_1?stream=true&starting_after=0"]
      },
      "may beat its heart for longer than every limit": {
        config: { ...kept, clocks: { first: "4 seconds" } },
        settings: { timeout: { medium: "4 seconds" }, idle: "2 seconds" },
        does: [
          does(
            "POST",
            streaming(responses.created(), responses.thought(1, "hm")),
            heartbeats(200, 30),
            say(responses.delta(2, "one "), responses.delta(3, "two"), responses.completed(4, "one two")),
            end
          )
        ],
        asked: ["POST /responses background stream"]
      },
      "is not asked for a second time when it takes longer than the limit of an attempt": {
        config: polled,
        settings: slow,
        does: [does("POST", queued), { on: "GET", times: 10, does: [wait(150), pending] }, does("GET", done)],
        asked: ["POST /responses background", ...Array.from({ length: 11 }, () => "GET /responses/resp_1")]
      },
      "is polled as the service asks": {
        config: polled,
        does: [does("POST", queued), { on: "GET", times: 20, does: [busy()] }, does("GET", done)],
        asked: ["POST /responses background", ...Array.from({ length: 21 }, () => "GET /responses/resp_1")]
      },
      "is continued after a cut, with one that was refused in between": {
        config: kept,
        does: [does("POST", streaming(...half), cut("rst")), does("GET", down(503)), does("GET", rest)],
        asked: [
          "POST /responses background stream",
          "GET /responses/resp_1?stream=true&starting_after=1",
          "GET /responses/resp_1?stream=true&starting_after=1"
        ]
      }
    }
    for (const [what, { asked, options, ...server }] of Object.entries(calls)) {
      it.live(what, () =>
        against(server, (o1, { asked: seen }) =>
          Effect.gen(function*() {
            const outcome = yield* call(o1, face, options)
            assert.deepStrictEqual([labelOf(outcome), outcome.text], ["success", "one two"])
            assert.deepStrictEqual(seen(), asked)
          })), 20_000)
    }

    const words: { readonly [words: string]: Action } = {
      "of a stored response": notFound,
      "of a path": answer(404, { error: { code: "404", message: "Resource not found" } }),
      "of a deployment": answer(404, {
        error: { code: "DeploymentNotFound", message: "There is no such deployment." }
      }),
      "of a page": answer(404, "<html>Not Found</html>", { "content-type": "text/html" }),
      "of nothing": answer(404, "")
    }
    for (const [name, missing] of Object.entries(words)) {
      it.live(`404 in the words ${name} is not yet`, () =>
        Effect.gen(function*() {
          const streamed = [
            does("POST", streaming(...half), cut("rst")),
            { on: "GET", times: 2, does: [missing] },
            does("GET", rest)
          ]
          yield* against({ config: kept, does: streamed }, (o1, { asked }) =>
            Effect.gen(function*() {
              assert.strictEqual((yield* call(o1, face, { retries: 0 })).text, "one two")
              assert.strictEqual(asked().length, 4)
            }))
          const polls = [does("POST", queued), { on: "GET", times: 2, does: [missing] }, does("GET", done)]
          yield* against({ config: polled, does: polls }, (o1, { asked }) =>
            Effect.gen(function*() {
              assert.strictEqual((yield* call(o1, face, { retries: 0 })).text, "one two")
              assert.strictEqual(asked().length, 4)
            }))
        }), 20_000)
    }

    it.live(
      "fails after so many questions in vain, with what there is, and is neither cancelled nor asked for anew",
      () =>
        against(
          { config: kept, does: [does("POST", streaming(...half), cut("rst")), does("GET", down())] },
          (o1, { asked }) =>
            Effect.gen(function*() {
              const { error, text } = yield* call(o1, face, { fruitless: 2 })
              assert.deepInclude(error, { _tag: "O1ServerError", partialText: "one " })
              assert.deepStrictEqual(error?.resume, { responseId: "resp_1", deployment: "o1", after: 1 })
              assert.strictEqual(text, "one ")
              assert.strictEqual(asked().length, 3)
            })
        ),
      20_000
    )

    for (const onLeave of [undefined, "keep", "cancel"] as const) {
      it.live(`at total: ${onLeave ?? "as a rule"}`, () =>
        against(
          { config: kept, does: [does("POST", streaming(...half), heartbeats(20))] },
          (o1, { asked }) =>
            Effect.gen(function*() {
              const { error } = yield* call(o1, face, { timeout: "200 millis", total: "300 millis", onLeave })
              assert.deepInclude(error, { _tag: "O1TimeoutError", kind: "total", partialText: "one " })
              const stops = onLeave === "cancel"
              assert.strictEqual(error?.resume?.responseId, stops ? undefined : "resp_1")
              assert.strictEqual(asked().length, stops ? 2 : 1)
            })
        ))
    }

    it.live(
      "is cancelled where its caller leaves before it has a name",
      () =>
        Effect.forEach([kept, polled], (config) =>
          against(
            {
              config,
              does: [
                does("POST stream /responses$", wait(300), streaming(responses.created()), silence),
                does("POST /responses$", wait(300), queued)
              ]
            },
            (o1, { asked, requests }) =>
              Effect.gen(function*() {
                const fiber = yield* Effect.forkChild(call(o1, face), { startImmediately: true })
                yield* until(() => requests.length === 1)
                yield* Fiber.interrupt(fiber)
                assert.strictEqual(asked().length, 1)
                yield* until(() => requests.length === 2)
                assert.strictEqual(asked()[1], "POST /responses/resp_1/cancel")
              })
          )),
      20_000
    )

    const late: { readonly [what: string]: Against } = {
      "the limit of the attempt": {
        settings: slow,
        does: [does("POST stream /responses$", wait(1500), streaming(responses.created(0, "resp_0")), silence)]
      },
      "a silence": {
        config: { clocks: { byteIdle: "200 millis" } },
        does: [
          does(
            "POST stream /responses$",
            streaming(": hi\n\n"),
            wait(700),
            say(responses.created(0, "resp_0")),
            silence
          )
        ]
      },
      "the clock of its headers": {
        config: { clocks: { headers: "200 millis" } },
        does: [does("POST stream /responses$", wait(700), streaming(responses.created(0, "resp_0")), silence)]
      }
    }
    for (const [what, { config, does: first, settings }] of Object.entries(late)) {
      it.live(
        `is cancelled where ${what} ends the attempt before it has a name, and made in the background`,
        () =>
          against(
            {
              config: { ...kept, ...config },
              settings,
              does: [...first, does("POST /responses$", queued), does("GET", done)]
            },
            (o1, { asked, requests }) =>
              Effect.gen(function*() {
                assert.strictEqual((yield* call(o1, face)).text, "one two")
                yield* until(() => requests.some(({ path }) => path.endsWith("/cancel")))
                assert.deepStrictEqual(asked().toSorted(), [
                  "GET /responses/resp_1",
                  "POST /responses background",
                  "POST /responses background stream",
                  "POST /responses/resp_0/cancel"
                ])
              })
          ),
        20_000
      )
    }
  })

  describe(`${face} with the limits that hold where nobody has said otherwise`, () => {
    const twoMinutes = face === "complete" ? "success" : "O1TimeoutError/byte-idle"
    const inTheBackground = [does("POST background", queued), does("GET", done)]
    const calls: { readonly [what: string]: Against & { readonly ends: string; readonly asked: number } } = {
      "an answer on chat that is silent for two minutes": {
        config: onChat,
        does: [does("POST stream", streaming(chat.delta("one ")), silence), ...inTheBackground],
        ends: twoMinutes,
        asked: face === "complete" ? 3 : 1
      },
      "no answer on chat for a minute": {
        config: onChat,
        does: [does("POST stream", streaming(), heartbeats(100)), ...inTheBackground],
        ends: "success",
        asked: 3
      },
      "a kept answer that is silent for a minute": {
        config: kept,
        does: [does("POST", streaming(...half), silence), does("GET", rest)],
        ends: "success",
        asked: 2
      },
      "a kept answer with nothing but heartbeats for ten minutes": {
        config: kept,
        does: [
          does(
            "POST",
            streaming(...half),
            heartbeats(50, 100),
            say(responses.delta(2, "two"), responses.completed(3, "one two")),
            end
          )
        ],
        ends: "success",
        asked: 1
      },
      "a response that is not found for half a minute": {
        config: polled,
        does: [does("POST", queued), { on: "GET", times: 8, does: [notFound] }, does("GET", done)],
        ends: "success",
        asked: 10
      },
      "a response that is never found": {
        config: polled,
        does: [does("POST", queued), does("GET", notFound)],
        ends: "O1RequestError/response-not-found",
        asked: 0
      },
      "polls that are never answered": {
        config: polled,
        does: [does("POST", queued), does("GET", silence)],
        ends: "O1TimeoutError/byte-idle",
        asked: 9
      }
    }
    for (const [what, { asked, config, does, ends }] of Object.entries(calls)) {
      const settings: O1PolicySettings = { timeout: {}, total: "15 minutes" }
      it.live(
        what,
        () =>
          against({ config: config!, does, settings }, (o1, { asked: seen }, policy) =>
            Effect.gen(function*() {
              const outcome = yield* call(o1, face, { retries: 1 })
              assert.strictEqual(labelOf(outcome), ends)
              if (asked > 0) assert.strictEqual(seen().length, asked)
              assert.isFalse(seen().some((request) => request.endsWith("/cancel")))
              assert.deepInclude(yield* policy.breakerState("o1"), { consecutiveFailures: 0 })
            })).pipe(faster(100)),
        30_000
      )
    }
  })

  describe(`${face} of what takes long`, () => {
    const timeouts: { readonly [what: string]: Against } = {
      "408": { does: [does("POST stream", answer(408, { error: { message: "The operation was timeout." } }))] },
      "504": { does: [does("POST stream", down(504))] },
      "the headers": { config: { clocks: { headers: "100 millis" } }, does: [does("POST stream", silence)] },
      "the first content": {
        config: { clocks: { first: "100 millis" } },
        does: [does("POST stream", streaming(), heartbeats(20))]
      },
      "the first byte": {
        config: { clocks: { firstByte: "100 millis" } },
        does: [does("POST stream", streaming(), silence)]
      },
      "the connection": {
        config: { clocks: { byteIdle: "100 millis" } },
        does: [does("POST stream", streaming(": hello\n\n"), silence)]
      },
      "the attempt": { settings: slow, does: [does("POST stream", streaming(), heartbeats(20))] }
    }
    for (const [what, { config, does: first, settings }] of Object.entries(timeouts)) {
      for (const api of ["chat", "responses"] as const) {
        it.live(`${what} on ${api} is followed by the background`, () =>
          against(
            {
              config: { api, ...config },
              settings,
              does: [...first, does("POST background", queued), does("GET", done)]
            },
            (o1, { asked }) =>
              Effect.gen(function*() {
                const outcome = yield* call(o1, face)
                assert.deepStrictEqual([labelOf(outcome), outcome.text], ["success", "one two"])
                assert.deepStrictEqual(asked().slice(1), ["POST /responses background", "GET /responses/resp_1"])
              })
          ), 20_000)
      }
    }

    it.live("where there is no background, it is followed by twice the time", () =>
      against(
        {
          config: { ...onChat, store: false, clocks: { headers: "200 millis" } },
          does: [
            does("POST", silence),
            does("POST", wait(300), stream(chat.whole("one ", "two")))
          ]
        },
        (o1, { asked }) =>
          Effect.gen(function*() {
            assert.strictEqual((yield* call(o1, face, { retries: 1 })).text, "one two")
            assert.strictEqual(asked().length, 2)
          })
      ), 20_000)

    it.live("may say what it likes for longer than the limit of an attempt", () =>
      against(
        {
          config: onChat,
          settings: slow,
          does: [
            does(
              "POST",
              streaming(chat.delta("one ")),
              wait(700),
              say(chat.delta("two")),
              wait(700),
              say(chat.stop(), chat.done),
              end
            )
          ]
        },
        (o1, { asked }) =>
          Effect.gen(function*() {
            assert.strictEqual((yield* call(o1, face)).text, "one two")
            assert.strictEqual(asked().length, 1)
          })
      ), 20_000)

    it.live("may think for longer than idle after its first thought", () =>
      against(
        {
          config: onChat,
          settings: { idle: "200 millis" },
          does: [
            does(
              "POST",
              streaming(
                chat.chunk({ choices: [{ index: 0, delta: { reasoning_content: "hm" }, finish_reason: null }] })
              ),
              heartbeats(50, 12),
              say(chat.whole("one ", "two")),
              end
            )
          ]
        },
        (o1, { asked }) =>
          Effect.gen(function*() {
            assert.strictEqual((yield* call(o1, face, { retries: 0 })).text, "one two")
            assert.strictEqual(asked().length, 1)
          })
      ), 20_000)

    const partial: { readonly [kind: string]: CallOptions & { readonly clocks?: AzureO1Config["clocks"] } } = {
      idle: { idle: "200 millis" },
      total: { timeout: "300 millis", total: "300 millis" },
      "byte-idle": { clocks: { byteIdle: "200 millis" } }
    }
    for (const [kind, { clocks, ...options }] of Object.entries(partial)) {
      it.live(`an answer that ends with ${kind} is in partialText`, () =>
        against(
          {
            config: { ...onChat, store: false, clocks },
            does: [does("POST", streaming(chat.delta("one ")), kind === "byte-idle" ? silence : heartbeats(20))]
          },
          (o1) =>
            Effect.gen(function*() {
              const { error } = yield* call(o1, face, { retries: 0, ...options })
              assert.deepInclude(error, { _tag: "O1TimeoutError", kind, partialText: "one " } as object)
            })
        ))
    }

    for (
      const [what, second, partialText] of [
        ["says nothing leaves what the first has said", does("POST", down()), "one "],
        ["says something is what there is", does("POST", streaming(chat.delta("two ")), cut("rst")), "two "]
      ] as const
    ) {
      it.live(`an attempt after a break that ${what}`, () =>
        against(
          {
            config: { ...onChat, store: false },
            does: [{ on: "POST", times: 1, does: [streaming(chat.delta("one ")), cut("rst")] }, second]
          },
          (o1, { asked }) =>
            Effect.gen(function*() {
              const { error } = yield* call(o1, face, { retries: 1, onBreak: "restart" })
              assert.strictEqual(error?.partialText, partialText)
              assert.strictEqual(asked().length, 2)
            })
        ))
    }

    const hard: { readonly [what: string]: Against & { readonly state: string } } = {
      "silence on chat": { config: onChat, does: [does("POST", silence)], state: "Closed" },
      "silence after content on chat": {
        config: onChat,
        settings: { idle: "50 millis" },
        does: [does("POST", streaming(chat.delta("one ")), heartbeats(10))],
        state: "Closed"
      },
      "silence of what is kept": {
        config: kept,
        does: [does("POST", streaming(...half), heartbeats(10))],
        state: "Closed"
      },
      "silence of the background": {
        config: polled,
        does: [does("POST", queued), does("GET", pending)],
        state: "Closed"
      },
      "408": { config: onChat, does: [does("POST", answer(408, ""))], state: "Closed" },
      "quick 504": { config: onChat, does: [does("POST", down(504))], state: "Open" },
      "503": { config: kept, does: [does("POST", down(503))], state: "Open" }
    }
    for (const [what, { state, ...server }] of Object.entries(hard)) {
      it.live(
        `five times ${what}: the circuit is ${state}`,
        () =>
          against(server, (o1, _, policy) =>
            Effect.gen(function*() {
              // what is silent is ended soon, and what answers may take its time
              const limits = state === "Closed" ? { timeout: "100 millis", total: "200 millis" } as const : {}
              for (let i = 0; i < 5; i++) yield* call(o1, face, { retries: 0, ...limits })
              assert.strictEqual((yield* policy.breakerState("o1"))._tag, state)
            })),
        20_000
      )
    }
  })
}

describe("a cancel that the service refuses", () => {
  const refusals: { readonly [what: string]: readonly [Action, number] } = {
    "because it is busy": [busy(), 3],
    "because it is down": [down(), 3],
    "because the response has ended": [answer(400, { error: { message: "Cannot cancel a completed response." } }), 1]
  }
  for (const [what, [refuses, times]] of Object.entries(refusals)) {
    it.live(`${what}: ${times} times`, () =>
      against(
        {
          config: kept,
          does: [{ on: "POST /cancel$", times: Infinity, does: [refuses] }, does("POST", streaming(...half), silence)]
        },
        (o1, { requests }) =>
          Effect.gen(function*() {
            const cancels = () => requests.filter(({ path }) => path.endsWith("/cancel")).length
            yield* Stream.runDrain(Stream.take(o1.tokens(request), 1))
            yield* until(() => cancels() === times)
            yield* Effect.sleep("100 millis")
            assert.strictEqual(cancels(), times)
            const token = { responseId: "resp_1", deployment: "o1", after: -1 }
            const exit = yield* Effect.exit(o1.cancel(token))
            assert.strictEqual(exit._tag, times === 1 ? "Success" : "Failure")
            assert.strictEqual(cancels(), 2 * times)
          })
      ), 20_000)
  }
})

it.live("a cancel that fails is an event, and a warning in the log", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const refusing = yield* rawServer(
        { on: "POST /cancel$", times: Infinity, does: [busy()] },
        does("POST", streaming(responses.created()), cut("rst")),
        does("GET", down())
      )
      const slow = yield* rawServer(does("POST", wait(500), stream(responses.whole("one ", "two"))))
      const member = ({ url }: RawServer, deployment: string): AzureO1Config => ({
        endpoint: url,
        apiKey: Redacted.make("key"),
        deployment,
        profile: ModelProfile.gpt51,
        api: "responses"
      })
      const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder([member(refusing, "a"), member(slow, "b")]))
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${String(message)}`))
      const events = yield* Stream.runCollect(o1.stream(request, { fruitless: 1 })).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      const failed = events.find((event) => event._tag === "CancelFailed")
      assert.deepInclude(failed?.resume, { responseId: "resp_1", deployment: "a" })
      assert.strictEqual(O1Error.label(failed?.error), "O1RateLimitError/requests")
      const warning = logged.find((line) => line.includes("resp_1"))
      assert.strictEqual(
        warning,
        "Warn The response resp_1 of the deployment \"a\" could not be cancelled, and may go on: O1RateLimitError/requests"
      )
    }).pipe(Effect.provide(AzureO1Node.layerHttpClient))
  ), 20_000)

describe("resume", () => {
  const token = { responseId: "resp_1", deployment: "o1", after: 1 }
  const read = (o1: O1Client, options?: Parameters<O1Client["resume"]>[1]) =>
    Effect.flip(Stream.runDrain(o1.resume(token, options)))

  it.live("is limited by the total", () =>
    against({ config: kept, does: [does("GET", streaming(": hi\n\n"), silence)] }, (o1) =>
      Effect.gen(function*() {
        const error = yield* read(o1, { total: "200 millis" })
        assert.deepInclude(error, { _tag: "O1TimeoutError", kind: "total", resume: token })
      })))

  it.live("is read after a silence, polled after another one, and told what came", () =>
    against(
      { config: kept, does: [does("GET stream", streaming(), silence), does("GET", done)] },
      (o1, { asked }) =>
        Effect.gen(function*() {
          const events = yield* Stream.runCollect(o1.resume(token, { idle: "100 millis" }))
          assert.strictEqual(events.at(-1)?._tag, "Finished")
          assert.deepStrictEqual(asked(), [
            "GET /responses/resp_1?stream=true&starting_after=1",
            "GET /responses/resp_1"
          ])
        })
    ))

  it.live("of what does not stream is polled", () =>
    against(
      {
        config: kept,
        does: [does("GET stream", answer(400, { error: { message: "not a stream" } })), does("GET", done)]
      },
      (o1) =>
        Effect.map(Stream.runCollect(o1.resume(token)), (events) => assert.strictEqual(events.at(-1)?._tag, "Finished"))
    ))

  it.live("takes no options that make no sense", () =>
    against({ config: kept, does: [] }, (o1, { asked }) =>
      Effect.gen(function*() {
        const bad = { total: 0, idle: 0, fruitless: 0, retries: -1, onLeave: "panic" }
        for (const [param, value] of Object.entries(bad)) {
          assert.deepInclude(yield* read(o1, { [param]: value }), { _tag: "O1RequestError", kind: "invalid", param })
        }
        assert.deepStrictEqual(asked(), [])
      })))

  it.live("ends where nothing comes of so many questions", () =>
    against({ config: kept, does: [does("GET", down())] }, (o1, { asked }) =>
      Effect.gen(function*() {
        assert.deepInclude(yield* read(o1, { fruitless: 2 }), { _tag: "O1ServerError", resume: token })
        assert.deepInclude(yield* read(o1, { retries: 0 }), { _tag: "O1ServerError", resume: token })
        assert.strictEqual(asked().length, 3)
      })))

  for (const onLeave of [undefined, "cancel"] as const) {
    it.live(`left, ${onLeave ?? "as a rule"}`, () =>
      against(
        { config: kept, does: [does("GET", streaming(responses.delta(2, "two")), silence)] },
        (o1, { asked }) =>
          Effect.gen(function*() {
            yield* Stream.runDrain(
              Stream.take(Stream.filter(o1.resume(token, { onLeave }), ({ _tag }) => _tag === "TextDelta"), 1)
            )
            assert.deepStrictEqual(asked().slice(1), onLeave === undefined ? [] : ["POST /responses/resp_1/cancel"])
          })
      ))
  }

  const bad: ReadonlyArray<unknown> = [
    { ...token, responseId: ".." },
    { ...token, responseId: "a/b" },
    { ...token, responseId: "" },
    { ...token, responseId: "a?b=c" },
    { ...token, after: Number.NaN },
    { ...token, after: -2 },
    { ...token, after: 1.5 },
    { ...token, deployment: "another" },
    {},
    null
  ]
  for (const one of bad) {
    it.live(`and cancel do not take ${JSON.stringify(one)}`, () =>
      against({ config: kept, does: [] }, (o1, { asked }) =>
        Effect.gen(function*() {
          const wrong = one as typeof token // whatever somebody has written down
          const errors = [yield* Effect.flip(Stream.runDrain(o1.resume(wrong))), yield* Effect.flip(o1.cancel(wrong))]
          for (const error of errors) {
            assert.deepInclude(error, { _tag: "O1RequestError", kind: "invalid", param: "token" })
          }
          assert.deepStrictEqual(asked(), [])
        })))
  }
})

describe("failover", () => {
  it.live(
    "the second member streams, whatever the first one has taken too long for",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const a = yield* rawServer(does("POST", silence))
          const b = yield* rawServer(does("POST", stream(chat.whole("one ", "two"))))
          const member = (server: RawServer, deployment: string): AzureO1Config => ({
            endpoint: server.url,
            apiKey: Redacted.make("key"),
            deployment,
            profile: ModelProfile.gpt51,
            api: "chat"
          })
          const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder([member(a, "a"), member(b, "b")]))
          const tokens = yield* Stream.runCollect(o1.tokens(request, { timeout: "200 millis" }))
          assert.deepStrictEqual([tokens, b.asked()], [["one ", "two"], ["POST /chat/completions stream"]])
        }).pipe(Effect.provide(AzureO1Node.layerHttpClient))
      ),
    20_000
  )

  it.live("a response is read from whichever member has it, in time", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const a = yield* rawServer(does("GET", notFound))
        const b = yield* rawServer({ on: "GET", times: 2, does: [notFound] }, does("GET", rest))
        const member = ({ url }: RawServer, name: string) => ({
          name,
          endpoint: url,
          apiKey: Redacted.make("key"),
          deployment: "o1",
          profile: ModelProfile.gpt51,
          api: "responses" as const
        })
        const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder([member(a, "a"), member(b, "b")]))
        const events = yield* Stream.runCollect(o1.resume({ responseId: "resp_1", deployment: "o1", after: 1 }))
        assert.strictEqual(events.at(-1)?._tag, "Finished")
        assert.deepStrictEqual([a.asked().length, b.asked().length], [3, 3])
      }).pipe(Effect.provide(AzureO1Node.layerHttpClient))
    ), 20_000)

  it.live(
    "what the first one keeps is cancelled before the second one is asked",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const a = yield* rawServer(
            does("POST /cancel$", queued),
            does("POST /responses$", queued),
            does("GET", down())
          )
          const b = yield* rawServer(does("POST", queued), does("GET", done))
          const member = (server: RawServer, deployment: string): AzureO1Config => ({
            endpoint: server.url,
            apiKey: Redacted.make("key"),
            deployment,
            profile: { ...ModelProfile.gpt51, streaming: "no" },
            api: "responses",
            pollInterval: "5 millis"
          })
          const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder([member(a, "a"), member(b, "b")]))
          assert.strictEqual((yield* o1.complete(request, { fruitless: 1 })).text, "one two")
          assert.strictEqual(a.asked().at(-1), "POST /responses/resp_1/cancel")
          assert.isBelow(a.requests.at(-1)!.at, b.requests[0]!.at)
        }).pipe(Effect.provide(AzureO1Node.layerHttpClient))
      ),
    20_000
  )
})
