import type { ClientReport, Compared, Report, ServerReport, Spread } from "./reportModel.ts"
import { estimateOf, meanOf } from "./statistics.ts"

/** The end of what went wrong, in milliseconds, and when a client is well again. */
export interface Recovery {
  readonly after: number
  readonly share: number
  readonly intervals: number
}

export const recoveryOf = (
  { series: { offered, succeeded } }: ClientReport,
  interval: number,
  { after, intervals, share }: Recovery
): number | undefined => {
  for (let i = Math.ceil(after / interval), row = 0; i < offered.length; i++) {
    row = succeeded[i]! >= share * offered[i]! ? row + 1 : 0
    if (row === intervals) return (i - intervals + 1) * interval - after
  }
  return undefined
}

const spreadOf = (all: ReadonlyArray<ReadonlyArray<number | null>>): Spread => {
  const known = all[0]!.map((_, i) => all.map((series) => series[i] ?? null).filter((value) => value !== null))
  const of = (f: (values: ReadonlyArray<number>) => number): ReadonlyArray<number | null> =>
    known.map((values) => values.length === 0 ? null : f(values))
  return { mean: of(meanOf), low: of((values) => Math.min(...values)), high: of((values) => Math.max(...values)) }
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

/** What the reports of one stack come to. `clients` has the client of each report that is looked at. */
export const comparedOf = (
  name: string,
  reports: ReadonlyArray<Report>,
  clients: ReadonlyArray<ClientReport>,
  recovery: Recovery | undefined
): Compared => {
  const { duration, interval } = reports[0]!
  const ofClients = (f: (client: ClientReport) => number) => estimateOf(clients.map(f))
  const ofServers = (f: (server: ServerReport) => number) =>
    estimateOf(reports.map(({ servers }) => sum(servers.map(f))))
  /** of the seeds in which something succeeded */
  const latency = (q: "p50" | "p95" | "p99") => {
    const known = clients.filter(({ latency }) => latency.count > 0)
    return estimateOf(known.length === 0 ? [0] : known.map(({ latency }) => latency[q]))
  }
  const over = (row: keyof Compared["series"]) => spreadOf(clients.map(({ series }) => series[row]))
  return {
    name,
    seeds: reports.map(({ seed }) => seed),
    offered: ofClients(({ offered }) => offered),
    success: ofClients(({ success }) => success),
    goodput: ofClients(({ succeeded }) => succeeded * 1000 / duration),
    amplification: ofClients(({ amplification }) => amplification),
    p50: latency("p50"),
    p95: latency("p95"),
    p99: latency("p99"),
    ...recovery && { recovery: clients.map((client) => recoveryOf(client, interval, recovery) ?? null) },
    requests: ofServers(({ arrived }) => arrived),
    wasted: ofServers(({ wasted }) => wasted),
    refused: ofServers(({ refused }) => sum(Object.values(refused))),
    tokens: ofServers(({ tokens }) => tokens.prompt + tokens.completion),
    money: ofServers(({ money }) => money),
    series: {
      offered: over("offered"),
      succeeded: over("succeeded"),
      p50: over("p50"),
      p95: over("p95"),
      p99: over("p99")
    }
  }
}
