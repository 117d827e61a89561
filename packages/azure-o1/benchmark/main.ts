// What the client costs, beside `openai` and `@ai-sdk/azure`, against the same server on loopback: each client and the server
// in a process of its own, CPU time of the client's only. See `--help`.
import { fork } from "node:child_process"
import { writeFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import process from "node:process"
import { numberOf, read, refuse } from "./arguments.ts"
import { type ClientName, clients } from "./clients.ts"
import type { Figures, Task } from "./worker.ts"

const scales = { calls: 1000, brief: 1000, stream: 400_000, memory: 200_000, concurrent: 5000 }

const values = read(
  `npm run bench:o1 [-- OPTION...]

Measures the CPU time and the memory of azure-o1, openai and @ai-sdk/azure
against the same server. Three rounds take about three minutes.

  --rounds N     so many rounds; the median of them counts (3)
  --quick        a tenth of everything, to see that it runs
  --only NAME    one part: ${Object.keys(scales).join(", ")}
  --json FILE    the results as JSON`,
  {
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    json: { type: "string" }
  }
)
const rounds = numberOf("rounds", values.rounds, 1)
const kinds = (Object.keys(scales) as Array<Task["what"]>).filter((what) =>
  values.only === undefined || values.only === what
)
if (kinds.length === 0) refuse(`--only must be one of ${Object.keys(scales).join(", ")}, got "${values.only}"`)

const beside = (file: string): string => new URL(file, import.meta.url).pathname
const server = fork(beside("server.ts"))
const url = await new Promise<string>((resolve) => server.once("message", (url) => resolve(url as string)))

const measureOnce = (task: Omit<Task, "url">): Promise<Figures> =>
  new Promise((resolve, reject) => {
    const worker = fork(beside("worker.ts"), { execArgv: ["--expose-gc"] })
    let figures: Figures | undefined
    worker.once("message", (message) => figures = message as Figures)
    worker.once("exit", (code) => {
      if (figures === undefined) reject(new Error(`${task.client} ${task.what} ended with ${code}`))
      else resolve(figures)
    })
    worker.send({ ...task, url })
  })

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

const names = Object.keys(clients) as ReadonlyArray<ClientName>
const scale = values.quick ? 0.1 : 1
const tasks = Object.fromEntries(
  Object.entries(scales).map(([what, size]) => [what, size * scale])
) as Record<Task["what"], number>

type Results = Record<ClientName, Partial<Record<Task["what"], Figures>>>

/* oxlint-disable no-await-in-loop -- nothing else may run while something is measured */
const results = Object.fromEntries(names.map((name) => [name, {}])) as Results
for (const what of kinds) {
  const all = new Map<ClientName, Array<Figures>>(names.map((name) => [name, []]))
  // the clients take turns, so that what else the machine has to do hits all of them
  for (let round = 0; round < rounds; round++) {
    for (const client of names) {
      console.error(`${what}, round ${round + 1}: ${client} ...`)
      all.get(client)!.push(await measureOnce({ client, what, size: tasks[what] }))
    }
  }
  for (const client of names) {
    const figures = all.get(client)!
    results[client][what] = {
      cpu: median(figures.map(({ cpu }) => cpu)),
      growth: median(figures.map(({ growth }) => growth)),
      done: Math.min(...figures.map(({ done }) => done))
    }
  }
}
server.disconnect()

/** How many times as much CPU time of ours is in one of what came. */
const ratio = (name: ClientName, what: Task["what"]): number => {
  const each = ({ cpu, done }: Figures): number => cpu / done
  return each(results["azure-o1"][what]!) / each(results[name][what]!)
}
const columns: Record<Task["what"], (name: ClientName, figures: Figures) => Record<string, string>> = {
  calls: (name, { cpu, done }) => ({
    "CPU per call": `${(cpu / done).toFixed(2)} ms`,
    "azure-o1 to it, per call": ratio(name, "calls").toFixed(2)
  }),
  brief: (name, { cpu, done }) => ({
    "CPU with a budget of 500": `${(cpu / done).toFixed(2)} ms`,
    "azure-o1 to it, of 500": ratio(name, "brief").toFixed(2)
  }),
  stream: (name, { cpu, done }) => ({
    "tokens per CPU-second": `${Math.round(done / cpu)}k`,
    "azure-o1 to it, tokens": (1 / ratio(name, "stream")).toFixed(2),
    "tokens that came": `${done}`
  }),
  memory: (_, { growth }) => ({ [`heap over ${tasks.memory} tokens`]: `+${(growth / 1e6).toFixed(1)} MB` }),
  concurrent: (_, { done }) => ({ [`${tasks.concurrent} streams at once`]: `${done} complete` })
}
// a row per figure and a column per client fits 80 columns
const figures: Record<string, Record<string, string>> = {}
for (const client of names) {
  for (const what of kinds) {
    for (const [name, figure] of Object.entries(columns[what](client, results[client][what]!))) {
      figures[name] = { ...figures[name], [client]: figure }
    }
  }
}
const environment = {
  node: process.version,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism()
}
console.log(`Node ${environment.node}, ${environment.cpu}, ${environment.cores} cores; rounds: ${rounds}\n`)
console.table(figures)
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ environment, rounds, tasks, results }, null, 2)}\n`)
}
const compared: Partial<Record<Task["what"], () => string>> = {
  calls: () => `${ratio("openai", "calls").toFixed(2)} of its CPU time per call`,
  brief: () => `${ratio("openai", "brief").toFixed(2)} of it with a budget of 500`,
  stream: () => `${(1 / ratio("openai", "stream")).toFixed(1)} times its tokens per CPU-second`
}
const told = kinds.flatMap((what) => compared[what]?.() ?? [])
const verdict = told.length === 0 ? "all clients got all of their answers" : `beside openai, ${told.join(", ")}`
console.log(`\nbench:o1: ${verdict}${values.quick ? "; quick figures say little" : ""}`)
