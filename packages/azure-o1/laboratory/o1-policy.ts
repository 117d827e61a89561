import * as Plot from "@effect-resilience/core/plot"
import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { groupBy, type Summary, summary } from "../../../tools/laboratory/src/Seeds.ts"
import { type Choice, type Found, run } from "./o1/run.ts"
import { type Sweep, sweeps, type Value } from "./o1/sweeps.ts"
import { workloads } from "./o1/workloads.ts"

interface Job {
  readonly seed: number
  readonly workload: string
  readonly choice: Choice
}

type Measured = Experiment.Measured<Job, Found>

const keyOf = (workload: string, choice: Choice): string => `${workload} ${JSON.stringify(choice)}`

const half = "30 s, 120 s with high effort"

/** In the quick form: what the checks need most. */
const quickSweeps = new Set(["attempt", "lease"])
const quickWorkloads = new Set(["fleet"])
const quickValues = new Set([half, "2 min"])

interface Case extends Omit<Job, "seed"> {
  readonly runs: number
}

const cases = (quick: boolean): ReadonlyArray<Case> => {
  const all = new Map<string, Case>()
  for (const { name, runs = 1, values, workloads } of sweeps) {
    if (quick && !quickSweeps.has(name)) continue
    for (const workload of workloads) {
      if (quick && !quickWorkloads.has(workload)) continue
      for (const { choice, isDefault = false, label } of values) {
        if (quick && !isDefault && !quickValues.has(label)) continue
        const key = keyOf(workload, choice)
        all.set(key, { workload, choice, runs: Math.max(quick ? 1 : runs, all.get(key)?.runs ?? 1) })
      }
    }
  }
  return [...all.values()]
}

/** What a program pays and gets. Waiting is that of all calls, failed ones too, for each answer. */
const measures = {
  success: { label: "answered", of: ({ success }: Found) => success * 100, better: 1, relative: false },
  money: { label: "dollars per answer", of: ({ money }: Found) => money, better: -1, relative: true },
  waiting: {
    label: "waiting per answer",
    of: ({ success, wait }: Found) => wait / success,
    better: -1,
    relative: true
  },
  load: { label: "requests per call", of: ({ requests }: Found) => requests, better: -1, relative: true },
  peak: { label: "worst minute / usual one", of: ({ peak }: Found) => peak, better: -1, relative: true }
} as const
type Measure = keyof typeof measures
const shown: ReadonlyArray<Measure> = ["success", "money", "waiting", "load"]

/** Those whose values are for the load of a service that is down. */
const aboutLoad = new Set(["failures", "open", "probes", "lease", "retries"])

class Results {
  private readonly groups: ReadonlyMap<string, ReadonlyArray<Measured>>

  constructor(measured: ReadonlyArray<Measured>) {
    this.groups = groupBy(measured, ({ job }) => keyOf(job.workload, job.choice))
  }

  has(workload: string, choice: Choice): boolean {
    return this.groups.has(keyOf(workload, choice))
  }

  summary(workload: string, choice: Choice, of: (found: Found) => number): Summary {
    return summary(this.groups.get(keyOf(workload, choice))!.map(({ found }) => of(found)))
  }

  /** Of the same calls with the same seed: against the default, in points or in percent. */
  difference(workload: string, choice: Choice, measure: Measure): Summary {
    const { of, relative } = measures[measure]
    const usual = this.groups.get(keyOf(workload, {}))!
    return summary(this.groups.get(keyOf(workload, choice))!.map(({ found, job: { seed } }) => {
      const before = of(usual.find(({ job }) => job.seed === seed)!.found)
      return relative ? (of(found) / before - 1) * 100 : of(found) - before
    }))
  }
}

/** 1 if it is better than the default beyond the band, -1 if it is worse, 0 if the band does not tell. */
const verdict = ({ high, low }: Summary, measure: Measure): -1 | 0 | 1 => {
  const { better } = measures[measure]
  if (low <= 0 && high >= 0) return 0
  return (low > 0) === (better > 0) ? 1 : -1
}

