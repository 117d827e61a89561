import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  CurrentDeadline,
  Deadline,
  deadlinePassed,
  forkForCall,
  Inherit,
  liveDeadline,
  remainingTime,
  timeLeft,
  timeToEnd,
  timeToWait
} from "../../src/internal/deadline.ts"
import { interrupt } from "../../src/internal/interrupted.ts"
import type { AnyEffect, AnyFiber } from "../../src/internal/primitive.ts"
import { timerResolution } from "../../src/internal/time.ts"

const seeing = (deadline: Deadline | undefined): Context.Context<never> => Context.make(CurrentDeadline, deadline)

/** A fiber that sees the deadline, and stays until it is interrupted, or for ever. */
const fiberThatSees = (deadline: Deadline | undefined, self: Effect.Effect<unknown> = Effect.never): AnyFiber =>
  Effect.runForkWith(seeing(deadline))(self)

/** A deadline with a fiber of its own. */
const owned = (at: number, outer?: Deadline): readonly [Deadline, AnyFiber] => {
  const deadline = new Deadline(at, outer, undefined)
  const fiber = fiberThatSees(deadline)
  deadline.runsIn(fiber)
  return [deadline, fiber]
}

/** What binds, and what is told, at time 100. */
const seen = (fiber: AnyFiber) => [timeLeft(fiber, 100), remainingTime(fiber, 100)]

const inherited = (self: Effect.Effect<void>) => new Inherit(self) as AnyEffect as Effect.Effect<void>

const slow = Effect.onInterrupt(Effect.never, () => Effect.never)

