import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { catalogue, faces } from "../support/layers.ts"
import { numbers, workload } from "../support/workload.ts"

/** `STACK_SEEDS=1000 npm test -- stacks` looks further. */
const stacks = Array.from({ length: Number(process.env.STACK_SEEDS ?? 40) }, (_, n) => {
  const seed = n + 1
  const random = numbers(seed)
  const names = Object.keys(catalogue)
  return { seed, names: Array.from({ length: 3 + random(4) }, () => names[random(names.length)]!) }
})

describe("random stacks of three to six policies", () => {
  for (const { names, seed } of stacks) {
    it.effect(
      `${seed}: ${names.join(" > ")}`,
      () =>
        Effect.gen(function*() {
          for (const face of faces) {
            const layers = names.map((name) => catalogue[name]!)
            const { lines, problems } = yield* workload({ layers, face, seed, listening: seed % 2 === 0 })
            assert.deepStrictEqual(problems, [], `${face}, seed ${seed}\n${problems.join("\n")}\n${lines.join("\n")}`)
          }
        }),
      600_000
    )
  }
})
