import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { catalogue, faces } from "../support/layers.ts"
import { workload } from "../support/workload.ts"

/** `PAIR_SEEDS=100 npm test -- pairs` looks further. */
const seeds = Array.from({ length: Number(process.env.PAIR_SEEDS ?? 3) }, (_, n) => n + 1)

describe("pairs of policies", () => {
  for (const [outer, makeOuter] of Object.entries(catalogue)) {
    describe(outer, () => {
      for (const [inner, makeInner] of Object.entries(catalogue)) {
        it.effect(
          `around ${inner}`,
          () =>
            Effect.gen(function*() {
              for (const face of faces) {
                for (const seed of seeds) {
                  const listening = (seed + (face === "stream" ? 1 : 0)) % 3 !== 0
                  const { lines, problems } = yield* workload({ layers: [makeOuter, makeInner], face, seed, listening })
                  const where = `${outer} around ${inner}, ${face}, seed ${seed}`
                  assert.deepStrictEqual(problems, [], `${where}\n${problems.join("\n")}\n${lines.join("\n")}`)
                }
              }
            }),
          600_000
        )
      }
    })
  }
})
