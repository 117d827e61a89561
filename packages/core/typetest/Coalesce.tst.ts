import { Coalesce } from "@effect-resilience/core"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

class Down extends Data.TaggedError("Down")<{}> {}
class Clients extends Context.Service<Clients, string>()("typetest/Coalesce/Clients") {}

declare const call: Effect.Effect<"a", Down, Clients>
declare const safe: Effect.Effect<string>
declare const numbers: Effect.Effect<number>
declare const tokens: Stream.Stream<"a", Down, Clients>

describe("Coalesce", () => {
  it("gives what any caller of the key may get", () => {
    const shared = Coalesce.makeUnsafe<string, Down>()
    expect(call.pipe(shared.for("key"))).type.toBe<Effect.Effect<string, Down, Clients>>()
    expect(safe.pipe(shared.for("key"))).type.toBe<Effect.Effect<string, Down>>()
    expect(tokens.pipe(shared.stream)).type.toBe<Stream.Stream<string, Down, Clients>>()
  })

  it("does not take what the others do not expect", () => {
    const shared = Coalesce.makeUnsafe<string>()
    expect(shared).type.toBeCallableWith(safe)
    expect(shared).type.not.toBeCallableWith(call)
    expect(shared).type.not.toBeCallableWith(numbers)
    expect(Coalesce.makeUnsafe<string, never, number>().for).type.not.toBeCallableWith("key")
  })
})
