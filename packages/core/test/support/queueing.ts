import { type Algorithm, Window } from "../../src/kernel/adaptiveLimit.ts"

/** A callee with so many workers. Calls that find none wait there, or are dropped. */
export interface Model {
  /** how many workers there are then, in seconds */
  readonly workers: (second: number) => number
  readonly full: "waits" | "drops"
  /** the mean time of a call in milliseconds, exponential */
  readonly service: number
  /** calls per second, Poisson */
  readonly arrivals: (second: number) => number
  readonly window?: { readonly within: number; readonly minCalls: number; readonly dropRatio: number }
}

interface InService {
  readonly end: number
  readonly began: number
  readonly inUse: number
  readonly dropped: boolean
}

/** A pseudo-random number generator of 32 bits (mulberry32). */
export const seeded = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

/** Runs the model behind a limit in virtual time. Gives the average limit of each second, and the calls that were answered in it. */
export const run = (
  algorithm: Algorithm,
  model: Model,
  seconds: number,
  seed: number
): ReadonlyArray<{ readonly limit: number; readonly answered: number }> => {
  const random = seeded(seed)
  const exponential = (mean: number) => -Math.log(1 - random()) * mean
  const window = new Window(model.window ?? { within: 1000, minCalls: 10, dropRatio: 0.1 })
  const serving: Array<InService> = []
  const queue: Array<{ readonly began: number; readonly inUse: number }> = []
  const result = Array.from({ length: seconds }, () => ({ limit: 0, answered: 0 }))
  let inUse = 0
  let busy = 0
  let arrival = 0
  let next = -1
  let last = 0
  const add = (call: InService): void => {
    if (next < 0 || call.end < serving[next]!.end) next = serving.length
    serving.push(call)
  }
  const serve = (began: number, inUse: number, now: number): void => {
    busy++
    add({ began, inUse, end: now + exponential(model.service), dropped: false })
  }
  while (true) {
    const done = next >= 0 && serving[next]!.end <= arrival ? serving[next]! : undefined
    const now = done?.end ?? arrival
    const second = Math.floor(now / 1000)
    for (; last <= second && last < seconds; last++) result[last]!.limit = algorithm.limit
    if (second >= seconds) return result
    const workers = model.workers(now / 1000)
    if (done === undefined) {
      arrival = now + exponential(1000 / model.arrivals(now / 1000))
      if (inUse >= algorithm.limit) continue
      inUse++
      if (busy < workers) serve(now, inUse, now)
      else if (model.full === "waits") queue.push({ began: now, inUse })
      else add({ began: now, inUse, end: now + 1, dropped: true })
      continue
    }
    serving.splice(next, 1)
    next = serving.reduce((least, { end }, i) => least < 0 || end < serving[least]!.end ? i : least, -1)
    inUse--
    if (!done.dropped) {
      busy--
      result[second]!.answered++
      for (let free = workers - busy; free > 0 && queue.length > 0; free--) {
        const { began, inUse } = queue.shift()!
        serve(began, inUse, now)
      }
    }
    const time = done.dropped ? undefined : now - done.began
    const sample = window.add(now, { time, inUse: done.inUse }, algorithm.limit)
    if (sample !== undefined) algorithm.update(sample, random)
  }
}