describe("internal/deadline", () => {
  it("without one, all the time in the world", () => {
    const fiber = fiberThatSees(undefined)
    assert.deepStrictEqual(seen(fiber), [Infinity, Infinity])
    assert.isUndefined(liveDeadline(fiber))
    assert.isFalse(deadlinePassed(fiber, 1e9))
  })

  it("binds its own fiber, and tells every other one that sees it", () => {
    const [deadline, fiber] = owned(130)
    assert.deepStrictEqual(seen(fiber), [30, 30])
    assert.deepStrictEqual(seen(fiberThatSees(deadline)), [Infinity, 30])
    assert.strictEqual(timeToWait(fiber, 100), 30 - timerResolution)
  })

  it("binds a fiber that was admitted, until that is dismissed", () => {
    const [deadline] = owned(130)
    const other = fiberThatSees(deadline)
    deadline.admit(other)
    assert.deepStrictEqual(seen(other), [30, 30])
    deadline.dismiss(other)
    assert.deepStrictEqual(seen(other), [Infinity, 30])
    new Deadline(1, undefined, undefined).dismiss(other)
  })

  it("is none when what it limits has ended", () => {
    const [deadline, fiber] = owned(130)
    deadline.end()
    assert.deepStrictEqual(seen(fiber), [Infinity, Infinity])
    assert.isUndefined(liveDeadline(fiber))
    assert.isFalse(deadlinePassed(fiber, 100))
  })

  it("is none when it has fired, and has passed then, whatever the clock says", () => {
    const [deadline, fiber] = owned(130)
    deadline.fire()
    assert.deepStrictEqual(seen(fiber), [Infinity, Infinity])
    assert.isUndefined(liveDeadline(fiber))
    assert.isTrue(deadlinePassed(fiber, 100))
  })

  it("has passed as exactly as timers are", () => {
    const [, fiber] = owned(130)
    assert.isFalse(deadlinePassed(fiber, 129 - timerResolution))
    assert.isTrue(deadlinePassed(fiber, 130 - timerResolution))
    assert.isTrue(deadlinePassed(fiber, 131))
  })

  for (const [outerAt, innerAt] of [[120, 150], [150, 120]] as const) {
    it(`of two within one another the earlier one: ${outerAt} around ${innerAt}`, () => {
      const outer = new Deadline(outerAt, undefined, undefined)
      const [inner, fiber] = owned(innerAt, outer)
      outer.runsIn(fiber)
      assert.deepStrictEqual(seen(fiber), [20, 20])
      assert.strictEqual(liveDeadline(fiber), inner)
      assert.isTrue(deadlinePassed(fiber, 120))
      inner.end()
      assert.deepStrictEqual(seen(fiber), [outerAt - 100, outerAt - 100])
      assert.strictEqual(liveDeadline(fiber), outer)
      outer.end()
      assert.deepStrictEqual(seen(fiber), [Infinity, Infinity])
    })
  }

  it("an earlier one of another fiber does not bind", () => {
    const [outer] = owned(110)
    const [, fiber] = owned(150, outer)
    assert.deepStrictEqual(seen(fiber), [50, 10])
  })

  it("the context of the policy that asks, where that has published its own", () => {
    const [, fiber] = owned(130)
    const outer = new Deadline(115, undefined, fiber)
    assert.strictEqual(timeLeft(fiber, 100, seeing(outer)), 15)
    assert.strictEqual(timeToEnd(fiber, 100, seeing(outer)), 15)
  })

  it("binds no fiber that is being interrupted", () => {
    const deadline = new Deadline(130, undefined, undefined)
    const fiber = fiberThatSees(deadline, slow)
    deadline.runsIn(fiber)
    const other = fiberThatSees(deadline)
    deadline.admit(other)
    interrupt(fiber, other)
    assert.deepStrictEqual(seen(fiber), [Infinity, Infinity])
    assert.isUndefined(liveDeadline(fiber))
    assert.deepStrictEqual(seen(other), [Infinity, Infinity], "and is none for others, for its owner is on the way out")
  })

  it.effect("does not end what cannot be interrupted", () =>
    Effect.gen(function*() {
      const lefts: Array<number> = []
      const look = Effect.withFiber((fiber) => {
        fiber.getRef(CurrentDeadline)?.runsIn(fiber)
        lefts.push(timeLeft(fiber, 100), timeToEnd(fiber, 100))
        return Effect.void
      })
      yield* Effect.andThen(look, Effect.uninterruptible(look)).pipe(
        Effect.provideService(CurrentDeadline, new Deadline(130, undefined, undefined))
      )
      assert.deepStrictEqual(lefts, [30, 30, 30, Infinity])
    }))

  it("what a policy forks for a call obeys what the call obeys", () => {
    const [outer] = owned(110)
    const [deadline, parent] = owned(130, outer)
    const child = forkForCall(parent, parent.context, Effect.never)
    assert.isTrue(deadline.binds(child))
    assert.isFalse(outer.binds(child))
    assert.deepStrictEqual(seen(child), [30, 10])
  })

  it("what it forks for clean-up obeys none, but for one of its own", () => {
    const deadline = new Deadline(130, undefined, undefined)
    const parent = fiberThatSees(deadline, slow)
    deadline.runsIn(parent)
    interrupt(parent, parent)
    const child = forkForCall(parent, parent.context, Effect.never)
    assert.isUndefined(child.getRef(CurrentDeadline))
    const own = new Deadline(150, undefined, undefined)
    const limited = forkForCall(parent, seeing(own), Effect.never)
    assert.strictEqual(limited.getRef(CurrentDeadline), own)
    assert.isFalse(deadline.binds(limited))
  })

  it("a fiber that inherits obeys while it does so", () => {
    const [outer] = owned(110)
    const [deadline] = owned(130, outer)
    const during: Array<ReadonlyArray<number>> = []
    const look = Effect.withFiber((fiber) => {
      during.push(seen(fiber))
      return Effect.void
    })
    const inherit = inherited(look)
    Effect.runSyncWith(seeing(deadline))(Effect.andThen(Effect.andThen(inherit, look), inherit))
    assert.deepStrictEqual(during, [[10, 10], [Infinity, 10], [10, 10]])
    Effect.runSyncWith(seeing(undefined))(inherit)
    assert.deepStrictEqual(during.at(-1), [Infinity, Infinity])
  })

  it.effect("what inherits already goes on doing so", () =>
    Effect.gen(function*() {
      const [deadline] = owned(130)
      const after: Array<number> = []
      const look = Effect.withFiber((fiber) => {
        after.push(timeLeft(fiber, 100))
        return Effect.void
      })
      const nested = inherited(Effect.andThen(inherited(look), look))
      const fiber = Effect.runForkWith(seeing(deadline))(nested)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(after, [30, 30])
    }))
})
