import * as AdaptiveLimit from "../../AdaptiveLimit.ts"
import * as Hedge from "../../Hedge.ts"
import * as HedgingPipeline from "../../HedgingPipeline.ts"
import { timesOf } from "../../kernel/pipelines.ts"
import * as Pipelines from "../../Pipelines.ts"
import { bulkheadOf } from "../../pipelines/parts.ts"
import * as Policy from "../../Policy.ts"
import * as RateLimiter from "../../RateLimiter.ts"
import * as Retry from "../../Retry.ts"
import * as RetryBudget from "../../RetryBudget.ts"
import * as Timeout from "../../Timeout.ts"
import type { Through } from "../internal/stack.ts"
import type { Setting } from "./model.ts"

/** What the advice looks for. */
export const names = {
  none: "no policy",
  retry: "retry, timeout",
  standard: "standard",
  fitted: "fitted",
  balancer: "+ balancer",
  probing: "+ probing",
  quota: "+ quota",
  hedging: "+ hedging",
  adaptive: "+ adaptive limit",
  together: "+ all that help"
} as const

/** An open circuit lets a probe through so often, in the stack that looks whether the service is back. */
export const soon = 2000

/** A part that a ready-made pipeline may have besides. */
export type Part = "balancer" | "probing" | "quota" | "hedging" | "adaptive"

/** A stack that is compared, and how it is written. */
export interface Candidate {
  readonly name: string
  readonly code: string
  readonly through: Through | undefined
  /** The policies of one deployment, where a balancer chooses one of them for each attempt. */
  readonly perServer: (() => ReadonlyArray<Policy.Any>) | undefined
}

const nothing = { total: undefined, attempt: undefined, window: undefined, wait: 0, after: undefined, hedges: 0 }

/** The limit of an attempt that nobody has given. */
export const defaultAttempt = timesOf(nothing).attempt

const units = [["hours", 3_600_000], ["minutes", 60_000], ["seconds", 1000], ["millis", 1]] as const

/** As a duration is written in a program. */
export const written = (millis: number): string => {
  const [unit, size] = units.find(([, size]) => millis >= size && Number.isInteger(millis * 10 / size)) ?? units[3]
  const n = millis / size
  return `"${n} ${n === 1 ? unit.slice(0, -1) : unit}"`
}

/** Times that people choose. */
const round = [1, 1.5, 2, 3, 4, 5, 6, 8, 10]

const steps = [[3_600_000, 600_000], [60_000, 30_000], [10_000, 5000]] as const

/** The least of them that is not shorter. */
export const roundedUp = (millis: number): number => {
  const [, step] = steps.find(([from]) => millis > from) ?? []
  // what is longer by a rounding is not longer
  if (step !== undefined) return Math.ceil(millis / step - 1e-6) * step
  const size = 10 ** Math.floor(Math.log10(millis))
  return Math.ceil(Number((round.find((each) => each * size >= millis)! * size).toPrecision(6)))
}

const window = 10_000
const minute = 60_000

/** So much of the quota as one process may use. One that has less than a request in ten seconds has one in a longer time. */
const quotaOf = ({ charge, processes, requestsPerMinute, tokensPerMinute }: Setting, share: number) => {
  const requests = (requestsPerMinute ?? Infinity) * share / processes
  const within = Math.max(window, Math.ceil(minute / requests))
  return {
    requests: requests === Infinity ? undefined : { limit: Math.floor(requests * within / minute), within },
    tokens: tokensPerMinute === null ? undefined : Math.max(1, Math.floor(tokensPerMinute * share / processes)),
    charge: Math.ceil(charge)
  }
}

/** A limiter that keeps to the quota. */
const quotaLimiter = (setting: Setting) => {
  const { charge, requests, tokens } = quotaOf(setting, setting.share)
  const limiter = RateLimiter.makeUnsafe<string>({
    limits: {
      ...requests === undefined ? {} : { requests: RateLimiter.slidingWindow(requests) },
      ...tokens === undefined ? {} : { tokens: RateLimiter.slidingWindow({ limit: tokens, within: "1 minute" }) }
    },
    maxWait: setting.patience
  })
  return tokens === undefined ? limiter : limiter.cost({ tokens: charge })
}

