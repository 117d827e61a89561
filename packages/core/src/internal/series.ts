import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { catalogue, type Definition, type Id } from "../kernel/catalogue.ts"

/** In seconds, up to 17 minutes: a reasoning model takes its time. */
const boundaries = Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 22 })

/** A metric of the catalogue. Effect's exporters take the unit from the attributes, and leave it out of the labels. */
export const metricOf = (id: Id): Metric.Metric<number, unknown> => {
  const { description, kind, unit }: Definition = catalogue[id]
  const attributes = { unit }
  switch (kind) {
    case "counter":
      return Metric.counter(id, { description, attributes, incremental: true })
    case "gauge":
      return Metric.gauge(id, { description, attributes })
    case "histogram":
      return Metric.histogram(id, { description, attributes, boundaries })
  }
}

export type Attributes = Readonly<Record<string, string>>

/** Tells under which key a metric looks up its series: Effect has no other way to ask. */
class KeyFinder extends Map<string, any> {
  key = ""
  private readonly registry: Registry

  constructor(registry: Registry) {
    super()
    this.registry = registry
  }

  override get(key: string) {
    this.key = key
    return this.registry.get(key)
  }

  override set(key: string, value: any): this {
    this.registry.set(key, value)
    return this
  }
}

type Registry = Metric.MetricRegistry

/**
 * A metric with the values of its labels. Effect finds the series by two references and a string that it builds from the
 * labels; the string is kept here, and only the registry, which may have let go of the series, is asked each time.
 */
export class Series {
  private readonly metric: Metric.Metric<number, unknown>
  private readonly context: Context.Context<never>
  private readonly registry: Registry
  private key: string | undefined = undefined

  constructor(id: Id, labels: Attributes, context: Context.Context<never>) {
    this.metric = metricOf(id)
    this.registry = Context.get(context, Metric.MetricRegistry)
    const attributes = { ...Context.get(context, Metric.CurrentMetricAttributes), ...labels }
    this.context = Context.add(context, Metric.CurrentMetricAttributes, attributes)
  }

  /** Adds to a counter or a gauge, and a value to a histogram. */
  add(input: number): void {
    const series = this.key === undefined ? undefined : this.registry.get(this.key)
    if (series === undefined) this.begin(input)
    else series.hooks.modify(input, this.context)
  }

  private begin(input: number): void {
    const finder = new KeyFinder(this.registry)
    this.metric.modifyUnsafe(input, Context.add(this.context, Metric.MetricRegistry, finder))
    this.key = finder.key
  }
}

/** Series by metric, and then by the values of one label after the other. */
export class Branch {
  series: Series | undefined = undefined
  seen = false
  private readonly branches = new Map<unknown, Branch>()

  at(value: unknown): Branch {
    let branch = this.branches.get(value)
    if (branch === undefined) this.branches.set(value, branch = new Branch())
    return branch
  }
}
