import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as kernel from "../kernel/bulkhead.ts"
import { type Knowledge, nothing, owed } from "../kernel/keyed.ts"
import type { Order, Overload } from "../kernel/queue.ts"
import { Call, giveBack, handOver, isFull, type Kind, type Waiter } from "./bulkheadCall.ts"
import { CurrentCriticality } from "./criticality.ts"
import { emit } from "./emit.ts"
import { BulkheadRejected } from "./errors.ts"
import { type AnyStream, closing, fromPull, open } from "./establish.ts"
import { CurrentListener } from "./events.ts"
import * as frame from "./frame.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { shownOverload } from "./queueOptions.ts"
import { now } from "./time.ts"
import { TimerQueue } from "./timers.ts"

/** A permit that a program holds by hand. */
export interface Held {
  readonly release: Effect.Effect<void>
}

export interface Settings extends kernel.Limits {
  readonly name: string | undefined
  /** in milliseconds */
  readonly maxWait: number
  /** as it was given */
  readonly order: Order | undefined
  readonly overload: Overload | undefined
}

/** What a bulkhead is: the kernel with fibers, timers and a name. */
export class Compartment implements Implementation {
  readonly kind: Kind
  readonly permits: kernel.Permits<Waiter>
  readonly name: string | undefined
  readonly maxWait: number
  readonly timers: TimerQueue | undefined
  /** on the stack of every call that found a permit at once */
  readonly held: HeldFrame
  readonly order: Order | undefined
  readonly overload: Overload | undefined

  constructor(
    settings: Settings,
    kind: Kind = "bulkhead",
    permits: kernel.Permits<Waiter> = new kernel.Permits(settings, settings.order ?? "fifo", settings.overload)
  ) {
    const { maxWait, name, order, overload } = settings
    this.kind = kind
    this.name = name
    this.permits = permits
    this.held = new HeldFrame(this.permits)
    this.maxWait = maxWait
    this.timers = maxWait === Infinity ? undefined : new TimerQueue(maxWait)
    this.order = order
    this.overload = overload
  }

  get info(): PolicyInfo {
    const { concurrency, maxQueue } = this.permits
    return {
      kind: this.kind,
      name: this.name,
      settings: {
        concurrency,
        maxQueue,
        maxWait: this.maxWait === Infinity ? undefined : Duration.millis(this.maxWait),
        order: this.order,
        overload: shownOverload(this.overload)
      },
      children: []
    }
  }

  /** Without a call, a permit is held by hand. A new bulkhead would give it out once more. */
  knowledge(): Knowledge {
    return this.permits.inUse > 0 ? owed : nothing
  }

  effect(self: AnyEffect): AnyEffect {
    return new BulkheadEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return fromPull((streamScope) =>
      Effect.suspend(() => {
        const inner = Scope.makeUnsafe()
        // the consumer may keep the stream's scope open for longer than the stream lasts
        const closeAtEnd = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined =>
          Exit.isSuccess(exit) ? undefined : close(Pull.isDoneCause(exit.cause) ? Exit.void : exit)
        const opened = Effect.map(open(self, inner), (pull) => Effect.onExitPrimitive(pull, closeAtEnd))
        const call = new Call(opened, this)
        const close = closing(inner, releasing(call))
        return Effect.andThen(Scope.addFinalizerExit(streamScope, close), call)
      })
    )
  }

  /** A permit by hand. It has a scope of its own in that of the caller: once given back, it leaves nothing in one that lives long. */
  readonly acquire: Effect.Effect<Held, BulkheadRejected, Scope.Scope> = Effect.suspend(() => {
    let scope: Scope.Closeable | undefined
    const held: Held = { release: Effect.suspend(() => Scope.close(scope!, Exit.void)) }
    const call = new Call(Effect.succeed(held), this)
    const entered = Effect.withFiber((fiber) => {
      scope = Scope.forkUnsafe(Context.getUnsafe(fiber.context, Scope.Scope))
      return Effect.andThen(Scope.addFinalizer(scope, releasing(call)), call)
    })
    return Effect.onExitPrimitive(entered, (exit) => {
      if (Exit.isSuccess(exit) && scope!.state._tag !== "Closed") return undefined
      // nobody has it: the call was turned away or interrupted, or its scope was closed while it waited
      call.release(Fiber.getCurrent()!)
      return scope && Scope.close(scope, exit)
    })
  })

  resize(limits: Partial<kernel.Limits>, at: number): void {
    this.permits.resize(limits)
    handOver(this.permits, at)
  }

  reject(fiber: AnyFiber, reason: BulkheadRejected["reason"], waited: number): BulkheadRejected {
    const error = new BulkheadRejected({
      policyName: this.name,
      reason,
      waited: waited === 0 ? Duration.zero : Duration.millis(Math.round(waited))
    })
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      emit(fiber, listener, {
        _tag: "RejectedByBulkhead",
        policy: this.kind,
        name: this.name,
        criticality: fiber.getRef(CurrentCriticality),
        reason,
        waited: error.waited
      })
    }
    return error
  }
}

/** What a scope does at its end, when what is opened in it is closed. */
const releasing = (call: Call): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    call.release(fiber)
    return Effect.void
  })

/** Gives the permit back of a call that found one at once. */
class HeldFrame extends frame.ExitFrame {
  private readonly permits: kernel.Permits<Waiter>

  constructor(permits: kernel.Permits<Waiter>) {
    super()
    this.permits = permits
  }

  protected succeeded(fiber: AnyFiber): void {
    giveBack(this.permits, fiber)
  }

  protected failed(fiber: AnyFiber): void {
    giveBack(this.permits, fiber)
  }
}

class BulkheadEffect extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly compartment: Compartment

  constructor(self: AnyEffect, compartment: Compartment) {
    super()
    this.self = self
    this.compartment = compartment
  }

  enter(fiber: AnyFiber, at: number): AnyEffect {
    const { compartment, self } = this
    if (frame.supported()) {
      const { permits } = compartment
      if (permits.enter()) {
        frame.push(fiber, compartment.held)
        return frame.proceed(self, fiber, at)
      }
      if (isFull(permits, fiber, at === frame.unread ? now(fiber) : at)) return compartment.reject(fiber, "full", 0)
    }
    const call = new Call(self, compartment)
    return Effect.onExitPrimitive(call, () => call.release(Fiber.getCurrent()!))
  }
}
