/**
 * A callee that does what a script says, and remembers how it was called.
 *
 * Each call takes the next step of the script, through either face. What a test then asserts are values: when the attempts began
 * ({@link Callee.startedAt}), how each of them ended ({@link Callee.outcomes}), how many ran at once ({@link Callee.peak}).
 *
 * A call for which there is no step left dies with {@link ScriptExhausted}, so that a test notices a policy that calls too often.
 * {@link forever} makes a step that is never used up.
 *
 * **Example** (Two failures, then an answer)
 *
 * ```ts import.meta.vitest
 * import { Retry } from "@effect-resilience/core"
 * import { Callee, PolicyTest } from "@effect-resilience/core/testing"
 * import { Effect, Schedule } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const test = Effect.gen(function*() {
 *   const payments = Callee.script([
 *     Callee.fail("down"),
 *     Callee.throttled("30 seconds"),
 *     Callee.succeed("paid", { after: "2 seconds" })
 *   ])
 *   const call = payments.effect.pipe(Retry.make({ schedule: Schedule.spaced("1 second") }))
 *   const answer = yield* PolicyTest.during(call, "1 minute")
 *   return { answer, outcomes: payments.outcomes, left: payments.left }
 * })
 *
 * await Effect.runPromise(Effect.provide(test, TestClock.layer()))
 * // => { answer: "paid", outcomes: ["Failure", "Failure", "Success"], left: 0 }
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "../Fault.ts"
import { fromPull, open } from "../internal/establish.ts"
import { duration, integer, invalid } from "../internal/options.ts"
import { last } from "./internal/last.ts"

/**
 * What a callee does with a call. An effect is a step as well.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step<out A, out E = never> {
  readonly effect: Effect.Effect<A, E>
  readonly stream: Stream.Stream<A, E>
  /** How many calls take this step. */
  readonly times: number
}

/**
 * When a step ends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The time from the call on.
   *
   * @default at once
   */
  readonly after?: Duration.Input | undefined
}

const delayed = <A, E>(
  where: string,
  effect: Effect.Effect<A, E>,
  pause: Duration.Input | undefined,
  option = "after"
): Effect.Effect<A, E> => pause === undefined ? effect : Effect.delay(effect, duration(where, option, pause))

/**
 * A step that does what an effect does. As a stream it has one element.
 *
 * @category constructors
 * @since 0.1.0
 */
export const from = <A, E>(effect: Effect.Effect<A, E>): Step<A, E> => ({
  effect,
  stream: Stream.fromEffect(effect),
  times: 1
})

/**
 * Answers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const succeed = <A>(value: A, options?: Options): Step<A> =>
  from(delayed("Callee.succeed", Effect.succeed(value), options?.after))

/**
 * Fails. The {@link Fault} of the error decides what policies make of it: without one of its own it is transient.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fail = <E>(error: E, options?: Options): Step<never, E> =>
  from(delayed("Callee.fail", Effect.fail(error), options?.after))

/**
 * Dies.
 *
 * @category constructors
 * @since 0.1.0
 */
export const die = (defect: unknown, options?: Options): Step<never> =>
  from(delayed("Callee.die", Effect.die(defect), options?.after))

/**
 * Never answers. An interruption ends it at once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const hang: Step<never> = from(Effect.never)

/**
 * Never answers, and takes this time to stop when it is interrupted: a slow clean-up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stubborn = (cleanup: Duration.Input): Step<never> => {
  const cleaned = delayed("Callee.stubborn", Effect.void, cleanup, "cleanup")
  return from(Effect.onInterrupt(Effect.never, () => cleaned))
}

/**
 * The failure of a callee of which only the {@link Fault} matters.
 *
 * @category errors
 * @since 0.1.0
 */
export class CalleeFault extends Data.TaggedError("CalleeFault")<{ readonly fault: Fault.Fault }> {
  get [Fault.TypeId](): Fault.Fault {
    return this.fault
  }

  override get message(): string {
    return `the callee failed: ${this.fault._tag}`
  }
}

/**
 * Fails with a {@link CalleeFault}: `fault(Fault.permanent)`, `fault(Fault.transient())`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fault = (fault: Fault.Fault, options?: Options): Step<never, CalleeFault> =>
  fail(new CalleeFault({ fault }), options)

/**
 * Fails as a status 429 does: the callee asks for fewer calls and, with `retryAfter`, for a pause.
 *
 * @category constructors
 * @since 0.1.0
 */
export const throttled = (retryAfter?: Duration.Input, options?: Options): Step<never, CalleeFault> =>
  fault(Fault.throttled({ retryAfter }), options)

