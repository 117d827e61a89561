import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import { type Balancing, type Filter, Use } from "./balancer.ts"
import { type AnyPull, type AnyStream, closing, fromPull, open } from "./establish.ts"
import * as frame from "./frame.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now } from "./time.ts"

/** A call of an endpoint that is chosen when the call begins. */
export class UseEffect<E> extends frame.Stage {
  declare private readonly balancing: Balancing<E>
  declare private readonly call: (endpoint: E) => AnyEffect
  declare private readonly filter: Filter<E> | undefined

  constructor(balancing: Balancing<E>, call: (endpoint: E) => AnyEffect, filter: Filter<E> | undefined) {
    super()
    this.balancing = balancing
    this.call = call
    this.filter = filter
  }

  enter(fiber: AnyFiber, time: number): AnyEffect {
    const { balancing, call, filter } = this
    if (frame.supported()) {
      const at = time === frame.unread ? now(fiber) : time
      const use = balancing.pick(fiber, at, filter)
      if (!(use instanceof Use)) return use
      frame.push(fiber, use)
      return frame.proceed(call(use.endpoint), fiber, at)
    }
    let use: Use<E> | undefined
    // the frame that ends the use is on the stack before there is one
    return Effect.onExitPrimitive(
      Effect.withFiber((fiber) => {
        const picked = balancing.pick(fiber, now(fiber), filter)
        if (!(picked instanceof Use)) return picked
        use = picked
        return call(picked.endpoint)
      }),
      (exit) => {
        use?.end(Fiber.getCurrent()!, exit)
        return undefined
      }
    )
  }
}

/** A stream of an endpoint is one call: its first element answers, and it is in flight until it has ended and is closed. */
export const useStream = <E>(
  balancing: Balancing<E>,
  call: (endpoint: E) => AnyStream,
  filter: Filter<E> | undefined
): AnyStream =>
  fromPull((scope) =>
    Effect.suspend(() => {
      const stream = new StreamUse(balancing, call, filter)
      return Effect.andThen(Scope.addFinalizerExit(scope, stream.close), stream.open)
    })
  )

/** A pull, made again by every pull: an answer is owed as long as it lasts, and what passes between two is the consumer's time. */
class Pulling<E> extends Primitive {
  private readonly use: Use<E>
  private readonly pull: AnyPull

  constructor(use: Use<E>, pull: AnyPull) {
    super()
    this.use = use
    this.pull = pull
  }

  run(fiber: AnyFiber): AnyPull {
    this.use.asks(fiber, true)
    return this.pull
  }
}

class StreamUse<E> {
  private readonly inner = Scope.makeUnsafe()
  private use: Use<E> | undefined = undefined
  private first: Exit.Exit<unknown> | undefined = undefined
  /** how it has ended; a consumer that stops is nobody's failure */
  private exit: Exit.Exit<unknown, unknown> | undefined = undefined
  readonly open: Effect.Effect<AnyPull, any, any>

  constructor(balancing: Balancing<E>, call: (endpoint: E) => AnyStream, filter: Filter<E> | undefined) {
    this.open = Effect.withFiber((fiber) => {
      const picked = balancing.pick(fiber, now(fiber), filter)
      if (!(picked instanceof Use)) return picked
      this.use = picked
      const opening = Effect.onExitPrimitive(
        Effect.suspend(() => open(call(picked.endpoint), this.inner)),
        (exit) => this.failed(exit)
      )
      return Effect.map(opening, (pull) => new Pulling(picked, Effect.onExitPrimitive(pull, this.onPulled)))
    })
  }

  /** The consumer may keep the stream's scope open for longer than the stream lasts. */
  private readonly onPulled = (exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): Effect.Effect<void> | undefined => {
    if (Exit.isFailure(exit)) return this.failed(exit)
    const fiber = Fiber.getCurrent()!
    this.use!.asks(fiber, false)
    if (this.first !== undefined) return undefined
    this.first = Exit.succeed(exit.value[0])
    this.use!.answered(fiber)
  }

  private failed(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (Exit.isSuccess(exit)) return undefined
    this.exit ??= Pull.isDoneCause(exit.cause) ? this.first ?? Exit.void : exit
    return this.close(this.exit)
  }

  readonly close = closing(
    this.inner,
    Effect.withFiber((fiber) => {
      this.use?.end(fiber, this.exit ?? Exit.interrupt())
      return Effect.void
    })
  )
}
