/** A circuit that opens, rejects, and closes again. */
import { AzureO1, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { CircuitBreaker, Telemetry } from "@effect-resilience/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { timeline } from "../ask.ts"
import { clientOf, fake, patient, scaled } from "../deployment.ts"
import { describe, type Line, lineOf } from "../timeline.ts"
import type { Act } from "./Act.ts"

const failures = 4
const many = 1000

const program = (azure: FakeAzure["Service"]) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const draw = yield* timeline
    const clock = yield* Clock.Clock
    const open = yield* scaled("30 seconds")
    const breaker = yield* CircuitBreaker.make({ name: "demo", trip: CircuitBreaker.consecutive(failures), open })
    // retries would only show the same thing more slowly
    const call = breaker(o1.complete({ messages: [user("Hello?")] }, { retries: 0 }))
    const shown = (number: number) =>
      Effect.suspend(() => {
        const changes: Array<Line> = []
        const told = Telemetry.listen((event) => {
          const line = event._tag === "CircuitChanged" && event.name === "demo" ? lineOf(event) : undefined
          if (line === undefined) return
          // a call is let through after this change, and causes the others
          if (event._tag === "CircuitChanged" && event.to === "HalfOpen") Effect.runSync(draw(line))
          else changes.push(line)
        })
        return Effect.gen(function*() {
          const result = yield* Effect.result(told(call))
          yield* Result.isSuccess(result)
            ? draw({ mark: "✓", who: `call ${number}`, text: "answered" })
            : draw({ mark: "✗", who: `call ${number}`, text: describe(result.failure) })
          yield* Effect.forEach(changes, draw, { discard: true })
        })
      })

    for (let number = 1; number <= failures; number++) yield* shown(number)
    const requests = Effect.map(azure.requests, ({ length }) => length)
    const before = yield* requests
    const times: Array<number> = []
    for (let rejected = 0; rejected < many; rejected++) {
      const start = clock.monotonicTimeNanosUnsafe()
      const result = yield* Effect.result(call)
      if (Result.isFailure(result) && CircuitBreaker.isCircuitOpen(result.failure)) {
        times.push(Number(clock.monotonicTimeNanosUnsafe() - start) / 1000)
      }
    }
    const median = times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN
    const heard = (yield* requests) - before
    const rejected = times.length.toLocaleString("en")
    yield* draw({
      mark: "!",
      who: "breaker",
      text: `rejects the next ${rejected} calls, each in ${median.toFixed(1)} microseconds (median)`
    })
    yield* draw({ mark: "…", who: "breaker", text: "leaves the service alone for a while, then lets one call through" })
    yield* Effect.sleep(open)
    // timers may be a little early
    yield* Effect.sleep("10 millis")
    yield* shown(failures + many + 1)
    const { _tag } = yield* breaker.state
    return {
      shown: times.length === many && heard === 0 && _tag === "Closed",
      seen: `${failures} failures opened the circuit. Of ${rejected} calls after that, none waited and ${
        heard === 0 ? "none" : heard
      } reached the service. The circuit is ${_tag.toLowerCase()} again.`
    }
  })

export const circuit: Act = {
  title: "A circuit that opens and closes again",
  question: undefined,
  about:
    "A circuit breaker around the call, and a service that is down. After four failures nobody waits for it, until " +
    "it has had time to recover.",
  run: () =>
    Effect.gen(function*() {
      const azure = yield* fake({ script: Array.from({ length: failures }, () => FakeAzure.status(503)) })
      return yield* Effect.provide(program(azure), yield* clientOf([azure.config], patient))
    })
}