/**
 * A stream: the first element `after` a while, the others `every` so often, and at the end what `end` does; without it the
 * stream ends well. `end: Callee.fail(error)` is a stream that breaks, `end: Callee.hang` one that stalls.
 *
 * As an effect, the step takes as long and gives the last element.
 *
 * **Example** (A stream that breaks after two elements)
 *
 * ```ts import.meta.vitest
 * import { Callee } from "@effect-resilience/core/testing"
 * import { Effect, Stream } from "effect"
 *
 * const tokens = Callee.script([Callee.emit(["a", "b"], { end: Callee.fail("reset") })])
 * const seen: Array<string> = []
 * const read = Stream.runForEach(tokens.stream, (token) => Effect.sync(() => void seen.push(token)))
 *
 * await Effect.runPromise(Effect.flip(read)) // => "reset"
 * seen // => ["a", "b"]
 * tokens.attempts[0]!.elements // => 2
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const emit = <A, E = never>(
  elements: ReadonlyArray<A>,
  options?: Options & {
    /**
     * The time from one element to the next.
     *
     * @default none
     */
    readonly every?: Duration.Input | undefined
    /** What happens after the last element. */
    readonly end?: Step<A, E> | undefined
  }
): Step<A, E> => {
  const { after, every, end } = options ?? {}
  const tell = elements.map((element, index) => {
    const told = Effect.succeed(element)
    return index === 0 ? delayed("Callee.emit", told, after) : delayed("Callee.emit", told, every, "every")
  })
  const told = Stream.mapEffect(Stream.fromIterable(tell), (element) => element)
  const stream = end === undefined ? told : Stream.concat(told, end.stream)
  return { effect: last(stream), stream, times: 1 }
}

/**
 * A step that this many calls take.
 *
 * @category combinators
 * @since 0.1.0
 */
export const times = <A, E>(step: Step<A, E> | Effect.Effect<A, E>, times: number): Step<A, E> => ({
  ...stepOf(step),
  times: integer("Callee.times", "times", times, 1)
})

/**
 * A step that is never used up: the end of a script.
 *
 * @category combinators
 * @since 0.1.0
 */
export const forever = <A, E>(step: Step<A, E> | Effect.Effect<A, E>): Step<A, E> => ({
  ...stepOf(step),
  times: Infinity
})

const stepOf = <A, E>(step: Step<A, E> | Effect.Effect<A, E>): Step<A, E> => Effect.isEffect(step) ? from(step) : step

/**
 * The defect of a call for which the script has no step.
 *
 * @category errors
 * @since 0.1.0
 */
export class ScriptExhausted extends Data.TaggedError("ScriptExhausted")<{
  /** The name that the callee was given. */
  readonly callee: string | undefined
  /** The number of the call; the first is 1. */
  readonly call: number
  /** How many calls the script was for. */
  readonly steps: number
}> {
  override get message(): string {
    const callee = this.callee === undefined ? "the callee" : `"${this.callee}"`
    return `call ${this.call} of ${callee} has no step: its script has ${this.steps}`
  }
}

/**
 * How an attempt ended. An attempt is `Interrupted` if its caller interrupts it or its consumer wants no more elements.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "Running" | "Success" | "Failure" | "Defect" | "Interrupted"

/**
 * One call of the callee, as plain data. Times are those of the fiber's `Clock`, in milliseconds: since the beginning
 * of the test, under `TestClock`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt {
  readonly startedAt: number
  /** After its clean-up; `undefined` while it runs. */
  readonly endedAt: number | undefined
  readonly outcome: Outcome
  /** How many elements a stream has emitted. */
  readonly elements: number
  /** What {@link Callee.for} was given. */
  readonly input: unknown
}

/**
 * The two faces of a callee.
 *
 * @category models
 * @since 0.1.0
 */
export interface Faces<out A, out E = never> {
  readonly effect: Effect.Effect<A, E>
  readonly stream: Stream.Stream<A, E>
}

/**
 * A callee, made for one test: what a mocked service calls instead of the network.
 *
 * @category models
 * @since 0.1.0
 */
export interface Callee<out A, out E = never> extends Faces<A, E> {
  /** The callee for a call with this input, which the attempt remembers. */
  readonly for: (input: unknown) => Faces<A, E>
  /** The calls so far, in the order in which they began. */
  readonly attempts: ReadonlyArray<Attempt>
  /** When they began. */
  readonly startedAt: ReadonlyArray<number>
  /** How they ended. */
  readonly outcomes: ReadonlyArray<Outcome>
  /** How many run now. */
  readonly running: number
  /** The most that have run at once. */
  readonly peak: number
  /** How many calls the rest of the script is for. */
  readonly left: number
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (Exit.isSuccess(exit) || Pull.isDoneCause(exit.cause)) return "Success"
  const reasons = new Set(exit.cause.reasons.map(({ _tag }) => _tag))
  return reasons.has("Die") ? "Defect" : reasons.has("Fail") ? "Failure" : "Interrupted"
}

