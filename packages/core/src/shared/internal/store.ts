import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import * as Schedule from "effect/Schedule"
import * as CircuitBreaker from "../../CircuitBreaker.ts"
import { TimeoutExceeded } from "../../internal/errors.ts"
import { type AnyFiber, fork } from "../../internal/primitive.ts"
import { now } from "../../internal/time.ts"
import { Alarm } from "../../internal/timers.ts"
import type { Reply } from "./protocol.ts"
import { script } from "./script.ts"

/** The time after which the store is asked again that did not answer: as long as some go by their share, more goes through. */
const pauses = Schedule.spaced("250 millis").pipe(Schedule.jittered)

/** Told once of each: the answer, or why there is none yet. An answer may still come after that, and is told as late. */
export interface Asked {
  readonly answered: (reply: Reply) => void
  readonly late: (reply: Reply) => void
  /** `pause` is in milliseconds. */
  readonly failed: (error: unknown, pause: number) => void
}

interface Keys {
  readonly state: string
  readonly epoch: string
  readonly processes: string
}

interface Settings {
  readonly name: string
  readonly keys: Keys
  /** in milliseconds */
  readonly attempt: number
}

/** A host that was busy reads what has arrived meanwhile only after its timers. */
const afterReading: (f: () => void) => unknown = typeof setImmediate === "function" ? setImmediate : setTimeout

/** One question and its time limit. What Redis is doing cannot be called off, so nobody waits for that after the limit. */
class Question extends Alarm {
  private readonly asked: Asked
  private late: (() => void) | undefined = undefined
  private told = false

  constructor(asked: Asked) {
    super()
    this.asked = asked
  }

  begin(fiber: AnyFiber, limit: number, late: () => void): void {
    this.late = late
    this.arm(fiber, now(fiber), limit)
  }

  answer(reply: Reply): void {
    if (this.told) return this.asked.late(reply)
    this.end()
    this.asked.answered(reply)
  }

  fail(error: unknown, pause: number): void {
    if (this.told) return
    this.end()
    this.asked.failed(error, pause)
  }

  private end(): void {
    this.told = true
    this.disarm()
  }

  expire(): void {
    afterReading(() => {
      if (!this.told) this.late?.()
    })
  }
}

/**
 * Redis, as a dependency: within a time limit, and behind a circuit breaker that opens at the first failure, for calls have been
 * kept waiting by then.
 */
export class Store {
  private readonly redis: Redis.Redis["Service"]
  private readonly keys: Keys
  private readonly attempt: number
  private readonly name: string
  private readonly breaker: CircuitBreaker.CircuitBreaker

  private constructor(
    redis: Redis.Redis["Service"],
    { attempt, keys, name }: Settings,
    breaker: CircuitBreaker.CircuitBreaker
  ) {
    this.redis = redis
    this.keys = keys
    this.attempt = attempt
    this.name = name
    this.breaker = breaker
  }

  static make(redis: Redis.Redis["Service"], settings: Settings): Effect.Effect<Store> {
    return Effect.map(
      CircuitBreaker.make({ name: settings.name, trip: CircuitBreaker.consecutive(1), open: pauses }),
      (breaker) => new Store(redis, settings, breaker)
    )
  }

  /** The fiber is that of the limiter. */
  ask(fiber: AnyFiber, request: string, parse: (reply: ReadonlyArray<string>) => Reply, asked: Asked): void {
    const question = new Question(asked)
    const guarded = this.breaker(Effect.callback<void, unknown>((resume) => {
      question.begin(fiber, this.attempt, () => resume(this.tooLate))
      const { epoch, processes, state } = this.keys
      const run = Effect.map(
        this.redis.eval(script)(state, epoch, processes, request),
        (text) => question.answer(parse(text))
      )
      fork(fiber.context, run).addObserver((exit) => resume(exit))
    }))
    const whole = Effect.catchCause(guarded, (cause) =>
      Effect.map(this.breaker.state, (state) => {
        const pause = state._tag === "Open" ? Duration.toMillis(state.retryAfter) : 0
        question.fail(Cause.squash(cause), pause)
      }))
    fork(fiber.context, whole)
  }

  private get tooLate(): Effect.Effect<never, TimeoutExceeded> {
    const limit = Duration.millis(this.attempt)
    return Effect.fail(new TimeoutExceeded({ policyName: this.name, phase: "attempt", limit, elapsed: limit }))
  }
}
