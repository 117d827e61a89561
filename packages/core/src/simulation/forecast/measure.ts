import * as Duration from "effect/Duration"
import * as Balancer from "../../Balancer.ts"
import { Histogram } from "../../kernel/histogram.ts"
import * as Client from "../Client.ts"
import { exponential, Random } from "../internal/random.ts"
import * as Load from "../Load.ts"
import * as Server from "../Server.ts"
import * as Simulation from "../Simulation.ts"
import type { Times } from "../Times.ts"
import type { Row, Seen, Setting } from "./model.ts"
import type { Candidate } from "./stacks.ts"

/** The parts of the load that are no plain data. */
export interface World {
  readonly times: Times
  readonly tokens: Server.Tokens | undefined
  /** In milliseconds, of the calls that are simulated. */
  readonly trace: ReadonlyArray<number> | undefined
}

/** The parts in which a run is looked at. */
const intervals = 600

/** So many of them are one point of a series. */
const together = 10

/** Calls that show whether a client is well. */
const enough = 20
const well = 0.9

const incidentOf = ({ kind, from, until }: NonNullable<Setting["outage"]>): Server.Incident =>
  kind === "slow"
    ? Server.slow({ from, until, factor: 10 })
    : Server.crash({ from, until, silent: kind === "silent" })

const scaled = (n: number | null, share: number): number | undefined =>
  n === null ? undefined : Math.max(1, Math.round(n * share))

const serverOf = (setting: Setting, { times, tokens }: World, i: number): Server.Server => {
  const { capacity, errors, outage, requestsPerMinute, share, tokensPerMinute } = setting
  return Server.make({
    name: `deployment ${i + 1}`,
    times,
    errors,
    capacity: scaled(capacity, share),
    incidents: outage !== null && i < outage.deployments ? [incidentOf(outage)] : [],
    quota: requestsPerMinute === null && tokensPerMinute === null ? undefined : {
      requestsPerMinute: scaled(requestsPerMinute, share),
      tokensPerMinute: scaled(tokensPerMinute, share)
    },
    tokens
  })
}

/** The calls of one run, by deployment: all stacks meet the same. */
const arrivalsOf = (
  { deployments, duration, perSecond, share }: Setting,
  { trace }: World,
  seed: number
): ReadonlyArray<ReadonlyArray<number>> => {
  const random = new Random(seed)
  const chosen = random.stream("deployments")
  const all: ReadonlyArray<Array<number>> = Array.from({ length: deployments }, () => [])
  const add = (at: number): void => void all[Math.floor(chosen.next() * deployments)]!.push(at)
  if (trace === undefined) {
    const gap = 1000 / (perSecond * share)
    const times = random.stream("arrivals")
    for (let at = gap * exponential(times); at < duration; at += gap * exponential(times)) add(at)
  } else trace.forEach(add)
  return all
}

/** The clients of a run: one for each deployment, or one that a balancer sends to all of them. */
const clientsOf = (
  { perServer, through }: Candidate,
  setting: Setting,
  world: World,
  seed: number
): ReadonlyArray<Client.Client> => {
  const { processes } = setting
  const arrivals = arrivalsOf(setting, world, seed)
  const servers = arrivals.map((_, i) => serverOf(setting, world, i))
  if (perServer === undefined) {
    return servers.map((to, i) =>
      Client.make({ name: `calls of ${to.name}`, load: Load.trace(arrivals[i]!), to, through, processes })
    )
  }
  const to = Balancer.makeUnsafe({ endpoints: servers, key: ({ name }) => name })
  const load = Load.trace(arrivals.flat().toSorted((a, b) => a - b))
  return [Client.make({ load, to, through, perServer, processes })]
}

const sumOf = (all: ReadonlyArray<number>, from = 0, until = all.length): number => {
  let sum = 0
  for (let i = from; i < until; i++) sum += all[i]!
  return sum
}

