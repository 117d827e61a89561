/**
 * One call in flight per key: whoever asks while it is under way shares its outcome. Also known as single flight (Go),
 * request collapsing (Hystrix) or deduplication.
 *
 * It changes what may come out of an effect to what any caller of the key may get, so it is an operator and not a `Policy`:
 * `op(self)` for effects, `op.stream(self)` for streams, and {@link Coalesce.for} gives the operator of a key.
 *
 * **Details**
 *
 * All who wait get the same exit: value, errors, defects. The call belongs to none of them. When one that waits is
 * interrupted, the others wait on; when the last one is, the call is interrupted, and that one waits for its clean-up. Who
 * asks after that, or after the call has ended, begins a new one: nothing is remembered.
 *
 * The call runs with the services of whoever asked first, but not with what is that caller's alone: the `Deadline`, the
 * attempt number of a retry (`Schedule.CurrentMetadata`) and the `Scope`. Log annotations, parent span and telemetry
 * listener are the first caller's. A call that asks for its own key runs on its own, for it would wait for itself.
 *
 * A stream can be joined until its first element has come out, so that everybody sees all of it. From then on it belongs to
 * those who are there, and the next one begins a stream of its own. The fastest reader is at most `capacity` chunks before the
 * slowest. When the last reader has gone, the stream is closed.
 *
 * **Gotchas**
 *
 * A key must name everything that the answer depends on, whose data it is included. Put timeouts for one caller outside, and
 * timeouts and retries for the shared call inside. A call that acquires into the caller's `Scope` dies for want of one.
 *
 * **Example** (A hundred callers, one call)
 *
 * ```ts import.meta.vitest
 * import { Coalesce } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * let calls = 0
 * const load = (id: string): Effect.Effect<string> => Effect.as(Effect.sleep("2 millis"), `user ${id}, call ${++calls}`)
 *
 * const program = Effect.gen(function*() {
 *   const users = yield* Coalesce.make<string>()
 *   const user = (id: string) => Effect.suspend(() => load(id)).pipe(users.for(id))
 *   const all = yield* Effect.forEach(Array.from({ length: 100 }), () => user("7"), { concurrency: "unbounded" })
 *   return new Set(all)
 * })
 *
 * await Effect.runPromise(program) // => new Set(["user 7, call 1"])
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { CurrentDeadline } from "./internal/deadline.ts"
import { emit } from "./internal/emit.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./internal/establish.ts"
import { guarded } from "./internal/foreign.ts"
import { awaitAndKeepDefects } from "./internal/interrupt.ts"
import { KeyMap, ownKey } from "./internal/keyMap.ts"
import { integer } from "./internal/options.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { type Reader, SharedBuffer } from "./kernel/sharedBuffer.ts"
import type * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

/**
 * How far apart the readers of a shared stream may be.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * How many chunks of a stream the fastest reader may be before the slowest.
   *
   * @default 16
   */
  readonly capacity?: number | undefined
}

/**
 * Coalesces the calls of one key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operator<in out A, in out E = never> {
  <R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  readonly stream: <R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  readonly info: Policy.PolicyInfo
}

/**
 * Coalesces calls that give an `A` or fail with an `E`. As an operator it has one key of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Coalesce<in out A, in out E = never, in K = string> extends Operator<A, E> {
  /** The operator for a key. */
  readonly for: (key: K) => Operator<A, E>
  /** The number of calls under way, and of streams that can be joined. */
  readonly inFlight: Effect.Effect<number>
}

/** The shared calls that a fiber is part of, the innermost first. */
interface Inside {
  readonly of: object
  readonly outer: Inside | undefined
}

const CurrentCall = Context.Reference<Inside | undefined>("@effect-resilience/core/Coalesce/CurrentCall", {
  defaultValue: () => undefined
})

const isInside = (fiber: AnyFiber, shared: object): boolean => {
  for (let at = fiber.getRef(CurrentCall); at !== undefined; at = at.outer) if (at.of === shared) return true
  return false
}

const ofCallerAlone = Context.omit(CurrentDeadline, Schedule.CurrentMetadata, Scope.Scope)

const contextOf = (fiber: AnyFiber, shared: object): Context.Context<never> =>
  Context.add(ofCallerAlone(fiber.context as Context.Context<Scope.Scope>), CurrentCall, {
    of: shared,
    outer: fiber.getRef(CurrentCall)
  })

type Resume = (effect: AnyEffect) => void

