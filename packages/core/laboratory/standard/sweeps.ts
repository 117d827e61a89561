/** The settings of `Pipelines.makeStandard`, each with values around its default. */
import * as Schedule from "effect/Schedule"
import { Backoff, CircuitBreaker, Pipelines, RetryBudget } from "../../src/index.ts"
import type { Found } from "./runs.ts"
import type { EventName } from "./worlds.ts"

type Options = Pipelines.StandardOptions

interface Value {
  readonly label: string
  /** its place on an axis */
  readonly at: number
  readonly options: () => Options
  /** for the metastable failure, which has no other policy that matters */
  readonly budget?: (() => RetryBudget.RetryBudget | undefined) | undefined
}

export interface Sweep {
  readonly title: string
  /** of a picture; without one there is none, as for kinds of something */
  readonly axis?: { readonly label: string; readonly durations: boolean } | undefined
  readonly values: ReadonlyArray<Value>
  /** the default */
  readonly chosen: string
  /** half of it and twice of it, or what else the busiest workload tries as well */
  readonly near: ReadonlyArray<string>
  /** where it makes a difference; the first is drawn */
  readonly events: ReadonlyArray<EventName>
  readonly drawn: ReadonlyArray<keyof Found>
  /** whether callers with few calls a process, in a large fleet, are asked too */
  readonly thin?: boolean
}

const seconds = (label: string): number => Number.parseFloat(label) * 1000

const durations = (labels: ReadonlyArray<string>, options: (millis: number) => Options): ReadonlyArray<Value> =>
  labels.map((label) => ({ label, at: seconds(label), options: () => options(seconds(label)) }))

const numbers = (all: ReadonlyArray<number>, options: (n: number) => Options): ReadonlyArray<Value> =>
  all.map((n) => ({ label: String(n), at: n, options: () => options(n) }))

const funded = (label: string, at: number, funding: () => RetryBudget.Funding): Value => {
  const budget = () => RetryBudget.makeUnsafe({ funding: funding() })
  return { label, at, budget, options: () => ({ budget: budget() }) }
}

const rate = (share: { readonly ratio?: number; readonly minCalls?: number; readonly within?: number }): Options => ({
  breaker: { trip: CircuitBreaker.failureRate({ within: 30_000, ...share }) }
})

const backedOff = (schedule: Backoff.Backoff): Options => ({ retry: { schedule, times: 3 } })

const doubling = (first: number, most: number) => Schedule.min([Schedule.exponential(first), Schedule.spaced(most)])

