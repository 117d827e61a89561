/** The settings that are tried, one at a time: each value beside the default. */
import { O1Policy, type O1PolicySettings } from "@effect-resilience/azure-o1"
import type { Choice } from "./run.ts"

export interface Value {
  readonly label: string
  /** Its place in a picture; absent where it has none. */
  readonly at?: number
  readonly choice: Choice
  /** It is what holds where nobody says otherwise. */
  readonly isDefault?: boolean
}

export interface Sweep {
  readonly name: string
  /** The words of its axis. */
  readonly label: string
  readonly workloads: ReadonlyArray<string>
  /** How many times as many runs as of others, where luck decides much. */
  readonly runs?: number
  readonly values: ReadonlyArray<Value>
}

const everywhere = ["quiet", "busy", "fleet"]

const settings = (settings: O1PolicySettings): Choice => ({ settings })
const breaker = (breaker: O1PolicySettings["breaker"]): Choice => settings({ breaker })

const second = 1000
const minute = 60 * second

const values = <A>(all: ReadonlyArray<A>, usual: A, of: (value: A) => Omit<Value, "isDefault">): ReadonlyArray<Value> =>
  all.map((value) => ({ ...of(value), ...value === usual ? { isDefault: true, choice: {} } : {} }))

const { breaker: usual, retries } = O1Policy.defaults

/** Of the first attempt, as so many times the default of its effort. */
const limits = (all: ReadonlyArray<number>): ReadonlyArray<Value> =>
  values(all, 1, (times) => ({
    label: `${60 * times} s, ${240 * times} s with high effort`,
    at: 60 * times * second,
    choice: settings({ timeout: { medium: 60 * times * second, high: 240 * times * second } })
  }))

/** What it was before this page. */
const former: Value = {
  label: "60 s, 120 s with high effort",
  choice: settings({ timeout: { high: 120 * second } })
}

const spans = (all: ReadonlyArray<number>, usual: number, of: (millis: number) => Choice): ReadonlyArray<Value> =>
  values(all, usual, (millis) => ({
    label: millis < minute ? `${millis / second} s` : `${millis / minute} min`,
    at: millis,
    choice: of(millis)
  }))

/** No run has so many. */
const never = 1_000_000

export const sweeps: ReadonlyArray<Sweep> = [
  {
    name: "attempt",
    label: "limit of the first attempt with medium effort; four times as long with high effort",
    workloads: everywhere,
    values: [...limits([0.25, 0.5, 1, 2]), former]
  },
  {
    name: "escalation",
    label: "after an attempt that took too long",
    workloads: everywhere,
    values: [
      { label: "twice the time", choice: {}, isDefault: true },
      { label: "the same time", choice: settings({ onTimeout: "same" }) },
      { label: "no other attempt", choice: settings({ onTimeout: "never" }) }
    ]
  },
  {
    name: "total",
    label: "limit of the whole call",
    workloads: everywhere,
    values: spans([5 * minute, 7.5 * minute, 15 * minute, 30 * minute], 15 * minute, (total) => settings({ total }))
  },
  {
    name: "retries",
    label: "attempts after the first",
    workloads: everywhere,
    values: values([0, 1, 3, 6], retries, (retries) => ({
      label: String(retries),
      at: retries,
      choice: settings({ retries })
    }))
  },
  {
    name: "backoff",
    label: "the first delay between attempts",
    workloads: everywhere,
    values: spans([0.5 * second, second, 2 * second], second, (backoff) => settings({ backoff }))
  },
  {
    name: "throttled",
    label: "pause after a 429 that names none",
    workloads: ["quiet", "busy"],
    values: spans([5 * second, 10 * second, 20 * second], 10 * second, (throttledWait) => settings({ throttledWait }))
  },
  {
    name: "failures",
    label: "failures in a row that open the circuit",
    workloads: everywhere,
    values: [
      ...values([2, 5, 10], usual.failures, (failures) => ({
        label: String(failures),
        at: failures,
        choice: breaker({ failures })
      })),
      { label: "never", choice: breaker({ failures: never }) }
    ]
  },
  {
    name: "open",
    label: "how long the circuit stays open",
    workloads: everywhere,
    values: spans([15 * second, 30 * second, 60 * second], 30 * second, (open) => breaker({ open }))
  },
  {
    name: "probes",
    label: "probes that close the circuit",
    workloads: everywhere,
    values: values(
      [1, 3, 6],
      usual.probes,
      (probes) => ({ label: String(probes), at: probes, choice: breaker({ probes }) })
    )
  },
  {
    name: "lease",
    label: "time after which a probe without an answer lets another one pass",
    workloads: everywhere,
    runs: 3,
    values: spans([3 * second, 10 * second, 30 * second, 120 * second], 10 * second, (lease) => breaker({ lease }))
  },
  {
    name: "hangs",
    label: "attempts without an answer that open a circuit",
    workloads: everywhere,
    values: [
      { label: "never", choice: {}, isDefault: true },
      { label: "5 in a row", choice: { hangs: 5 } }
    ]
  },
  {
    name: "tokens",
    label: "tokens of an answer, and with moreTokens",
    workloads: ["fleet"],
    values: [
      { label: "25,000", choice: {}, isDefault: true },
      { label: "12,500", choice: { maxCompletionTokens: 12_500 } },
      { label: "12,500, then 25,000", choice: { maxCompletionTokens: 12_500, moreTokens: 25_000 } },
      { label: "5,000, then 25,000", choice: { maxCompletionTokens: 5000, moreTokens: 25_000 } },
      { label: "2,500, then 25,000", choice: { maxCompletionTokens: 2500, moreTokens: 25_000 } }
    ]
  },
  {
    name: "quota",
    label: "how long a call waits for its quota",
    workloads: ["fleet", "crowd"],
    values: [
      { label: "without O1Quota", choice: {}, isDefault: true },
      { label: "O1Quota, 1 min", at: minute, choice: { quota: { maxWait: "1 minute" } } },
      { label: "O1Quota, 2 min", at: 2 * minute, choice: { quota: { maxWait: "2 minutes" } } },
      { label: "O1Quota, until the call's deadline", at: 15 * minute, choice: { quota: {} } }
    ]
  },
  {
    name: "brisk",
    label: "limit of the first attempt, of a model that thinks half as long",
    workloads: ["brisk"],
    values: [...limits([0.5, 1, 2]), former]
  },
  {
    name: "kept",
    label: "limit of the first attempt, where the service keeps the answer",
    workloads: ["kept"],
    values: limits([0.5, 1, 2])
  }
]
