import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as boundary from "../../src/internal/boundary.ts"
import * as frame from "../../src/internal/frame.ts"

const [one, other] = [{}, {}]

/** A fiber that is interrupted and goes on. */
const stubborn = (): frame.Internals => Effect.runFork(Effect.uninterruptible(Effect.never)) as never

const idle = (): Fiber.Fiber<never> => Effect.runFork(Effect.never)

const origins = (fiber: frame.Internals): number => fiber._interruptedCause?.reasons.length ?? 0

describe("internal/frame", () => {
  it("is used only where frames are supported", () => {
    assert.strictEqual(boundary.usable(idle()), frame.supported())
  })

  // the public path knows nothing of these
  if (!frame.supported()) return

  it("takes its own interruption back, and no other", () => {
    const fiber = stubborn()
    boundary.interruptAs(fiber, one)
    boundary.interruptAs(fiber, other)
    fiber.interruptUnsafe(7)
    assert.strictEqual(origins(fiber), 3)
    assert.isTrue(frame.hasInterruption(fiber))
    assert.strictEqual(boundary.takeBack(fiber, one)?.reasons.length, 2)
    assert.strictEqual(boundary.takeBack(fiber, one)?.reasons.length, 2, "twice is once")
    assert.deepStrictEqual([...Cause.interruptors(boundary.takeBack(fiber, other)!)], [7])
    assert.isTrue(frame.hasInterruption(fiber))
  })

  it("is as before when no other one has come", () => {
    const fiber = stubborn()
    assert.isFalse(frame.hasInterruption(fiber))
    assert.isUndefined(boundary.takeBack(fiber, one), "nothing to take back")
    boundary.interruptAs(fiber, one)
    assert.isUndefined(boundary.takeBack(fiber, one))
    assert.isFalse(frame.hasInterruption(fiber))
  })

  it("takes its own interruption out of a cause", () => {
    const fiber = stubborn()
    boundary.interruptAs(fiber, one)
    const cause = Cause.fromReasons<unknown>([
      ...fiber._interruptedCause!.reasons,
      ...Cause.die("bug").reasons,
      ...Cause.interrupt(7).reasons
    ])
    assert.deepStrictEqual(boundary.without(cause, one).reasons.map(({ _tag }) => _tag), ["Die", "Interrupt"])
    assert.strictEqual(boundary.without(cause, other).reasons.length, 3)
  })

  it("keeps the children of a call apart from those that were there before", () => {
    const fiber = stubborn()
    assert.isUndefined(boundary.beginChildren(fiber), "no children, nothing to keep")
    const [before, during] = [idle(), idle()]
    fiber._children = new Set([before])
    const kept = boundary.beginChildren(fiber)
    assert.deepStrictEqual([...fiber._children], [])
    fiber._children.add(during)
    const ended = boundary.endChildren(fiber, kept)
    assert.deepStrictEqual([...ended!], [during])
    assert.strictEqual(fiber._children, kept)
    assert.deepStrictEqual([...kept!], [before])
  })

  it("a child that was there before and ends meanwhile is let go", () => {
    const fiber = stubborn()
    const before = idle()
    fiber._children = new Set([before])
    const kept = boundary.beginChildren(fiber)!
    assert.isTrue(fiber._children.delete(before))
    assert.isFalse(fiber._children.delete(before))
    assert.strictEqual(kept.size, 0)
    assert.isUndefined(boundary.endChildren(fiber, kept), "the call had none")
    assert.strictEqual(fiber._children, kept)
  })

  it("says whether it may be used in a fiber", () => {
    const fiber = stubborn()
    assert.deepStrictEqual([boundary.usable(fiber), frame.endsWhenInterrupted(fiber)], [false, false])
    const open = idle()
    assert.deepStrictEqual([boundary.usable(open), frame.endsWhenInterrupted(open)], [true, true])
  })
})
