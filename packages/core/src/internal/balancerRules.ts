import * as Duration from "effect/Duration"
import * as Fault from "../Fault.ts"
import type * as kernel from "../kernel/balancer.ts"
import type { Described } from "../kernel/endpoint.ts"
import type { Settings } from "./balancer.ts"
import {
  callable,
  checkedOptions,
  duration,
  finite,
  integer,
  invalid,
  oneOf,
  positiveMillis,
  ratio,
  stringOption
} from "./options.ts"

interface Ejection {
  readonly failures?: number | undefined
  readonly ratio?: number | undefined
  readonly minCalls?: number | undefined
  readonly within?: Duration.Input | undefined
  readonly duration?: Duration.Input | undefined
  readonly maxDuration?: Duration.Input | undefined
  readonly maxRatio?: number | undefined
}

/** What a user gives, see `Balancer.Options`. */
interface Options<E> {
  readonly name?: string | undefined
  readonly endpoints: ReadonlyArray<E>
  readonly key?: ((endpoint: E) => string) | undefined
  readonly priority?: ((endpoint: E) => number) | undefined
  readonly weight?: ((endpoint: E) => number) | undefined
  readonly local?: ((endpoint: E) => boolean) | undefined
  readonly choose?: "two-choices" | "in-order" | undefined
  readonly decay?: Duration.Input | undefined
  readonly overprovisioning?: number | undefined
  readonly ejection?: Ejection | false | undefined
  readonly panic?: number | undefined
  readonly cooldown?: Duration.Input | undefined
  readonly maxCooldown?: Duration.Input | undefined
  readonly slowStart?: Duration.Input | undefined
  readonly hangsAfter?: Duration.Input | undefined
  readonly classify?: Fault.Classify | undefined
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
}

const where = "Balancer.make"

const ejectionOf = (given: Ejection | false | undefined): kernel.Ejection | undefined => {
  if (given === false) return undefined
  const ejection = checkedOptions(where, given ?? {}, "ejection")
  const base = positiveMillis(where, "ejection.duration", ejection.duration ?? "30 seconds")
  const max = positiveMillis(where, "ejection.maxDuration", ejection.maxDuration ?? Math.max(base, 300_000))
  if (max < base) {
    throw invalid(where, "ejection.maxDuration", Duration.format(Duration.millis(max)), "at least ejection.duration")
  }
  return {
    failures: integer(where, "ejection.failures", ejection.failures ?? 5, 1),
    ratio: ratio(where, "ejection.ratio", ejection.ratio ?? 0.5),
    minCalls: integer(where, "ejection.minCalls", ejection.minCalls ?? 20, 1),
    within: positiveMillis(where, "ejection.within", ejection.within ?? "30 seconds"),
    base,
    max,
    share: ratio(where, "ejection.maxRatio", ejection.maxRatio ?? 0.5)
  }
}

const shareOrNone = (option: string, value: number): number => {
  if (typeof value === "number" && value >= 0 && value <= 1) return value
  throw invalid(where, option, value, "a number from 0 to 1")
}

const finiteDuration = (option: string, value: Duration.Input): number => {
  const millis = duration(where, option, value)
  if (millis < Infinity) return millis
  throw invalid(where, option, "Infinity", "a finite duration >= 0")
}

const timesOf = (value: number): number => {
  if (typeof value === "number" && value >= 1) return value
  throw invalid(where, "overprovisioning", value, "a number >= 1")
}

const rulesOf = <E>(options: Options<E>): kernel.Rules => ({
  choose: oneOf(where, "choose", options.choose ?? "two-choices", ["two-choices", "in-order"]),
  decay: positiveMillis(where, "decay", options.decay ?? "10 seconds"),
  overprovisioning: timesOf(options.overprovisioning ?? 1.4),
  ejection: ejectionOf(options.ejection),
  panic: shareOrNone("panic", options.panic ?? 0.5),
  cooldown: finiteDuration("cooldown", options.cooldown ?? "1 second"),
  maxCooldown: positiveMillis(where, "maxCooldown", options.maxCooldown ?? "5 minutes", { infinite: true }),
  slowStart: finiteDuration("slowStart", options.slowStart ?? "10 seconds")
})

const describing = <E>(options: Options<E>): Settings<E>["describe"] => {
  const key = callable(where, "key", options.key)
  const local = callable(where, "local", options.local)
  const priority = callable(where, "priority", options.priority)
  const weight = callable(where, "weight", options.weight)
  return (where, endpoints) => {
    if (!Array.isArray(endpoints)) throw invalid(where, "endpoints", endpoints, "an array")
    const keys = new Set<string>()
    return endpoints.map((endpoint: E, i): Described<E> => {
      const at = `endpoints[${i}]`
      const named: unknown = key === undefined ? endpoint : key(endpoint)
      if (typeof named !== "string" || named === "") {
        throw invalid(
          where,
          `the key of ${at}`,
          named,
          key === undefined ? "given by key" : "a string that is not empty"
        )
      }
      if (keys.has(named)) throw invalid(where, `the key of ${at}`, named, "another one than those before it")
      keys.add(named)
      return {
        endpoint,
        key: named,
        priority: integer(where, `the priority of ${at}`, priority?.(endpoint) ?? 0, 0),
        weight: finite(where, `the weight of ${at}`, weight?.(endpoint) ?? 1, 0),
        local: local === undefined || local(endpoint)
      }
    })
  }
}

export const settingsOf = <E>(given: Options<E>): Settings<E> => {
  const options = checkedOptions(where, given)
  const { classify, hangsAfter } = options
  if (hangsAfter !== undefined && classify !== undefined) {
    throw invalid(where, "hangsAfter", hangsAfter, "left out beside classify, which decides that")
  }
  const rules = rulesOf(options)
  const name = stringOption(where, "name", options.name)
  return {
    name,
    rules,
    info: {
      kind: "balancer",
      name,
      settings: {
        choose: options.choose,
        decay: options.decay === undefined ? undefined : Duration.millis(rules.decay),
        overprovisioning: options.overprovisioning,
        ejection: rules.ejection === undefined
          ? "none"
          : `${rules.ejection.failures} failures in a row, ${Duration.format(Duration.millis(rules.ejection.base))}`,
        panic: options.panic,
        slowStart: Duration.millis(rules.slowStart)
      },
      children: []
    },
    describe: describing(options),
    classify: callable(where, "classify", classify) ?? Fault.of,
    result: callable(where, "result", options.result),
    hangsAfter: classify === undefined ? duration(where, "hangsAfter", hangsAfter ?? "1 second") : Infinity
  }
}
