// A program that has installed the packages: policies around an effect. It runs in a browser as well.
import { CircuitBreaker, Policy, Retry, Timeout } from "@effect-resilience/core"
import { makeStandard } from "@effect-resilience/core/Pipelines"
import { Effect, Schedule } from "effect"

let requests = 0
const flaky = Effect.suspend(() => ++requests < 3 ? Effect.fail("down") : Effect.succeed("up"))

const stack = Policy.compose(
  Timeout.total("10 seconds"),
  Retry.make({ times: 3, schedule: Schedule.spaced("1 millis") }),
  CircuitBreaker.makeUnsafe({ name: "consumer" }),
  Timeout.attempt("5 seconds")
)

const program = Effect.gen(function*() {
  const answer = yield* stack(flaky)
  const standard = yield* makeStandard({ name: "standard" })
  return `core: ${answer} after ${requests} requests, ${yield* standard(Effect.succeed("through"))}`
})

Effect.runPromise(program).then((text) => console.log(text), (error: unknown) => console.log(`core: ${String(error)}`))
