// What happens on the way, done to real sockets: a connection that is dropped without a word, a create that takes its time, a
// cancel that is refused, a response that is not there yet. The clock of the client goes faster than that of the server.
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { AzureO1 } from "../../src/AzureO1.ts"
import { O1Error } from "../../src/O1Error.ts"
import { type Outcome, outcomeOf, said, talking } from "../support/conversations.ts"
import { faster } from "../support/fast-clock.ts"
import { request } from "../support/harness.ts"
import {
  answer,
  busy,
  cut,
  down,
  head,
  heartbeats,
  notFound,
  say,
  silence,
  sse,
  stream,
  streaming,
  wait
} from "../support/raw-actions.ts"
import type { Exchange, RawServer } from "../support/raw-server.ts"
import { responses } from "../support/wire-says.ts"

const { body, completed, created, delta, inProgress, thought } = responses

const begun = created(0) + inProgress(1)
const rest = delta(3, "lo") + completed(4, "Hello")
const whole = delta(2, "Hel") + rest

const post = (...does: Exchange["does"]): Exchange => ({ on: "POST /responses$ stream", does })
const create = (...does: Exchange["does"]): Exchange => ({ on: "POST /responses$ plain", does })
const read = (...does: Exchange["does"]): Exchange => ({ on: "GET stream", does })
const poll = (...does: Exchange["does"]): Exchange => ({ on: "GET plain", does })
const cancel = (...does: Exchange["does"]): Exchange => ({ on: "POST /cancel$", does })
const noStreams = post(answer(400, {
  error: {
    code: "unsupported_value",
    param: "stream",
    message: "Unsupported value: 'stream'.",
    type: "invalid_request_error"
  }
}))

const creates = (asked: ReadonlyArray<string>): number =>
  asked.filter((line) => line.startsWith("POST /responses ")).length
const cancels = (asked: ReadonlyArray<string>): number => asked.filter((line) => line.endsWith("/cancel")).length

/** A call on the Responses API, on a clock on which a minute takes 0.6 s. */
const call = (face: "complete" | "stream", exchanges: ReadonlyArray<Exchange>): Effect.Effect<Outcome> =>
  faster(100)(talking(
    exchanges,
    (o1, server) => Effect.map(outcomeOf(o1, face), (outcome) => ({ ...outcome, asked: server.asked() })),
    { config: { api: "responses", pollInterval: "2 seconds" }, settings: {} }
  ))

/** The answer, said once, from the one response that was made, and of which nothing was cancelled. */
const isHello = (face: "complete" | "stream", { asked, completion, error, events }: Outcome): void => {
  assert.isUndefined(error, error?.message)
  assert.strictEqual(completion?.text, "Hello")
  if (face === "stream") assert.strictEqual(said(events), "Hello")
  assert.strictEqual(creates(asked), 1, asked.join(", "))
  assert.strictEqual(cancels(asked), 0, asked.join(", "))
}

