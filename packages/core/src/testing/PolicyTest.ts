/**
 * Policies for tests, and policies put into a state for one test.
 *
 * A program that names its policy by a service gets {@link rejecting} or {@link failing} from a layer, and a test sees what it does
 * when the circuit is open, without opening one. Where the program has a breaker, a bulkhead or a limiter of its own, {@link open},
 * {@link halfOpen}, {@link isolated}, {@link full}, {@link busy} and {@link exhausted} put that very instance into the state, and
 * back when the scope closes.
 *
 * {@link during} runs an effect while the `TestClock` moves. Nothing here needs a particular test runner.
 *
 * **Example** (What a program does when the circuit is open)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker } from "@effect-resilience/core"
 * import { PolicyTest } from "@effect-resilience/core/testing"
 * import { Effect, Layer } from "effect"
 *
 * const payments = CircuitBreaker.makeUnsafe({ name: "payments" })
 * const pay = Effect.succeed("paid").pipe(payments, Effect.catchTag("CircuitOpen", () => Effect.succeed("later")))
 *
 * const whileOpen = Layer.effectDiscard(PolicyTest.open(payments))
 * await Effect.runPromise(Effect.provide(pay, whileOpen)) // => "later"
 * await Effect.runPromise(pay) // => "paid"
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import type * as Bulkhead from "../Bulkhead.ts"
import type * as CircuitBreaker from "../CircuitBreaker.ts"
import type { Breaker } from "../internal/circuitBreaker.ts"
import * as internal from "../internal/policy.ts"
import { now } from "../internal/time.ts"
import * as Policy from "../Policy.ts"
import type * as RateLimiter from "../RateLimiter.ts"
import type * as Callee from "./Callee.ts"
import { last } from "./internal/last.ts"

/**
 * A policy that rejects every call with this error. The call is not made.
 *
 * **Example** (Instead of a service's policy)
 *
 * ```ts import.meta.vitest
 * import { Bulkhead, Policy } from "@effect-resilience/core"
 * import { PolicyTest } from "@effect-resilience/core/testing"
 * import { Context, Duration, Effect, Layer } from "effect"
 *
 * class ReportPolicy extends Context.Service<ReportPolicy, Policy.Policy<unknown, Bulkhead.BulkheadRejected>>()("ReportPolicy") {}
 *
 * const report = Effect.succeed("report").pipe(
 *   Policy.fromService(ReportPolicy),
 *   Effect.catchTag("BulkheadRejected", ({ reason }) => Effect.succeed(reason))
 * )
 *
 * const full = new Bulkhead.BulkheadRejected({ policyName: "reports", reason: "full", waited: Duration.zero })
 * const test = Layer.succeed(ReportPolicy, PolicyTest.rejecting(full))
 * await Effect.runPromise(Effect.provide(report, test)) // => "full"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const rejecting = <E>(error: E): Policy.Policy<unknown, E> =>
  Policy.make<unknown, E>({
    info: { kind: "test-rejecting", settings: {}, children: [] },
    effect: () => Effect.fail(error),
    stream: () => Stream.fail(error)
  })

/**
 * A policy whose first calls fail with these errors, one after the other, without being made; the calls after them are made. The
 * innermost of a stack, it plays a callee that recovers. It counts for as long as it lives: make one for each test.
 *
 * **Example** (Two failures under the program's own retry)
 *
 * ```ts import.meta.vitest
 * import { Policy, Retry } from "@effect-resilience/core"
 * import { PolicyTest } from "@effect-resilience/core/testing"
 * import { Effect, Schedule } from "effect"
 *
 * const retry = Retry.make({ schedule: Schedule.recurs(3) })
 * const policy = Policy.compose(retry, PolicyTest.failing("first", "second"))
 *
 * await Effect.runPromise(policy(Effect.succeed("done"))) // => "done"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const failing = <Errors extends ReadonlyArray<unknown>>(
  ...errors: Errors
): Policy.Policy<unknown, Errors[number]> => {
  let calls = 0
  const begin = <A>(made: A, failed: (error: Errors[number]) => A): A =>
    calls < errors.length ? failed(errors[calls++]) : made
  return Policy.make<unknown, Errors[number]>({
    info: { kind: "test-failing", settings: { errors: errors.length }, children: [] },
    effect: <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.suspend(() => begin<Effect.Effect<A, E | Errors[number], R>>(self, Effect.fail)),
    stream: <A, E, R>(self: Stream.Stream<A, E, R>) =>
      Stream.suspend(() => begin<Stream.Stream<A, E | Errors[number], R>>(self, Stream.fail))
  })
}

/** The policy that is put into a state: the instance itself, or the service or effect that gives it. */
type Subject<P, R> = P | Effect.Effect<P, never, R>

