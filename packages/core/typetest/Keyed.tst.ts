import { CircuitBreaker, Keyed, Policy, Retry, Timeout } from "@effect-resilience/core"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

class O1 extends Data.TaggedError("O1")<{}> {}
class Other extends Data.TaggedError("Other")<{}> {}

declare const call: Effect.Effect<string, O1>
declare const other: Effect.Effect<string, Other>
declare const tokens: Stream.Stream<string, O1>

describe("Keyed", () => {
  it("adds the errors of the policy behind it, whether lookup gives a value or an effect", () => {
    const values = Keyed.makeUnsafe({ lookup: (host: string) => CircuitBreaker.makeUnsafe({ name: host }) })
    const effects = Keyed.makeUnsafe({ lookup: (host: string) => CircuitBreaker.make({ name: host }) })
    for (const keyed of [values, effects]) {
      expect(keyed).type.toBe<Keyed.Keyed<string, CircuitBreaker.CircuitBreaker>>()
      expect(call.pipe(keyed.for("a"))).type.toBe<Effect.Effect<string, O1 | CircuitBreaker.CircuitOpen>>()
      expect(tokens.pipe(keyed.for("a").stream)).type.toBe<Stream.Stream<string, O1 | CircuitBreaker.CircuitOpen>>()
      expect(keyed.get("a")).type.toBe<Effect.Effect<CircuitBreaker.CircuitBreaker>>()
    }
    expect(values.for).type.not.toBeCallableWith(1)
  })

  it("adds a rejection of its own where new keys may be rejected, and only there", () => {
    const lookup = (name: string) => CircuitBreaker.makeUnsafe({ name })
    const rejecting = Keyed.makeUnsafe({ lookup, whenFull: "reject" })
    expect(call.pipe(rejecting.for("a"))).type.toBe<
      Effect.Effect<string, O1 | CircuitBreaker.CircuitOpen | Keyed.KeyedRejected>
    >()
    expect(rejecting.get("a")).type.toBe<Effect.Effect<CircuitBreaker.CircuitBreaker, Keyed.KeyedRejected>>()
    expect(Keyed.make({ lookup, whenFull: "share" })).type.toBe<
      Effect.Effect<Keyed.Keyed<string, CircuitBreaker.CircuitBreaker>>
    >()
  })

  it("accepts what the policy behind it accepts, and composes", () => {
    const narrow = Keyed.makeUnsafe({
      lookup: (_: string) => Retry.make({ while: (error: O1) => error._tag === "O1" })
    })
    expect(call.pipe(narrow.for("a"))).type.toBe<Effect.Effect<string, O1>>()
    expect(narrow.for("a")).type.not.toBeCallableWith(other)
    const stack = Keyed.makeUnsafe({
      lookup: (name: string) => Policy.compose(CircuitBreaker.makeUnsafe({ name }), Timeout.attempt("1 second"))
    })
    expect(call.pipe(stack.for("a"))).type.toBe<
      Effect.Effect<string, O1 | CircuitBreaker.CircuitOpen | Timeout.TimeoutExceeded>
    >()
  })
})
