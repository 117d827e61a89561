import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Broadcast } from "./broadcast.ts"
import { emit } from "./emit.ts"
import { type AnyPull, type AnyStream, open } from "./establish.ts"
import { CurrentListener } from "./events.ts"
import { guarded } from "./foreign.ts"
import { awaitAndKeepDefects } from "./interrupt.ts"
import { interrupt } from "./interrupted.ts"
import { KeyMap } from "./keyMap.ts"
import type { PolicyInfo } from "./model.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./primitive.ts"
import { isInside, type Resume, SharedCall } from "./sharedCall.ts"

class Flight extends SharedCall {
  private readonly waiting = new Set<Resume>()
  private readonly landed: () => void
  private child: AnyFiber | undefined = undefined
  private done = false

  constructor(fiber: AnyFiber, landed: () => void) {
    super(fiber)
    this.landed = landed
  }

  /** After the first one who waits has boarded. */
  start(self: AnyEffect): void {
    this.child = fork(this.context, self)
    this.child.addObserver((exit) => {
      this.end()
      this.waits?.dissolve()
      const waiting = Array.from(this.waiting)
      this.waiting.clear()
      for (const resume of waiting) guarded(resume, exit)
    })
  }

  board(fiber: AnyFiber, resume: Resume): Effect.Effect<void> {
    this.waiting.add(resume)
    this.waits?.join(resume, fiber)
    return Effect.withFiber((fiber) => {
      this.waiting.delete(resume)
      this.waits?.leave(resume)
      if (this.done || this.waiting.size > 0) return Effect.void
      this.end()
      const child = this.child!
      interrupt(child, fiber)
      return awaitAndKeepDefects(fiber, child)
    })
  }

  private end(): void {
    if (this.done) return
    this.done = true
    this.landed()
  }
}

/** What coalesces the calls of all keys. */
export class Coalescer {
  readonly info: PolicyInfo
  private readonly name: string | undefined
  private readonly capacity: number
  private readonly flights = new KeyMap<unknown, Flight>()
  private readonly broadcasts = new KeyMap<unknown, Broadcast>()

  constructor(name: string | undefined, capacity: number | undefined) {
    this.name = name
    this.capacity = capacity ?? 16
    this.info = { kind: "coalesce", name, settings: { capacity }, children: [] }
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
        return shared.board(fiber, resume)
      }
      const flight: Flight = new Flight(fiber, () => this.flights.delete(key))
      this.flights.set(key, flight)
      const leave = flight.board(fiber, resume)
      flight.start(self)
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
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) emit(fiber, listener, { _tag: "Coalesced", policy: "coalesce", name: this.name })
  }
}

export class CoalesceEffect extends Primitive {
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
