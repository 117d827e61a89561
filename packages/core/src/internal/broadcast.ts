import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type Reader, SharedBuffer } from "../kernel/sharedBuffer.ts"
import { type AnyPull, type AnyStream, open } from "./establish.ts"
import { guarded } from "./foreign.ts"
import { awaitAndKeepDefects } from "./interrupt.ts"
import { interrupt } from "./interrupted.ts"
import { type AnyEffect, type AnyFiber, fork } from "./primitive.ts"
import { type Resume, SharedCall } from "./sharedCall.ts"

/**
 * A stream that several callers read. Its source runs in one fiber from beginning to end, which waits while nobody wants more:
 * so all of it has the async context and the children of the first caller's call, whichever reader it is that wants more.
 */
export class Broadcast extends SharedCall {
  private readonly buffer: SharedBuffer<ReadonlyArray<unknown>>
  private readonly source: AnyFiber
  /** while the source waits */
  private goOn: Resume | undefined = undefined
  private readonly closed: () => void
  private readonly readers = new Set<Reader>()
  /** those for whom there is nothing yet */
  private readonly waiting = new Map<Reader, Resume>()
  private end: Exit.Exit<any, any> | undefined = undefined
  /** how the last reader has left, if nothing was asked of the source then */
  private left: Exit.Exit<unknown, unknown> | undefined = undefined
  private draining = false
  /** whether there may be something for those who wait */
  private news = false

  /** `closed` says that it cannot be joined any more. */
  constructor(fiber: AnyFiber, self: AnyStream, capacity: number, closed: () => void) {
    super(fiber)
    this.buffer = new SharedBuffer(capacity)
    this.closed = closed
    const scope = Scope.makeUnsafe()
    const pulls = Effect.flatMap(open(self, scope), (pull) => {
      const emitOne = Effect.flatMap(pull, (chunk) => this.emit(chunk))
      return Effect.forever(emitOne, { disableYield: true })
    })
    const whole = Effect.onExitPrimitive(
      Effect.andThen(this.demand, pulls),
      (exit) => Scope.close(scope, this.left ?? exit)
    )
    this.source = fork(this.context, whole)
    this.source.addObserver((exit) => {
      this.end = exit
      this.tell()
    })
  }

  private get isWanted(): boolean {
    return !this.news && this.waiting.size > 0 && this.buffer.hasRoom
  }

  private readonly demand: AnyEffect = Effect.suspend(() =>
    this.isWanted ? Effect.void : Effect.callback<any, any, any>((resume) => void (this.goOn = resume))
  )

  private emit(chunk: ReadonlyArray<unknown>): AnyEffect {
    this.buffer.push(chunk)
    this.tell()
    return this.demand
  }

  private tell(): void {
    this.closed()
    this.news = true
    this.drain()
  }

  subscribe(): Reader {
    const reader = this.buffer.join()
    this.readers.add(reader)
    return reader
  }

  pull(reader: Reader): AnyPull {
    return Effect.callback((resume) => {
      const exit = this.next(reader)
      if (exit === undefined) {
        this.waiting.set(reader, resume)
        this.waits?.join(reader, Fiber.getCurrent()!)
      } else resume(exit)
      this.drain()
      return Effect.sync(() => this.served(reader))
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
      this.served(reader)
      guarded(resume!, exit)
    }
  }

  private served(reader: Reader): void {
    this.waiting.delete(reader)
    this.waits?.leave(reader)
  }

  /** Whether the source has answered at once. */
  private pullNow(): boolean {
    const { goOn } = this
    if (goOn === undefined || !this.isWanted) return false
    this.goOn = undefined
    goOn(Effect.void)
    return this.news
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
      if (this.end !== undefined) return Effect.void
      if (this.goOn !== undefined) this.left = exit
      interrupt(this.source, fiber)
      return awaitAndKeepDefects(fiber, this.source)
    })
  }
}
