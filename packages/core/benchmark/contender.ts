import * as Effect from "effect/Effect"

/** Makes `unitsPerRun` of something, one after the other. */
export type Run = () => Promise<unknown>

/** Enough to hide the cost of starting a fiber, few enough that most runs see no disturbance from outside. */
export const unitsPerRun = 1000

/** The same callee twice: for what wraps effects and for what wraps functions. */
export interface Callee {
  readonly effect: Effect.Effect<number, unknown>
  readonly promise: (context?: { readonly signal: AbortSignal }) => number | Promise<number>
}

/** One library's way to do what a row of the table says. */
export interface Contender {
  /** What it uses for that, for the reader of the tables. */
  readonly does: string
  readonly call: (callee: Callee) => Promise<unknown>
  /** Starts a call and gives what keeps it alive. With a signal, where functions are called, somebody could cancel it. */
  readonly start: (callee: Callee, signal?: AbortSignal) => unknown
  readonly loop: (callee: Callee) => Run
  /** The same for calls that fail. */
  readonly failingLoop: (callee: Callee) => Run
  /** All of them at once, `unitsPerRun` unless told otherwise. */
  readonly together: (callee: Callee, units?: number) => Run
}

/**
 * Ours and the rivals. `bare` and `promise` call without any policy, in a fiber and with `await`. `cockatiel` has its timeout
 * set to what costs least, `cockatielAsIs` to what it does when it is told nothing. `cockatielInEffect` is the former in
 * `Effect.tryPromise` with its signal, as a program written with Effect would use it.
 */
export type By =
  | "bare"
  | "promise"
  | "ours"
  | "effect"
  | "cockatiel"
  | "cockatielAsIs"
  | "cockatielInEffect"
  | "opossum"
  | "pRetry"

/** What a contender would cost if its policies cost nothing. */
export const baseOf: { readonly [B in By]: "bare" | "promise" } = {
  bare: "bare",
  promise: "promise",
  ours: "bare",
  effect: "bare",
  cockatiel: "promise",
  cockatielAsIs: "promise",
  cockatielInEffect: "bare",
  opossum: "promise",
  pRetry: "promise"
}

export type PerContender<A> = { readonly [K in By]?: A }

export type Contenders = PerContender<Contender>

export const mapContenders = <A, B>(contenders: PerContender<A>, f: (a: A) => B): PerContender<B> =>
  Object.fromEntries(Object.entries(contenders).map(([by, a]) => [by, f(a)]))

/** A policy of its own for a key: what a program keeps, and how it calls through it. */
export interface Kept {
  readonly kept: unknown
  readonly contender: Contender
}

export type Wrap = (self: Effect.Effect<number, unknown>) => Effect.Effect<number, unknown>

export const oneByOne = (unit: () => Effect.Effect<unknown, unknown>, units = unitsPerRun) =>
  Effect.forEach(Array.from({ length: units }), unit, { discard: true })

export const oneFiber = (unit: () => Effect.Effect<unknown, unknown>, units?: number): Run => {
  const program = oneByOne(unit, units)
  return () => Effect.runPromise(program)
}

/** Each call is an effect made for it. */
export const perCall = (does: string, program: (callee: Callee) => Effect.Effect<number, unknown>): Contender => ({
  does,
  call: (callee) => Effect.runPromise(program(callee)),
  start: (callee) => Effect.runFork(program(callee)),
  loop: (callee) => oneFiber(() => program(callee)),
  failingLoop: (callee) => oneFiber(() => Effect.exit(program(callee))),
  together: (callee, units = unitsPerRun) => {
    const all = Effect.forEach(Array.from({ length: units }), () => program(callee), {
      concurrency: "unbounded",
      discard: true
    })
    return () => Effect.runPromise(all)
  }
})

/** Wraps anew at each call, as `call(request).pipe(policy)` does. */
export const inFiber = (does: string, wrap: Wrap): Contender => perCall(does, ({ effect }) => wrap(effect))

type Execute = (f: Callee["promise"], signal?: AbortSignal) => number | Promise<number>

/* oxlint-disable no-await-in-loop -- one call after the other is what is measured */
export const awaited = (does: string, execute: Execute): Contender => ({
  does,
  call: ({ promise }) => Promise.resolve(execute(promise)),
  start: ({ promise }, signal) => execute(promise, signal),
  loop: ({ promise }) => async () => {
    for (let i = 0; i < unitsPerRun; i++) await execute(promise)
  },
  failingLoop: ({ promise }) => async () => {
    for (let i = 0; i < unitsPerRun; i++) {
      try {
        await execute(promise)
      } catch {
        // what a failure costs is the question
      }
    }
  },
  together: ({ promise }, units = unitsPerRun) => () =>
    Promise.all(Array.from({ length: units }, () => Promise.resolve(execute(promise))))
})

/** Each call on its own, as a program makes it that is not written with Effect. */
export const eachAwaited = ({ call }: Contender, callee: Callee): Run => async () => {
  for (let i = 0; i < unitsPerRun; i++) await call(callee)
}
/* oxlint-enable no-await-in-loop */

export const bare = {
  bare: inFiber("the effect alone", (self) => self),
  promise: awaited("the function alone", async (f) => f())
} satisfies Contenders
