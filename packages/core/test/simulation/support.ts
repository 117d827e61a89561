import { Client, Load, type Report, Server, Simulation, Times } from "../../src/simulation/index.ts"

type Made<F extends (options: any) => unknown> = Partial<Parameters<F>[0]>

export const server = (options: Made<typeof Server.make> = {}): Server.Server =>
  Server.make({ name: "server", times: Times.constant("10 millis"), ...options })

/** The report of one client and one server. */
export const run = (
  { client, server: one, ...options }:
    & { readonly client?: Made<typeof Client.make>; readonly server?: Made<typeof Server.make> }
    & Partial<Omit<Simulation.Options, "clients">>
): { readonly client: Report.ClientReport; readonly server: Report.ServerReport; readonly report: Report.Report } => {
  const made = Client.make({ load: Load.poisson({ perSecond: 100 }), to: server(one), ...client })
  const report = Simulation.run({ clients: [made], duration: "60 seconds", ...options })
  return { client: report.clients[0]!, server: report.servers[0]!, report }
}

export const sum = (counts: ReadonlyArray<number>, from = 0, to = Infinity): number =>
  counts.slice(from, to).reduce((total, n) => total + n, 0)
