import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { counted, type Knowledge, nothing } from "../kernel/keyed.ts"
import type { Partition } from "../kernel/partitions.ts"
import type { Learner } from "./adaptiveLimitLearner.ts"
import { measuredStream } from "./adaptiveLimitStream.ts"
import { Compartment } from "./bulkhead.ts"
import type { Waiter } from "./bulkheadCall.ts"
import type { AnyStream } from "./establish.ts"
import * as frame from "./frame.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { shownOverload } from "./queueOptions.ts"
import { now } from "./time.ts"

/** The policy: a bulkhead around calls that are measured. */
export class Part implements Implementation {
  readonly learner: Learner
  readonly permits: Partition<Waiter>
  private readonly compartment: Compartment

  constructor(learner: Learner, permits: Partition<Waiter>) {
    const { maxQueue, maxWait, name, order, overload } = learner.settings
    this.learner = learner
    this.permits = permits
    this.compartment = new Compartment(
      { name, concurrency: learner.pool.limit, maxQueue, maxWait, order, overload },
      "adaptive-limit",
      permits
    )
  }

  get instance(): object {
    return this.learner
  }

  get info(): PolicyInfo {
    const { bounds, follows, maxQueue, maxWait, name, order, overload } = this.learner.settings
    return {
      kind: "adaptive-limit",
      name,
      settings: {
        algorithm: follows,
        minConcurrency: bounds.min,
        maxConcurrency: bounds.max,
        maxQueue,
        maxWait: maxWait === Infinity ? undefined : Duration.millis(maxWait),
        order,
        overload: shownOverload(overload)
      },
      children: []
    }
  }

  /** A new limit would begin to learn anew. */
  knowledge(): Knowledge {
    return this.learner.window.average === undefined ? nothing : counted
  }

  effect(self: AnyEffect): AnyEffect {
    return this.compartment.effect(new Measured(self, this.learner))
  }

  stream(self: AnyStream): AnyStream {
    return this.compartment.stream(measuredStream(self, this.learner))
  }
}

/** A call that has its permit. */
class Measured extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly learner: Learner

  constructor(self: AnyEffect, learner: Learner) {
    super()
    this.self = self
    this.learner = learner
  }

  enter(fiber: AnyFiber, time: number): AnyEffect {
    const { learner, self } = this
    const at = time === frame.unread ? now(fiber) : time
    const { inUse } = learner.pool
    if (frame.supported()) {
      frame.push(fiber, new CallFrame(learner, at, inUse))
      return frame.proceed(self, fiber, at)
    }
    return Effect.onExitPrimitive(self, (exit) => {
      learner.record(Fiber.getCurrent()!, at, inUse, exit)
      return undefined
    })
  }
}

/** Records a call when it ends. */
class CallFrame extends frame.ExitFrame {
  declare private readonly learner: Learner
  declare private readonly began: number
  declare private readonly inUse: number

  constructor(learner: Learner, began: number, inUse: number) {
    super()
    this.learner = learner
    this.began = began
    this.inUse = inUse
  }

  protected succeeded(fiber: AnyFiber, value: unknown): void {
    this.learner.record(fiber, this.began, this.inUse, Exit.succeed(value))
  }

  protected failed(fiber: AnyFiber, exit: Exit.Exit<never, unknown>): void {
    this.learner.record(fiber, this.began, this.inUse, exit)
  }
}
