import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type O1Error, O1RateLimitError, O1ServerError } from "../../src/O1Error.ts"
import { limitsOf } from "../../src/policy/limits.ts"
import { patient } from "../../src/policy/patient.ts"
import { asking } from "../../src/transport/asking.ts"
import { Learned } from "../../src/transport/learned.ts"
import { unknown } from "../../src/transport/route.ts"

const limits = limitsOf({}, "medium", {})
const told: ReadonlyArray<O1Error> = [
  new O1ServerError({ kind: "unavailable", retryAfter: Duration.seconds(2) }),
  new O1RateLimitError({ kind: "requests", retryAfter: Duration.seconds(2) })
]

describe("transport/asking", () => {
  for (const error of told) {
    it.effect(`what the call that asked was told is no failure of those that waited: ${error._tag}`, () =>
      Effect.gen(function*() {
        assert.notProperty(limits, "_tag")
        if ("_tag" in limits) return
        const learned = new Learned()
        const question = learned.ask("streams", 0)
        learned.release(question)
        for (const held of [true, false]) {
          const uncounted = new WeakSet<O1Error>()
          const attempt = patient(limits)({ route: unknown }, uncounted)
          const work = held ? asking(learned, () => ({ question }), () => error) : Effect.fail(error)
          assert.strictEqual(yield* Effect.flip(attempt(Effect.scoped(work))), error)
          assert.strictEqual(uncounted.has(error), held)
        }
      }))
  }
})
