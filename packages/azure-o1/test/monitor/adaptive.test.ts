import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { CallOptions } from "../../src/O1Client.ts"
import { O1Monitor } from "../../src/O1Monitor.ts"
import type { AttemptObservation, O1Observation } from "../../src/O1Observation.ts"
import { type AdaptiveSettings, O1Policy } from "../../src/O1Policy.ts"
import type { O1Request } from "../../src/O1Request.ts"
import { AzureO1Test } from "../../src/testing/index.ts"
import { during, request as unset, value } from "../support/harness.ts"
import { attempt, cut } from "../support/observations.ts"

const request: O1Request = { ...unset, reasoningEffort: "medium" }

/** The limits, in seconds, of the attempts of a call that hangs, after something was observed. */
const limits = (
  observations: ReadonlyArray<O1Observation>,
  { asked = request, settings = {}, ...options }: CallOptions & {
    readonly asked?: O1Request
    readonly settings?: AdaptiveSettings
  } = {}
) =>
  Effect.gen(function*() {
    const policy = Layer.provideMerge(O1Policy.layerAdaptive(settings), O1Monitor.layer())
    const program = Effect.gen(function*() {
      const o1 = yield* AzureO1
      const monitor = yield* O1Monitor
      for (const observation of observations) monitor.observe(observation)
      const { attempts } = yield* Effect.flip(o1.complete(asked, options))
      return attempts.map(({ duration }) => Duration.toSeconds(duration))
    })
    const wire = AzureO1Test.layerTransport(Array.from({ length: 4 }, () => AzureO1Test.hang), { policy })
    return value(yield* during("3 hours", Effect.provide(program, Layer.merge(wire, policy))))
  })

const answers = (
  count: number,
  seconds: number,
  overrides?: Partial<AttemptObservation>
): ReadonlyArray<O1Observation> => Array.from({ length: count }, () => attempt(seconds, overrides))

const once = { retries: 0 } as const

describe("O1Policy.layerAdaptive", () => {
  it.effect("until enough was seen the settings hold", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* limits([], once), [60])
      assert.deepStrictEqual(yield* limits(answers(19, 30), once), [60])
      assert.deepStrictEqual(
        yield* limits(answers(19, 30), { ...once, settings: { timeout: { medium: "70 seconds" } } }),
        [70]
      )
    }))

  it.effect("then the limit is p99 x 1.5, and the next attempts follow from it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* limits(answers(20, 24), once), [36])
      assert.deepStrictEqual(yield* limits(answers(20, 24), { retries: 2 }), [36, 72, 144])
      assert.deepStrictEqual(yield* limits(answers(5, 24), { ...once, settings: { minSamples: 5, factor: 2 } }), [48])
    }))

  it.effect("of answers that stream it is the time to the first content", () =>
    Effect.gen(function*() {
      const streamed = answers(30, 300, { transport: "stream", firstOutput: Duration.seconds(24) })
      assert.deepStrictEqual(yield* limits(streamed, once), [36])
      assert.deepStrictEqual(yield* limits([...streamed, ...answers(20, 200)], once), [36])
      assert.deepStrictEqual(yield* limits([...answers(60, 40), ...streamed.slice(0, 20)], once), [450])
    }))

  it.effect("within floor and ceiling", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* limits(answers(20, 2), once), [30])
      assert.deepStrictEqual(yield* limits(answers(20, 2), { ...once, settings: { floor: "5 seconds" } }), [5])
      assert.deepStrictEqual(yield* limits(answers(20, 500), once), [600])
      assert.deepStrictEqual(yield* limits(answers(20, 500), { ...once, settings: { ceiling: "9 minutes" } }), [540])
    }))

  it.effect("a call's own timeout wins, and a total that is shorter than what was learned is kept", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* limits(answers(20, 200), { ...once, timeout: "10 seconds" }), [10])
      const error = yield* limits(answers(20, 200), { ...once, total: "100 seconds" })
      assert.deepStrictEqual(error, [100])
    }))

  it.effect("by deployment and effort", () =>
    Effect.gen(function*() {
      const seen = answers(20, 24)
      assert.deepStrictEqual(yield* limits(seen, { ...once, asked: { ...unset, reasoningEffort: "high" } }), [240])
      assert.deepStrictEqual(yield* limits(seen, { ...once, asked: unset }), [60])
      assert.deepStrictEqual(
        yield* limits(answers(20, 24, { deployment: "other" }), once),
        [60]
      )
    }))

  it.effect("cut off where answers still come, it grows; what hangs does not make it grow", () =>
    Effect.gen(function*() {
      const cuts = Array.from({ length: 20 }, () => cut(60))
      assert.deepStrictEqual(yield* limits([...answers(40, 55), ...cuts], once), [90])
      assert.deepStrictEqual(yield* limits([...answers(40, 24), ...cuts], once), [36])
    }))

  it.effect("a bad setting is named when the layer is built", () =>
    Effect.gen(function*() {
      const message = (settings: AdaptiveSettings) => {
        const layer = Layer.provide(O1Policy.layerAdaptive(settings), O1Monitor.layer())
        return Effect.map(Effect.exit(Effect.provide(Effect.void, layer)), String)
      }
      assert.include(yield* message({ floor: "-1 second" }), "O1Policy: floor must be a finite duration > 0")
      assert.include(yield* message({ floor: "2 minutes", ceiling: "1 minute" }), "O1Policy: ceiling must be at least")
      assert.include(yield* message({ quantile: 0 }), "O1Policy: quantile must be")
      assert.include(yield* message({ retries: -1 }), "O1Policy: retries must be")
    }))
})
