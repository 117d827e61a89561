// What the client costs, beside `openai` and `@ai-sdk/azure`, against the same server on loopback: each client and the server
// in a process of its own, CPU time of the client's only. `--rounds N` (default 3), `--quick` (a tenth
// of everything), `--json FILE`.
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
const tasks = { calls: 1000 * scale, stream: 400_000 * scale, memory: 200_000 * scale, concurrent: 5000 * scale }

/* oxlint-disable no-await-in-loop -- nothing else may run while something is measured */
const results: Partial<Record<ClientName, Record<Task["what"], Figures>>> = {}
for (const client of names) {
  const of = async (what: Task["what"]): Promise<Figures> => {
    console.error(`${client}: ${what} ...`)
    const all: Array<Figures> = []
    for (let round = 0; round < rounds; round++) all.push(await measureOnce({ client, what, size: tasks[what] }))
    return {
      cpu: median(all.map(({ cpu }) => cpu)),
      growth: median(all.map(({ growth }) => growth)),
      done: Math.min(...all.map(({ done }) => done))
    }
  }
  results[client] = {
    calls: await of("calls"),
    stream: await of("stream"),
    memory: await of("memory"),
    concurrent: await of("concurrent")
  }
}
server.disconnect()

const own = results["azure-o1"]!
const perSecond = ({ cpu, done }: Figures): number => done / cpu * 1000
const table = names.map((name) => {
  const { calls, concurrent, memory, stream } = results[name]!
  return {
    client: name,
    "CPU per call": `${(calls.cpu / calls.done).toFixed(2)} ms`,
    "to ours": (calls.cpu / own.calls.cpu).toFixed(2),
    "tokens per CPU-second": Math.round(perSecond(stream) / 1000) + "k",
    "ours to it": (perSecond(own.stream) / perSecond(stream)).toFixed(2),
    [`heap over ${tasks.memory} tokens`]: `+${(memory.growth / 1e6).toFixed(1)} MB`,
    [`${tasks.concurrent} streams at once`]: `${concurrent.done} complete`,
    "tokens that came": `${stream.done} of ${tasks.stream}`
  }
})
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