const subjectOf = <P, R>(subject: Subject<P, R>): Effect.Effect<P, never, R> =>
  Effect.isEffect(subject) ? subject : Effect.succeed(subject)

const operate = (
  breaker: CircuitBreaker.CircuitBreaker,
  operation: (circuit: Breaker["circuit"], at: number) => void
): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const implementation = internal.implementationOf<Breaker>(breaker)
    implementation.change(fiber, (circuit) => operation(circuit, now(fiber)))
    return Effect.void
  })

const openFor = (breaker: CircuitBreaker.CircuitBreaker, millis: number): Effect.Effect<void> =>
  operate(breaker, (circuit, at) => {
    circuit.openNow(at, millis)
    circuit.look(at)
  })

/** As new, and then in the state that it had. */
const restore = (breaker: CircuitBreaker.CircuitBreaker, state: CircuitBreaker.State, left: number) =>
  Effect.gen(function*() {
    yield* breaker.reset
    switch (state._tag) {
      case "Closed":
        return yield* breaker.close
      case "Open":
        for (let opening = 1; opening < state.openings; opening++) yield* breaker.open()
        return yield* openFor(breaker, left)
      case "HalfOpen":
        return yield* openFor(breaker, 0)
      case "Isolated":
        return yield* breaker.isolate
      case "MetricsOnly":
        return yield* breaker.observe
      case "Disabled":
        return yield* breaker.disable
    }
  })

const breakerIn = (put: (breaker: CircuitBreaker.CircuitBreaker) => Effect.Effect<void>) =>
<R = never>(
  breaker: Subject<CircuitBreaker.CircuitBreaker, R>
): Effect.Effect<CircuitBreaker.CircuitBreaker, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const instance = yield* subjectOf(breaker)
    const state = yield* instance.state
    const since = yield* Effect.withFiber((fiber) => Effect.succeed(now(fiber)))
    yield* Effect.addFinalizer(() =>
      Effect.withFiber((fiber) => {
        const left = state._tag === "Open" ? Duration.toMillis(state.retryAfter) - (now(fiber) - since) : 0
        return restore(instance, state, Math.max(0, left))
      })
    )
    yield* put(instance)
    return instance
  })

const opened = (duration: Duration.Input | undefined) => breakerIn((breaker) => breaker.open(duration))

/**
 * Opens a circuit breaker until the scope closes. Without a duration the circuit stays open for as long as its next opening would
 * last. When the clock moves beyond that, the circuit becomes half-open, as any circuit does.
 *
 * The breaker is the instance that the program uses, or what gives it: its service, or `CircuitBreaker.make(...)` for a layer of a
 * fresh one. When the scope closes, the breaker is as new, and then put into the state in which it was: what it had counted of calls
 * is forgotten.
 *
 * **Example** (An open circuit as a layer)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker } from "@effect-resilience/core"
 * import { PolicyTest } from "@effect-resilience/core/testing"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Payments extends Context.Service<Payments, CircuitBreaker.CircuitBreaker>()("Payments") {}
 *
 * const pay = Effect.flatMap(Payments, (breaker) => breaker(Effect.succeed("paid")))
 *
 * const test = Layer.effect(Payments, PolicyTest.open(CircuitBreaker.make()))
 * const error = await Effect.runPromise(Effect.flip(Effect.provide(pay, test)))
 * error._tag // => "CircuitOpen"
 * ```
 *
 * @category states
 * @since 0.1.0
 */
