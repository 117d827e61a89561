import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { difference, produced, simulated, variety } from "./twin.ts"
import { scriptOf, throughOf, Twin } from "./twinStacks.ts"

/** `PROPERTY_RUNS=5000 PROPERTY_SEED=another npm test -- twin` looks further. */
const { PROPERTY_RUNS = "120", PROPERTY_SEED = "twin" } = process.env
const runs = {
  arbitrary: { runs: Number(PROPERTY_RUNS), seed: PROPERTY_SEED, size: 60, maxShrinks: 3000 },
  timeout: 3_600_000
}

const differenceOf = (twin: Twin, nudge: number): Effect.Effect<string | undefined> =>
  Effect.gen(function*() {
    const script = scriptOf(twin, nudge)
    const [through, twice] = throughOf(twin)
    const expected = yield* produced(script, through, twice)
    return difference(simulated(script, through, twice), expected)
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))

/** A simulation costs a hundredth of what the same costs under the test clock: of several stacks it picks the one to compare. */
const Twins = Schema.Array(Twin).check(Schema.isBetweenLength(1, 8))

const mostEventful = ([first, ...others]: ReadonlyArray<Twin>): Twin => {
  let best = first!
  // a report has but one
  if (others.length === 0) return best
  let most = -1
  for (const twin of [first!, ...others]) {
    const found = variety(simulated(scriptOf(twin), ...throughOf(twin)))
    if (found > most) {
      best = twin
      most = found
    }
  }
  return best
}

/*
 * Waits that are drawn or learnt are no whole parts of a millisecond. The test clock rounds them to nanoseconds, and of two moments that
 * coincide the one is then the earlier by chance. A difference that does not last when the calls come a few microseconds later is
 * such a one.
 */
describe("a random stack on a random script", () => {
  it.effect.prop(
    "tells the same in a simulation as in production under the test clock",
    { twins: Twins },
    ({ twins }) =>
      Effect.gen(function*() {
        const twin = mostEventful(twins)
        const differs = yield* differenceOf(twin, 0)
        if (differs === undefined) return
        const nudged = yield* Effect.forEach(twin.whole ? [] : [1, 2], (nudge) => differenceOf(twin, nudge))
        if (nudged.every((still) => still !== undefined)) assert.fail(differs)
      }),
    runs
  )
})
