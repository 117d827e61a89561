import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import type { Id } from "../kernel/catalogue.ts"
import type { Labels } from "../kernel/labels.ts"
import type { Meter } from "./metrics.ts"
import type { Gauges, GaugesOf } from "./registry.ts"
import { type Attributes, metricOf } from "./series.ts"
import { nowOn } from "./time.ts"

interface Member {
  readonly policy: WeakRef<object>
  readonly read: (policy: object, at: number) => number
  readonly series: Series
}

/**
 * Gauges that are read when somebody takes a snapshot, so that they cost a call nothing and are always right. Policies that share a name share a series, which is their sum. A series whose policies are all gone ends.
 */
export class SampledGauges implements Gauges {
  private readonly context: Context.Context<never>
  private readonly labels: Labels
  private readonly series = new Map<string, Series>()
  private readonly members = new WeakMap<object, ReadonlyArray<Member>>()
  private readonly collected = new FinalizationRegistry<ReadonlyArray<Member>>(leave)

  readonly begin: Gauges["begin"]

  constructor(context: Context.Context<never>, labels: Labels, begin: Meter["begin"]) {
    this.context = context
    this.labels = labels
    this.begin = begin
  }

  add<P extends object>(policy: P, kind: string, name: string, gauges: GaugesOf<P>): void {
    if (this.members.has(policy)) return
    this.begin(kind, name)
    const ref = new WeakRef<object>(policy)
    const label = this.labels.of(name)
    const members: Array<Member> = []
    const enter = (metric: string, labels: Attributes, read: (policy: P, at: number) => number): void => {
      const series = this.seriesOf(metric as Id, labels)
      const member: Member = { policy: ref, read: (policy, at) => read(policy as P, at), series }
      series.members.add(member)
      members.push(member)
    }
    for (const [metric, read] of Object.entries(gauges)) {
      if (typeof read === "function") enter(metric, { policy: kind, name: label }, read)
      else {for (const state of read.all) {
          enter(metric, { name: label, state }, (policy, at) => read.count(policy, state, at))
        }}
    }
    this.members.set(policy, members)
    this.collected.register(policy, members, policy)
  }

  remove(policy: object): void {
    const members = this.members.get(policy)
    if (members === undefined) return
    this.members.delete(policy)
    this.collected.unregister(policy)
    leave(members)
  }

  close(): void {
    for (const series of this.series.values()) series.end()
  }

  private seriesOf(metric: Id, labels: Attributes): Series {
    const key = JSON.stringify([metric, labels])
    const known = this.series.get(key)
    if (known !== undefined) return known
    const series: Series = new Series(() => {
      this.series.delete(key)
      registration.remove()
    })
    const registration = Metric.registerUnsafe(
      Metric.withAttributes(metricOf(metric), labels),
      this.context,
      {
        get: () => ({ value: series.sum(nowOn(Context.get(this.context, Clock.Clock))) }),
        update: constVoid,
        modify: constVoid
      }
    )
    this.series.set(key, series)
    return series
  }
}

const leave = (members: ReadonlyArray<Member>): void => {
  for (const member of members) member.series.leave(member)
}

class Series {
  readonly members = new Set<Member>()
  readonly end: () => void

  constructor(end: () => void) {
    this.end = end
  }

  sum(at: number): number {
    let sum = 0
    for (const { policy, read } of this.members) {
      const live = policy.deref()
      if (live !== undefined) sum += read(live, at)
    }
    return sum
  }

  leave(member: Member): void {
    this.members.delete(member)
    if (this.members.size === 0) this.end()
  }
}