class Flight {
  private readonly waiting = new Set<Resume>()
  private readonly landed: () => void
  private child: AnyFiber | undefined = undefined
  private done = false

  constructor(landed: () => void) {
    this.landed = landed
  }

  /** After the first one who waits has boarded. */
  start(fiber: AnyFiber, self: AnyEffect): void {
    this.child = fork(contextOf(fiber, this), self)
    this.child.addObserver((exit) => {
      this.end()
      const waiting = Array.from(this.waiting)
      this.waiting.clear()
      for (const resume of waiting) guarded(resume, exit)
    })
  }

  board(resume: Resume): Effect.Effect<void> {
    this.waiting.add(resume)
    return Effect.withFiber((fiber) => {
      this.waiting.delete(resume)
      if (this.done || this.waiting.size > 0) return Effect.void
      this.end()
      const child = this.child!
      child.interruptUnsafe(fiber.id)
      return awaitAndKeepDefects(fiber, child)
    })
  }

  private end(): void {
    if (this.done) return
    this.done = true
    this.landed()
  }
}

class Broadcast {
  private readonly buffer: SharedBuffer<ReadonlyArray<unknown>>
  private readonly context: Context.Context<never>
  private readonly source: AnyPull
  private readonly scope = Scope.makeUnsafe()
  private readonly closed: () => void
  private readonly readers = new Set<Reader>()
  /** those for whom there is nothing yet */
  private readonly waiting = new Map<Reader, Resume>()
  private upstream: AnyPull | undefined = undefined
  private child: AnyFiber | undefined = undefined
  private end: Exit.Exit<any, any> | undefined = undefined
  private draining = false
  /** whether there may be something for those who wait */
  private news = false

  /** `closed` says that it cannot be joined any more. */
  constructor(fiber: AnyFiber, self: AnyStream, capacity: number, closed: () => void) {
    this.buffer = new SharedBuffer(capacity)
    this.context = contextOf(fiber, this)
    this.closed = closed
    const begin: AnyPull = Effect.flatMap(open(self, this.scope), (pull) => {
      this.upstream = pull
      return pull
    })
    this.source = Effect.onExitPrimitive(
      Effect.suspend(() => this.upstream ?? begin),
      (exit) => Exit.isFailure(exit) ? Scope.close(this.scope, exit) : undefined
    )
  }

  subscribe(): Reader {
    const reader = this.buffer.join()
    this.readers.add(reader)
    return reader
  }

  pull(reader: Reader): AnyPull {
    return Effect.callback((resume) => {
      const exit = this.next(reader)
      if (exit === undefined) this.waiting.set(reader, resume)
      else resume(exit)
      this.drain()
      return Effect.sync(() => void this.waiting.delete(reader))
    })
  }

  private next(reader: Reader): Exit.Exit<any, any> | undefined {
    return this.buffer.has(reader) ? Exit.succeed(this.buffer.take(reader)) : this.end
  }

  /**
   * Serves those who wait, and pulls as long as somebody waits and nobody is too far behind. What a reader does with an
   * element runs on this stack, so that a reader who comes back for more is left to the loop: otherwise every element of a
   * synchronous stream would nest a level deeper.
   */
  private drain(): void {
    if (this.draining) return
    this.draining = true
    do this.serve()
    while (this.news || this.pullNow())
    this.draining = false
  }

  private serve(): void {
    if (!this.news) return
    this.news = false
    for (const reader of Array.from(this.waiting.keys())) {
      // one that was served before it may have made it go away
      const resume = this.waiting.get(reader)
      const exit = resume && this.next(reader)
      if (exit === undefined) continue
      this.waiting.delete(reader)
      guarded(resume!, exit)
    }
  }

  /** Whether the source has answered at once. */
  private pullNow(): boolean {
    if (this.child !== undefined || this.end !== undefined || !this.buffer.hasRoom || this.waiting.size === 0) {
      return false
    }
    const child = fork(this.context, this.source)
    this.child = child
    child.addObserver((exit) => {
      this.child = undefined
      this.closed()
      if (Exit.isSuccess(exit)) this.buffer.push(exit.value)
      else this.end = exit
      this.news = true
      this.drain()
    })
    return this.child === undefined
  }

  leave(reader: Reader, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      this.readers.delete(reader)
      this.buffer.leave(reader)
      if (this.readers.size > 0) {
        this.drain() // it may have been the slowest
        return Effect.void
      }
      this.closed()
      const { child } = this
      if (child === undefined) return Scope.close(this.scope, exit)
      child.interruptUnsafe(fiber.id)
      return awaitAndKeepDefects(fiber, child)
    })
  }
}