const quotaCode = (setting: Setting): string => {
  const { requests, tokens } = quotaOf(setting, 1)
  const limits = [
    ...requests === undefined ? [] : [
      `requests: RateLimiter.slidingWindow({ limit: ${requests.limit}, within: ${written(requests.within)} })`
    ],
    ...tokens === undefined ? [] : [`tokens: RateLimiter.slidingWindow({ limit: ${tokens}, within: "1 minute" })`]
  ]
  return `const quota = RateLimiter.makeUnsafe({
  limits: {
    ${limits.join(",\n    ")}
  },
  maxWait: ${written(setting.patience)}
})
`
}

interface Limiting {
  readonly make: () => Policy.Policy<unknown, unknown>
  readonly code: string
}

/** What limits calls, outermost first. */
const limitersOf = (setting: Setting, has: (part: Part) => boolean): ReadonlyArray<Limiting> => [
  ...has("adaptive") ? [{ make: () => AdaptiveLimit.makeUnsafe(), code: "AdaptiveLimit.makeUnsafe()" }] : [],
  ...has("quota")
    ? [{
      make: () => quotaLimiter(setting),
      code: setting.tokensPerMinute === null ? "quota" : `quota.cost({ tokens: ${Math.ceil(setting.charge)} })`
    }]
    : []
]

/** As many as there are, one in the other. */
const oneOf = ([first, second]: ReadonlyArray<Limiting>): Limiting | undefined =>
  first === undefined || second === undefined ? first : {
    make: () => Policy.compose(first.make(), second.make()),
    code: `Policy.compose(${first.code}, ${second.code})`
  }

const hedgeCode = "after: { quantile: 0.95 }"
const hedge = { after: { quantile: 0.95 } }

const composed = (parts: ReadonlyArray<string>): string =>
  parts.length === 1 ? parts[0]! : `Policy.compose(${parts.join(", ")})`

/** Several deployments behind a balancer: a second attempt goes to another one. What limits calls is there once for each. */
const balanced = (
  name: string,
  setting: Setting,
  attempt: number,
  has: (part: Part) => boolean
): Candidate => {
  const total = timesOf({ ...nothing, attempt }).total
  const limiters = limitersOf(setting, has)
  const budget = RetryBudget.makeUnsafe()
  const again = has("hedging") ? Hedge.makeUnsafe({ ...hedge, budget }) : Retry.make({ budget })
  const inside = composed([...limiters.map(({ code }) => code), `Timeout.attempt(${written(attempt)})`])
  return {
    name,
    through: Policy.compose(Timeout.total(total), again),
    perServer: () => [...limiters.map(({ make }) => make()), Timeout.attempt(attempt)],
    code: `const budget = RetryBudget.makeUnsafe()
const policy = Policy.compose(
  Timeout.total(${written(total)}),
  ${has("hedging") ? `Hedge.makeUnsafe({ ${hedgeCode}, budget })` : "Retry.make({ budget })"}
)
${
      has("quota") ?
        `// for each deployment
${quotaCode(setting)}` :
        ""
    }const balancer = Balancer.makeUnsafe({ endpoints: deployments })
const answer = balancer.use((deployment) =>
  ask(deployment).pipe(${inside})
).pipe(policy)`
  }
}

/** How many calls one process makes at once by default, of the part that is simulated. */
const defaultConcurrency = ({ part }: Setting): number => Math.max(1, Math.round(bulkheadOf({}).concurrency * part))

/** Twice as many calls at once as there are on average (Little's law), where that is more than the default. */
export const concurrencyOf = (
  { deployments, part, perSecond, processes, share, times }: Setting
): number | undefined => {
  // of the whole load, in one of all its processes
  const needed = 2 * perSecond * share * times.mean / 1000 / deployments / processes / part
  return needed <= bulkheadOf({}).concurrency ? undefined : Math.ceil(Number(needed.toPrecision(2)))
}

