import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PolicyInfo } from "../../internal/model.ts"
import type { AnyEffect, AnyFiber } from "../../internal/primitive.ts"
import type * as calls from "../../internal/rateLimiterCalls.ts"
import type { Settings } from "../../internal/rateLimiterOptions.ts"
import { type Change, Dimensions, type Limit, ruleOf } from "../../internal/rateLimiterRules.ts"
import { waiting } from "../../internal/turn.ts"
import { type Knowledge, nothing, owed } from "../../kernel/keyed.ts"
import type * as kernel from "../../kernel/rateLimiter.ts"
import { Block } from "../kernel/block.ts"
import { Caller, Charged, type Host } from "./caller.ts"
import { Desk } from "./desk.ts"
import type { Link, Mode } from "./link.ts"
import { Post } from "./post.ts"

/** What a rate limiter is whose state is shared: callers, their queue, what is asked for them, and names. */
export class SharedLimiter implements calls.Limiter, Host {
  readonly name: string
  readonly dimensions: Dimensions
  readonly maxWait: number
  readonly post: Post
  private readonly desk: Desk
  private readonly link: Link
  private readonly maxQueue: number
  private readonly ahead: number

  constructor(
    fiber: AnyFiber,
    { ahead, limits, maxQueue, maxWait, name }: Settings & { readonly name: string; readonly ahead: number },
    link: Link
  ) {
    this.name = name
    this.maxWait = maxWait
    this.maxQueue = maxQueue
    this.ahead = ahead
    this.dimensions = new Dimensions(limits)
    this.link = link
    const block = ahead === 0 ? undefined : new Block(ahead)
    this.desk = new Desk(fiber, link, { block, maxQueue, ask: () => this.post.wake() })
    this.post = new Post(fiber, link, this.desk, block)
  }

  get mode(): Mode {
    return this.link.mode
  }

  get settings(): PolicyInfo["settings"] {
    const waits = this.maxWait > 0
    return {
      ...this.dimensions.settings,
      maxWait: waits ? Duration.millis(this.maxWait) : undefined,
      maxQueue: waits ? this.maxQueue : undefined,
      ahead: this.ahead === 0 ? undefined : Duration.millis(this.ahead)
    }
  }

  time(fiber: AnyFiber): number {
    return this.desk.time(fiber)
  }

  enter(fiber: AnyFiber, costs: kernel.Costs, self: AnyEffect | undefined): AnyEffect {
    const at = this.time(fiber)
    const marks = this.desk.atOnce(at, costs)
    if (marks !== undefined) return self ?? Effect.succeed(new Charged(this, costs, marks, this.desk.grantor))
    const join: AnyEffect = Effect.callback((resume) => {
      const at = this.time(fiber)
      return this.desk.join(at, new Caller(this, fiber, costs, at, resume))
    })
    const turn = waiting(fiber, join)
    return self === undefined ? turn : Effect.andThen(turn, self)
  }

  remove(caller: Caller): void {
    this.desk.remove(caller)
  }

  settle(fiber: AnyFiber, { by, costs, marks }: Charged, actual: kernel.Costs): void {
    const at = this.time(fiber)
    if (by === "store") this.post.tell(["S", costs, marks, actual])
    else if (!this.link.shared && by === this.link.losses) {
      this.desk.kernel.settle(at, { costs, marks }, actual)
      this.desk.goOn()
    } else this.post.owe(costs, actual)
  }

  get state(): Effect.Effect<calls.State> {
    return Effect.andThen(this.look, Effect.withFiber((fiber) => Effect.succeed(this.stateOf(fiber))))
  }

  private get look(): Effect.Effect<void> {
    return Effect.callback((resume) => this.post.look(() => resume(Effect.void)))
  }

  stateOf(fiber: AnyFiber): calls.State {
    const at = this.time(fiber)
    const { allowances, waiting } = this.desk.kernel
    const limits = this.dimensions.record((i) => {
      const { capacity } = allowances[i]!
      return { available: allowances[i]!.available(at), capacity }
    })
    return { waiting, limits }
  }

  change(changes: ReadonlyArray<Change>): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const change of changes) this.dimensions.adopt(change)
      this.link.adopt(this.desk.now, this.dimensions.all)
      if (!this.link.shared) this.desk.goOn()
      return this.look
    })
  }

  /** Others have changed the limits. */
  follow(limits: ReadonlyArray<Limit>): void {
    limits.forEach((limit, dimension) => this.dimensions.adopt({ dimension, limit, rule: ruleOf(limit) }))
    if (this.link.shared) this.desk.kernel.replace(this.link.mirror())
    this.post.goOn()
  }

  /** The store keeps what it knows when this limiter is let go. */
  knowledge(): Knowledge {
    return this.link.shared ? nothing : owed
  }
}