class Coalescer {
  readonly info: Policy.PolicyInfo
  private readonly name: string | undefined
  private readonly capacity: number
  private readonly flights = new KeyMap<unknown, Flight>()
  private readonly broadcasts = new KeyMap<unknown, Broadcast>()

  constructor(options: Options) {
    this.name = options.name
    this.capacity = integer("Coalesce.make", "capacity", options.capacity ?? 16, 1)
    this.info = { kind: "coalesce", name: options.name, settings: { capacity: options.capacity }, children: [] }
  }

  get inFlight(): number {
    return this.flights.size + this.broadcasts.size
  }

  effect(fiber: AnyFiber, self: AnyEffect, key: unknown): AnyEffect {
    const known = this.flights.get(key)
    if (known !== undefined && isInside(fiber, known)) return self
    return Effect.callback((resume) => {
      // looked up again, for between the two lines the scheduler may have let others run
      const shared = this.flights.get(key)
      if (shared !== undefined) {
        this.tell(fiber)
        return shared.board(resume)
      }
      const flight: Flight = new Flight(() => this.flights.delete(key))
      this.flights.set(key, flight)
      const leave = flight.board(resume)
      flight.start(fiber, self)
      return leave
    })
  }

  stream(self: AnyStream, key: unknown, scope: Scope.Scope): Effect.Effect<AnyPull, never, any> {
    let leave = (_: Exit.Exit<unknown, unknown>) => Effect.void
    // the finalizer before what it undoes: the scheduler may yield between two steps, and an interruption arrive there
    return Effect.andThen(
      Scope.addFinalizerExit(scope, (exit) => leave(exit)),
      Effect.withFiber((fiber) => {
        const shared = this.broadcasts.get(key)
        if (shared !== undefined && isInside(fiber, shared)) return open(self, scope)
        if (shared !== undefined) this.tell(fiber)
        const broadcast = shared ?? this.begin(fiber, self, key)
        const reader = broadcast.subscribe()
        leave = (exit) => broadcast.leave(reader, exit)
        return Effect.succeed(broadcast.pull(reader))
      })
    )
  }

  private begin(fiber: AnyFiber, self: AnyStream, key: unknown): Broadcast {
    const broadcast: Broadcast = new Broadcast(fiber, self, this.capacity, () => {
      if (this.broadcasts.get(key) === broadcast) this.broadcasts.delete(key)
    })
    this.broadcasts.set(key, broadcast)
    return broadcast
  }

  private tell(fiber: AnyFiber): void {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) emit(fiber, listener, { _tag: "Coalesced", policy: "coalesce", name: this.name })
  }
}

class CoalesceEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly coalescer: Coalescer
  private readonly key: unknown

  constructor(self: AnyEffect, coalescer: Coalescer, key: unknown) {
    super()
    this.self = self
    this.coalescer = coalescer
    this.key = key
  }

  run(fiber: AnyFiber): AnyEffect {
    return this.coalescer.effect(fiber, this.self, this.key)
  }
}

const operator = <A, E>(coalescer: Coalescer, key: unknown): Operator<A, E> =>
  Object.assign((self: AnyEffect): AnyEffect => new CoalesceEffect(self, coalescer, key), {
    stream: (self: AnyStream): AnyStream => fromPull((scope) => coalescer.stream(self, key, scope)),
    info: coalescer.info
  })

const coalesce = <A, E, K>(coalescer: Coalescer): Coalesce<A, E, K> =>
  Object.assign(operator<A, E>(coalescer, ownKey), {
    for: (key: K) => operator<A, E>(coalescer, key),
    inFlight: Effect.sync(() => coalescer.inFlight)
  })

/**
 * As {@link make}, a plain value, for the scope of a module. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <A, E = never, K = string>(options: Options = {}): Coalesce<A, E, K> =>
  coalesce(new Coalescer(options))

/**
 * Makes what coalesces calls that give an `A` or fail with an `E`, by keys of type `K`. Keys are compared by
 * `Equal`. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E = never, K = string>(options: Options = {}): Effect.Effect<Coalesce<A, E, K>> =>
  Effect.withFiber((fiber) => {
    const coalescer = new Coalescer(options)
    register(fiber, coalescer, {
      kind: "coalesce",
      name: options.name,
      report: ({ inFlight }) => ({ inFlight })
    })
    return Effect.succeed(coalesce<A, E, K>(coalescer))
  })
