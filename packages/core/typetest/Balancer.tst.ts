import { Balancer } from "@effect-resilience/core"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

interface Region {
  readonly name: string
}

declare const regions: Balancer.Balancer<Region>
declare const ask: (region: Region) => Effect.Effect<number, "down", "service">
declare const read: (region: Region) => Stream.Stream<number, "down", "service">

describe("Balancer", () => {
  it("adds its error to those of the call, and nothing else", () => {
    expect(regions.use(ask)).type.toBe<Effect.Effect<number, "down" | Balancer.NoEndpoint, "service">>()
    expect(regions.useStream(read)).type.toBe<Stream.Stream<number, "down" | Balancer.NoEndpoint, "service">>()
  })

  it("knows the type of its endpoints", () => {
    expect(Balancer.makeUnsafe({ endpoints: ["a"] })).type.toBe<Balancer.Balancer<string>>()
    expect(Balancer.make<Region>).type.toBeCallableWith({ endpoints: [], key: ({ name }: Region) => name })
    expect(regions.use).type.toBeCallableWith(ask, { when: ({ name }: Region) => name === "west", without: ["east"] })
    expect(regions.use).type.not.toBeCallableWith((_: string) => ask({ name: "west" }))
  })

  it("remembers without a change of the type", () => {
    expect(Balancer.remember(regions.use(ask))).type.toBe<
      Effect.Effect<number, "down" | Balancer.NoEndpoint, "service">
    >()
  })
})
