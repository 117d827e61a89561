import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as EffectRandom from "effect/Random"
import * as Schedule from "effect/Schedule"
import { sequenceOf } from "../../internal/backoff.ts"
import type { Sequence } from "../../kernel/backoff.ts"
import type { Random } from "../internal/random.ts"

type AnySchedule = Schedule.Schedule<unknown, unknown, unknown, unknown>
type Step = Effect.Success<ReturnType<typeof Schedule.toStep<unknown, unknown, never, never>>>

/** The delays that a schedule gives to one call; nothing, when it gives up. */
export interface Delays {
  next(at: number, input: unknown): number | undefined
}

/** A `Backoff`: the kernel without an effect. */
class OfSequence implements Delays {
  private readonly sequence: Sequence
  private readonly random: Random

  constructor(sequence: Sequence, random: Random) {
    this.sequence = sequence
    this.random = random
  }

  next(): number {
    return this.sequence.next(this.random.next())
  }
}

class OfSchedule implements Delays {
  private readonly run: <A>(effect: Effect.Effect<A>) => A
  private readonly step: Step

  constructor(schedule: AnySchedule, random: Random) {
    this.run = Effect.runSyncWith(Context.make(EffectRandom.Random, random))
    // a schedule that needs services of the program has no place in a simulation, which has none
    this.step = this.run(Schedule.toStep<unknown, unknown, never, never>(schedule as Schedule.Schedule<unknown>))
  }

  next(at: number, input: unknown): number | undefined {
    return this.run(
      this.step(at, input).pipe(
        Effect.map(([, delay]) => Duration.toMillis(delay)),
        Pull.catchDone(() => Effect.undefined)
      )
    )
  }
}

export const delaysOf = (schedule: AnySchedule, random: Random): Delays => {
  const sequence = sequenceOf(schedule)
  return sequence === undefined ? new OfSchedule(schedule, random) : new OfSequence(sequence(), random)
}
