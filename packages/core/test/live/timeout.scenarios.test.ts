import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { AsyncLocalStorage } from "node:async_hooks"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import * as Timeout from "../../src/Timeout.ts"
import { fork, outcome } from "../support/harness.ts"

/*
 * A timeout may run the call in a fiber of its own or in the caller's: nobody can tell but by the id of the fiber and by a context
 * that the call itself replaces. On the live clock only the order of events is asserted: what has to time out never ends by itself,
 * and what has to end has a minute.
 */

const soon = 10
const late = "1 minute"

type Note = (event: string) => Effect.Effect<void>
type Scenario = (note: Note) => Effect.Effect<unknown, unknown>

/** What happens, in order, and how it ends. */
const scenario = (name: string, program: Scenario, expected: ReadonlyArray<string>) =>
  it.live(name, () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const exit = yield* Effect.exit(program((event) => Effect.sync(() => void events.push(event))))
      assert.deepStrictEqual([...events, outcome(exit)], expected)
    }))

/** Several turns of the event loop. */
const moment = Effect.sleep(5)

const cleaning = (note: Note, takes = 20) => <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.onExit(self, () => Effect.andThen(Effect.sleep(takes), note("cleaned")))

/** Ends when it is interrupted, and says so. */
const child = (note: Note, name: string) => fork(Effect.onInterrupt(Effect.never, () => note(name)))

/** Forks a call that says when it has begun, and waits for that. */
const begun = Effect.fnUntraced(function*<A, E, B, E2>(
  call: Effect.Effect<A, E>,
  policy: (self: Effect.Effect<A, E>) => Effect.Effect<B, E2>
) {
  const latch = yield* Deferred.make<void>()
  const fiber = yield* fork(policy(Effect.andThen(Deferred.succeed(latch, undefined), call)))
  yield* Deferred.await(latch)
  return fiber
})

const told = (name: string, note: Note) => <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.onExit(self, (exit) => note(`${name} ${outcome(exit)}`))

const timedOut = "TimeoutExceeded:attempt"

