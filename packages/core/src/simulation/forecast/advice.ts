import { show } from "../../plot/internal/durations.ts"
import { meanOf } from "../internal/statistics.ts"
import { bestOf, better, guarded, longerTail, moreSent, moreSuccess, rowNamed } from "./compare.ts"
import type { Forecast, Row, Seen } from "./model.ts"
import { percentOf, showAmount, showShare } from "./show.ts"
import { concurrencyOf, defaultAttempt, names, type Part, soon, written } from "./stacks.ts"

/** Says what was seen of the stacks, and which settings follow. A sentence is there only if the figures ask for it. */

type Sentences = ReadonlyArray<string>

const count = (n: number): string => Math.round(n).toLocaleString("en-US")

const rate = (perSecond: number): string =>
  perSecond >= 1 ? `${showAmount(perSecond)} calls a second` : `${showAmount(perSecond * 60)} calls a minute`

/** Two shares with as many digits as it takes to tell them apart. */
const shares = (a: number, b: number): readonly [string, string] => {
  const plain = [showShare(a), showShare(b)] as const
  return a === b || plain[0] !== plain[1] ? plain : [percentOf(a, 2), percentOf(b, 2)]
}

const sumOf = (seen: ReadonlyArray<Seen>, of: (one: Seen) => number): number =>
  seen.reduce((sum, one) => sum + of(one), 0)

const sentInOutage = ({ seen }: Row): number => {
  const offered = sumOf(seen, ({ outage }) => outage?.offered ?? 0)
  return offered === 0 ? 0 : sumOf(seen, ({ outage }) => outage?.sent ?? 0) / offered
}

const sent = (row: Row, outage: unknown): string =>
  `${row.sent.toFixed(2)} requests for each call${
    outage === null ? "" : ` (${sentInOutage(row).toFixed(1)} during the outage)`
  }`

/** A twentieth of the money, or of the tokens, is worth a word. */
const costs = (a: Row, b: Row): Sentences => {
  const differ = (before: number, after: number): boolean =>
    before > 0 && after > 0 && Math.abs(after / before - 1) > 0.05
  if (differ(a.money, b.money)) {
    return [`a thousand answers cost ${showAmount(b.money)} rather than ${showAmount(a.money)}`]
  }
  return differ(a.tokens, b.tokens)
    ? [`an answer takes ${showAmount(b.tokens)} tokens rather than ${showAmount(a.tokens)}`]
    : []
}

/** The difference that the second makes to the first: what makes it better comes first. */
const against = (a: Row, b: Row): string => {
  const [before, after] = shares(a.success, b.success)
  const success = moreSuccess(a, b) === 0 ? [] : [`${after} of the calls succeed rather than ${before}`]
  const tail = longerTail(a, b) === 0 ? [] : [`p99 is ${show(b.p99)} rather than ${show(a.p99)}`]
  // more calls that succeed are more requests, which is no news
  const more = moreSuccess(a, b) > 0 || moreSent(a, b) < 0.03
    ? []
    : [`${b.sent.toFixed(2)} requests are sent for each call rather than ${a.sent.toFixed(2)}`]
  return [...better(a, b) === "p99" ? [...tail, ...success] : [...success, ...tail], ...more, ...costs(a, b)].join(", ")
}

const soonAgain = ({ recovers }: Row): string =>
  recovers === null ? "not again within the run" : recovers === 0 ? "again at once" : `again in ${show(recovers)}`

/** How long it takes after the outage, where that is not the same. */
const recoveries = (a: Row, b: Row, outage: unknown): string =>
  outage === null || a.recovers === b.recovers
    ? ""
    : ` After the outage, calls succeed ${soonAgain(b)}; without this, ${soonAgain(a)}.`

/** How much of the service the load asks for. */
const demand = ({ rows, setting }: Forecast): Sentences => {
  const { capacity, charge, deployments, perSecond, requestsPerMinute, times, tokensPerMinute } = setting
  const needed = perSecond * times.mean / 1000
  const places = (capacity ?? Infinity) * deployments
  const most = rows.reduce((best, row) => row.success > best.success ? row : best)
  const busy = needed <= 0.7 * places ? [] : [
    `${rate(perSecond)} of ${show(times.mean)} on average keep ${
      count(needed)
    } requests in service at once, and there ${places === 1 ? "is 1 place" : `are ${count(places)} places`}.` +
    (needed > places
      ? ` No stack can answer them all: the most is ${
        showShare(most.success)
      }, with "${most.name}". Ask for more capacity.`
      : "")
  ]
  const quotas = [["tokens", charge, tokensPerMinute], ["requests", 1, requestsPerMinute]] as const
  return [
    ...busy,
    ...quotas.flatMap(([what, each, limit]) => {
      if (limit === null) return []
      const all = perSecond * 60 * each
      const room = limit * deployments
      if (each > limit) {
        return [
          `A request is charged ${count(each)} tokens, its prompt and the most that it may answer, and a minute has ${
            count(limit)
          }: none is ever let in. Lower the most that an answer may have, or ask for more quota.`
        ]
      }
      if (all <= 0.7 * room) return []
      return [
        `The calls are charged ${count(all)} ${what} a minute, and the quota has ${count(room)}` +
        (all > room ? `: at most ${showShare(room / all)} of them can be let in. Ask for more quota.` : ".")
      ]
    })
  ]
}

