/**
 * A load test in virtual time, before anything ships: your own stack and the ready-made ones meet the same calls, times and quota, and
 * sentences say which settings follow. `npm run simulate` does it without a program.
 */
import { Retry, Timeout } from "@effect-resilience/core"
import { Forecast, Times } from "@effect-resilience/core/simulation"
import { Console, Effect } from "effect"
import { main } from "./support/run.ts"

/** What the program has now. */
const ours = [Retry.make({ times: 2 }), Timeout.attempt("1 minute")]

const forecast = Forecast.run({
  // a model that reasons; the times are from a dashboard
  perSecond: 0.4,
  times: Times.fromPercentiles([[50, "40 seconds"], [95, "2 minutes"], [99, "4 minutes"]]),
  errors: 0.01,
  quota: { requestsPerMinute: 60, tokensPerMinute: 150_000 },
  tokens: {
    prompt: Times.constant(1000),
    completion: Times.constant(2500),
    maxCompletion: 4000,
    price: { prompt: 15, completion: 60 }
  },
  stacks: { ours },
  seeds: 5
})

export const program = Effect.gen(function*() {
  yield* Console.log(Forecast.table(forecast))
  for (const line of Forecast.advice(forecast)) yield* Console.log(`\n- ${line}`)
  yield* Console.log(`\n${Forecast.best(forecast).code}`)
})

main(import.meta, program)