class Call<A, E> implements Attempt {
  readonly startedAt: number
  endedAt: number | undefined = undefined
  outcome: Outcome = "Running"
  elements = 0
  readonly input: unknown
  readonly step: Faces<A, E>
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock, input: unknown, step: Faces<A, E>) {
    this.clock = clock
    this.startedAt = clock.currentTimeMillisUnsafe()
    this.input = input
    this.step = step
  }

  /** Whether it had not ended. */
  end(exit: Exit.Exit<unknown, unknown>): boolean {
    if (this.endedAt !== undefined) return false
    this.endedAt = this.clock.currentTimeMillisUnsafe()
    this.outcome = outcomeOf(exit)
    return true
  }

  get plain(): Attempt {
    const { elements, endedAt, input, outcome, startedAt } = this
    return { startedAt, endedAt, outcome, elements, input }
  }
}

class Scripted<A, E> implements Callee<A, E> {
  readonly effect: Effect.Effect<A, E>
  readonly stream: Stream.Stream<A, E>
  running = 0
  peak = 0
  private readonly calls: Array<Call<A, E>> = []
  private readonly name: string | undefined
  private readonly steps: ReadonlyArray<Step<A, E>>
  private readonly total: number

  constructor(steps: ReadonlyArray<Step<A, E>>, name: string | undefined) {
    this.name = name
    this.steps = steps
    this.total = steps.reduce((sum, { times }) => sum + times, 0)
    const { effect, stream } = this.for(undefined)
    this.effect = effect
    this.stream = stream
  }

  readonly for = (input: unknown): Faces<A, E> => {
    const begin = Effect.withFiber((fiber) => Effect.succeed(this.begin(fiber.getRef(Clock.Clock), input)))
    return {
      effect: Effect.acquireUseRelease(
        begin,
        (call) => call.step.effect,
        (call, exit) => this.end(call, exit)
      ),
      stream: fromPull((scope) =>
        Effect.flatMap(
          // the consumer has stopped early, if nothing else has ended it
          Scope.provide(Effect.acquireRelease(begin, (call) => this.end(call, Exit.interrupt())), scope),
          (call) =>
            Effect.map(open(call.step.stream, scope), (pull) =>
              Effect.onExitPrimitive(pull, (exit) => {
                if (Exit.isFailure(exit)) return this.end(call, exit)
                call.elements += exit.value.length
              }))
        )
      ) as Stream.Stream<A, E>
    }
  }

  private begin(clock: Clock.Clock, input: unknown): Call<A, E> {
    const call = new Call(clock, input, this.next())
    this.calls.push(call)
    this.peak = Math.max(this.peak, ++this.running)
    return call
  }

  private end(call: Call<A, E>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.sync(() => {
      if (call.end(exit)) this.running--
    })
  }

  private next(): Faces<A, E> {
    let taken = this.calls.length
    for (const step of this.steps) {
      if (taken < step.times) return step
      taken -= step.times
    }
    return from(Effect.die(new ScriptExhausted({ callee: this.name, call: this.calls.length + 1, steps: this.total })))
  }

  get attempts(): ReadonlyArray<Attempt> {
    return this.calls.map(({ plain }) => plain)
  }

  get startedAt(): ReadonlyArray<number> {
    return this.calls.map(({ startedAt }) => startedAt)
  }

  get outcomes(): ReadonlyArray<Outcome> {
    return this.calls.map(({ outcome }) => outcome)
  }

  get left(): number {
    return Math.max(0, this.total - this.calls.length)
  }
}

type Success<S> = S extends { readonly effect: Effect.Effect<infer A, any> } | Effect.Effect<infer A, any> ? A : never
type Failure<S> = S extends { readonly effect: Effect.Effect<any, infer E> } | Effect.Effect<any, infer E> ? E : never

/**
 * A callee that follows a script: the first call takes the first step, and so on. A callee with an empty script must not be
 * called. A script with a step behind one that is never used up throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const script = <const Steps extends ReadonlyArray<Step<any, any> | Effect.Effect<any, any>>>(
  steps: Steps,
  options?: {
    /** For the message of {@link ScriptExhausted}. */
    readonly name?: string | undefined
  }
): Callee<Success<Steps[number]>, Failure<Steps[number]>> => {
  const all = steps.map((step) => stepOf(step))
  const endless = all.findIndex(({ times }) => times === Infinity)
  if (endless !== -1 && endless < all.length - 1) {
    throw invalid("Callee.script", "a step behind one that is never used up", endless + 2, "nothing")
  }
  return new Scripted(all, options?.name)
}
