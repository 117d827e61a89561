import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Fault from "../Fault.ts"
import { LearntDelay } from "../kernel/hedge.ts"
import type { Budget } from "../kernel/retryBudget.ts"
import { type AnyStream, establish } from "./establish.ts"
import { HedgeEffect, type Rules } from "./hedge.ts"
import type { PolicyInfo } from "./model.ts"
import { callable, checkedOptions, duration, integer, invalid, percent, showMillis } from "./options.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect } from "./primitive.ts"
import { ofFirstElement, type Result, withResult } from "./result.ts"
import { type RetryBudget, type Shared, sharedOf } from "./retryBudget.ts"
import { TimerQueue } from "./timers.ts"

/** As in `Hedge.ts`, where it is explained. */
interface Learnt {
  readonly quantile: number
  readonly minCalls?: number | undefined
  readonly initialDelay?: Duration.Input | undefined
  readonly minDelay?: Duration.Input | undefined
  readonly maxDelay?: Duration.Input | undefined
}

/** As in `Hedge.ts`, where it is explained. */
interface Options {
  readonly name?: string | undefined
  readonly after: Duration.Input | Learnt
  readonly maxHedges?: number | undefined
  readonly budget?: RetryBudget | undefined
  readonly classify?: Fault.Classify<any> | undefined
  readonly result?: Result | undefined
}

const isLearnt = (after: Options["after"]): after is Learnt => Predicate.hasProperty(after, "quantile")

const learntDelayOf = (where: string, learnt: Learnt): LearntDelay => {
  const { quantile } = checkedOptions(where, learnt, "after")
  if (!(typeof quantile === "number" && quantile > 0 && quantile < 1)) {
    throw invalid(where, "after.quantile", quantile, "a number > 0 and < 1")
  }
  const min = duration(where, "after.minDelay", learnt.minDelay ?? "1 millis")
  const max = learnt.maxDelay === undefined ? Infinity : duration(where, "after.maxDelay", learnt.maxDelay)
  if (min > max) throw invalid(where, "after.minDelay", showMillis(min), "at most after.maxDelay")
  return new LearntDelay({
    quantile,
    min,
    max,
    warmup: integer(where, "after.minCalls", learnt.minCalls ?? 20, 1, 500),
    initial: learnt.initialDelay === undefined ? Infinity : duration(where, "after.initialDelay", learnt.initialDelay)
  })
}

/** What a hedge is. */
export class Hedging implements Implementation, Rules {
  readonly name: string | undefined
  readonly max: number
  readonly shared: Shared | undefined
  readonly budget: Budget | undefined
  readonly budgetName: string | undefined
  readonly learnt: LearntDelay | undefined
  /** for a delay that does not vary */
  readonly queue: TimerQueue | undefined
  private readonly fixed: number
  private readonly options: Options
  readonly ofValue: Fault.Classify<any>
  private readonly ofFirst: Fault.Classify<any>

  constructor(options: Options) {
    const where = "Hedge.make"
    checkedOptions(where, options)
    const budget = options.budget === undefined ? undefined : sharedOf(where, options.budget)
    this.options = options
    this.name = options.name
    this.max = integer(where, "maxHedges", options.maxHedges ?? 1, 1, 10)
    const classify = callable(where, "classify", options.classify) ?? Fault.of
    this.ofValue = withResult(where, classify, options.result)
    this.ofFirst = withResult(where, classify, options.result && ofFirstElement(options.result))
    this.shared = budget
    this.budget = budget?.kernel
    this.budgetName = budget?.name
    if (isLearnt(options.after)) {
      this.learnt = learntDelayOf(where, options.after)
      this.fixed = Infinity
    } else {
      this.fixed = duration(where, "after", options.after)
      this.queue = this.fixed < Infinity ? new TimerQueue(this.fixed) : undefined
    }
  }

  get delay(): number {
    return this.learnt === undefined ? this.fixed : this.learnt.delay
  }

  get answers(): number {
    return this.learnt?.answers ?? 0
  }

  get info(): PolicyInfo {
    const { after, budget, name, result } = this.options
    return {
      kind: "hedge",
      name,
      settings: {
        after: isLearnt(after) ? `${percent(after.quantile)}th percentile` : Duration.fromInputUnsafe(after),
        maxHedges: this.max,
        budget: budget === undefined ? undefined : budget.name ?? "unnamed",
        ...result === undefined ? {} : { result: "custom" }
      },
      children: []
    }
  }

  effect(self: AnyEffect): AnyEffect {
    return this.race([self], true)
  }

  stream(self: AnyStream): AnyStream {
    return establish((attempt) => this.race([attempt], false), self)
  }

  /** The one again, or the others after it. */
  race(all: ReadonlyArray<AnyEffect>, effects: boolean): AnyEffect {
    return new HedgeEffect(this, {
      attempt: all.length === 1 ? () => all[0]! : (n) => all[n - 1]!,
      classify: effects ? this.ofValue : this.ofFirst,
      max: all.length === 1 ? this.max : all.length - 1,
      goesOn: all.length === 1 ? isTransient : mayPassElsewhere,
      scoped: effects
    })
  }
}

/** A callee that asks for a pause gets it: that is for a retry to wait for. */
const isTransient = (fault: Fault.Fault): boolean => fault._tag === "Transient" && fault.retryAfter === undefined

/** What one endpoint cannot do now, or one policy refuses, another may do. */
const mayPassElsewhere = (fault: Fault.Fault): boolean =>
  fault._tag === "Transient" || fault._tag === "Throttled" || fault._tag === "Rejected"
