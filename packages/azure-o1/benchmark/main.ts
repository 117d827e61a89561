// What the client costs, beside `openai` and `@ai-sdk/azure`, against the same server on loopback: each client and the server
// in a process of its own, CPU time of the client's only. `--rounds N` (default 3), `--quick` (a tenth
// of everything), `--only calls|brief|stream|memory|concurrent`, `--json FILE`.
import { fork } from "node:child_process"
import { writeFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import process from "node:process"
import { parseArgs } from "node:util"
import { type ClientName, clients } from "./clients.ts"
import type { Figures, Task } from "./worker.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    json: { type: "string" }
  }
})
const rounds = Number(values.rounds)
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  console.error(`--rounds must be an integer >= 1, got ${values.rounds}`)
  process.exit(1)
}

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
const tasks = {
  calls: 1000 * scale,
  brief: 1000 * scale,
  stream: 400_000 * scale,
  memory: 200_000 * scale,
  concurrent: 5000 * scale
}

const kinds = (Object.keys(tasks) as Array<Task["what"]>).filter((what) =>
  values.only === undefined || values.only === what
)
if (kinds.length === 0) {
  console.error(`--only must be one of ${Object.keys(tasks).join(", ")}, got ${values.only}`)
  process.exit(1)
}

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
    "ours to its": ratio(name, "calls").toFixed(2)
  }),
  brief: (name, { cpu, done }) => ({
    "with a budget of 500": `${(cpu / done).toFixed(2)} ms`,
    "ours to that": ratio(name, "brief").toFixed(2)
  }),
  stream: (name, { cpu, done }) => ({
    "tokens per CPU-second": `${Math.round(done / cpu)}k`,
    "ours to it": (1 / ratio(name, "stream")).toFixed(2),
    "tokens that came": `${done} of ${tasks.stream}`
  }),
  memory: (_, { growth }) => ({ [`heap over ${tasks.memory} tokens`]: `+${(growth / 1e6).toFixed(1)} MB` }),
  concurrent: (_, { done }) => ({ [`${tasks.concurrent} streams at once`]: `${done} complete` })
}
const table = names.map((client) =>
  Object.assign({ client }, ...kinds.map((what) => columns[what](client, results[client][what]!)))
)
const environment = {
  node: process.version,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism()
}
console.log(`Node ${environment.node}, ${environment.cpu}, ${environment.cores} cores; rounds: ${rounds}\n`)
console.table(Object.fromEntries(table.map(({ client, ...row }) => [client, row])))
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ environment, rounds, tasks, results }, null, 2)}\n`)
}