/** What limits the calls at once, where nothing else limits them. */
const bulkheadFor = (
  setting: Setting,
  fitted: boolean
): { readonly concurrency: number; readonly code: string | undefined } => {
  const concurrency = fitted ? concurrencyOf(setting) : undefined
  return concurrency === undefined
    ? { concurrency: defaultConcurrency(setting), code: undefined }
    : { concurrency: Math.ceil(concurrency * setting.part), code: `{ concurrency: ${concurrency} }` }
}

/** A ready-made pipeline with these parts, and with a limit of an attempt or the default one. */
export const pipelineWith = (
  name: string,
  setting: Setting,
  attempt: number | undefined,
  parts: ReadonlyArray<Part>
): Candidate => {
  const has = (part: Part): boolean => parts.includes(part)
  if (has("balancer")) return balanced(name, setting, attempt ?? defaultAttempt, has)
  const limiter = oneOf(limitersOf(setting, has))
  const bulkhead = bulkheadFor(setting, attempt !== undefined)
  const code = limiter?.code ?? bulkhead.code
  const options = {
    attempt,
    ...has("probing") ? { breaker: { open: soon } } : {},
    limiter: limiter?.make() ?? { concurrency: bulkhead.concurrency }
  }
  const lines = [
    ...attempt === undefined ? [] : [`attempt: ${written(attempt)}`],
    ...has("hedging") ? [`hedge: { ${hedgeCode} }`] : [],
    ...has("probing") ? [`breaker: { open: ${written(soon)} }`] : [],
    ...code === undefined ? [] : [`limiter: ${code}`]
  ]
  const make = has("hedging") ? "HedgingPipeline.makeUnsafe" : "Pipelines.makeStandardUnsafe"
  return {
    name,
    through: has("hedging") ? HedgingPipeline.makeUnsafe({ ...options, hedge }) : Pipelines.makeStandardUnsafe(options),
    perServer: undefined,
    code: `${has("quota") ? quotaCode(setting) : ""}const policy = ${make}(${
      lines.length < 2 ? lines.map((line) => `{ ${line} }`).join("") : `{\n  ${lines.join(",\n  ")}\n}`
    })`
  }
}

/** How many times as long as the median p99 has to be for a second request to pay. */
const tail = 3

/** The share of a quota that leaves room for second requests. */
const room = 0.5

/** The parts that make a difference to such a load: what they are for has to be there. */
export const partsFor = (setting: Setting): ReadonlyArray<Part> => {
  const { capacity, charge, deployments, outage, perSecond, requestsPerMinute, times, tokensPerMinute } = setting
  const perMinute = perSecond * 60 / deployments
  const used = Math.max(perMinute / (requestsPerMinute ?? Infinity), perMinute * charge / (tokensPerMinute ?? Infinity))
  return [
    ...deployments === 1 ? [] : ["balancer" as const],
    ...outage === null ? [] : ["probing" as const],
    ...requestsPerMinute === null && tokensPerMinute === null ? [] : ["quota" as const],
    ...times.p99 >= tail * times.p50 && used <= room ? ["hedging" as const] : [],
    ...capacity === null ? [] : ["adaptive" as const]
  ]
}

/** The stacks that every load is tried with. */
export const candidates = (setting: Setting): ReadonlyArray<Candidate> => {
  const { attempt } = setting
  return [
    { name: names.none, through: undefined, perServer: undefined, code: "const policy = Policy.identity" },
    {
      name: names.retry,
      through: [Retry.make({ times: 3 }), Timeout.attempt(attempt)],
      perServer: undefined,
      code: `const policy = Policy.compose(Retry.make({ times: 3 }), Timeout.attempt(${written(attempt)}))`
    },
    pipelineWith(names.standard, setting, undefined, []),
    pipelineWith(names.fitted, setting, attempt, [])
  ]
}
