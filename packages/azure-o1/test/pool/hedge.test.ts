// A pool that hedges: a member in another region is asked as well when the first gives no content soon enough.
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { CallOptions } from "../../src/O1Client.ts"
import {
  O1AuthError,
  O1ContentFilterError,
  O1Error,
  O1RateLimitError,
  O1ServerError,
  O1TimeoutError
} from "../../src/O1Error.ts"
import type { O1Event } from "../../src/O1Event.ts"
import { type O1Observation, O1Observer } from "../../src/O1Observation.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { AzureO1Pool, type PoolSettings } from "../../src/pool/index.ts"
import { AzureO1Test, type Step, type TestTransport } from "../../src/testing/index.ts"
import { CurrentCall } from "../../src/transport/call.ts"
import { CurrentWatch } from "../../src/transport/watch.ts"
import { during, request, timed, value } from "../support/harness.ts"

const { answer, fail, hang, tokens } = AzureO1Test
const down = new O1ServerError({ kind: "unavailable" })
const busy = new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(20) })
const hedge = { delay: "10 seconds" } as const

/** Members "a", "b" and so on, in this order, each in a region of its own. */
const members = (...scripts: ReadonlyArray<ReadonlyArray<Step>>) =>
  scripts.map((steps, i) => AzureO1Test.transport(steps, { deployment: "abc"[i]! })) as unknown as readonly [
    TestTransport,
    ...Array<TestTransport>
  ]

const made = (wires: ReturnType<typeof members>, settings: PoolSettings = { hedge }) =>
  AzureO1Pool.make(AzureO1Pool.inOrder(wires), settings)

const asked = (wires: ReturnType<typeof members>) =>
  Effect.forEach(wires, ({ calls }) => Effect.map(calls, ({ length }) => length))

/** One call of each face: its text or error, after how many seconds, and how often each member was asked. */
const faces = {
  complete: (o1: AzureO1Pool["Service"], options?: CallOptions) =>
    Effect.map(o1.complete(request, options), ({ text }) => text),
  tokens: (o1: AzureO1Pool["Service"], options?: CallOptions) =>
    Effect.map(Stream.runCollect(o1.tokens(request, options)), (texts) => texts.join(""))
}

const outcomeOf = Effect.fnUntraced(
  function*(
    wires: ReturnType<typeof members>,
    face: keyof typeof faces,
    options?: CallOptions,
    settings?: PoolSettings
  ) {
    const o1 = yield* made(wires, settings)
    let text = ""
    const call = Effect.tap(faces[face](o1, options), (said) => Effect.sync(() => void (text = said)))
    const [outcome, seconds] = value(yield* during("2 hours", timed(call)))
    return [outcome === "success" ? text : outcome, seconds, ...yield* asked(wires)]
  }
)

const show = (event: O1Event): string => {
  switch (event._tag) {
    case "TextDelta":
      return event.text
    case "Hedged":
      return `${event.to} beside ${event.from} after ${Duration.toSeconds(event.after)} s`
    case "FailedOver":
      return `from ${event.from} to ${event.to} after ${O1Error.label(event.error)}`
    case "Finished":
      return "finished"
    default:
      return event._tag
  }
}

const after = (seconds: number, text = "a") => answer(text, { after: Duration.seconds(seconds) })

