import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Fault from "../../src/Fault.ts"
import * as Policy from "../../src/Policy.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as PolicyTest from "../../src/testing/PolicyTest.ts"

export { outcome, timed } from "../../src/testing/PolicyTest.ts"

/** A failure of the callee that may pass. */
export class Boom extends Data.TaggedError("Boom")<{ readonly n?: number }> {}

/** A failure of the callee that stays. */
export class Bad extends Data.TaggedError("Bad")<{}> {
  readonly [Fault.TypeId] = Fault.permanent
}

/** A callee that asks for a pause. */
export class Busy extends Data.TaggedError("Busy")<{ readonly retryAfter: Duration.Input }> {
  get [Fault.TypeId](): Fault.Fault {
    return Fault.throttled(this)
  }
}

export type Ending = "ok" | "boom" | "bad" | "busy" | "die" | "hang" | "leaves" | "stubborn"

/** How a call of a scripted callee ends; a stubborn one ignores its interruption for so long. */
export const ending = (how: Ending, stubborn: Duration.Input): Effect.Effect<string, Boom | Bad | Busy> => {
  switch (how) {
    case "ok":
      return Effect.succeed("ok")
    case "boom":
      return Effect.fail(new Boom({}))
    case "bad":
      return Effect.fail(new Bad())
    case "busy":
      return Effect.fail(new Busy({ retryAfter: "30 millis" }))
    case "die":
      return Effect.die("bug")
    case "hang":
      return Effect.never
    case "leaves":
      return Effect.interrupt
    case "stubborn":
      return Effect.uninterruptible(Effect.as(Effect.sleep(stubborn), "late"))
  }
}

export const fork = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.forkChild(effect, { startImmediately: true })

export const now: Effect.Effect<number> = Clock.currentTimeMillis

/** Runs an effect while the test clock advances by `duration`, and gives its result. */
export const during = <A, E, R>(duration: Duration.Input, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  PolicyTest.during(effect, duration)

/** A callee that keeps its log: `open1`, `close1`, ... */
export const logged = () => {
  const log: Array<string> = []
  let opened = 0
  return {
    log,
    effect: <A, E>(f: (n: number) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          log.push(`open${++opened}`)
          return opened
        }),
        f,
        (n) => Effect.sync(() => void log.push(`close${n}`))
      ),
    stream: <A, E>(f: (n: number) => Stream.Stream<A, E>): Stream.Stream<A, E> =>
      Stream.unwrap(Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => {
            log.push(`open${++opened}`)
            return opened
          }),
          (n) => Effect.sync(() => void log.push(`close${n}`))
        ),
        f
      ))
  }
}

/** One element after a while. */
export const after = <A>(duration: Duration.Input, a: A): Stream.Stream<A> =>
  Stream.fromEffect(Effect.as(Effect.sleep(duration), a))

/** Collects events. */
export const recorder = () => {
  const events: Array<Telemetry.Event> = []
  return { events, policy: Telemetry.listen((event) => void events.push(event)) }
}

/** What {@link Policy.explain} prints, without the line about the path, which depends on the environment. */
export const explained = (policy: Policy.Any): string => Policy.explain(policy).replace(/\npath: .*/, "")
