import { Hedge, Policy, Timeout } from "@effect-resilience/core"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

class West extends Data.TaggedError("West")<{}> {}
class East extends Data.TaggedError("East")<{}> {}
class WestClient extends Context.Service<WestClient, string>()("typetest/WestClient") {}
class EastClient extends Context.Service<EastClient, string>()("typetest/EastClient") {}

declare const west: Effect.Effect<string, West, WestClient>
declare const east: Effect.Effect<number, East, EastClient>
declare const small: Effect.Effect<boolean>
declare const westTokens: Stream.Stream<string, West, WestClient>
declare const eastTokens: Stream.Stream<number, East, EastClient>
declare const hedge: Hedge.Hedge

describe("Hedge", () => {
  it("changes nothing about the type", () => {
    expect(west.pipe(hedge)).type.toBe<typeof west>()
    expect(westTokens.pipe(hedge.stream)).type.toBe<typeof westTokens>()
    expect(Policy.compose(hedge, Timeout.attempt(1))).type.toBe<Policy.Policy<unknown, Timeout.TimeoutExceeded>>()
  })

  it("alternatives add what they bring, on both faces", () => {
    expect(west.pipe(Hedge.alternatives(hedge, [east, small]))).type.toBe<
      Effect.Effect<string | number | boolean, West | East, WestClient | EastClient>
    >()
    expect(westTokens.pipe(Hedge.alternatives(hedge, [eastTokens]).stream)).type.toBe<
      Stream.Stream<string | number, West | East, WestClient | EastClient>
    >()
  })

  it("alternatives of effects have no stream face, there are some, and they are all of one kind", () => {
    expect(Hedge.alternatives(hedge, [east])).type.not.toHaveProperty("stream")
    expect(Hedge.alternatives).type.not.toBeCallableWith(hedge, [])
    expect(Hedge.alternatives).type.not.toBeCallableWith(hedge, [east, eastTokens])
  })
})
