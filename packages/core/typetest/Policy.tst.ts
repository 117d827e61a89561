import { type Bulkhead, type CircuitBreaker, type Pipelines, Policy, Retry, Timeout } from "@effect-resilience/core"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Ref from "effect/Ref"
import type * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

class O1 extends Data.TaggedError("O1")<{}> {}
class Other extends Data.TaggedError("Other")<{}> {}
class Clients extends Context.Service<Clients, string>()("typetest/Clients") {}

declare const call: Effect.Effect<string, O1, Clients>
declare const other: Effect.Effect<string, Other>
declare const tokens: Stream.Stream<string, O1, Clients>
declare const numbers: Stream.Stream<number, O1>
declare const breaker: CircuitBreaker.CircuitBreaker

const attempt = Timeout.attempt("1 second")
const retryO1 = Retry.make({ while: (error: O1) => error._tag === "O1" })
const retryBoth = Retry.make({ while: (error: O1 | Timeout.TimeoutExceeded) => error._tag === "O1" })

describe("Policy", () => {
  it("adds exactly its own error, through pipe, on both faces", () => {
    expect(call.pipe(attempt)).type.toBe<Effect.Effect<string, O1 | Timeout.TimeoutExceeded, Clients>>()
    expect(call.pipe(breaker)).type.toBe<Effect.Effect<string, O1 | CircuitBreaker.CircuitOpen, Clients>>()
    expect(call.pipe(Retry.make())).type.toBe<Effect.Effect<string, O1, Clients>>()
    expect(tokens.pipe(attempt.stream, breaker.stream)).type.toBe<
      Stream.Stream<string, O1 | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen, Clients>
    >()
  })

  it("infers the errors of a stack, also of ten policies and nested ones", () => {
    type Added = O1 | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen
    const stack = Policy.compose(Timeout.total("1 minute"), Retry.make(), breaker, attempt)
    expect(call.pipe(stack)).type.toBe<Effect.Effect<string, Added, Clients>>()
    expect(tokens.pipe(stack.stream)).type.toBe<Stream.Stream<string, Added, Clients>>()

    const ten = Policy.compose(attempt, attempt, attempt, attempt, attempt, attempt, attempt, attempt, breaker, retryO1)
    expect(call.pipe(ten)).type.toBe<Effect.Effect<string, Added, Clients>>()

    const left = Policy.compose(Policy.compose(attempt, breaker), attempt)
    const right = Policy.compose(attempt, Policy.compose(breaker, attempt))
    expect(left).type.toBe<typeof right>()
  })

  it("a stack of a list whose length is not known", () => {
    const policies: ReadonlyArray<Policy.Policy<unknown, CircuitBreaker.CircuitOpen>> = [breaker]
    expect(call.pipe(Policy.compose(...policies))).type.toBe<
      Effect.Effect<string, O1 | CircuitBreaker.CircuitOpen, Clients>
    >()
  })

  it("a call whose errors the predicate does not accept does not compile", () => {
    expect(retryO1).type.toBeCallableWith(call)
    expect(retryO1).type.not.toBeCallableWith(other)
    expect(retryO1.stream).type.toBeCallableWith(tokens)
    expect(Policy.compose(attempt, retryO1)).type.not.toBeCallableWith(other)
  })

  it("a predicate that does not accept an inner policy's error does not compile", () => {
    expect(Policy.compose).type.toBeCallableWith(retryBoth, attempt)
    expect(Policy.compose).type.toBeCallableWith(attempt, retryO1)
    expect(Policy.compose).type.not.toBeCallableWith(retryO1, attempt)
    expect(Policy.compose).type.not.toBeCallableWith(Policy.compose(breaker, retryO1), attempt)
    expect(Policy.compose).type.not.toBeCallableWith(retryO1, Policy.compose(Retry.make(), attempt))
  })

  it("the compiler says which policy does not accept which error, and where that error comes from", () => {
    // @ts-expect-error "policy 1 does not accept TimeoutExceeded, which policy 2 adds"
    Policy.compose(retryO1, attempt)
    // @ts-expect-error "policy 2 does not accept CircuitOpen, which policy 4 adds"
    Policy.compose(attempt, retryBoth, retryBoth, breaker)
    // @ts-expect-error "policy 7 does not accept TimeoutExceeded, which policy 8 adds"
    Policy.compose(attempt, attempt, attempt, attempt, attempt, attempt, retryO1, attempt)
    // @ts-expect-error "policy 1 does not accept an error without a tag, which policy 2 adds"
    Policy.compose(retryO1, null as unknown as Policy.Policy<unknown, Error>)
    const policies: ReadonlyArray<Policy.Policy<O1, Other>> = []
    // @ts-expect-error "a policy does not accept Other, which another one adds"
    Policy.compose(...policies)
  })

  it("a live policy is what its ref may hold", () => {
    const pipeline = null as unknown as Ref.Ref<Pipelines.Pipeline>
    expect(call.pipe(Policy.live(pipeline))).type.toBe<
      Effect.Effect<
        string,
        O1 | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen | Bulkhead.BulkheadRejected,
        Clients
      >
    >()
    const either = null as unknown as Ref.Ref<Policy.Policy<O1 | Other> | Policy.Policy<O1, Other, Clients>>
    expect(Policy.live(either)).type.toBe<Policy.Policy<O1, Other, Clients>>()
  })

  it("infers through calls of generic functions inside compose", () => {
    const toOther = () => new Other()
    const stack = Policy.compose(
      Timeout.total("1 minute"),
      Retry.make({ while: (error: O1 | Other) => error._tag === "O1" }),
      Policy.mapError(breaker, (error): error is CircuitBreaker.CircuitOpen => error instanceof Error, toOther)
    )
    expect(stack).type.toBe<Policy.Policy<O1 | Other, Timeout.TimeoutExceeded | Other>>()
    const inner = () => Policy.mapError(attempt, Timeout.isTimeoutExceeded, toOther)
    expect(Policy.compose(Retry.make({ while: (_: Other) => true }), inner())).type.toBe<Policy.Policy<Other, Other>>()
  })

  it("a policy from a layer puts its tag into R", () => {
    class CallPolicy extends Context.Service<CallPolicy, Policy.Policy<unknown, Timeout.TimeoutExceeded>>()(
      "typetest/CallPolicy"
    ) {}
    const policy = Policy.compose(Policy.fromService(CallPolicy), breaker)
    expect(call.pipe(policy)).type.toBe<
      Effect.Effect<string, O1 | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen, Clients | CallPolicy>
    >()
    expect(Policy.identity).type.toBeAssignableTo<typeof CallPolicy.Service>()
  })

  it("errors and services of a schedule are the policy's", () => {
    const schedule = null as unknown as Schedule.Schedule<number, O1, Other, Clients>
    expect(Retry.make({ schedule })).type.toBe<Policy.Policy<O1, Other, Clients>>()
    expect(call.pipe(Retry.make({ schedule }))).type.toBe<Effect.Effect<string, O1 | Other, Clients>>()
    expect(Retry.make({ schedule })).type.not.toBeCallableWith(other)
  })

  it("mapError takes away what it replaces", () => {
    const mapped = Policy.mapError(Policy.compose(breaker, attempt), Timeout.isTimeoutExceeded, () => new Other())
    expect(mapped).type.toBe<Policy.Policy<unknown, CircuitBreaker.CircuitOpen | Other>>()
  })

  it("is contravariant in what it accepts and covariant in what it adds", () => {
    expect(attempt).type.toBeAssignableTo<
      Policy.Policy<O1, Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen, Clients>
    >()
    expect(retryO1).type.not.toBeAssignableTo<Policy.Policy>()
    expect(attempt).type.not.toBeAssignableTo<Policy.Policy>()
    expect<Policy.EIn<Policy.Policy<O1>>>().type.toBe<O1>()
    expect<Policy.EOut<typeof attempt>>().type.toBe<Timeout.TimeoutExceeded>()
    expect<Policy.Services<typeof attempt>>().type.toBe<never>()
  })
})

describe("Retry.resume", () => {
  it("is tied to the element and error of its stream", () => {
    const resume = Retry.resume({ from: (_last: string, _error: O1) => tokens })
    expect(resume.stream(tokens)).type.toBe<Stream.Stream<string, O1, Clients>>()
    expect(resume.stream).type.not.toBeCallableWith(numbers)
  })
})