/** The limit of an attempt. */
const attempts = ({ rows, setting }: Forecast): Sentences => {
  const { attempt, outage, times } = setting
  const standard = rowNamed(rows, names.standard)
  const fitted = rowNamed(rows, names.fitted)
  if (standard === undefined || fitted === undefined) return []
  const limit = attempt > 2 * times.p99
    ? `${show(attempt)} (p99 is ${show(times.p99)})`
    : `${show(attempt)} (p99, which is ${show(times.p99)}, and half of it${
      show(attempt) === show(1.5 * times.p99) ? "" : ", rounded up"
    })`
  const concurrency = concurrencyOf(setting)
  const atOnce = concurrency === undefined
    ? ""
    : ` Let a process make ${count(concurrency)} calls at once, which is twice as many as there are on average.`
  const usual = `the default of ${show(defaultAttempt)}`
  if (better(standard, fitted) !== undefined) {
    return [
      `Set the limit of an attempt to ${limit}.${atOnce} Compared with ${usual}, ${against(standard, fitted)}.${
        recoveries(standard, fitted, outage)
      }`
    ]
  }
  if (better(fitted, standard) !== undefined) {
    return [`Keep ${usual} for the limit of an attempt. Compared with ${limit}, ${against(fitted, standard)}.`]
  }
  return [`A limit of an attempt of ${limit} does as well as ${usual}: the difference is no more than chance.`]
}

/** What retries do without anything that bounds them. */
const retries = ({ rows, setting: { capacity, outage } }: Forecast): Sentences => {
  const none = rowNamed(rows, names.none)
  const retry = rowNamed(rows, names.retry)
  if (none === undefined || retry === undefined) return []
  const best = bestOf(guarded(rows))
  if (moreSuccess(none, retry) < 0) {
    const stays = outage !== null && retry.recovers === null
      ? " They keep the service down when the outage is over."
      : ""
    return [
      `Do not retry without a budget and a breaker. Three retries and a limit send ${sent(retry, outage)}, and ${
        showShare(retry.success)
      } of the calls succeed; without any policy it is ${showShare(none.success)}.${stays}`
    ]
  }
  if (moreSuccess(best, retry) > 0) {
    const unhurt = capacity === null
      ? " Nothing is hurt by them here, for this service has no end of places: give its capacity to see what they do to it."
      : ""
    return [
      `Retries without a budget and a breaker get ${showShare(retry.success)} of the calls through with ${
        sent(retry, outage)
      }; "${best.name}" gets ${showShare(best.success)} through with ${sent(best, outage)}.${unhurt}`
    ]
  }
  return []
}

/** What a policy is good for, and what it costs. */
const policies = ({ rows }: Forecast): Sentences => {
  const none = rowNamed(rows, names.none)
  if (none === undefined) return []
  const best = bestOf(guarded(rows))
  const gain = moreSuccess(none, best)
  const [before, after] = shares(none.success, best.success)
  if (gain > 0) return [`${before} of the calls succeed without any policy, and ${after} with "${best.name}".`]
  if (gain === 0) return []
  const tail = longerTail(best, none) > 0
    ? `, and the slowest take ${show(none.p99)} (p99) rather than ${show(best.p99)}`
    : ""
  return [
    `${before} of the calls succeed without any policy, and ${after} with "${best.name}"${tail}. What its breaker turns away is what it costs.`
  ]
}

const ready: ReadonlySet<string> = new Set(Object.values(names))

/** What the best one does better than the stacks that were given. */
const given = ({ rows }: Forecast): Sentences => {
  const best = bestOf(guarded(rows))
  return rows.filter(({ name }) => !ready.has(name) && name !== best.name).map((own) => {
    const difference = against(own, best)
    return difference === ""
      ? `"${best.name}" and "${own.name}" do alike: the difference is no more than chance.`
      : `Compared with "${own.name}", "${best.name}" does this: ${difference}.`
  })
}

/** Why calls fail. */
const reasons: Readonly<Record<string, string>> = {
  quota: "the quota refused them",
  crashed: "the service was down",
  error: "the service answered with an error",
  late: "the answer came after the caller had gone",
  CircuitOpen: "the circuit was open",
  TimeoutExceeded: "they took too long",
  BulkheadRejected: "there was no permit",
  NoEndpoint: "no deployment was left",
  RateLimiterRejected: "their turn would have come too late"
}