const signed = (value: number): string => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`

const amounts: { readonly [M in Measure]: (value: number) => string } = {
  success: (value) => `${value.toFixed(1)} %`,
  money: (value) => `$${value.toFixed(3)}`,
  waiting: (value) => `${Math.round(value / 1000)} s`,
  load: (value) => value.toFixed(2),
  peak: (value) => value.toFixed(1)
}

const usually = (results: Results, workload: string, measure: Measure): string => {
  const { high, mean } = results.summary(workload, {}, measures[measure].of)
  return `${amounts[measure](mean)} ± ${amounts[measure](high - mean).replace(/^\$| [%s]$/gu, "")}`
}

/** In bold where it is beyond the band. */
const otherwise = (results: Results, workload: string, choice: Choice, measure: Measure): string => {
  const difference = results.difference(workload, choice, measure)
  const band = (difference.high - difference.mean).toFixed(1)
  const text = `${signed(difference.mean)}${measures[measure].relative ? " %" : ""} ± ${band}`
  return verdict(difference, measure) === 0 ? text : `**${text}**`
}

const tableOf = (results: Results, { name, values, workloads: names }: Sweep): Experiment.Table => {
  const measured: ReadonlyArray<Measure> = aboutLoad.has(name) ? [...shown, "peak"] : shown
  const cells = (workload: string, { choice, isDefault = false }: Value): ReadonlyArray<string> =>
    measured.map((measure) =>
      isDefault ? usually(results, workload, measure) : otherwise(results, workload, choice, measure)
    )
  return {
    columns: ["value", "workload", ...measured.map((measure) => measures[measure].label)],
    rows: values.flatMap((value) => {
      const { choice, isDefault = false, label } = value
      const shownLabel = isDefault ? `${label} (default)` : label
      return names.filter((workload) => results.has(workload, choice)).map((workload, i) =>
        [i > 0 ? "" : shownLabel, workloads[workload]!.title].concat(cells(workload, value))
      )
    })
  }
}

const axes: { readonly [M in "success" | "money" | "waiting" | "peak"]: Plot.Axis } = {
  success: { label: "calls answered, %", from: 40, to: 100 },
  money: { label: "dollars per answer", from: 0 },
  waiting: Plot.duration({ label: "waiting per answer", from: 0 }),
  peak: { label: "worst minute / usual one", from: 0 }
}

const pictureOf = (results: Results, { label, name, values, workloads: names }: Sweep): string => {
  const places = values.filter(({ at }) => at !== undefined)
  const isCount = name === "retries" || name === "failures" || name === "probes"
  const usual = places.find(({ isDefault }) => isDefault)?.at
  const ticks = () => places.map(({ at }) => at!)
  const marks = (measure: keyof typeof axes) =>
    names.flatMap((workload) => {
      const { title } = workloads[workload]!
      const each = places.filter(({ choice }) => results.has(workload, choice)).map(({ at, choice }) => {
        const { high, low, mean } = results.summary(workload, choice, measures[measure].of)
        return [at!, low, mean, high] as const
      })
      return [
        Plot.band({ name: title, points: each.map(([at, low, , high]) => [at, low, high]) }),
        Plot.line({ name: title, points: each.map(([at, , mean]) => [at, mean]) })
      ]
    })
  return Plot.svg({
    title: `O1Policy: ${label}`,
    x: isCount
      ? { label, ticks, scale: name === "failures" ? "logarithmic" : "linear" }
      : Plot.duration({ label, ticks, scale: "logarithmic" }),
    panels: (["success", name === "failures" ? "peak" : "money", "waiting"] as const).map((measure) => ({
      y: axes[measure],
      height: 160,
      marks: [
        ...usual === undefined ? [] : [Plot.rule({ name: "default", at: usual, kind: "limit" })],
        ...marks(measure)
      ]
    }))
  })
}

const pictures = new Map([["attempt", ""], ["total", "total"], ["retries", "retries"], ["failures", "failures"], [
  "lease",
  "lease"
]])

/** The values that are better than the default on every workload in something, and nowhere worse in anything. */
const better = (results: Results, { values, workloads: names }: Sweep): ReadonlyArray<string> =>
  values.filter(({ choice, isDefault = false }) =>
    !isDefault && names.every((workload) => {
      const all = new Set(shown.map((measure) => verdict(results.difference(workload, choice, measure), measure)))
      return all.has(1) && !all.has(-1)
    })
  ).map(({ label }) => label)

/** These are no settings of the policy, or need another workload. */
const besides = new Set(["tokens", "quota", "brisk", "kept"])

const valueOf = (sweep: string, label: string): Value =>
  sweeps.find(({ name }) => name === sweep)!.values.find((value) => value.label === label)!

const titles = (names: ReadonlyArray<string>): string => names.map((name) => workloads[name]!.title).join("; ")

/** How another value does against the default on each of the workloads. */
const against = (
  claim: string,
  results: Results,
  names: ReadonlyArray<string>,
  { choice }: Value,
  measure: Measure,
  holds: (difference: Summary) => boolean
): Experiment.Check => {
  const all = names.map((workload) => results.difference(workload, choice, measure))
  const unit = measures[measure].relative ? " %" : " points"
  return {
    claim,
    holds: all.every(holds),
    found: `${all.map(({ high, mean }) => `${signed(mean)} ± ${(high - mean).toFixed(1)}`).join(", ")}${unit} of ${
      measures[measure].label
    } (${titles(names)})`
  }
}

const isLess = ({ mean }: Summary): boolean => mean < 0
const isClearlyLess = ({ high }: Summary): boolean => high < 0
const isClearlyMore = ({ low }: Summary): boolean => low > 0

const everywhere = ["quiet", "busy", "fleet"]

/** Two seeds have no band to speak of: the quick form looks at means. */
const quickChecks = (results: Results): ReadonlyArray<Experiment.Check> => {
  const names = [...quickWorkloads]
  return [
    against(
      "half the limit of an attempt costs more",
      results,
      names,
      valueOf("attempt", half),
      "money",
      ({ mean }) => mean > 0
    ),
    against(
      "probes that hold their slot for minutes cost answers",
      results,
      names,
      valueOf("lease", "2 min"),
      "success",
      isLess
    )
  ]
}

const fullChecks = (results: Results): ReadonlyArray<Experiment.Check> => [
  ...sweeps.filter(({ name }) => !besides.has(name)).map((sweep) => ({
    claim: `no other value is better everywhere: ${sweep.label}`,
    holds: better(results, sweep).length === 0,
    found: better(results, sweep).join("; ") || "none"
  })),
  against(
    "half the limit of an attempt costs more",
    results,
    everywhere,
    valueOf("attempt", half),
    "money",
    isClearlyMore
  ),
  against(
    "the former limit of high effort costs more",
    results,
    everywhere,
    valueOf("attempt", "60 s, 120 s with high effort"),
    "money",
    isClearlyMore
  ),
  against(
    "and answers no more",
    results,
    everywhere,
    valueOf("attempt", "60 s, 120 s with high effort"),
    "success",
    ({ low }) => low <= 0
  ),
  against(
    "the same time again answers fewer",
    results,
    everywhere,
    valueOf("escalation", "the same time"),
    "success",
    isClearlyLess
  ),
  against(
    "one attempt answers fewer",
    results,
    everywhere,
    valueOf("escalation", "no other attempt"),
    "success",
    isClearlyLess
  ),
  against(
    "probes that hold their slot for minutes cost a program with many calls its answers",
    results,
    ["busy", "fleet"],
    valueOf("lease", "2 min"),
    "success",
    isClearlyLess
  ),
  against("and one with few calls some", results, ["quiet"], valueOf("lease", "2 min"), "success", isLess),
  against(
    "without a circuit breaker a service that is down gets more requests in its worst minute",
    results,
    everywhere,
    valueOf("failures", "never"),
    "peak",
    isClearlyMore
  ),
  against(
    "with O1Quota more calls are answered where the quota is not enough",
    results,
    ["crowd"],
    valueOf("quota", "O1Quota, until the call's deadline"),
    "success",
    isClearlyMore
  ),
  against(
    "the limit of an attempt hardly matters where the service keeps the answer",
    results,
    ["kept"],
    valueOf("kept", half),
    "money",
    ({ mean }) => Math.abs(mean) < 5
  )
]

export default Experiment.make<Job, Found>({
  name: "o1-policy",
  title: "O1Policy: what its defaults cost, and what it costs to change them",
  source: "our own: the client itself, in virtual time",
  jobs: ({ quick, seeds }) =>
    cases(quick).flatMap(({ choice, runs, workload }) =>
      Array.from({ length: runs }, (_, more) => seeds.map((seed) => ({ workload, choice, seed: seed + 1000 * more })))
        .flat()
    ),
  measure: ({ choice, seed, workload }) => run(workload, choice, seed),
  report: (measured, { quick }) => {
    const results = new Results(measured)
    const tables = Object.fromEntries(sweeps.map((sweep) => [sweep.name, tableOf(results, sweep)]))
    // a picture of a value here and there shows nothing
    if (quick) return { tables, plots: {}, checks: quickChecks(results) }
    return {
      tables,
      plots: Object.fromEntries(
        sweeps.flatMap((sweep) => {
          const plot = pictures.get(sweep.name)
          return plot === undefined ? [] : [[plot, pictureOf(results, sweep)]]
        })
      ),
      checks: fullChecks(results)
    }
  }
})
