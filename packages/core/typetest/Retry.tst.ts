import { CircuitBreaker, Policy, Retry, Timeout } from "@effect-resilience/core"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import type * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

class Down extends Data.TaggedError("Down")<{}> {}
class Missing extends Data.TaggedError("Missing")<{}> {}

declare const call: Effect.Effect<number, Down | Missing>
declare const missing: Effect.Effect<number, Missing>
declare const stream: Stream.Stream<number, Down | Missing>
declare const schedule: Schedule.Schedule<unknown>

describe("Retry", () => {
  it("takes the tags of the errors that a call has", () => {
    expect(call.pipe(Retry.make({ tags: ["Down"] }))).type.toBe<Effect.Effect<number, Down | Missing>>()
    expect(Retry.make({ tags: ["Down", "Missing"] })(call)).type.toBe<Effect.Effect<number, Down | Missing>>()
    expect(stream.pipe(Retry.make({ tags: ["Missing"] }).stream)).type.toBe<Stream.Stream<number, Down | Missing>>()
  })

  it("rejects a tag that no error of the call has", () => {
    expect(pipe).type.not.toBeCallableWith(call, Retry.make({ tags: ["Dwon"] }))
    expect(pipe).type.not.toBeCallableWith(missing, Retry.make({ tags: ["Down"] }))
    expect(Retry.make({ tags: ["Down", "Dwon"] })).type.not.toBeCallableWith(call)
    expect(Retry.make({ tags: ["Dwon"] }).stream).type.not.toBeCallableWith(stream)
  })

  it("asks the same of the tags of schedules, and takes those of faults", () => {
    expect(call.pipe(Retry.make({ schedules: { Down: schedule, Throttled: schedule } }))).type.toBe<
      Effect.Effect<number, Down | Missing>
    >()
    expect(Retry.make({ schedules: { Dwon: schedule } })).type.not.toBeCallableWith(call)
    expect(Retry.make({ schedules: { Throttled: schedule } })).type.toBe<Policy.Policy>()
  })

  it("where the errors are named, checks the tags at once, and is a policy of those errors", () => {
    expect(Retry.make<Down | Missing>({ tags: ["Down"] })).type.toBe<Policy.Policy<Down | Missing>>()
    expect(Retry.make<Missing>).type.not.toBeCallableWith({ tags: ["Down"] })
  })

  it("composes with tags as without", () => {
    const stack = Policy.compose(
      Timeout.total("1 minute"),
      Retry.make({ tags: ["Down"] }),
      CircuitBreaker.makeUnsafe(),
      Policy.compose(Timeout.attempt("1 second"), Policy.identity)
    )
    expect(call.pipe(stack)).type.toBe<
      Effect.Effect<number, Down | Missing | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen>
    >()
  })
})