for (const [limit, make] of Object.entries({ attempt: Timeout.attempt, total: Timeout.total })) {
  const exceeded = `TimeoutExceeded:${limit}`

  describe(`Timeout.${limit} on the live clock`, () => {
    scenario("ends a call that hangs", () => Effect.never.pipe(make(soon)), [exceeded])

    scenario(
      "leaves alone a call that answers, at once or later",
      (note) =>
        Effect.gen(function*() {
          yield* note(yield* Effect.succeed("at once").pipe(make(late)))
          yield* note(yield* Effect.as(moment, "later").pipe(make(late)))
          yield* note(yield* Effect.promise(() => Promise.resolve("a promise")).pipe(make(late)))
          return yield* Effect.fail("own").pipe(make(late))
        }),
      ["at once", "later", "a promise", "own"]
    )

    scenario(
      "waits for the clean-up of what it ends",
      (note) => Effect.never.pipe(cleaning(note), make(soon), told("caller", note)),
      ["cleaned", `caller ${exceeded}`, exceeded]
    )

    scenario("an interruption from outside waits for the clean-up", (note) =>
      Effect.gen(function*() {
        const fiber = yield* begun(cleaning(note)(Effect.never), make(late))
        yield* Fiber.interrupt(fiber)
        yield* note("gone")
        return yield* Fiber.join(fiber)
      }), ["cleaned", "gone", "Interrupt"])

    scenario(
      "an interruption while a call cleans up after its timeout waits for that too",
      (note) =>
        Effect.gen(function*() {
          const cleans = yield* Deferred.make<void>()
          const call = Effect.onExit(
            Effect.never,
            () => Effect.andThen(Deferred.succeed(cleans, undefined), Effect.andThen(Effect.sleep(20), note("cleaned")))
          )
          const fiber = yield* fork(call.pipe(make(soon), told("caller", note)))
          yield* Deferred.await(cleans)
          yield* Fiber.interrupt(fiber)
          return yield* Fiber.join(fiber)
        }),
      ["cleaned", "caller Interrupt", "Interrupt"]
    )

    scenario(
      "a defect of the clean-up does not hide the timeout",
      () => Effect.onExit(Effect.never, () => Effect.die("boom")).pipe(make(soon)),
      [exceeded]
    )

    scenario(
      "a caller that is not interruptible is timed out nevertheless",
      () => Effect.uninterruptible(Effect.sleep(late).pipe(make(soon))),
      [exceeded]
    )

    scenario(
      "a call that is not interruptible is waited for, and its answer comes too late",
      (note) =>
        Effect.gen(function*() {
          const latch = yield* Deferred.make<void>()
          const fiber = yield* fork(
            Effect.uninterruptible(Effect.as(Deferred.await(latch), "late")).pipe(make(soon), told("call", note))
          )
          yield* Effect.sleep(5 * soon)
          yield* note("let go")
          yield* Deferred.succeed(latch, undefined)
          return yield* Fiber.join(fiber)
        }),
      ["let go", `call ${exceeded}`, exceeded]
    )

    scenario("so does its failure", (note) =>
      Effect.gen(function*() {
        const latch = yield* Deferred.make<void>()
        const fails = Effect.andThen(Deferred.await(latch), Effect.fail("own"))
        const fiber = yield* fork(Effect.uninterruptible(fails).pipe(make(soon)))
        yield* Effect.sleep(5 * soon)
        yield* note("let go")
        yield* Deferred.succeed(latch, undefined)
        return yield* Fiber.join(fiber)
      }), ["let go", exceeded])

    scenario("the children of a call end with its answer, before the caller goes on", (note) =>
      Effect.gen(function*() {
        const call = Effect.gen(function*() {
          yield* child(note, "child")
          yield* moment
          return 1
        })
        const answer = yield* call.pipe(make(late))
        yield* note("caller goes on")
        return answer
      }), ["child", "caller goes on", "ok:1"])

    scenario("with its failure", (note) =>
      Effect.gen(function*() {
        const call = Effect.andThen(child(note, "child"), Effect.andThen(moment, Effect.fail("own")))
        const exit = yield* Effect.exit(call.pipe(make(late)))
        yield* note("caller goes on")
        return yield* exit
      }), ["child", "caller goes on", "own"])

    scenario("and with its timeout; those of the caller do not", (note) =>
      Effect.gen(function*() {
        const parent = yield* fork(Effect.gen(function*() {
          yield* child(note, "child of the caller")
          const exit = yield* Effect.exit(Effect.andThen(child(note, "child"), Effect.never).pipe(make(soon)))
          yield* moment
          yield* note("caller goes on")
          return yield* exit
        }))
        return yield* Effect.flatten(Fiber.await(parent))
      }), ["child", "caller goes on", "child of the caller", exceeded])

    scenario(
      "the fiber of the caller is afterwards as it was before",
      (note) =>
        Effect.gen(function*() {
          yield* note(outcome(yield* Effect.exit(Effect.never.pipe(make(soon)))))
          yield* moment
          yield* note(outcome(yield* Effect.exit(Effect.interrupt)))
          yield* moment
          const hasTimedOut = yield* Deferred.make<void>()
          const fiber = yield* fork(
            Effect.onInterrupt(
              Effect.gen(function*() {
                yield* Effect.exit(Effect.never.pipe(make(soon)))
                yield* Deferred.succeed(hasTimedOut, undefined)
                return yield* Effect.never
              }),
              () => note("interrupted by another one")
            )
          )
          yield* Deferred.await(hasTimedOut)
          yield* Fiber.interrupt(fiber)
        }),
      [exceeded, "Interrupt", "interrupted by another one", "ok:undefined"]
    )

    scenario(
      "nothing inside can swallow it: a handler of causes",
      (note) => Effect.catchCause(Effect.never, () => Effect.as(note("handler"), "swallowed")).pipe(make(soon)),
      [exceeded]
    )

    scenario("an exit", () => Effect.map(Effect.exit(Effect.never), outcome).pipe(make(soon)), [exceeded])

    scenario(
      "a retry",
      (note) =>
        Effect.suspend(() => Effect.andThen(note("attempt"), Effect.never)).pipe(
          Retry.make({ schedule: Schedule.forever }),
          make(soon)
        ),
      ["attempt", exceeded]
    )

    scenario(
      "a handler outside gets it",
      () =>
        Effect.never.pipe(
          make(soon),
          Effect.catchTag("TimeoutExceeded", ({ phase }) => Effect.succeed(`handled ${phase}`))
        ),
      [`ok:handled ${limit}`]
    )

    scenario("and can go on in the same fiber", (note) =>
      Effect.gen(function*() {
        const again = Effect.catch(Effect.never.pipe(make(soon)), () => Effect.as(Effect.sleep(5), "second call"))
        yield* note(yield* again)
        return yield* again.pipe(make(late))
      }), ["second call", "ok:second call"])

    scenario("of many callers each has its own end", (note) =>
      Effect.gen(function*() {
        const limited = make(soon)
        const exits = yield* Effect.forEach(
          [Effect.succeed("first"), Effect.never, Effect.fail("third"), Effect.never],
          (call) => Effect.exit(Effect.andThen(Effect.void, call).pipe(limited)),
          { concurrency: "unbounded" }
        )
        yield* Effect.forEach(exits, (exit) => note(outcome(exit)), { discard: true })
      }), ["ok:first", exceeded, "third", exceeded, "ok:undefined"])

    scenario(
      "a race inside goes to the first",
      () => Effect.race(Effect.as(moment, "fast"), Effect.never).pipe(make(late)),
      ["ok:fast"]
    )

    scenario(
      "the winner of a race ends the limited loser and waits for its clean-up",
      (note) =>
        Effect.race(Effect.as(Effect.sleep(20), "winner"), Effect.never.pipe(cleaning(note, 5), make(late))).pipe(
          told("race", note)
        ),
      ["cleaned", "race ok:winner", "ok:winner"]
    )

    scenario(
      "a limited loser is no winner",
      () => Effect.race(Effect.as(Effect.sleep(50), "winner"), Effect.never.pipe(make(soon))),
      ["ok:winner"]
    )

    scenario(
      "a resource inside is released",
      (note) =>
        Effect.scoped(
          Effect.andThen(Effect.acquireRelease(note("acquired"), () => note("released")), Effect.never)
        ).pipe(make(soon), told("caller", note)),
      ["acquired", "released", `caller ${exceeded}`, exceeded]
    )

    scenario(
      "a call that interrupts itself is no timeout",
      () => Effect.interrupt.pipe(make(late)),
      ["Interrupt"]
    )

    scenario("nor one that dies", () => Effect.die("bug").pipe(make(late)), ["Die"])

    scenario(
      "a policy around `restore` is inside of the mask",
      () => Effect.uninterruptibleMask((restore) => restore(Effect.never.pipe(make(soon)))),
      [exceeded]
    )

    scenario(
      "and one that has `restore` inside",
      () => Effect.uninterruptibleMask((restore) => restore(Effect.never).pipe(make(soon))),
      [exceeded]
    )

    scenario(
      "a stream inside is drained",
      () => Stream.runCollect(Stream.take(Stream.tick(1), 3)).pipe(Effect.map(({ length }) => length), make(late)),
      ["ok:3"]
    )

    it.live("a call keeps the async context of its caller", () =>
      Effect.gen(function*() {
        const storage = new AsyncLocalStorage<string>()
        const read = Effect.sync(() => storage.getStore())
        const limited = make(late)
        const call = Effect.all([read, Effect.andThen(moment, read), Effect.andThen(Effect.yieldNow, read)])
        const seen = yield* Effect.forEach(
          ["a", "b"],
          (name) => Effect.promise(() => storage.run(name, () => Effect.runPromise(call.pipe(limited)))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(seen, [["a", "a", "a"], ["b", "b", "b"]])
        const after = yield* Effect.promise(() =>
          storage.run("c", () => Effect.runPromise(Effect.andThen(Effect.exit(Effect.never.pipe(make(soon))), read)))
        )
        assert.strictEqual(after, "c")
      }))

    it.live("what a call provides to itself ends with it", () =>
      Effect.gen(function*() {
        const reference = Context.Reference<number>("scenarios/reference", { defaultValue: () => 0 })
        const call = Effect.andThen(moment, reference)
        assert.strictEqual(yield* call.pipe(Effect.provideService(reference, 1), make(late)), 1)
        assert.strictEqual(yield* call.pipe(make(late), Effect.provideService(reference, 2)), 2)
        yield* Effect.exit(Effect.andThen(call, Effect.never).pipe(Effect.provideService(reference, 3), make(soon)))
        assert.strictEqual(yield* reference, 0)
      }))

    it.live("the timer of a call that has ended disturbs nobody", () =>
      Effect.gen(function*() {
        const limited = make(soon)
        for (let i = 0; i < 20; i++) yield* Effect.exit(Effect.yieldNow.pipe(limited))
        const latch = yield* Deferred.make<void>()
        const fiber = yield* fork(Deferred.await(latch))
        yield* Effect.sleep(5 * soon)
        yield* Deferred.succeed(latch, undefined)
        assert.strictEqual(outcome(yield* Fiber.await(fiber)), "ok:undefined")
      }))
  })
}

describe("timeouts within one another, on the live clock", () => {
  scenario(
    "the total that ends while an attempt cleans up is reported as the total",
    (note) => Effect.never.pipe(cleaning(note, 120), Timeout.attempt(soon), Timeout.total(60)),
    ["cleaned", "TimeoutExceeded:total"]
  )

  scenario(
    "an attempt within a total that is far away",
    () => Effect.never.pipe(Timeout.attempt(soon), Timeout.total(late)),
    [timedOut]
  )

  scenario(
    "a total within an attempt that is far away",
    () => Effect.never.pipe(Timeout.total(soon), Timeout.attempt(late)),
    ["TimeoutExceeded:total"]
  )

  scenario(
    "of three attempts within one another the shortest ends the call",
    () => Effect.never.pipe(Timeout.attempt("2 minutes"), Timeout.attempt(soon), Timeout.attempt(late)),
    [timedOut]
  )

  scenario(
    "each attempt of a retry has the whole limit",
    (note) =>
      Effect.never.pipe(
        told("attempt", note),
        Timeout.attempt(soon),
        Retry.make({ schedule: Schedule.spaced(1), times: 2 }),
        Timeout.total(late)
      ),
    ["attempt Interrupt", "attempt Interrupt", "attempt Interrupt", timedOut]
  )

  scenario(
    "the interruption of the caller ends all of them",
    (note) =>
      Effect.gen(function*() {
        const stack = Policy.compose(
          Timeout.total(late),
          Retry.make({ schedule: Schedule.forever }),
          Timeout.attempt(late)
        )
        const fiber = yield* begun(cleaning(note)(Effect.never), (self) => told("stack", note)(stack(self)))
        yield* Fiber.interrupt(fiber)
        return yield* Fiber.join(fiber)
      }),
    ["cleaned", "stack Interrupt", "Interrupt"]
  )

  scenario("the deadline is published inside and gone outside", (note) =>
    Effect.gen(function*() {
      const left = Effect.map(Deadline.remaining, (left) => Option.isSome(left) ? "some" : "none")
      const tell = Effect.flatMap(left, note)
      yield* tell.pipe(Timeout.total(late))
      yield* tell
      yield* Effect.exit(Effect.andThen(tell, Effect.never).pipe(Timeout.total(soon)))
      yield* tell
    }), ["some", "none", "some", "none", "ok:undefined"])

  scenario(
    "a call that ignores its interruption is left behind with `detach`, and cleans up for itself",
    (note) =>
      Effect.gen(function*() {
        const [latch, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const call = Effect.onExit(
          Effect.uninterruptible(Deferred.await(latch)),
          () => Effect.andThen(note("cleaned"), Deferred.succeed(ended, undefined))
        )
        yield* note(outcome(yield* Effect.exit(call.pipe(Timeout.attempt(soon, { detach: true })))))
        yield* Deferred.succeed(latch, undefined)
        yield* Deferred.await(ended)
      }),
    [timedOut, "cleaned", "ok:undefined"]
  )

  scenario("permits and counts are right after timeouts", (note) =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(3) })
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
      const stack = Policy.compose(breaker, bulkhead, Timeout.attempt(soon))
      yield* Effect.replicateEffect(Effect.exit(Effect.never.pipe(stack)), 2, { discard: true })
      const { inUse } = yield* bulkhead.state
      const state = yield* breaker.state
      yield* note(`${inUse} in use, ${state._tag === "Closed" ? state.consecutiveFailures : "?"} failures`)
      return yield* Effect.succeed("served").pipe(stack)
    }), ["0 in use, 2 failures", "ok:served"])

  scenario(
    "the breaker ignores a caller that goes away, and the bulkhead gives its permit back",
    (note) =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(3) })
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
        const fiber = yield* begun(Effect.never, Policy.compose(breaker, bulkhead, Timeout.attempt(late)))
        yield* note(`${(yield* bulkhead.state).inUse} in use`)
        yield* Fiber.interrupt(fiber)
        const state = yield* breaker.state
        yield* note(`${(yield* bulkhead.state).inUse} in use`)
        return state._tag === "Closed" ? state.consecutiveFailures : undefined
      }),
    ["1 in use", "0 in use", "ok:0"]
  )

  it.live("a crowd of which many go away at any time leaves nothing behind", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 50 })
      const stack = Policy.compose(
        Timeout.total(40),
        Retry.make({ schedule: Schedule.spaced(1), times: 2, rejected: true }),
        CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1_000_000) }),
        bulkhead,
        Timeout.attempt(15)
      )
      let open = 0
      let turn = 0
      const call = Effect.acquireUseRelease(
        Effect.sync(() => void open++),
        () => Effect.sleep((turn++ * 7) % 30),
        () => Effect.sync(() => void open--)
      )
      const fibers = Array.from({ length: 1000 }, (_, i) => {
        const fiber = Effect.runFork(stack(call))
        if (i % 3 === 0) setTimeout(() => fiber.interruptUnsafe(), (i * 11) % 30)
        return fiber
      })
      const exits = yield* Fiber.awaitAll(fibers)
      const { inUse, queued } = yield* bulkhead.state
      assert.deepStrictEqual([open, inUse, queued], [0, 0, 0])
      const defects = exits.filter((exit) => Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.deepStrictEqual(defects, [])
    }))
})
