import type { Bulkhead, CircuitBreaker, Fault, Policy, RateLimiter, Timeout } from "@effect-resilience/core"
import { Callee, PolicyTest, Recorder } from "@effect-resilience/core/testing"
import { Context, Effect, Layer } from "effect"
import type { Scope, Stream } from "effect"
import { describe, expect, it } from "tstyche"

class Boom {
  readonly _tag = "Boom"
}
class Bad {
  readonly _tag = "Bad"
}
class Payments extends Context.Service<Payments, CircuitBreaker.CircuitBreaker>()("Payments") {}
class PaymentsPolicy extends Context.Service<
  PaymentsPolicy,
  Policy.Policy<unknown, CircuitBreaker.CircuitOpen | Timeout.TimeoutExceeded>
>()(
  "PaymentsPolicy"
) {}

declare const open: CircuitBreaker.CircuitOpen
declare const exceeded: Timeout.TimeoutExceeded
declare const breaker: CircuitBreaker.CircuitBreaker
declare const bulkhead: Bulkhead.Bulkhead
declare const limiter: RateLimiter.RateLimiter<"requests" | "tokens">

describe("PolicyTest", () => {
  it("adds the errors that it is given", () => {
    expect(PolicyTest.rejecting(open)).type.toBe<Policy.Policy<unknown, CircuitBreaker.CircuitOpen>>()
    expect(PolicyTest.failing(open, exceeded)).type.toBe<
      Policy.Policy<unknown, CircuitBreaker.CircuitOpen | Timeout.TimeoutExceeded>
    >()
  })

  it("fits a service whose policy adds at least these", () => {
    expect(Layer.succeed(PaymentsPolicy, PolicyTest.rejecting(open))).type.toBe<Layer.Layer<PaymentsPolicy>>()
    expect(Layer.succeed(PaymentsPolicy)).type.not.toBeCallableWith(PolicyTest.rejecting(new Boom()))
  })

  it("gives the instance, and needs what the subject needs", () => {
    expect(PolicyTest.open(breaker)).type.toBe<Effect.Effect<CircuitBreaker.CircuitBreaker, never, Scope.Scope>>()
    expect(PolicyTest.isolated(Payments)).type.toBe<
      Effect.Effect<CircuitBreaker.CircuitBreaker, never, Scope.Scope | Payments>
    >()
    expect(PolicyTest.full(bulkhead)).type.toBe<Effect.Effect<Bulkhead.Bulkhead, never, Scope.Scope>>()
    expect(PolicyTest.exhausted(limiter)).type.toBe<
      Effect.Effect<RateLimiter.RateLimiter<"requests" | "tokens">, never, Scope.Scope>
    >()
    expect(Layer.effect(Payments, PolicyTest.halfOpen(Effect.succeed(breaker)))).type.toBe<Layer.Layer<Payments>>()
  })

  it("does not take another kind of policy", () => {
    expect(PolicyTest.open).type.not.toBeCallableWith(bulkhead)
    expect(PolicyTest.full).type.not.toBeCallableWith(breaker)
    expect(PolicyTest.exhausted).type.not.toBeCallableWith(breaker)
  })
})

describe("Callee", () => {
  it("has the answers and errors of its steps", () => {
    const callee = Callee.script([
      Callee.fail(new Boom()),
      Callee.succeed(1, { after: "1 second" }),
      Callee.emit(["a"], { end: Callee.fail(new Bad()) }),
      Callee.hang,
      Callee.throttled("30 seconds"),
      Effect.succeed(true)
    ])
    expect(callee.effect).type.toBe<
      Effect.Effect<string | number | boolean, Boom | Bad | Callee.CalleeFault>
    >()
    expect(callee.for("input").stream).type.toBe<
      Stream.Stream<string | number | boolean, Boom | Bad | Callee.CalleeFault>
    >()
  })

  it("has neither where there is none", () => {
    expect(Callee.script([Callee.hang, Callee.die("bug")]).effect).type.toBe<Effect.Effect<never>>()
    expect(Callee.script([]).effect).type.toBe<Effect.Effect<never>>()
    expect(Callee.script([Callee.forever(Callee.succeed("a"))]).effect).type.toBe<Effect.Effect<string>>()
  })

  it("needs nothing of its environment", () => {
    expect(Callee.from).type.not.toBeCallableWith(Effect.service(Payments))
  })
})

describe("Recorder", () => {
  it("tells events as plain data", () => {
    const events = Recorder.makeUnsafe()
    const [event] = events.ofTag("RetryScheduled")
    expect(event!.delay).type.toBe<number>()
    expect(event!.at).type.toBe<number>()
    expect(event!.fault).type.toBe<Fault.Fault["_tag"]>()
    expect(event!.cause).type.toBe<string>()
    expect(events.ofTag("AttemptEnded")[0]!.fault).type.toBe<Fault.Fault["_tag"] | undefined>()
    expect(events.ofTag("CircuitChanged")[0]!._tag).type.toBe<"CircuitChanged">()
    expect(events.ofTag).type.not.toBeCallableWith("Nothing")
    expect(events.counts.RetryScheduled).type.toBe<number | undefined>()
  })
})
