import type { By } from "./contender.ts"
import { type Group, groups, type Row } from "./measure.ts"
import type { Weighed } from "./memory.ts"

export interface Results {
  readonly rows: ReadonlyArray<Row>
  /** `undefined` without the memory part. */
  readonly memory: ReadonlyArray<Weighed> | undefined
}

interface Target {
  readonly measure: string
  readonly atMost: number
  readonly unit: "x" | "B" | "s" | "us"
  /** How to measure it, or the policy without which it cannot be. */
  readonly by: ((results: Results) => number | undefined) | { readonly needs: string }
}

export interface Verdict {
  readonly measure: string
  readonly atMost: number
  readonly unit: Target["unit"]
  readonly measured: number | undefined
  readonly verdict: "met" | "missed" | "not measured" | `not yet: needs ${string}`
}

const ratio = (group: Group, subject: string, to: By) => ({ rows }: Results): number | undefined =>
  rows.find((row) => row.group === group && row.subject === subject)?.ratios[to]

const bytesOf = (subject: Weighed["subject"]) => ({ memory }: Results): number | undefined =>
  memory?.find((load) => load.subject === subject && load.by === "ours")?.bytes

const five = "total timeout + retry + breaker + bulkhead + attempt timeout"
const inFlight = "100,000 calls in flight through those five"

const targets: ReadonlyArray<Target> = [
  { measure: `${five}, to cockatiel's`, atMost: 0.25, unit: "x", by: { needs: "Bulkhead" } },
  { measure: `${five}, to Effect's own`, atMost: 0.2, unit: "x", by: { needs: "Bulkhead" } },
  { measure: "Pipelines.standard, to cockatiel's five", atMost: 0.18, unit: "x", by: { needs: "Pipelines" } },
  {
    measure: "retry + breaker + attempt timeout, to cockatiel's",
    atMost: 0.28,
    unit: "x",
    by: ratio(groups.asynchronous, "retry > breaker > attempt", "cockatiel")
  },
  {
    measure: "closed breaker, to opossum's",
    atMost: 1,
    unit: "x",
    by: ratio(groups.asynchronous, "breaker, share over time", "opossum")
  },
  { measure: "bulkhead, to opossum's breaker", atMost: 1, unit: "x", by: { needs: "Bulkhead" } },
  { measure: "rate limiter, to opossum's breaker", atMost: 1, unit: "x", by: { needs: "RateLimiter" } },
  {
    measure: "rejection by an open breaker, to cockatiel's",
    atMost: 0.1,
    unit: "x",
    by: ratio(groups.asynchronous, "breaker, rejection", "cockatiel")
  },
  { measure: `${inFlight}, heap of each over the bare call`, atMost: 3 * 1024, unit: "B", by: { needs: "Bulkhead" } },
  { measure: `${inFlight}, time to start them`, atMost: 1, unit: "s", by: { needs: "Bulkhead" } },
  { measure: "1,000 idle breakers by key, heap of each", atMost: 1024, unit: "B", by: bytesOf("idle breaker") },
  {
    measure: "Timeout.phases per element, to Stream.timeoutOrElse",
    atMost: 0.4,
    unit: "x",
    by: ratio(groups.elements, "timeout phases", "effect")
  },
  { measure: "those five per stream", atMost: 20, unit: "us", by: { needs: "Bulkhead" } }
]

export const judge = (results: Results): ReadonlyArray<Verdict> =>
  targets.map(({ atMost, by, measure, unit }) => {
    if (typeof by === "object") {
      return { measure, atMost, unit, measured: undefined, verdict: `not yet: needs ${by.needs}` }
    }
    const measured = by(results)
    const verdict = measured === undefined ? "not measured" : measured <= atMost ? "met" : "missed"
    return { measure, atMost, unit, measured, verdict }
  })
