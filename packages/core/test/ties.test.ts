import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/Deadline.ts"
import * as Timeout from "../src/Timeout.ts"
import { fork, outcome } from "./support/harness.ts"

/*
 * A call that ends at the very moment of its limit. On a clock that is not live, whoever was armed first is woken first; a limit
 * is armed after the first turn of the call, as that of `Effect.timeout` is.
 */

type Call = Effect.Effect<string>
type Limited = (self: Call) => Effect.Effect<unknown, unknown>

const second = (fraction: number): Effect.Effect<void> => Effect.sleep(1000 * fraction)

/** Each ends after one second. */
const calls: { readonly [name: string]: Call } = {
  "one sleep": Effect.as(second(1), "call"),
  "two sleeps": Effect.as(Effect.andThen(second(0.5), second(0.5)), "call"),
  "a yield, then a sleep": Effect.as(Effect.andThen(Effect.yieldNow, second(1)), "call"),
  "a sleep, then a yield": Effect.as(Effect.andThen(second(1), Effect.yieldNow), "call"),
  "a sleep of no time, then a sleep": Effect.as(Effect.andThen(Effect.sleep(0), second(1)), "call"),
  "a sleep in a child": Effect.as(Effect.flatMap(fork(second(1)), Fiber.join), "call"),
  "a sleep in a race": Effect.as(Effect.race(second(1), Effect.never), "call"),
  "a sleep that cannot be interrupted": Effect.uninterruptible(Effect.as(second(1), "call"))
}

const limits: { readonly [name: string]: Limited } = {
  "Timeout.attempt": Timeout.attempt("1 second"),
  "Timeout.attempt, asked at each call": Timeout.attempt(() => "1 second"),
  "Timeout.total": Timeout.total("1 second"),
  "Timeout.phases": Timeout.phases({ total: "1 second" }),
  "Deadline.within": Deadline.within("1 second")
}

/** Who wins, with one caller and with a second one that began at the same time. */
const winners = (limited: Limited, call: Call): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const fibers = [yield* fork(limited(call)), yield* fork(limited(call))]
    yield* TestClock.adjust("10 seconds")
    return fibers.map((fiber) => outcome(fiber.pollUnsafe()!).startsWith("ok") ? "the call" : "the limit")
  })

describe("a tie on a clock that is not live goes to whom it goes with Effect.timeout", () => {
  for (const [call, effect] of Object.entries(calls)) {
    for (const [name, limited] of Object.entries(limits)) {
      it.effect(`${name}: ${call}`, () =>
        Effect.gen(function*() {
          const expected = yield* winners(Effect.timeout("1 second"), effect)
          assert.deepStrictEqual(yield* winners(limited, effect), expected)
        }))
    }
  }

  it.effect("an answer from elsewhere: whoever was armed first", () =>
    Effect.gen(function*() {
      const raced = (limited: Limited, first: "answer" | "limit") =>
        Effect.gen(function*() {
          const latch = yield* Deferred.make<string>()
          const answer = fork(Effect.andThen(second(1), Deferred.succeed(latch, "call")))
          const call = fork(limited(Deferred.await(latch)))
          if (first === "answer") yield* answer
          const fiber = yield* call
          if (first === "limit") yield* answer
          yield* TestClock.adjust("10 seconds")
          return outcome(fiber.pollUnsafe()!).startsWith("ok")
        })
      for (const first of ["answer", "limit"] as const) {
        const expected = yield* raced(Effect.timeout("1 second"), first)
        for (const [name, limited] of Object.entries(limits)) {
          assert.strictEqual(yield* raced(limited, first), expected, `${name}, first the ${first}`)
        }
      }
    }))
})
