/** What the policy is for: a few calls a minute, a few a second, and a fleet behind one quota. */
import type { ReasoningEffort } from "@effect-resilience/azure-o1"
import { Load, Times } from "@effect-resilience/core/simulation"
import type { Draw } from "./draws.ts"
import type { Quota } from "./meter.ts"
import type { Incident, Prompt } from "./service.ts"

export interface Workload {
  readonly title: string
  readonly duration: number
  readonly processes: number
  readonly load: Load.Open
  readonly prompt: (draw: Draw, number: number) => Prompt & { readonly effort: ReasoningEffort }
  readonly maxCompletionTokens: number
  readonly incidents: ReadonlyArray<Incident>
  readonly quota: Quota | undefined
  readonly errors: number
  readonly silent: number
  /** The service makes the answer whether anybody waits or not: responses in the background. */
  readonly kept: boolean
}

const minutes = 60_000

/** How long the model thinks. One prompt in fifty is of another kind. */
const heavy = (median: `${number} seconds`, p99: `${number} seconds`): Times.Times =>
  Times.mix([
    [0.98, Times.logNormal({ median, p99 })],
    [0.02, Times.pareto({ min: "4 minutes", shape: 1.5, max: "20 minutes" })]
  ])

const thinking = { medium: heavy("15 seconds", "90 seconds"), high: heavy("50 seconds", "300 seconds") }

const tokensPerSecond = 60

/** Half of the prompts are of medium effort, half of high; the model takes so many times the usual time. */
const prompts = (times: number): Workload["prompt"] => (draw, number) => {
  const effort = draw.next() < 0.5 ? "medium" : "high"
  const thinks = thinking[effort].draw(draw, number + 1) * times
  return { effort, thinks, prompt: 1000, completion: Math.ceil(thinks / 1000 * tokensPerSecond) }
}

const open = (load: Load.Load): Load.Open => load as Load.Open // these are

const usual = { errors: 0.005, silent: 0.003, prompt: prompts(1), maxCompletionTokens: 100_000, kept: false }

const quiet: Workload = {
  ...usual,
  title: "4 calls a minute",
  duration: 180 * minutes,
  processes: 1,
  load: open(Load.poisson({ perSecond: 4 / 60 })),
  quota: undefined,
  incidents: [
    { from: 20 * minutes, until: 40 * minutes, what: { slow: 3 } },
    { from: 70 * minutes, until: 80 * minutes, what: "down" },
    { from: 110 * minutes, until: 120 * minutes, what: "silent" },
    { from: 150 * minutes, until: 155 * minutes, what: "busy" }
  ]
}

const busy: Workload = {
  ...usual,
  title: "2 calls a second",
  duration: 12 * minutes,
  processes: 1,
  load: open(Load.poisson({ perSecond: 2 })),
  quota: undefined,
  incidents: [
    { from: 1 * minutes, until: 3 * minutes, what: { slow: 3 } },
    { from: 4 * minutes, until: 5 * minutes, what: "down" },
    { from: 8 * minutes, until: 9 * minutes, what: "silent" },
    { from: 11 * minutes, until: 11.5 * minutes, what: "busy" }
  ]
}

const fleet: Workload = {
  ...usual,
  title: "12 processes, one quota",
  duration: 12 * minutes,
  processes: 12,
  // from two thirds of the quota to four thirds
  load: open(Load.diurnal({ from: 1, to: 2, period: "12 minutes" })),
  maxCompletionTokens: 25_000,
  quota: { requestsPerMinute: 600, tokensPerMinute: 90 * 25_000 },
  incidents: [{ from: 3 * minutes, until: 4 * minutes, what: "down" }]
}

export const workloads: Readonly<Record<string, Workload>> = {
  quiet,
  busy,
  fleet,
  crowd: {
    ...fleet,
    title: "12 processes, 1.5 times the quota",
    load: open(Load.poisson({ perSecond: 1.5 * 90 / 60 })),
    incidents: []
  },
  brisk: { ...busy, title: "2 calls a second, half the time", prompt: prompts(0.5) },
  kept: { ...quiet, title: "4 calls a minute, kept by the service", kept: true }
}
