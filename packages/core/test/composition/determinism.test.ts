import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { catalogue, faces, stackOfAll } from "../support/layers.ts"
import { workload } from "../support/workload.ts"

const cases = [
  ...Object.entries(catalogue).map(([name, make]) => [name, [make]] as const),
  ["a stack of all of them", stackOfAll] as const
]

describe("the same seed gives the same log of events, times and exits", () => {
  for (const [name, layers] of cases) {
    for (const face of faces) {
      it.effect(`${name}, ${face}`, () =>
        Effect.gen(function*() {
          const logs: Array<string> = []
          for (const seed of [1, 2, 3]) {
            const first = yield* workload({ layers, face, seed })
            const second = yield* workload({ layers, face, seed })
            assert.deepStrictEqual(second.lines, first.lines, `${name}, ${face}, seed ${seed}`)
            assert.deepStrictEqual(first.problems, [], `seed ${seed}\n${first.lines.join("\n")}`)
            logs.push(first.lines.join("\n"))
          }
          assert.strictEqual(new Set(logs).size, 3, "and another seed another one")
        }))
    }
  }
})