const table: ReadonlyArray<readonly [string, ReadonlyArray<Exchange>]> = [
  ["a silent drop right after the beginning", [post(streaming(begun), silence), read(stream(whole))]],
  ["a silent drop after content", [post(streaming(begun, delta(2, "Hel")), silence), read(stream(rest))]],
  [
    "a silent drop after a thought",
    [post(streaming(begun, thought(2, "hm")), silence), read(stream(delta(3, "Hello"), completed(4, "Hello")))]
  ],
  [
    "silent drops one after another",
    [
      post(streaming(begun), silence),
      read(head(200, sse), silence),
      read(streaming(delta(2, "Hel")), silence),
      read(stream(rest)),
      // who prefers to ask for the status after a while may do so
      { ...poll(answer(200, body("in_progress"))), times: 2 },
      poll(answer(200, body("completed", "Hello")))
    ]
  ],
  [
    "a silent drop, and a server that does not even answer",
    [
      post(streaming(begun, delta(2, "Hel")), silence),
      read(silence),
      read(stream(rest)),
      poll(answer(200, body("in_progress")))
    ]
  ],
  [
    "a silent drop, and streams that are always silent: the status tells the end",
    [
      post(streaming(begun, delta(2, "Hel")), silence),
      read(head(200, sse), silence),
      poll(answer(200, body("in_progress"))),
      poll(answer(200, body("completed", "Hello")))
    ]
  ],
  [
    "heartbeats for longer than any limit: it thinks",
    [post(streaming(begun), heartbeats(100, 25), say(whole), (turn) => turn.end())]
  ],
  [
    "404 for a while after a cut",
    [
      post(streaming(begun, delta(2, "Hel")), cut("rst")),
      { ...read(notFound), times: 4 },
      read(stream(rest)),
      poll(notFound)
    ]
  ],
  [
    "404 for a while, as of an endpoint that is not there",
    [
      post(streaming(begun, delta(2, "Hel")), cut("fin")),
      { ...read(answer(404, { error: { code: "404", message: "Resource not found" } })), times: 3 },
      read(stream(rest)),
      poll(answer(404, ""))
    ]
  ],
  [
    "a response in the background of which the polls say 404 for a while",
    [
      noStreams,
      create(answer(200, body("queued"))),
      { ...poll(notFound), times: 4 },
      poll(answer(200, body("completed", "Hello")))
    ]
  ],
  [
    "polls that are dropped without a word, refused, cut and answered with a page",
    [
      noStreams,
      create(answer(200, body("queued"))),
      poll(silence),
      poll(busy()),
      poll(down(500)),
      poll(cut("rst")),
      poll(head(200), silence),
      poll(answer(502, "<html>", { "content-type": "text/html" })),
      poll(answer(200, body("completed", "Hello")))
    ]
  ]
]

describe("a response that the service keeps", () => {
  for (const [name, exchanges] of table) {
    for (const face of ["complete", "stream"] as const) {
      it.live(`${name}, through ${face}`, () =>
        Effect.map(call(face, exchanges), (outcome) => {
          const refusals = outcome.asked.filter((line, i) =>
            i === 0 && exchanges[0] === noStreams && line.endsWith("stream")
          )
          isHello(face, { ...outcome, asked: outcome.asked.slice(refusals.length) })
        }))
    }
  }

  it.live("404 for ever is an error that keeps the token, and cancels nothing", () =>
    Effect.gen(function*() {
      const exchanges = [post(streaming(begun, delta(2, "Hel")), cut("rst")), read(notFound), poll(notFound)]
      for (const face of ["complete", "stream"] as const) {
        const { asked, error } = yield* call(face, exchanges)
        assert.deepInclude(error?.resume, { responseId: "resp_1" })
        assert.strictEqual(error?.partialText, "Hel")
        assert.strictEqual(creates(asked) + cancels(asked), 1, asked.join(", "))
        assert.isAtLeast(asked.length, 5)
      }
    }))
})

describe("a create that takes longer than an attempt may", () => {
  for (const face of ["complete", "stream"] as const) {
    it.live(`is waited for, or what it brings is cancelled, through ${face}`, () =>
      talking(
        [
          post(wait(1400), streaming(created(0, "resp_late")), silence),
          { ...post(stream(responses.whole("Hello"))), times: 3 },
          create(answer(200, body("completed", "Hello"))),
          read(stream(responses.whole("Hello"))),
          poll(answer(200, body("completed", "Hello")))
        ],
        (o1, server) =>
          Effect.gen(function*() {
            const { completion, error } = yield* faster(10)(outcomeOf(o1, face, request, { timeout: "10 seconds" }))
            assert.isUndefined(error, error?.message)
            assert.strictEqual(completion?.text, "Hello")
            if (creates(server.asked()) === 1) return
            yield* sees(server, (asked) => asked.includes("POST /responses/resp_late/cancel"))
          }),
        { config: { api: "responses" }, settings: {} }
      ))
  }
})

/** Begins a call, leaves it after so many real milliseconds, and waits until the server has seen what it should see. */
const leaving = (
  exchanges: ReadonlyArray<Exchange>,
  after: number,
  check: (server: RawServer) => Effect.Effect<void>,
  face: "complete" | "stream" = "stream"
): Effect.Effect<void> =>
  talking(
    exchanges,
    (o1, server) =>
      Effect.gen(function*() {
        const work = face === "complete" ? Effect.asVoid(o1.complete(request)) : Stream.runDrain(o1.stream(request))
        const fiber = yield* Effect.forkChild(work, { startImmediately: true })
        yield* Effect.sleep(`${after} millis`)
        yield* Fiber.interrupt(fiber)
        yield* check(server)
      }),
    { config: { api: "responses" } }
  )

