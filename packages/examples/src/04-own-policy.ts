/** A policy around any effect: composed of what there is, and one of your own. */
import { CircuitBreaker, Policy, Retry, Timeout } from "@effect-resilience/core"
import { Console, Data, Effect, Schedule, Stream } from "effect"
import { main } from "./support/run.ts"

class Unreachable extends Data.TaggedError("Unreachable")<{ readonly host: string }> {}

/** Writes down what goes through it: a policy is made of its two faces, and the second follows from the first. */
const audited = (name: string): Policy.Policy =>
  Policy.make({
    info: { kind: "audited", name, settings: {}, children: [] },
    effect: (self) => Effect.onExit(self, (exit) => Console.log(`${name}: ${exit._tag}`))
  })

const breaker = CircuitBreaker.makeUnsafe({ name: "warehouse", trip: CircuitBreaker.consecutive(5) })

/** Outermost first. `call.pipe(...)` with the same policies in the opposite order is the same. */
const policy = Policy.compose(
  Timeout.total("10 seconds"),
  Retry.make({ schedule: Schedule.max([Schedule.exponential("10 millis"), Schedule.recurs(3)]) }),
  breaker,
  Timeout.attempt("2 seconds"),
  audited("warehouse")
)

let calls = 0
const stock = Effect.suspend(() =>
  ++calls < 3 ? Effect.fail(new Unreachable({ host: "warehouse" })) : Effect.succeed(42)
)
const movements = Stream.unwrap(Effect.as(stock, Stream.make("in 3", "out 1")))

export const program = Effect.gen(function*() {
  yield* Console.log(Policy.explain(policy))
  yield* Console.log(`in stock: ${yield* stock.pipe(policy)}`)
  yield* Console.log(`movements: ${(yield* Stream.runCollect(movements.pipe(policy.stream))).join(", ")}`)
})

main(import.meta, program)
