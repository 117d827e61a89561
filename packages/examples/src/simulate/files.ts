/** What files say of a load: a trace, and the history of a monitor. */
import { O1History } from "@effect-resilience/azure-o1/history"
import { Histogram } from "@effect-resilience/core"
import { NodeFileSystem } from "@effect/platform-node"
import { Duration, Effect, Stream } from "effect"
import { accessSync, constants, readFileSync } from "node:fs"

/** A sentence about what cannot be used. */
export class Unusable extends Error {}

const unusable = (message: string): never => {
  throw new Unusable(message)
}

const tried = <A>(path: string, use: () => A): A => {
  try {
    return use()
  } catch (error) {
    return unusable(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  }
}

/** A time at the beginning of a line: milliseconds, or a date with a time as ISO 8601 has it. */
const timeOf = (line: string): number => {
  const [first = ""] = line.trim().split(/[\s,;]+/u)
  return /^\d+(?:\.\d+)?$/u.test(first) ? Number(first) : Date.parse(first)
}

/** When calls came, in milliseconds since the first. */
export const trace = (path: string): ReadonlyArray<number> => {
  const lines = tried(path, () => readFileSync(path, "utf8")).split("\n").map((line, i) => [line, i + 1] as const)
    .filter(([line]) => line.trim() !== "")
  const times = lines.map(([line, number]) => {
    const at = timeOf(line)
    return Number.isNaN(at)
      ? unusable(
        `Line ${number} of ${path} begins with no time: give milliseconds, or a time such as 2026-11-26T21:00:00Z.`
      )
      : at
  }).toSorted((a, b) => a - b)
  const [first] = times
  if (first === undefined || times.at(-1) === first) {
    return unusable(`${path} must have the times of two calls or more.`)
  }
  return times.map((at) => at - first)
}

const mean = (all: ReadonlyArray<number>): number => all.reduce((sum, n) => sum + n, 0) / all.length

const hour = 3_600_000

/** The hour in which most calls came, or all of a time that is shorter. */
export const busiestHour = (times: ReadonlyArray<number>): ReadonlyArray<number> => {
  let best: readonly [from: number, to: number] = [0, 0]
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! > hour) from++
    if (to - from > best[1] - best[0]) best = [from, to]
  }
  const first = times[best[0]] ?? 0
  return times.slice(best[0], best[1] + 1).map((at) => at - first)
}

/** What the monitor has kept. */
export interface History {
  readonly answers: number
  readonly percentiles: ReadonlyArray<readonly [percentile: number, millis: number]>
  /** The quantile above which nothing is known, for too many attempts were cut off. */
  readonly knownTo: number | undefined
  readonly errors: number
  readonly deployments: number
  /** When calls came in the busiest hour, in milliseconds since the first of it. */
  readonly calls: ReadonlyArray<number>
  readonly tokens: { readonly prompt: number; readonly answer: number; readonly largest: number } | undefined
}

const quantiles = [1, ...Array.from({ length: 18 }, (_, i) => (i + 1) * 5), 95, 97, 98, 99, 99.5, 99.9]

/** With fewer answers a percentile says little. */
const enough = 20

/** Neither an error of the service nor an answer: the caller went away, a limit ended it, or the quota refused it. */
const besides = /^(?:interrupted|O1TimeoutError\/.*|O1RateLimitError\/.*|O1RejectedError\/.*)$/u

export const history = async (path: string): Promise<History> => {
  // to the reader of a history, a file that is not there is one without lines
  tried(path, () => accessSync(path, constants.R_OK))
  const options = { path, keep: "36500 days" } as const
  const [snapshot, kept] = await Effect.runPromise(
    Effect.all([O1History.snapshot(options), Stream.runCollect(O1History.read(options))]).pipe(
      Effect.provide(NodeFileSystem.layer)
    )
  ).catch((error: unknown) =>
    unusable(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  )
  const calls = kept.flatMap(({ at, observation }) => observation._tag === "Call" ? [{ at, observation }] : [])
  const total = Histogram.empty()
  const outcomes = new Map<string, number>()
  for (const { attempts } of snapshot.series) {
    total.merge(attempts.total)
    for (const [outcome, n] of Object.entries(attempts.outcomes)) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + n)
    }
  }
  if (total.observed < enough) {
    return unusable(`${path} has ${total.observed} answers, and ${enough} are needed: is it what O1History keeps?`)
  }
  const failed = Array.from(outcomes).filter(([outcome]) => outcome !== "success" && !besides.test(outcome))
    .reduce((sum, [, n]) => sum + n, 0)
  const answered = outcomes.get("success") ?? 0
  const estimates = quantiles.map((percentile) => [percentile, total.quantile(percentile / 100)] as const)
  const known = estimates.flatMap(([percentile, estimate]) =>
    estimate?._tag === "Known" ? [[percentile, estimate.value] as const] : []
  )
  const starts = calls.map(({ at, observation }) => at - Duration.toMillis(observation.total)).toSorted((a, b) => a - b)
  const used = calls.flatMap(({ observation }) => observation.usage === undefined ? [] : [observation.usage])
  return {
    answers: total.observed,
    percentiles: known,
    knownTo: known.length < estimates.length ? known.at(-1)?.[0] ?? 0 : undefined,
    errors: failed / Math.max(1, failed + answered),
    deployments: new Set(snapshot.series.map(({ deployment }) => deployment)).size,
    calls: busiestHour(starts),
    tokens: used.length === 0 ? undefined : {
      prompt: mean(used.map(({ input }) => input)),
      answer: mean(used.map(({ output }) => output)),
      largest: used.reduce((most, { output }) => Math.max(most, output), 1)
    }
  }
}