const sees = (server: RawServer, good: (asked: ReadonlyArray<string>) => boolean): Effect.Effect<void> =>
  Effect.asVoid(
    Effect.repeat(Effect.sleep("5 millis"), { until: () => good(server.asked()) }).pipe(
      Effect.timeoutOrElse({
        duration: "10 seconds",
        orElse: () => Effect.die(new Error(`the server saw ${server.asked().join(", ")}`))
      })
    )
  )

/** That it does not come to more than it has come to. */
const stays = (server: RawServer, count: (asked: ReadonlyArray<string>) => number, expected: number) =>
  Effect.andThen(
    Effect.sleep("300 millis"),
    Effect.sync(() => assert.strictEqual(count(server.asked()), expected, server.asked().join(", ")))
  )

describe("whoever leaves", () => {
  const slow: ReadonlyArray<readonly [string, ReadonlyArray<Exchange>]> = [
    ["a stream whose head is late", [post(wait(300), streaming(begun), silence)]],
    ["a stream whose first event is late", [post(head(200, sse), wait(300), say(begun), silence)]],
    ["a background response", [noStreams, create(wait(300), answer(200, body("queued")))]]
  ]
  for (const [name, exchanges] of slow) {
    for (const face of ["complete", "stream"] as const) {
      it.live(`before the create is answered cancels what it brings: ${name}, through ${face}`, () =>
        leaving(
          exchanges,
          100,
          (server) => Effect.andThen(sees(server, (asked) => cancels(asked) === 1), stays(server, cancels, 1)),
          face
        ))
    }
  }

  it.live("a create that never brings anything is left as it is", () =>
    leaving([post(silence)], 50, (server) => stays(server, cancels, 0)))

  const refusals: ReadonlyArray<readonly [string, ReadonlyArray<Exchange>, number]> = [
    ["at once", [cancel(answer(200, body("cancelled")))], 1],
    ["once", [cancel(busy()), cancel(answer(200, body("cancelled")))], 2],
    ["twice, one way and another", [cancel(down(500)), cancel(cut("rst")), cancel(answer(200, body("cancelled")))], 3],
    ["for ever", [cancel(down(503))], 3]
  ]
  for (const [name, exchanges, times] of refusals) {
    it.live(`has the cancel tried again where it is refused: ${name}`, () =>
      leaving(
        [post(streaming(begun, delta(2, "Hel")), silence), ...exchanges],
        100,
        (server) => Effect.andThen(sees(server, (asked) => cancels(asked) === times), stays(server, cancels, times))
      ))
  }
})

/** What `resume` makes of a token, on the faster clock. */
const resumed = (exchanges: ReadonlyArray<Exchange>, text: string): Effect.Effect<void> =>
  faster(100)(talking(
    exchanges,
    (o1: AzureO1["Service"]) =>
      Effect.map(
        Effect.result(Stream.runCollect(o1.resume({ responseId: "resp_1", after: 2, deployment: "o1" }))),
        (result) =>
          result._tag === "Success"
            ? assert.strictEqual(said(result.success), text)
            : assert.fail(O1Error.label(result.failure))
      ),
    { config: { api: "responses" }, settings: {} }
  ))

describe("a token", () => {
  const rows: ReadonlyArray<readonly [string, ReadonlyArray<Exchange>]> = [
    ["that is known at once", [read(stream(rest))]],
    ["that is not known yet", [{ ...read(notFound), times: 3 }, read(stream(rest)), poll(notFound)]],
    ["whose stream is dropped without a word", [
      read(streaming(delta(3, "l")), silence),
      read(stream(delta(4, "o"), completed(5, "Hello")))
    ]]
  ]
  for (const [name, exchanges] of rows) {
    it.live(name, () => resumed(exchanges, "lo"))
  }
})
