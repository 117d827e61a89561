/** Typed errors of your own: in the predicate of a retry, and stating what they mean to every policy. */
import { Fault, Retry } from "@effect-resilience/core"
import { Console, Data, Effect, Schedule } from "effect"
import { main } from "./support/run.ts"

class Conflict extends Data.TaggedError("Conflict")<{ readonly version: number }> {}

class NotFound extends Data.TaggedError("NotFound")<{}> {
  // it makes no difference who asks, or when: the callee answered, and will answer the same again
  readonly [Fault.TypeId] = Fault.permanent
}

class Busy extends Data.TaggedError("Busy")<{ readonly seconds: number }> {
  // a pause that every retry will keep to
  get [Fault.TypeId]() {
    return Fault.throttled({ retryAfter: `${this.seconds} seconds` })
  }
}

const schedule = Schedule.max([Schedule.exponential("5 millis"), Schedule.recurs(5)])

/** Fails with these, one after the other, and then succeeds. */
const save = (failures: Array<Conflict | NotFound | Busy>) => {
  let calls = 0
  return Effect.suspend(() => {
    calls++
    const failure = failures.shift()
    return failure === undefined ? Effect.succeed(calls) : Effect.fail(failure)
  })
}

/** The compiler knows which errors the predicate has to accept. */
const whileFresh = Retry.make({
  schedule,
  while: (error: Conflict | NotFound | Busy) => error._tag !== "Conflict" || error.version < 10
})

export const program = Effect.gen(function*() {
  const saved = yield* save([new Conflict({ version: 1 }), new Conflict({ version: 2 })]).pipe(whileFresh)
  yield* Console.log(`saved with call ${saved}`)

  const stale = yield* save([new Conflict({ version: 10 })]).pipe(whileFresh, Effect.flip)
  yield* Console.log(`not tried again: ${stale._tag} at version ${stale._tag === "Conflict" ? stale.version : "?"}`)

  const missing = yield* save([new NotFound()]).pipe(Retry.make({ schedule }), Effect.flip)
  yield* Console.log(`not tried again: ${missing._tag}`)

  const later = yield* save([new Busy({ seconds: 0.2 })]).pipe(Retry.make({ schedule }))
  yield* Console.log(`saved with call ${later}, after the pause that was asked for`)
})

main(import.meta, program)
