import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type { Rule } from "../kernel/allowance.ts"
import type { Costs } from "../kernel/rateLimiter.ts"
import { invalid } from "./options.ts"

/** How much is let through, as the constructors of the public module give it. */
export interface Limit {
  readonly kind: "token-bucket" | "gcra" | "sliding-window" | "fixed-window"
  readonly limit: number
  readonly within: Duration.Duration
  readonly burst: number
}

/** By dimension, or the number alone where there is one dimension. */
export type Cost = { readonly [K in string]?: number } | number

export type Limits = Readonly<Record<string, Limit>>

export const ruleOf = ({ burst, kind, limit, within }: Limit): Rule =>
  kind === "token-bucket" || kind === "gcra"
    ? { kind: "spaced", interval: Duration.toMillis(within) / limit, burst }
    : { kind, limit, span: Duration.toMillis(within) }

const describe = ({ burst, kind, limit, within }: Limit): string => {
  const how = kind === "token-bucket" ? `token bucket of ${burst}` : kind === "gcra" ? `gcra, burst ${burst}` : kind
  return `${limit} per ${Duration.format(within)} (${how})`
}

export const isLimit = (u: unknown): u is Limit => Predicate.hasProperty(u, "kind") && typeof u.kind === "string"

export interface Change {
  readonly dimension: number
  readonly limit: Limit
  readonly rule: Rule
}

/** The names of what is limited. The kernel knows their numbers only. */
export class Dimensions {
  readonly names: ReadonlyArray<string>
  /** what a call costs that says nothing */
  readonly once: Costs
  private readonly limits: Array<Limit>

  constructor(limits: Limits) {
    this.names = Object.keys(limits)
    this.limits = Object.values(limits)
    this.once = this.names.map(() => 1)
  }

  get all(): ReadonlyArray<Limit> {
    return this.limits
  }

  get rules(): ReadonlyArray<Rule> {
    return this.limits.map(ruleOf)
  }

  get settings(): Readonly<Record<string, string>> {
    return this.record((i) => describe(this.limits[i]!))
  }

  record<A>(f: (dimension: number) => A): Readonly<Record<string, A>> {
    return Object.fromEntries(this.names.map((name, i) => [name, f(i)]))
  }

  describe(costs: Costs): string {
    return this.names.map((name, i) => `${costs[i]} ${name}`).join(", ")
  }

  costsOf(cost: Cost, otherwise: Costs = this.once): Costs {
    const costs = typeof cost === "number" ? this.byName("cost", cost) : cost
    this.checkNames("cost", costs)
    return this.names.map((name, i) => {
      const n = costs[name] ?? otherwise[i]!
      if (n >= 0 && n < Infinity) return n
      throw invalid("RateLimiter.cost", name, n, "a number >= 0")
    })
  }

  /** The change. A limit stays of its kind. */
  changesOf(change: Limits | Limit): ReadonlyArray<Change> {
    const named: Readonly<Record<string, Limit | undefined>> = isLimit(change)
      ? this.byName("reconfigure", change)
      : change
    this.checkNames("reconfigure", named)
    return this.names.flatMap((name, dimension) => {
      const limit = named[name]
      if (limit === undefined) return []
      const rule = ruleOf(limit)
      const { kind } = this.limits[dimension]!
      if (ruleOf(this.limits[dimension]!).kind === rule.kind) return [{ dimension, limit, rule }]
      throw invalid("RateLimiter.reconfigure", name, limit.kind, `of the kind that it is, ${kind}`)
    })
  }

  adopt({ dimension, limit }: Change): void {
    this.limits[dimension] = limit
  }

  private byName<A>(option: string, value: A): Readonly<Record<string, A>> {
    if (this.names.length === 1) return { [this.names[0]!]: value }
    throw invalid(`RateLimiter.${option}`, option, value, `given by dimension: ${this.names.join(", ")}`)
  }

  private checkNames(option: string, record: object): void {
    const unknown = Object.keys(record).find((name) => !this.names.includes(name))
    if (unknown === undefined) return
    throw invalid(`RateLimiter.${option}`, "dimension", unknown, `one of ${this.names.join(", ")}`)
  }
}
