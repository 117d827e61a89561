/** What the processes say of themselves: their health and their metrics. */
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import type { Worker } from "./crew.ts"

/** A sample of a metric: its value by name and labels, as Prometheus writes them. */
export type Samples = ReadonlyMap<string, number>

export interface Seen {
  readonly pid: number
  readonly status: "up" | "degraded" | "down" | "gone"
  /** The kinds and names of the policies that are not up. */
  readonly reasons: ReadonlyArray<string>
  readonly samples: Samples
}

interface Body {
  readonly status: "up" | "degraded" | "down"
  readonly reasons: ReadonlyArray<{ readonly kind: string; readonly name: string; readonly reason: string }>
}

const samplesOf = (text: string): Samples =>
  new Map(
    text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const end = line.lastIndexOf(" ")
      return [line.slice(0, end), Number(line.slice(end + 1))] as const
    })
  )

/** The sum of the samples of a metric that have all of these labels. */
export const sum = (samples: Samples, name: string, labels: Readonly<Record<string, string>> = {}): number => {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  let total = 0
  for (const [key, value] of samples) {
    const isIt = key === name || key.startsWith(`${name}{`)
    if (isIt && wanted.every((label) => key.includes(label))) total += value
  }
  return total
}

/** Asks one process. One that is gone is said to be. */
export const look = ({ pid, url }: Worker): Effect.Effect<Seen, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const http = yield* HttpClient.HttpClient
    const health = (yield* (yield* http.get(`${url}/health`)).json) as unknown as Body
    const samples = samplesOf(yield* (yield* http.get(`${url}/metrics`)).text)
    return {
      pid,
      status: health.status,
      reasons: health.reasons.map(({ kind, name, reason }) => `${kind} ${name}: ${reason}`),
      samples
    }
  }).pipe(
    Effect.timeout("5 seconds"),
    Effect.catch(() => Effect.succeed<Seen>({ pid, status: "gone", reasons: [], samples: new Map() }))
  )
