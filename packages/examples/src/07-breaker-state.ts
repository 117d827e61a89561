/** Reading the state of a circuit breaker: the program's, and the client's; as a value, and as it changes. */
import { AzureO1, O1Policy, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { CircuitBreaker } from "@effect-resilience/core"
import { Console, Duration, Effect, Fiber, Stream } from "effect"
import { deployment, main } from "./support/run.ts"

const own = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({
    name: "payments",
    trip: CircuitBreaker.consecutive(2),
    open: "1 second"
  })
  const changes = yield* breaker.changes.pipe(
    Stream.take(4),
    Stream.runForEach(({ from, to }) => Console.log(`payments: ${from} -> ${to}`)),
    Effect.forkChild
  )
  yield* Effect.yieldNow

  const down = Effect.exit(breaker(Effect.fail("down")))
  yield* down
  yield* down
  const rejected = yield* Effect.flip(breaker(Effect.succeed("never called")))
  yield* Console.log(`rejected: ${rejected._tag}`)

  // the error says when it is worth asking again; timers may be a little early
  yield* Effect.sleep(Duration.sum(rejected.retryAfter, Duration.millis(10)))
  yield* breaker(Effect.succeed("up again"))
  yield* breaker.isolate
  yield* Fiber.join(changes)
  yield* Console.log(`payments is ${(yield* breaker.state)._tag}`)
})

const client = Effect.gen(function*() {
  const o1 = yield* AzureO1
  const policy = yield* O1Policy
  const ask = Effect.exit(o1.complete({ messages: [user("hello")] }, { retries: 0 }))
  for (let call = 1; call <= 5; call++) {
    yield* ask
    const state = yield* policy.breakerState("o1")
    yield* Console.log(`o1 after ${call} failures: ${state._tag}`)
  }
})

export const program = Effect.gen(function*() {
  yield* own
  yield* client
}).pipe(
  Effect.provide(deployment({ script: Array.from({ length: 5 }, () => FakeAzure.status(503)) }))
)

main(import.meta, program)