const added = (all: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> =>
  Array.from({ length: intervals }, (_, i) => all.reduce((sum, one) => sum + one[i]!, 0))

/**
 * The parts from the end of the outage until the first one from which on calls succeed: of the next twenty calls that come, at least
 * nine in ten of those that succeeded before the outage.
 */
const partsUntilWell = (
  offered: ReadonlyArray<number>,
  succeeded: ReadonlyArray<number>,
  before: number,
  after: number
): number | undefined => {
  const usual = sumOf(offered, 0, before) === 0 ? 1 : sumOf(succeeded, 0, before) / sumOf(offered, 0, before)
  for (let i = after; i < intervals; i++) {
    let calls = 0
    let good = 0
    for (let j = i; j < intervals && calls < enough; j++) {
      calls += offered[j]!
      good += succeeded[j]!
    }
    // at the end of the run there are fewer; with none nothing is known
    if (calls > 0 && good > 0 && good >= well * usual * calls) return i - after
  }
  return undefined
}

/** Counts one stack over its runs. */
export class Measurement {
  readonly seen: Array<Seen> = []
  private readonly candidate: Candidate
  private readonly setting: Setting
  private readonly world: World
  private readonly latencies = new Histogram()
  private readonly offered = new Float64Array(intervals)
  private readonly succeeded = new Float64Array(intervals)
  private readonly sent = new Float64Array(intervals)
  private readonly parts = Array.from({ length: intervals / together }, () => new Histogram())

  constructor(candidate: Candidate, setting: Setting, world: World) {
    this.candidate = candidate
    this.setting = setting
    this.world = world
  }

  /** One run. */
  run(seed: number): void {
    const { candidate, setting, world } = this
    const { duration, outage, patience } = setting
    const interval = duration / intervals
    const succeeded = new Float64Array(intervals)
    const latencies = new Histogram()
    let late = 0
    const report = Simulation.run({
      clients: clientsOf(candidate, setting, world, seed),
      duration,
      interval,
      drain: 2 * patience,
      seed,
      listener: (event, at) => {
        if (event._tag !== "CallEnded" || event.exit._tag === "Failure") return
        const took = Duration.toMillis(event.duration)
        if (took > patience) return void late++
        // a duration is rounded, so that the first call may seem to begin before the run
        const part = Math.min(intervals - 1, Math.max(0, Math.floor((at - took) / interval)))
        succeeded[part]!++
        latencies.add(took)
        this.parts[Math.floor(part / together)]!.add(took)
      }
    })
    const { clients, servers } = report
    const offered = added(clients.map(({ series }) => series.offered))
    const sent = added(clients.map(({ series }) => series.attempts))
    const good = Array.from(succeeded)
    for (let i = 0; i < intervals; i++) {
      this.offered[i]! += offered[i]!
      this.succeeded[i]! += good[i]!
      this.sent[i]! += sent[i]!
    }
    this.latencies.merge(latencies.toData())
    const before = outage === null ? 0 : Math.floor(outage.from / interval)
    const after = outage === null ? 0 : Math.ceil(outage.until / interval)
    const parts = outage === null ? undefined : partsUntilWell(offered, good, before, after)
    this.seen.push({
      seed,
      offered: sumOf(offered),
      succeeded: sumOf(good),
      late,
      sent: clients.reduce((sum, { attempts }) => sum + attempts, 0),
      p50: latencies.observedQuantile(0.5) ?? 0,
      p99: latencies.observedQuantile(0.99) ?? 0,
      tokens: servers.reduce((sum, { tokens }) => sum + tokens.prompt + tokens.completion, 0),
      money: servers.reduce((sum, { money }) => sum + money, 0),
      refused: servers.reduce((sum, { refused }) => sum + (refused["quota"] ?? 0), 0),
      busy: servers.reduce<number | null>(
        (sum, { utilization }) => utilization === null ? null : sum! + utilization / servers.length,
        0
      ),
      atOnce: servers.reduce((sum, { series }) => sum + Math.max(0, ...series.inService), 0),
      failures: clients.reduce<Record<string, number>>((all, { failures }) => {
        for (const [reason, n] of Object.entries(failures)) all[reason] = (all[reason] ?? 0) + n
        return all
      }, {}),
      outage: outage === null ? null : {
        offered: sumOf(offered, before, after),
        succeeded: sumOf(good, before, after),
        sent: sumOf(sent, before, after),
        after: sumOf(offered, after)
      },
      recovers: parts === undefined ? null : parts * interval
    })
  }

  row(): Row {
    const { candidate: { code, name }, latencies, seen, setting: { duration } } = this
    const all = (of: (one: Seen) => number): number => seen.reduce((sum, one) => sum + of(one), 0)
    const offered = all((one) => one.offered)
    const succeeded = all((one) => one.succeeded)
    const perAnswer = (n: number): number => succeeded === 0 ? 0 : n / succeeded
    // where no call comes after the outage, nobody knows
    const recovered = seen.filter(({ outage }) => outage !== null && outage.after > 0)
      .map(({ recovers }) => recovers ?? Infinity).toSorted((a, b) => a - b)
    const median = recovered[Math.floor((recovered.length - 1) / 2)] ?? Infinity
    const points = Array.from({ length: intervals / together }, (_, i) => i * together)
    const part = (counts: Float64Array, from: number): number => sumOf(Array.from(counts), from, from + together)
    const length = duration * together / intervals * seen.length / 1000
    return {
      name,
      code,
      seen,
      success: offered === 0 ? 0 : succeeded / offered,
      p50: latencies.observedQuantile(0.5) ?? 0,
      p99: latencies.observedQuantile(0.99) ?? 0,
      sent: offered === 0 ? 0 : all((one) => one.sent) / offered,
      tokens: perAnswer(all((one) => one.tokens)),
      money: perAnswer(1000 * all((one) => one.money)),
      recovers: median === Infinity ? null : median,
      series: {
        success: points.map((from) =>
          part(this.offered, from) === 0 ? null : part(this.succeeded, from) / part(this.offered, from)
        ),
        sent: points.map((from) => part(this.sent, from) / length),
        p99: this.parts.map((latencies) => latencies.observedQuantile(0.99) ?? null)
      }
    }
  }
}
