import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redis from "effect/persistence/Redis"
import * as Schedule from "effect/Schedule"
import * as CircuitBreaker from "../../CircuitBreaker.ts"
import { fork } from "../../internal/primitive.ts"
import type * as Policy from "../../Policy.ts"
import * as Timeout from "../../Timeout.ts"
import type { Reply } from "./protocol.ts"
import { script } from "./script.ts"

/** The time after which the store is asked again that did not answer. */
const pauses = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)

/** Told once of each: the answer, or why there is none yet. An answer may still come after that, and is told as late. */
export interface Asked {
  readonly answered: (reply: Reply) => void
  readonly late: (reply: Reply) => void
  /** `pause` is in milliseconds. */
  readonly failed: (error: unknown, pause: number) => void
}

export interface Keys {
  readonly state: string
  readonly epoch: string
  readonly processes: string
}

/**
 * Redis, as a dependency: within a time limit, and behind a circuit breaker that opens at the first failure, for a call has been
 * kept waiting by then.
 */
export class Store {
  private readonly redis: Redis.Redis["Service"]
  private readonly keys: Keys
  private readonly context: Context.Context<never>
  private readonly breaker: CircuitBreaker.CircuitBreaker
  private readonly policy: <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, unknown>

  private constructor(
    redis: Redis.Redis["Service"],
    keys: Keys,
    context: Context.Context<never>,
    breaker: CircuitBreaker.CircuitBreaker,
    timeout: Policy.Policy<unknown, Timeout.TimeoutExceeded>
  ) {
    this.redis = redis
    this.keys = keys
    this.context = context
    this.breaker = breaker
    this.policy = (self) => breaker(timeout(self))
  }

  static make(
    redis: Redis.Redis["Service"],
    { attempt, keys, name }: { readonly attempt: number; readonly keys: Keys; readonly name: string }
  ): Effect.Effect<Store> {
    return Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({ name, trip: CircuitBreaker.consecutive(1), open: pauses })
      // what Redis is doing cannot be called off, so nobody waits for that either
      const timeout = Timeout.attempt(attempt, { name, detach: true })
      return new Store(redis, keys, yield* Effect.context(), breaker, timeout)
    })
  }

  ask(request: string, parse: (reply: ReadonlyArray<string>) => Reply, asked: Asked): void {
    let told = false
    const once = (tell: () => void): boolean => {
      if (told) return false
      told = true
      tell()
      return true
    }
    const { epoch, processes, state } = this.keys
    const run = this.redis.eval(script)(state, epoch, processes, request).pipe(
      Effect.map((text) => {
        const reply = parse(text)
        if (!once(() => asked.answered(reply))) asked.late(reply)
      }),
      Effect.uninterruptible
    )
    const whole = Effect.exit(this.policy(run)).pipe(
      Effect.flatMap((exit) => Exit.isSuccess(exit) ? Effect.void : this.failed(exit.cause, asked, once))
    )
    fork(this.context, whole)
  }

  private failed(
    cause: Cause.Cause<unknown>,
    { failed }: Asked,
    once: (tell: () => void) => boolean
  ): Effect.Effect<void> {
    return Effect.map(this.breaker.state, (state) => {
      const pause = state._tag === "Open" ? Duration.toMillis(state.retryAfter) : 0
      once(() => failed(Cause.squash(cause), pause))
    })
  }
}
