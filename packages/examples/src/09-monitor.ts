/**
 * Settings from what was seen: 400 calls whose times a seed makes repeatable, a table of them, what to set and why, and a
 * picture, written to the path that is given or to the temporary directory.
 */
import { formatRecommendations, O1Monitor, O1Policy, recommend, recommendedSettings } from "@effect-resilience/azure-o1"
import { latencySvg } from "@effect-resilience/azure-o1/plot"
import { Console, Duration, Effect, Random } from "effect"
import { writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "./support/run.ts"

/** A time whose logarithm is normal, as those of reasoning models are about: most near the median, some many times as long. */
const secondsOf = (median: number, sigma: number) =>
  Effect.gen(function*() {
    const size = Math.sqrt(-2 * Math.log(1 - (yield* Random.next)))
    return median * Math.exp(sigma * size * Math.cos(2 * Math.PI * (yield* Random.next)))
  })

/** What a real client would tell the monitor by itself: an attempt of at most a minute, and a second of two after it. */
const oneCall = Effect.gen(function*() {
  const { observe } = yield* O1Monitor
  const needed = yield* secondsOf(24, 0.6)
  const observed = { deployment: "o1", model: "o1-2024-12-17", effort: "medium" } as const
  const attempt = (attempt: number, limit: number) => {
    const total = Duration.seconds(Math.min(needed, limit))
    const outcome = needed > limit ? "O1TimeoutError/attempt" : "success"
    observe({
      ...observed,
      _tag: "Attempt",
      attempt,
      transport: "plain",
      outcome,
      headers: total,
      firstOutput: undefined,
      total
    })
    return outcome === "success"
  }
  const attempts = attempt(1, 60) ? 1 : attempt(2, 120) ? 2 : 3
  observe({
    ...observed,
    _tag: "Call",
    outcome: attempts < 3 ? "success" : "O1TimeoutError/attempt",
    attempts: Math.min(attempts, 2),
    firstOutput: undefined,
    total: Duration.seconds(attempts === 1 ? needed : 60 + Math.min(needed, 120)),
    usage: attempts < 3
      ? { input: 400, cachedInput: 0, output: Math.round(needed * 80), reasoning: Math.round(needed * 60) }
      : undefined
  })
})

export const program = Effect.gen(function*() {
  const monitor = yield* O1Monitor
  yield* Effect.repeat(oneCall, { times: 399 }).pipe(Random.withSeed("monitor"))
  const snapshot = yield* monitor.snapshot
  yield* Console.log(`${O1Monitor.format(snapshot)}\n`)

  // the monitor of a program that runs for a while has seen how many calls come
  const recommendations = recommend(snapshot, { callsPerSecond: 0.2 })
  yield* Console.log(formatRecommendations(recommendations))

  // what a program would start with the next time: O1Policy.layerWith(settings)
  const { timeout } = recommendedSettings(recommendations, "o1")
  const picture = latencySvg(snapshot, {
    limits: { now: O1Policy.defaults.timeout.medium, recommended: timeout?.medium ?? O1Policy.defaults.timeout.medium }
  })
  const path = process.argv[2] ?? join(tmpdir(), "o1-latency.svg")
  yield* Effect.tryPromise(() => writeFile(path, picture))
  yield* Console.log(`\nThe picture: ${path}`)
}).pipe(Effect.provide(O1Monitor.layer()))

main(import.meta, program)
