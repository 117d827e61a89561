import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type Reader, SharedBuffer } from "../kernel/sharedBuffer.ts"
import { type AnyPull, type AnyStream, open } from "./establish.ts"
import { guarded } from "./foreign.ts"
import { awaitAndKeepDefects } from "./interrupt.ts"
import { interrupt } from "./interrupted.ts"
import { type AnyFiber, fork } from "./primitive.ts"
import { type Resume, SharedCall } from "./sharedCall.ts"

/** A stream that several callers read. */
export class Broadcast extends SharedCall {
  private readonly buffer: SharedBuffer<ReadonlyArray<unknown>>
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
    super(fiber)
    this.buffer = new SharedBuffer(capacity)
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
      interrupt(child, fiber)
      return awaitAndKeepDefects(fiber, child)
    })
  }
}