/** So large a part of the calls is worth a word. */
const worth = 0.001

const losses = ({ rows }: Forecast): Sentences => {
  const { name, seen } = bestOf(guarded(rows))
  const offered = sumOf(seen, (one) => one.offered)
  const found = new Map([["late", sumOf(seen, ({ late }) => late)]])
  for (const { failures } of seen) {
    for (const [reason, n] of Object.entries(failures)) found.set(reason, (found.get(reason) ?? 0) + n)
  }
  const most = Array.from(found).filter(([, n]) => n > worth * offered).toSorted(([, a], [, b]) => b - a).slice(0, 3)
  if (most.length === 0) return []
  const [first, ...others] = most.map(([reason, n]) => [showShare(n / offered), reasons[reason] ?? reason] as const)
  return [
    `With "${name}", ${first![0]} of the calls fail because ${first![1]}${
      others.map(([share, why]) => `, ${share} because ${why}`).join("")
    }.`
  ]
}

const parts: Readonly<Record<Part, { readonly helps: string; readonly what: string }>> = {
  balancer: {
    helps: "Choose a deployment for each attempt, with Balancer, so that a second attempt goes to another one",
    what: "A balancer that chooses a deployment for each attempt"
  },
  quota: { helps: "Keep to the quota with a limiter of your own", what: "A limiter that keeps to the quota" },
  probing: {
    helps: `Let the breaker look every ${show(soon)} whether the service is back, with breaker: { open: ${
      written(soon)
    } }`,
    what: `A breaker that looks every ${show(soon)} whether the service is back`
  },
  hedging: { helps: "Hedge: send a second request when p95 has passed", what: "Hedging" },
  adaptive: {
    helps: "Let the limit of calls at once follow what the service can bear, with AdaptiveLimit",
    what: "An adaptive limit"
  }
}

const refused = ({ seen }: Row): number =>
  sumOf(seen, (one) => one.refused) / Math.max(1, sumOf(seen, (one) => one.sent))

const besides = (part: Part, a: Row, b: Row, outage: unknown): string => {
  if (part === "probing" || part === "balancer") return recoveries(a, b, outage)
  const [without, within] = shares(refused(a), refused(b))
  return part === "quota" ? ` The service refuses ${within} of its requests; without this, ${without}.` : ""
}

const partAdvice = ({ base, rows, setting: { outage } }: Forecast) => (part: Part): Sentences => {
  const without = rowNamed(rows, base)
  const within = rowNamed(rows, names[part])
  if (without === undefined || within === undefined) return []
  const { helps, what } = parts[part]
  if (better(without, within) !== undefined) {
    return [`${helps}: ${against(without, within)}.${besides(part, without, within, outage)}`]
  }
  if (better(within, without) !== undefined) return [`${what} does not pay: ${against(without, within)}.`]
  return [`${what} makes no difference to success and p99 beyond chance.`]
}

/** The settings that make a difference, and what policies are good for. */
const settings = (forecast: Forecast): Sentences => [
  ...attempts(forecast),
  ...(["balancer", "quota", "probing", "hedging", "adaptive"] as const).flatMap(partAdvice(forecast)),
  ...retries(forecast),
  ...policies(forecast),
  ...given(forecast)
]

/** How far to trust it. */
const doubts = ({ rows, setting: { calls, outage, perSecond, seeds, share } }: Forecast): Sentences => {
  const met = outage === null ? Infinity : meanOf(rows[0]!.seen.map((seen) => seen.outage?.offered ?? 0))
  return [
    ...share === 1 ? [] : [
      `${rate(perSecond)} are more than fits into this time: ${
        showShare(share)
      } of them were simulated, with as much of the capacity, the quota and the processes.`
    ],
    ...calls * seeds < 1000 ? [`${count(calls * seeds)} calls are few to know a p99 by.`] : [],
    ...met < 20
      ? [`The outage met ${showAmount(met)} calls a run on average, which is little for a breaker to go by.`]
      : []
  ]
}

/**
 * What follows from a forecast, in sentences: what the load asks for, what each setting does, and how far to trust that. Each sentence has the
 * figures that it follows from. A difference counts if it is beyond what chance makes of it (95 % confidence, by pairs of runs with
 * one seed) and large enough to matter: a tenth of a percent of the calls, a tenth of p99.
 *
 * @category printing
 * @since 0.1.0
 */
export const advice = (forecast: Forecast): ReadonlyArray<string> => [
  ...demand(forecast),
  ...forecast.rows.every(({ success }) => success === 0) ? ["No stack gets a call through."] : settings(forecast),
  ...losses(forecast),
  ...doubts(forecast)
]

/**
 * The row that does best, of those with a budget and a breaker.
 *
 * @category accessors
 * @since 0.1.0
 */
export const best = ({ rows }: Forecast): Row => bestOf(guarded(rows))