const sweeps = {
  attempt: {
    title: "attempt limit",
    axis: { label: "attempt limit", durations: true },
    values: durations(["2.5 s", "5 s", "10 s", "20 s"], (attempt) => ({ attempt, total: "30 seconds" })),
    chosen: "10 s",
    near: ["5 s", "20 s"],
    events: ["a long hang", "a slow phase", "slow answers", "a hang"],
    drawn: ["lost", "wait", "recovery"]
  },
  total: {
    title: "total limit",
    axis: { label: "total limit", durations: true },
    values: durations(["10 s", "15 s", "30 s", "60 s"], (total) => ({ total, attempt: "10 seconds" })),
    chosen: "30 s",
    near: ["15 s", "60 s"],
    events: ["a hang", "a slow phase"],
    drawn: ["lost", "wait", "recovery"]
  },
  retries: {
    title: "number of retries",
    axis: { label: "retries", durations: false },
    values: numbers([0, 1, 2, 3, 4, 6], (times) => ({ retry: { times } })),
    chosen: "3",
    near: ["1", "6"],
    events: ["30 % errors", "5 % errors", "an outage"],
    drawn: ["lost", "load"]
  },
  base: {
    title: "first delay",
    axis: { label: "first delay, doubling", durations: true },
    values: durations(
      ["0.05 s", "0.1 s", "0.2 s", "0.4 s", "0.8 s"],
      (base) => backedOff(Backoff.exponential({ base }))
    ),
    chosen: "0.2 s",
    near: ["0.1 s", "0.4 s"],
    events: ["a blip", "5 % errors"],
    drawn: ["lost", "load", "wait"]
  },
  jitter: {
    title: "jitter",
    values: [
      ["full", Backoff.exponential({ base: 200 })],
      ["equal", Backoff.exponential({ base: 200, jitter: "equal" })],
      ["none", Backoff.exponential({ base: 200, jitter: "none" })],
      ["decorrelated", Backoff.decorrelated({ base: 200, maxDelay: "30 seconds" })]
    ].map(([label, schedule], at) => ({
      label: label as string,
      at,
      options: () => backedOff(schedule as Backoff.Backoff)
    })),
    chosen: "full",
    near: ["equal", "none"],
    events: ["a blip"],
    drawn: []
  },
  funding: {
    title: "what pays for retries",
    values: [
      funded("tokens", 0, () => RetryBudget.tokens()),
      funded("traffic, 20 %", 1, () => RetryBudget.traffic()),
      funded("in flight, 20 %", 2, () => RetryBudget.inFlight()),
      // as good as none
      { ...funded("no budget", 3, () => RetryBudget.inFlight({ minAttempts: 1_000_000 })), budget: () => undefined }
    ],
    chosen: "tokens",
    near: ["traffic, 20 %", "no budget"],
    events: ["an outage", "30 % errors", "a blip"],
    drawn: []
  },
  tokens: {
    title: "tokens of the budget",
    axis: { label: "maxTokens", durations: false },
    values: [20, 50, 100, 200, 1000].map((n) => funded(String(n), n, () => RetryBudget.tokens({ maxTokens: n }))),
    chosen: "100",
    near: ["50", "200"],
    events: ["a burst of errors", "a blip", "an outage", "after an outage"],
    drawn: ["lost", "load"]
  },
  floor: {
    title: "minimum per minute of the budget",
    values: [0, 1, 2, 5, 10, 20, 60, 600].map((n) =>
      funded(String(n), n, () => RetryBudget.tokens({ minPerMinute: n }))
    ),
    chosen: "10",
    near: ["5", "20"],
    events: ["after an outage"],
    drawn: []
  },
  ratio: {
    title: "failure rate that opens the circuit",
    axis: { label: "failure rate", durations: false },
    values: numbers([0.25, 0.5, 0.75, 1], (ratio) => rate({ ratio })),
    chosen: "0.5",
    near: ["0.25", "1"],
    events: ["an outage", "30 % errors", "a long hang"],
    drawn: ["lost", "load", "recovery"]
  },
  minCalls: {
    title: "least number of calls of the breaker",
    axis: { label: "minCalls", durations: false },
    values: numbers([5, 10, 20, 40, 80], (minCalls) => rate({ minCalls })),
    chosen: "20",
    near: ["10", "40"],
    events: ["a long hang", "30 % errors"],
    drawn: ["lost", "load"],
    thin: true
  },
  window: {
    title: "window of the failure rate",
    axis: { label: "window", durations: true },
    values: durations(["20 s", "30 s", "60 s", "120 s"], (within) => rate({ within })),
    chosen: "30 s",
    near: ["20 s", "60 s"],
    events: ["an outage", "a long hang"],
    drawn: ["lost", "load", "recovery"]
  },
  open: {
    title: "time open",
    axis: { label: "first time open, doubling", durations: true },
    values: durations(["2.5 s", "5 s", "10 s", "20 s"], (open) => ({
      breaker: { open: doubling(open, 30_000) }
    })),
    chosen: "10 s",
    near: ["5 s", "20 s"],
    events: ["a long outage", "an outage"],
    drawn: ["lost", "load", "recovery"]
  },
  growth: {
    title: "growth of the time open",
    values: [["always 10 s", 10], ["doubling to 30 s", 30], ["doubling to 1 min", 60], ["doubling to 5 min", 300]].map((
      [label, most]
    ) => ({
      label: label as string,
      at: most as number,
      options: () => ({
        breaker: { open: doubling(10_000, 1000 * (most as number)) }
      })
    })),
    chosen: "doubling to 30 s",
    near: ["always 10 s", "doubling to 5 min"],
    events: ["a long outage", "a long hang", "an outage of eight minutes"],
    drawn: [],
    thin: true
  },
  probes: {
    title: "probes of a half-open circuit",
    values: numbers([1, 2, 5, 10], (probes) => ({ breaker: { halfOpen: { probes } } })),
    chosen: "1",
    near: ["2", "5"],
    events: ["an outage", "after an outage"],
    drawn: []
  },
  hangsAfter: {
    title: "the time after which a callee hangs",
    axis: { label: "hangsAfter", durations: true },
    values: durations(
      ["0.12 s", "0.25 s", "0.5 s", "1 s", "2 s", "4 s"],
      (hangsAfter) => ({ breaker: { hangsAfter } })
    ),
    chosen: "1 s",
    near: ["0.5 s", "2 s"],
    events: ["a hang, callers wait 1.5 s", "a slow phase, callers wait 0.3 s"],
    drawn: ["lost", "load"]
  }
} as const satisfies Readonly<Record<string, Sweep>>

export type SweepName = keyof typeof sweeps

export const sweepNames = Object.keys(sweeps) as ReadonlyArray<SweepName>

export const sweepOf = (name: SweepName): Sweep => sweeps[name]

export const valueOf = (name: SweepName, label: string): Value =>
  sweepOf(name).values.find((value) => value.label === label)!

export const stackOf = (value: Value): Pipelines.Pipeline => Pipelines.makeStandardUnsafe(value.options())
