import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { difference, produced, simulated } from "./twin.ts"
import { scriptOf, throughOf, Twin } from "./twinStacks.ts"

/** `PROPERTY_RUNS=5000 PROPERTY_SEED=another npm test -- twin` looks further. */
const { PROPERTY_RUNS = "200", PROPERTY_SEED = "twin" } = process.env
const runs = {
  arbitrary: { runs: Number(PROPERTY_RUNS), seed: PROPERTY_SEED, size: 60, maxShrinks: 3000 },
  timeout: 3_600_000
}

describe("a random stack on a random script", () => {
  it.effect.prop(
    "tells the same in a simulation as in production under the test clock",
    { twin: Twin },
    ({ twin }) =>
      Effect.gen(function*() {
        const script = scriptOf(twin)
        const through = throughOf(twin)
        const expected = yield* produced(script, through)
        const differs = difference(simulated(script, through), expected)
        if (differs !== undefined) assert.fail(differs)
      }).pipe(Effect.scoped, Effect.provide(TestClock.layer())),
    runs
  )
})
