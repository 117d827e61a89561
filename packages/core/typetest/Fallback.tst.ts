import { Fallback } from "@effect-resilience/core"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

class Down extends Data.TaggedError("Down")<{ readonly host: string }> {}
class Missing extends Data.TaggedError("Missing")<{}> {}
class Clients extends Context.Service<Clients, string>()("typetest/Fallback/Clients") {}

declare const call: Effect.Effect<string, Down | Missing, Clients>
declare const tokens: Stream.Stream<string, Down | Missing, Clients>
declare const isDown: (error: unknown) => error is Down

describe("Fallback", () => {
  it("without options every error leaves the error channel", () => {
    expect(call.pipe(Fallback.to(() => Effect.succeed(1)))).type.toBe<Effect.Effect<string | number, never, Clients>>()
    expect(call.pipe(Fallback.to((error: Down | Missing) => Effect.fail(error._tag)))).type.toBe<
      Effect.Effect<string, "Down" | "Missing", Clients>
    >()
    expect(Fallback.to((_: Down) => Effect.void)).type.not.toBeCallableWith(call)
  })

  it("by guard or tag those that are handled leave it", () => {
    const byGuard = Fallback.to((error) => Effect.succeed(error.host.length), { when: isDown })
    expect(call.pipe(byGuard)).type.toBe<Effect.Effect<string | number, Missing, Clients>>()
    const byTag = Fallback.to(({ _tag }) => Effect.succeed(_tag), { tags: ["Down"] })
    expect(call.pipe(byTag)).type.toBe<Effect.Effect<string, Missing, Clients>>()
    const all = Fallback.to(() => Effect.succeed(1), { tags: ["Down", "Missing"] })
    expect(call.pipe(all)).type.toBe<Effect.Effect<string | number, never, Clients>>()
  })

  it("by predicate all stay", () => {
    const some = Fallback.to(() => Effect.succeed(1), { when: (error: Down | Missing) => error._tag === "Down" })
    expect(call.pipe(some)).type.toBe<Effect.Effect<string | number, Down | Missing, Clients>>()
  })

  it("what it falls back to adds its errors and services", () => {
    const other = Fallback.to(() => Effect.flatMap(Clients, () => Effect.fail("both")))
    expect(Effect.fail(new Down({ host: "" })).pipe(other)).type.toBe<Effect.Effect<never, string, Clients>>()
  })

  it("in a stream the errors stay, for after the first element they are not handled", () => {
    const byGuard = Fallback.to(() => Effect.succeed(1), { when: isDown })
    expect(tokens.pipe(byGuard.stream)).type.toBe<Stream.Stream<string | number, Down | Missing, Clients>>()
    const toStream = Fallback.toStream((error: Down | Missing) => Stream.make(error._tag.length))
    expect(tokens.pipe(toStream.stream)).type.toBe<Stream.Stream<string | number, Down | Missing, Clients>>()
  })
})

describe("Fallback.stale", () => {
  it("is tied to its value, and leaves the errors", () => {
    const stale = Fallback.stale<string>({ ttl: "1 minute" })
    expect(call.pipe(stale)).type.toBe<Effect.Effect<string, Down | Missing, Clients>>()
    expect(tokens.pipe(stale.for("key").stream)).type.toBe<Stream.Stream<string, Down | Missing, Clients>>()
    expect(stale).type.not.toBeCallableWith(Effect.succeed(1))
    const aged = Fallback.stale({ ttl: "1 minute", as: (stale: Fallback.StaleValue<string>) => stale.age })
    expect(call.pipe(aged)).type.not.toBe<Effect.Effect<string, Down | Missing, Clients>>()
  })
})
