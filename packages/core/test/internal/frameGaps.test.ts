import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import { Balancer, Policy, Retry, RetryBudget, Timeout } from "../../src/index.ts"

// A frame that has been popped must have done what it is for, or stand on the stack again: between two steps of a fiber the
// scheduler may yield, and an interruption arrive.
describe("an interruption between the failure of an attempt and what follows", () => {
  const every = <A, E>(call: Effect.Effect<A, E>, check: (steps: number) => Effect.Effect<void>) =>
    Effect.gen(function*() {
      for (let operations = 3; operations <= 12; operations++) {
        for (let yields = 0; yields < 12; yields++) {
          const fiber = Effect.runFork(Effect.provideService(call, Scheduler.MaxOpsBeforeYield, operations))
          for (let i = 0; i < yields; i++) yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
          yield* check(operations)
        }
      }
    })

  it.live("leaves nothing with the budget", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 1000 }) })
      const retry = Retry.make({ schedule: Schedule.recurs(2), budget })
      const failing = Effect.andThen(Effect.void, Effect.fail("x"))
      yield* every(
        Effect.exit(retry(failing)),
        (operations) =>
          Effect.map(
            budget.state,
            ({ calls, held }) => assert.deepStrictEqual({ calls, held }, { calls: 0, held: 0 }, `${operations}`)
          )
      )
    }))

  it.live("leaves nothing in flight, and no memory of a call", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: ["a", "b"], ejection: false })
      const failing = Effect.andThen(Effect.void, Effect.fail("x"))
      const call = balancer.use(() => failing).pipe(Retry.make({ schedule: Schedule.recurs(2) }))
      const stream = balancer.useStream(() => Stream.concat(Stream.make(1), Stream.fromEffect(failing)))
      const free = (operations: number) =>
        Effect.map(
          balancer.state,
          (all) => assert.deepStrictEqual(all.map(({ inFlight }) => inFlight), [0, 0], `${operations}`)
        )
      yield* every(Effect.exit(call), free)
      yield* every(Effect.exit(Stream.runDrain(stream)), free)
    }))

  it.live("leaves no child of a call", () =>
    Effect.gen(function*() {
      let running = 0
      const child = Effect.acquireUseRelease(
        Effect.sync(() => void running++),
        () => Effect.never,
        () => Effect.sync(() => void running--)
      )
      const call = Effect.andThen(Effect.forkChild(child, { startImmediately: true }), Effect.void)
      const limited = Policy.compose(Timeout.total("1 hour"), Timeout.attempt("1 minute"))(call)
      // the caller's own fiber goes on, so that nothing ends the child but the limit
      const caller = Effect.andThen(Effect.exit(limited), Effect.never)
      yield* every(caller, (operations) => Effect.sync(() => assert.strictEqual(running, 0, `${operations}`)))
    }))
})
