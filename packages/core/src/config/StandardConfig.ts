/**
 * Options from the configuration, so that operators change a limit without a new build.
 *
 * Nothing else in this package imports this module: it brings Effect's `Config` and `Schema` along.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as Bulkhead from "../Bulkhead.ts"
import * as CircuitBreaker from "../CircuitBreaker.ts"
import { makeStandardUnsafe, type StandardOptions } from "../Pipelines.ts"
import { given, isBreaker, isPolicy, timesOf } from "../pipelines/parts.ts"
import { checked, type Read, read } from "./read.ts"

/**
 * The options of `Pipelines.makeStandard` as a `Config`: operators change a limit without a new build. Limits that are not configured are as in
 * `defaults`.
 *
 * | with the prefix `PAYMENTS` | is | for example |
 * | --- | --- | --- |
 * | `PAYMENTS_TOTAL` | `total` | `20 seconds` |
 * | `PAYMENTS_ATTEMPT` | `attempt` | `5 seconds` |
 * | `PAYMENTS_RETRIES` | `retry.times` | `2` |
 * | `PAYMENTS_CONCURRENCY` | `concurrency` of the bulkhead | `100` |
 * | `PAYMENTS_MAX_QUEUE` | its `maxQueue` | `50` |
 * | `PAYMENTS_MAX_WAIT` | its `maxWait` | `2 seconds` |
 * | `PAYMENTS_FAILURE_RATIO` | `ratio` of the breaker's failure rate | `0.2` |
 * | `PAYMENTS_MIN_CALLS` | its `minCalls` | `10` |
 * | `PAYMENTS_WITHIN` | its `within` | `1 minute` |
 * | `PAYMENTS_OPEN` | `open` of the breaker | `30 seconds` |
 *
 * A value that cannot be read, and values that contradict each other or the defaults, are a `ConfigError` that says which
 * they are. The keys of the bulkhead are for a limiter that is not given as an instance, those of the breaker likewise.
 *
 * **Example** (A limit from the environment)
 *
 * ```ts import.meta.vitest
 * import { Pipelines, Policy } from "@effect-resilience/core"
 * import { standardConfig } from "@effect-resilience/core/config"
 * import { ConfigProvider, Effect } from "effect"
 *
 * const make = Effect.gen(function*() {
 *   const options = yield* standardConfig("PAYMENTS", { name: "payments", total: "30 seconds" })
 *   return yield* Pipelines.makeStandard(options)
 * })
 * const environment = ConfigProvider.fromEnv({ env: { PAYMENTS_ATTEMPT: "2 seconds", PAYMENTS_RETRIES: "1" } })
 * const payments = await Effect.runPromise(
 *   Effect.provideService(make, ConfigProvider.ConfigProvider, environment)
 * )
 *
 * Policy.explain(payments).split("\n")[4] // => "         └─ timeout attempt \"payments\" (limit: 2s)"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const standardConfig = <E = unknown, L = Bulkhead.BulkheadRejected>(
  prefix: string,
  defaults: StandardOptions<E, L> = {}
): Config.Config<StandardOptions<E, L>> => {
  makeStandardUnsafe(defaults)
  return Config.mapEffect(read(prefix), (values) =>
    checked(prefix, values, () => {
      const options = configured(values, defaults)
      makeStandardUnsafe(options)
      return options
    }))
}

const configured = <E, L>(values: Read, defaults: StandardOptions<E, L>): StandardOptions<E, L> => {
  const { breaker = {}, limiter = {}, retry } = defaults
  const bulkhead = given({ concurrency: values.CONCURRENCY, maxQueue: values.MAX_QUEUE, maxWait: values.MAX_WAIT })
  const rate = given({ ratio: values.FAILURE_RATIO, minCalls: values.MIN_CALLS, within: values.WITHIN })
  const times = { ...defaults, ...given({ total: values.TOTAL, attempt: values.ATTEMPT }) }
  const within = timesOf("Pipelines.makeStandard", { ...times, breaker: undefined }, undefined, undefined).window
  return {
    ...times,
    retry: { ...retry, ...given({ times: values.RETRIES }) },
    ...isPolicy(limiter) ? {} : { limiter: { concurrency: 1000, ...limiter, ...bulkhead } },
    ...isBreaker(breaker) ? {} : {
      breaker: {
        ...breaker,
        ...given({ open: values.OPEN }),
        ...Object.keys(rate).length === 0 ? {} : { trip: CircuitBreaker.failureRate({ within, ...rate }) }
      }
    }
  }
}