export const open = <R = never>(
  breaker: Subject<CircuitBreaker.CircuitBreaker, R>,
  duration?: Duration.Input
): Effect.Effect<CircuitBreaker.CircuitBreaker, never, R | Scope.Scope> => opened(duration)(breaker)

/**
 * Makes a circuit breaker half-open until the scope closes, or until a probe decides. See {@link open} for what it takes and leaves.
 *
 * @category states
 * @since 0.1.0
 */
export const halfOpen: <R = never>(
  breaker: Subject<CircuitBreaker.CircuitBreaker, R>
) => Effect.Effect<CircuitBreaker.CircuitBreaker, never, R | Scope.Scope> = breakerIn((breaker) => openFor(breaker, 0))

/**
 * Isolates a circuit breaker until the scope closes. See {@link open} for what it takes and leaves.
 *
 * @category states
 * @since 0.1.0
 */
export const isolated: <R = never>(
  breaker: Subject<CircuitBreaker.CircuitBreaker, R>
) => Effect.Effect<CircuitBreaker.CircuitBreaker, never, R | Scope.Scope> = breakerIn((breaker) => breaker.isolate)

/** Calls that hold every permit, also the permits that calls in flight give back. `room` is what is left of the queue. */
const occupy = <R>(bulkhead: Subject<Bulkhead.Bulkhead, R>, room?: number) =>
  Effect.gen(function*() {
    const instance = yield* subjectOf(bulkhead)
    const { concurrency, inUse, queued } = yield* instance.state
    const { maxQueue } = instance.info.settings as { readonly maxQueue: number }
    yield* Effect.addFinalizer(() => instance.resize({ maxQueue }))
    yield* instance.resize({ maxQueue: queued + inUse })
    for (let n = 0; n < concurrency; n++) {
      yield* Effect.forkScoped(Effect.ignore(instance(Effect.never)), { startImmediately: true })
    }
    yield* instance.resize({ maxQueue: room ?? maxQueue })
    return instance
  })

/**
 * Takes all permits of a bulkhead, and the room in its queue, until the scope closes: a call is rejected as `full`. Takes the instance
 * that the program uses, its service, or `Bulkhead.make(...)`.
 *
 * **Example** (A full bulkhead)
 *
 * ```ts import.meta.vitest
 * import { Bulkhead } from "@effect-resilience/core"
 * import { PolicyTest } from "@effect-resilience/core/testing"
 * import { Effect } from "effect"
 *
 * const reports = Bulkhead.makeUnsafe({ name: "reports", concurrency: 2, maxQueue: 10 })
 * const report = Effect.succeed("report").pipe(reports, Effect.catchTag("BulkheadRejected", ({ reason }) => Effect.succeed(reason)))
 *
 * const test = Effect.andThen(PolicyTest.full(reports), report)
 * await Effect.runPromise(Effect.scoped(test)) // => "full"
 * await Effect.runPromise(report) // => "report"
 * ```
 *
 * @category states
 * @since 0.1.0
 */
export const full = <R = never>(
  bulkhead: Subject<Bulkhead.Bulkhead, R>
): Effect.Effect<Bulkhead.Bulkhead, never, R | Scope.Scope> => occupy(bulkhead, 0)

/**
 * Takes all permits of a bulkhead until the scope closes and leaves its queue: a call waits, for `maxWait` and no longer.
 *
 * @category states
 * @since 0.1.0
 */
export const busy = <R = never>(
  bulkhead: Subject<Bulkhead.Bulkhead, R>
): Effect.Effect<Bulkhead.Bulkhead, never, R | Scope.Scope> => occupy(bulkhead)

/**
 * Takes all the room that a rate limiter has, in every dimension. As the clock moves, room comes back as it does after calls. When
 * the scope closes, the rest of the room comes back at once. Takes the instance that the program uses, its service, or
 * `RateLimiter.make(...)`.
 *
 * @category states
 * @since 0.1.0
 */
