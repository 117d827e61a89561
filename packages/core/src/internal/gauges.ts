import type * as Context from "effect/Context"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import type { Labels } from "../kernel/labels.ts"
import type { GaugeName, Gauges, GaugesOf } from "./registry.ts"

interface Member {
  readonly policy: WeakRef<object>
  readonly read: (policy: object) => number
  readonly series: Series
}

const metrics: { readonly [Name in GaugeName]: Metric.Gauge<number> } = {
  "resilience.bulkhead.in_use": Metric.gauge("resilience.bulkhead.in_use", {
    description: "Calls that run in a bulkhead"
  }),
  "resilience.bulkhead.queued": Metric.gauge("resilience.bulkhead.queued", {
    description: "Calls that wait for a permit of a bulkhead"
  }),
  "resilience.limit": Metric.gauge("resilience.limit", { description: "Calls that may run at once" })
}

/**
 * Gauges that are read when somebody takes a snapshot, so that they cost a call nothing and are right whoever changed what
 * they show. Policies that share a name share a series, which is their sum. A series whose policies are all gone ends.
 */
export class SampledGauges implements Gauges {
  private readonly context: Context.Context<never>
  private readonly labels: Labels
  private readonly series = new Map<string, Series>()
  private readonly collected = new FinalizationRegistry<Member>((member) => member.series.leave(member))

  constructor(context: Context.Context<never>, labels: Labels) {
    this.context = context
    this.labels = labels
  }

  add<P extends object>(policy: P, kind: string, name: string, gauges: GaugesOf<P>): void {
    const ref = new WeakRef(policy)
    const label = this.labels.of(name)
    for (const [metric, read] of Object.entries(gauges)) {
      const series = this.seriesOf(metric as GaugeName, kind, label)
      const member: Member = { policy: ref, read: (policy) => read(policy as P), series }
      series.members.add(member)
      this.collected.register(policy, member)
    }
  }

  close(): void {
    for (const series of this.series.values()) series.end()
  }

  private seriesOf(metric: GaugeName, kind: string, label: string): Series {
    const key = JSON.stringify([metric, kind, label])
    const known = this.series.get(key)
    if (known !== undefined) return known
    const series: Series = new Series(() => {
      this.series.delete(key)
      registration.remove()
    })
    const registration = Metric.registerUnsafe(
      Metric.withAttributes(metrics[metric], { policy: kind, name: label }),
      this.context,
      { get: () => ({ value: series.sum }), update: constVoid, modify: constVoid }
    )
    this.series.set(key, series)
    return series
  }
}

class Series {
  readonly members = new Set<Member>()
  readonly end: () => void

  constructor(end: () => void) {
    this.end = end
  }

  get sum(): number {
    let sum = 0
    for (const { policy, read } of this.members) {
      const live = policy.deref()
      if (live !== undefined) sum += read(live)
    }
    return sum
  }

  leave(member: Member): void {
    this.members.delete(member)
    if (this.members.size === 0) this.end()
  }
}
