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

  it("by guard or tag those that are handled leave it, in a pipe and on their own", () => {
    const one = Effect.succeed(1)
    type Left = Effect.Effect<string | number, Missing, Clients>
    const byGuard = Fallback.to((error) => Effect.succeed(error.host.length), { when: isDown })
    expect(call.pipe(byGuard)).type.toBe<Left>()
    expect(byGuard(call)).type.toBe<Left>()
    expect(call.pipe(Fallback.to((error) => Effect.succeed(error.host.length), { when: isDown }))).type.toBe<Left>()
    const byTag = Fallback.to(({ _tag }) => Effect.succeed(_tag.length), { tags: ["Down"] })
    expect(call.pipe(byTag)).type.toBe<Left>()
    expect(byTag(call)).type.toBe<Left>()
    expect(call.pipe(Fallback.to((error) => Effect.succeed(error.host.length), { tags: ["Down"] }))).type.toBe<Left>()
    const all = Fallback.to(() => one, { tags: ["Down", "Missing"] })
    expect(call.pipe(all)).type.toBe<Effect.Effect<string | number, never, Clients>>()
  })

  it("a tag that no error has is rejected, as Effect.catchTag does", () => {
    const one = Effect.succeed(1)
    expect(Fallback.to(() => one, { tags: ["typo"] })).type.not.toBeCallableWith(call)
    expect(Fallback.to(() => one, { tags: ["Down", "typo"] })).type.not.toBeCallableWith(call)
    expect(Fallback.to(() => one, { tags: ["typo"] }).stream).type.not.toBeCallableWith(tokens)
    expect(Fallback.toStream(() => Stream.make(1), { tags: ["typo"] }).stream).type.not.toBeCallableWith(tokens)
    expect(Fallback.to(() => one, { tags: ["Down"] }).stream).type.toBeCallableWith(tokens)
    expect(Fallback.toStream(() => Stream.make(1), { tags: ["Down"] }).stream).type.toBeCallableWith(tokens)
    expect(Fallback.to).type.not.toBeCallableWith(call, () => one, { tags: ["typo"] as const })
    expect(Fallback.to).type.not.toBeCallableWith(tokens, () => one, { tags: ["typo"] as const })
    expect(Fallback.toStream).type.not.toBeCallableWith(tokens, () => Stream.make(1), { tags: ["typo"] as const })
  })

  it("a pipe, and the effect or stream as the first argument, say which errors there are", () => {
    expect(call.pipe(Fallback.to((error) => Effect.succeed(error._tag)))).type.toBe<
      Effect.Effect<string, never, Clients>
    >()
    expect(Fallback.to(call, (error) => Effect.succeed(error._tag))).type.toBe<Effect.Effect<string, never, Clients>>()
    expect(Fallback.to(call, (error) => Effect.succeed(error.host), { tags: ["Down"] })).type.toBe<
      Effect.Effect<string, Missing, Clients>
    >()
    expect(Fallback.to(call, (error) => Effect.succeed(error.host), { when: isDown })).type.toBe<
      Effect.Effect<string, Missing, Clients>
    >()
    expect(Fallback.to(call, (error) => Effect.succeed(error._tag), { when: (error) => error._tag.length > 4 })).type
      .toBe<Effect.Effect<string, Down | Missing, Clients>>()
    expect(Fallback.to(tokens, (error) => Effect.succeed(error.host.length), { tags: ["Down"] })).type.toBe<
      Stream.Stream<string | number, Down | Missing, Clients>
    >()
    expect(Fallback.toStream(tokens, (error) => Stream.make(error.host.length), { when: isDown })).type.toBe<
      Stream.Stream<string | number, Down | Missing, Clients>
    >()
  })

  it("by predicate all stay", () => {
    const isLong = (error: Down | Missing): boolean => error._tag.length > 4
    const some = Fallback.to(() => Effect.succeed(1), { when: isLong })
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

describe("Fallback.makeStale", () => {
  it("is tied to its value, and leaves the errors", () => {
    const stale = Fallback.makeStaleUnsafe<string>({ timeToLive: "1 minute" })
    expect(call.pipe(stale)).type.toBe<Effect.Effect<string, Down | Missing, Clients>>()
    expect(tokens.pipe(stale.for("key").stream)).type.toBe<Stream.Stream<string, Down | Missing, Clients>>()
    expect(stale).type.not.toBeCallableWith(Effect.succeed(1))
    const aged = Fallback.makeStaleUnsafe({
      timeToLive: "1 minute",
      as: (stale: Fallback.StaleValue<string>) => stale.age
    })
    expect(call.pipe(aged)).type.not.toBe<Effect.Effect<string, Down | Missing, Clients>>()
  })
})