describe("a pool that hedges", () => {
  for (const face of ["complete", "tokens"] as const) {
    describe(face, () => {
      const cases: ReadonlyArray<readonly [string, ReadonlyArray<ReadonlyArray<Step>>, ReadonlyArray<unknown>]> = [
        ["one that answers in time is asked alone", [[after(9)], []], ["a", 9, 1, 0]],
        ["the first of two to give content wins", [[hang], [after(5, "b")]], ["b", 15, 1, 1]],
        ["also if that is the first one", [[after(12)], [after(5, "b")]], ["a", 12, 1, 1]],
        ["a failure before the delay goes over at once, with a delay of its own", [
          [
            fail(down, { after: "4 seconds" })
          ],
          [after(9, "b")],
          []
        ], ["b", 13, 1, 1, 0]],
        [
          "a failure while another one works on changes nothing for that one",
          [[fail(down, { after: "12 seconds" })], [after(19, "b")], []],
          ["b", 29, 1, 1, 0]
        ],
        ["nor does the failure of the second", [[after(29)], [fail(down)], []], ["a", 29, 1, 1, 0]],
        [
          "when both have failed, a third one is asked",
          [[fail(down, { after: "15 seconds" })], [fail(busy, { after: "2 seconds" })], [after(1, "c")]],
          ["c", 16, 1, 1, 1]
        ],
        [
          "what would fail everywhere ends the race",
          [[hang], [fail(new O1ContentFilterError({ kind: "prompt", categories: [] }))]],
          ["O1ContentFilterError/prompt", 10, 1, 1]
        ],
        ["with the whole call ends the race", [[hang], [hang]], ["O1TimeoutError/total", 30, 1, 1]],
        ["not more than two are asked", [[hang], [hang], []], ["O1TimeoutError/total", 30, 1, 1, 0]]
      ]
      for (const [name, scripts, expected] of cases) {
        it.effect(name, () =>
          Effect.gen(function*() {
            assert.deepStrictEqual(
              yield* outcomeOf(members(...scripts), face, { timeout: "30 seconds", total: "30 seconds" }),
              expected
            )
          }))
      }

      it.effect("max: a third one beside the other two", () =>
        Effect.gen(function*() {
          const wires = members([hang], [hang], [after(1, "c")])
          assert.deepStrictEqual(yield* outcomeOf(wires, face, {}, { hedge: { delay: "10 seconds", max: 2 } }), [
            "c",
            21,
            1,
            1,
            1
          ])
        }))

      it.effect("only a member in another region", () =>
        Effect.gen(function*() {
          const [a, b, c] = members([hang], [], [after(1, "c")])
          const wires = [{ ...a, region: "eu" }, { ...b!, region: "eu" }, { ...c!, region: "us" }] as const
          assert.deepStrictEqual(yield* outcomeOf(wires as never, face), ["c", 11, 1, 0, 1])
        }))

      it.effect("nobody, where all are in one region", () =>
        Effect.gen(function*() {
          const [a, b] = members([after(50)], [])
          const wires = [{ ...a, region: "eu" }, { ...b!, region: "eu" }] as const
          assert.deepStrictEqual(yield* outcomeOf(wires as never, face), ["a", 50, 1, 0])
        }))

      it.effect("a retry begins anew, with a hedge of its own", () =>
        Effect.gen(function*() {
          const wires = members([fail(down), hang], [fail(down), after(1, "b")])
          const [text, seconds] = yield* outcomeOf(wires, face)
          assert.strictEqual(text, "b")
          assert.isAbove(seconds as number, 1)
          assert.deepStrictEqual((yield* asked(wires)).map((n) => n > 0), [true, true])
        }))

      it.effect("a caller that leaves ends all of them", () =>
        Effect.gen(function*() {
          let open = 0
          const held: Step = {
            complete: Effect.acquireUseRelease(Effect.sync(() => open++), () =>
              Effect.never, () =>
              Effect.sync(() => open--)),
            stream: Stream.unwrap(Effect.as(
              Effect.acquireRelease(
                Effect.sync(() =>
                  open++
                ),
                () => Effect.sync(() => open--)
              ),
              Stream.never
            ))
          }
          const o1 = yield* made(members([held], [held]))
          const fiber = yield* Effect.forkChild(faces[face](o1), { startImmediately: true })
          yield* TestClock.adjust("11 seconds")
          assert.strictEqual(open, 2)
          assert.deepStrictEqual((yield* o1.state).map(({ inFlight }) => inFlight), [1, 1])
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(open, 0)
          assert.deepStrictEqual((yield* o1.state).map(({ inFlight }) => inFlight), [0, 0])
        }))

      it.effect("the loser is closed, and nothing of it is left", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const scoped = (name: string, { complete, stream }: Step): Step => ({
            complete: Effect.acquireUseRelease(
              Effect.sync(() => log.push(`open ${name}`)),
              () => complete,
              () => Effect.sync(() => log.push(`close ${name}`))
            ),
            stream: Stream.unwrap(Effect.as(
              Effect.acquireRelease(
                Effect.sync(() => log.push(`open ${name}`)),
                () => Effect.sync(() => log.push(`close ${name}`))
              ),
              stream
            ))
          })
          const o1 = yield* made(
            members([scoped("a", hang)], [scoped("b", tokens(["1", "2"], { first: "1 second", every: "1 second" }))])
          )
          assert.strictEqual(value(yield* during("1 hour", faces[face](o1))), "12")
          // nobody hears of the content of a whole answer before its end, here
          const closed = face === "complete" ? ["close b", "close a"] : ["close a", "close b"]
          assert.deepStrictEqual(log, ["open a", "open b", ...closed])
          assert.deepStrictEqual((yield* o1.state).map(({ inFlight }) => inFlight), [0, 0])
        }))
    })
  }

  it.effect("a stream says so", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const o1 = yield* made(members([hang], [tokens(["1", "2"], { first: "5 seconds" })]))
      const drained = Stream.runForEach(o1.stream(request), (event) => Effect.sync(() => seen.push(show(event))))
      value(yield* during("1 minute", drained))
      assert.deepStrictEqual(seen.filter((line) => line !== "Waiting"), ["b beside a after 10 s", "1", "2", "finished"])
    }))

  it.effect("content of the first one that comes before the delay keeps the others away, however long the answer takes", () =>
    Effect.gen(function*() {
      const slowly: Step = tokens(Array.from({ length: 20 }, (_, i) => `${i} `), {
        first: "9 seconds",
        every: "5 seconds"
      })
      const wires = members([slowly], [])
      assert.deepStrictEqual((yield* outcomeOf(wires, "tokens")).slice(1), [104, 1, 0])
    }))

  it.effect("a delay that is learnt from the answers", () =>
    Effect.gen(function*() {
      const wires = members([...Array.from({ length: 30 }, () => after(2)), hang], [after(1, "b")])
      const o1 = yield* made(wires, { hedge: { delay: { quantile: 0.95 } } })
      for (let i = 0; i < 30; i++) value(yield* during("2 seconds", o1.complete(request)))
      const [outcome, seconds] = value(yield* during("1 minute", timed(o1.complete(request))))
      assert.strictEqual(outcome, "success")
      assert.approximately(seconds, 3, 0.1)
    }))

  it.effect("under a policy without any limit", () =>
    Effect.gen(function*() {
      const wires = members([hang, hang], [after(5, "b"), after(5, "b")])
      const pool = Layer.provide(
        AzureO1Pool.layerServices(AzureO1Pool.inOrder(wires), { hedge }),
        O1Policy.layerPlain
      )
      yield* Effect.gen(function*() {
        const o1 = yield* AzureO1Pool
        for (const face of ["complete", "tokens"] as const) {
          assert.strictEqual(value(yield* during("15 seconds", faces[face](o1))), "b")
        }
      }).pipe(Effect.provide(pool))
    }))

  it.effect("a defect of a member is the call's", () =>
    Effect.gen(function*() {
      const bug: Step = { complete: Effect.die("a bug"), stream: Stream.die("a bug") }
      const o1 = yield* made(members([bug, bug], [hang, hang]))
      for (const face of ["complete", "tokens"] as const) {
        const exit = yield* Effect.exit(faces[face](o1))
        assert.isTrue(Exit.hasDies(exit))
        assert.deepStrictEqual((yield* o1.state).map(({ inFlight }) => inFlight), [0, 0])
      }
    }))

  describe("what is told of it", () => {
    it.effect("an error has an attempt for each member", () =>
      Effect.gen(function*() {
        const wires = members([fail(down, { after: "15 seconds" })], [
          fail(new O1AuthError({ kind: "forbidden" }), { after: "2 seconds" })
        ])
        const o1 = yield* made(wires)
        const error = value(yield* during("1 minute", Effect.flip(o1.complete(request, { retries: 0 }))))
        assert.deepStrictEqual(
          error.attempts.map(({ attempt, deployment, duration, outcome }) => [
            attempt,
            deployment,
            Duration.toSeconds(duration),
            outcome
          ]),
          [[1, "b", 2, "O1AuthError/forbidden"], [1, "a", 15, "O1ServerError/unavailable"]]
        )
        assert.strictEqual(error.deployment, "a")
      }))

    it.effect("an attempt that was beside the one that timed out as well", () =>
      Effect.gen(function*() {
        const o1 = yield* made(members([hang], [hang]))
        const error = value(
          yield* during("1 minute", Effect.flip(o1.complete(request, { timeout: "30 seconds", total: "30 seconds" })))
        )
        assert.instanceOf(error, O1TimeoutError)
        assert.sameMembers(error.attempts.map(({ deployment }) => deployment), ["a", "b"])
      }))

    const observed = (scripts: ReadonlyArray<ReadonlyArray<Step>>, face: keyof typeof faces) =>
      Effect.gen(function*() {
        const seen: Array<O1Observation> = []
        const o1 = yield* made(members(...scripts))
        value(
          yield* during(
            "1 hour",
            Effect.provideService(faces[face](o1), O1Observer, (observation) => void seen.push(observation))
          )
        )
        return seen.flatMap((observation) =>
          observation._tag === "Connection" ? [] : [[
            observation._tag,
            observation.deployment,
            observation.outcome,
            Duration.toSeconds(observation.total)
          ]]
        )
      })

    for (const face of ["complete", "tokens"] as const) {
      it.effect(`observers: the second wins, ${face}`, () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* observed([[hang], [after(5, "b")]], face), [
            ["Attempt", "a", "interrupted", 15],
            ["Attempt", "b", "success", 5],
            ["Call", "b", "success", 15]
          ])
        }))

      it.effect(`observers: the first wins, ${face}`, () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* observed([[after(12)], [hang]], face), [
            ["Attempt", "b", "interrupted", 2],
            ["Attempt", "a", "success", 12],
            ["Call", "a", "success", 12]
          ])
        }))
    }
  })

  describe("what the service makes in the background", () => {
    /** A deployment that takes a response on, and keeps it until it is told otherwise. */
    const keeping = (log: Array<string>, name: string, then: Step): Step => ({
      ...then,
      complete: Effect.flatMap(Effect.all([CurrentCall, CurrentWatch]), ([call, watch]) => {
        watch?.kept()
        log.push(`${name} begins`)
        call!.open = {
          id: name,
          streams: false,
          token: () => ({ responseId: name, deployment: name, after: -1 }),
          text: () => "",
          cancel: Effect.sync(() => log.push(`${name} is cancelled`) > 0)
        }
        return Effect.tap(then.complete, Effect.sync(() => call!.open = undefined))
      })
    })

    const run = (a: Step, b: Step, options: CallOptions = {}) =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const o1 = yield* made(members([keeping(log, "a", a)], [keeping(log, "b", b)]))
        const exit = yield* during("1 hour", Effect.result(o1.complete(request, options)))
        return { log, result: value(exit) }
      })

    it.effect("of the loser is cancelled on the server", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* run(hang, after(5, "b"))).log, ["a begins", "b begins", "a is cancelled"])
        assert.deepStrictEqual((yield* run(after(12), hang)).log, ["a begins", "b begins", "b is cancelled"])
      }))

    it.effect("also with onLeave \"keep\": the caller has an answer, and stays", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* run(hang, after(5, "b"), { onLeave: "keep" })).log, [
          "a begins",
          "b begins",
          "a is cancelled"
        ])
      }))

    it.effect("the one that goes on is in the error of a call that ran out of time, the other one is cancelled", () =>
      Effect.gen(function*() {
        const { log, result } = yield* run(hang, hang, { timeout: "10 seconds", total: "30 seconds" })
        assert.deepStrictEqual(log, ["a begins", "b begins", "b is cancelled"])
        assert.deepInclude(result._tag === "Failure" ? result.failure.resume : undefined, { responseId: "a" })
      }))
  })
})