export const exhausted = <D extends string, R = never>(
  limiter: Subject<RateLimiter.RateLimiter<D>, R>
): Effect.Effect<RateLimiter.RateLimiter<D>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const instance = yield* subjectOf(limiter)
    // the cost of one dimension may be a number as well, which a generic type cannot tell
    const all = instance as unknown as RateLimiter.RateLimiter<"one" | "another">
    const available: Readonly<Record<string, number>> = yield* all.available
    const costs = Object.fromEntries(
      Object.entries(available).map(([name, room]) => [name, Math.max(0, Math.floor(room))])
    )
    const nothing = Object.fromEntries(Object.keys(costs).map((name) => [name, 0]))
    const charge = yield* Effect.orDie(all.take(costs))
    yield* Effect.addFinalizer(() => charge.settle(nothing))
    return instance
  })

/**
 * The two faces of a policy, for a test of both.
 *
 * @category running
 * @since 0.1.0
 */
export const faces = ["effect", "stream"] as const

/**
 * A call through one face of a policy. Of a stream it gives the last element.
 *
 * **Example** (One test for effects and streams)
 *
 * ```ts import.meta.vitest
 * import { Retry } from "@effect-resilience/core"
 * import { Callee, PolicyTest } from "@effect-resilience/core/testing"
 * import { Effect, Schedule } from "effect"
 *
 * const retry = Retry.make({ schedule: Schedule.recurs(1) })
 * const test = Effect.forEach(PolicyTest.faces, (face) => {
 *   const callee = Callee.script([Callee.fail("down"), Callee.succeed("up")])
 *   return PolicyTest.through(face, retry, callee)
 * })
 *
 * await Effect.runPromise(test) // => ["up", "up"]
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const through = <A, E extends EIn, EIn, EOut, R>(
  face: typeof faces[number],
  policy: Policy.Policy<EIn, EOut, R>,
  callee: Callee.Faces<A, E>
): Effect.Effect<A, E | EOut, R> => face === "effect" ? policy(callee.effect) : last(policy.stream(callee.stream))

/**
 * An exit in a word: `ok:paid`, the tag of the error with the phase of a timeout (`TimeoutExceeded:attempt`), `Die`, `Interrupt`. More
 * than one reason is joined by `+`.
 *
 * @category destructors
 * @since 0.1.0
 */
export const outcome = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? `ok:${String(exit.value)}` : exit.cause.reasons.map((reason) => {
    if (reason._tag !== "Fail") return reason._tag
    const phase = Predicate.hasProperty(reason.error, "phase") ? `:${String(reason.error.phase)}` : ""
    return Predicate.hasProperty(reason.error, "_tag") ? `${String(reason.error._tag)}${phase}` : String(reason.error)
  }).join("+")

/**
 * How an effect ends, as {@link outcome} says it, and when, in milliseconds of the clock. It does not fail.
 *
 * @category running
 * @since 0.1.0
 */
export const timed = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [outcome: string, at: number], never, R> =>
  Effect.flatMap(
    Effect.exit(effect),
    (exit) => Effect.map(Clock.currentTimeMillis, (at) => [outcome(exit), at] as const)
  )

/**
 * Runs an effect while the `TestClock` moves on by `duration`, and gives its result. An effect that has not ended by then is
 * interrupted, and that is a defect.
 *
 * **Example** (A timeout of a minute, in no time)
 *
 * ```ts import.meta.vitest
 * import { Timeout } from "@effect-resilience/core"
 * import { PolicyTest } from "@effect-resilience/core/testing"
 * import { Effect } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const call = Effect.never.pipe(Timeout.attempt("1 minute"))
 * const test = PolicyTest.timed(call).pipe(PolicyTest.during("2 minutes"))
 *
 * await Effect.runPromise(Effect.provide(test, TestClock.layer())) // => ["TimeoutExceeded:attempt", 60_000]
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const during: {
  (duration: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E, R> =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(self, { startImmediately: true })
      yield* TestClock.adjust(duration)
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return yield* exit
      // nobody waits for a clean-up that the clock does not reach
      fiber.interruptUnsafe()
      const shown = Duration.format(Duration.fromInputUnsafe(duration))
      return yield* Effect.die(new Error(`PolicyTest.during: after ${shown} it is still running`))
    })
)
