// One client in a process of its own: measures what the message asks for, and sends back the figures.
import process from "node:process"
import { type ClientName, clients } from "./clients.ts"

export interface Task {
  readonly client: ClientName
  readonly url: string
  readonly what: "calls" | "brief" | "stream" | "memory" | "concurrent"
  readonly size: number
}

export interface Figures {
  /** milliseconds of CPU time, user and system */
  readonly cpu: number
  /** bytes; only of `memory` */
  readonly growth: number
  /** how many of what was asked for came */
  readonly done: number
}

const prompt = (tokens: number): string => `${tokens} tokens`

const cpuOf = async (work: () => Promise<number>): Promise<{ readonly cpu: number; readonly done: number }> => {
  const before = process.cpuUsage()
  const done = await work()
  const { system, user } = process.cpuUsage(before)
  return { cpu: (user + system) / 1000, done }
}

const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/* oxlint-disable no-await-in-loop -- nothing else may run while something is measured */
const run = async ({ client: name, size, url, what }: Task): Promise<Figures> => {
  const client = clients[name](url)
  const streamed = async (tokens: number): Promise<number> => (await client.stream(prompt(tokens)))[0]
  try {
    // warm: the code is compiled, the connection made
    for (let i = 0; i < 30; i++) {
      await client.call(prompt(10))
      await streamed(200)
    }
    if (what === "calls" || what === "brief") {
      const budget = what === "brief" ? 500 : undefined
      for (let i = 0; i < 500; i++) await client.call(prompt(10), budget)
      const figures = await cpuOf(async () => {
        let done = 0
        for (let i = 0; i < size; i++) if (await client.call(prompt(10), budget) > 0) done++
        return done
      })
      return { ...figures, growth: 0 }
    }
    if (what === "stream") {
      for (let i = 0; i < 3; i++) await streamed(20_000)
      return { ...await cpuOf(() => streamed(size)), growth: 0 }
    }
    if (what === "concurrent") {
      const figures = await cpuOf(async () => {
        const all = await Promise.allSettled(Array.from({ length: size }, () => streamed(50)))
        return all.filter((result) => result.status === "fulfilled" && result.value === 50).length
      })
      return { ...figures, growth: 0 }
    }
    const before = heap()
    let most = 0
    const watch = setInterval(() => most = Math.max(most, heap() - before), 50)
    const done = await streamed(size)
    clearInterval(watch)
    return { cpu: 0, done, growth: Math.max(most, 0) }
  } finally {
    await client.close()
  }
}

process.once("message", (task: Task) => {
  void run(task).then((figures) => {
    process.send!(figures)
    process.disconnect()
  })
})
