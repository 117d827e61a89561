import type { By } from "./contender.ts"
import { type ChartName, growth, type Line } from "./growth.ts"
import { bareSubject, type GroupName, median, netOf, ratioOf, type Row, rowOf } from "./measure.ts"
import type { Weighed } from "./memory.ts"
import { five, standard, type Subject, three } from "./subjects.ts"

export interface Results {
  readonly rows: ReadonlyArray<Row>
  /** `undefined` without the memory part. */
  readonly memory: ReadonlyArray<Weighed> | undefined
  /** `undefined` without the growth part. */
  readonly lines: ReadonlyArray<Line> | undefined
}

interface Place {
  readonly group: GroupName | "memory" | ChartName
  readonly subject: string
}

interface Target {
  readonly measure: string
  /** The row of ours that it is about. */
  readonly place: Place
  /** What ours is compared with, in a word. */
  readonly to: string
  readonly atMost: number
  readonly unit: "x" | "B"
  readonly measured: (results: Results) => number | undefined
}

export interface Verdict extends Omit<Target, "measured"> {
  readonly measured: number | undefined
  readonly verdict: "met" | "missed" | "not measured"
}

type Cell = readonly [group: GroupName, subject: string, by: By]

const gross = (rows: ReadonlyArray<Row>, [group, subject, by]: Cell) => rowOf(rows, group, subject)?.rounds[by]

const net = (rows: ReadonlyArray<Row>, [group, subject, by]: Cell) => netOf(rows, group, subject, by)

const ratio = (of: typeof gross, one: Cell, other: Cell) => ({ rows }: Results): number | undefined => {
  const [ones, others] = [of(rows, one), of(rows, other)]
  return ones === undefined || others === undefined ? undefined : ratioOf(ones, others)
}

/** A target in multiples of another's time, in the rows with an asynchronous callee. */
const beside = (
  measure: string,
  subject: Subject,
  by: By,
  to: string,
  atMost: number,
  otherSubject: Subject = subject
): Target => ({
  measure: `${measure}, to ${to}`,
  place: { group: "asynchronous", subject },
  to,
  atMost,
  unit: "x",
  measured: ratio(gross, ["asynchronous", subject, "ours"], ["asynchronous", otherSubject, by])
})

/** What ours takes beyond the bare one, as a multiple of the bare one. */
const beyondBare = (measure: string, group: GroupName, subject: string, atMost: number): Target => ({
  measure: `${measure}, what it adds to bare`,
  place: { group, subject },
  to: "bare added",
  atMost,
  unit: "x",
  measured: ({ rows }) => {
    const added = net(rows, [group, subject, "ours"])
    const bare = gross(rows, [group, bareSubject, "bare"])
    return added === undefined || bare === undefined ? undefined : median(added.map((ns, round) => ns / bare[round]!))
  }
})

const grows = (
  measure: string,
  chart: ChartName,
  line: string,
  size: number,
  other: { readonly line?: string; readonly size?: number },
  to: string,
  atMost: number
): Target => ({
  measure,
  place: { group: chart, subject: line },
  to,
  atMost,
  unit: "x",
  measured: ({ lines }) => growth(lines, { chart, line, size }, { chart, line, size, ...other })
})

const weighs = (
  measure: string,
  subject: Weighed["subject"],
  of: "bytes" | "overBare" | "startOverBare",
  to: string,
  atMost: number
): Target => ({
  measure,
  place: { group: "memory", subject },
  to,
  atMost,
  unit: of === "startOverBare" ? "x" : "B",
  measured: ({ memory }) => memory?.find((load) => load.subject === subject && load.by === "ours")?.[of]
})

const asIs = "cockatiel as is"
const tuned = "cockatiel tuned"
const opossums = "opossum's breaker"
const overTime = "breaker, share over time"
const slow = "breaker, share of slow calls"

const targets: ReadonlyArray<Target> = [
  beside("the five", five, "cockatielAsIs", asIs, 0.18),
  beside("the five", five, "cockatiel", tuned, 0.5),
  beside("the five", five, "effect", "Effect", 0.08),
  beside("attempt timeout", "attempt timeout", "cockatiel", tuned, 0.75),
  beside("the three", three, "cockatielAsIs", asIs, 0.22),
  beside("the three", three, "cockatiel", tuned, 0.55),
  beside(standard, standard, "cockatiel", `${tuned}, its five`, 0.58, five),
  {
    measure: "closed breaker over time, net, to opossum's net",
    place: { group: "asynchronous", subject: overTime },
    to: "opossum, net",
    atMost: 1,
    unit: "x",
    measured: ratio(net, ["asynchronous", overTime, "ours"], ["asynchronous", overTime, "opossum"])
  },
  beside("bulkhead", "bulkhead", "opossum", opossums, 0.9, overTime),
  {
    measure: "rejection by an open breaker, to cockatiel",
    place: { group: "rejections", subject: "open breaker" },
    to: "cockatiel",
    atMost: 0.11,
    unit: "x",
    measured: ratio(gross, ["rejections", "open breaker", "ours"], ["rejections", "open breaker", "cockatiel"])
  },
  grows("10,000 in flight through the five, to bare", "in flight", five, 10_000, { line: "bare" }, "bare", 6),
  weighs("100,000 in flight through the five, heap of each over bare", five, "overBare", "over bare", 1024),
  weighs("100,000 in flight through the five, time to start, to bare", five, "startOverBare", "bare to start", 10),
  grows("10,000 keys used in turn, to 10 keys", "keys", "Keyed", 10_000, { size: 10 }, "10 keys", 2),
  grows("slow-rate breaker at 10,000 in flight, to 100", "in flight", slow, 10_000, { size: 100 }, "100", 1.5),
  grows(
    "attempt timeout of a caller with 10,000 children, to none",
    "children",
    "attempt timeout",
    10_000,
    { size: 0 },
    "none",
    1.5
  ),
  {
    measure: "the three with metrics, to without",
    place: { group: "telemetry", subject: "metrics" },
    to: "bare",
    atMost: 1.9,
    unit: "x",
    measured: ratio(gross, ["telemetry", "metrics", "ours"], ["telemetry", bareSubject, "bare"])
  },
  beyondBare("a stream of the five", "streams", five, 4),
  beyondBare("an HTTP body through the three", "http", "retry > breaker > attempt, whole body", 0.86),
  weighs("1,000 idle breakers by key, heap of each", "idle breaker", "bytes", "", 1024),
  weighs("1,000 idle keys with a breaker, heap of each", "idle key with a breaker", "bytes", "", 1024),
  {
    measure: "Timeout.phases per element, to Stream.timeoutOrElse",
    place: { group: "elements", subject: "timeout phases" },
    to: "Effect",
    atMost: 0.4,
    unit: "x",
    measured: ratio(gross, ["elements", "timeout phases", "ours"], ["elements", "timeout phases", "effect"])
  }
]

const verdictOn = (results: Results) => ({ measured: measure, ...target }: Target): Verdict => {
  const measured = measure(results)
  const verdict = measured === undefined ? "not measured" : measured <= target.atMost ? "met" : "missed"
  return { ...target, measured, verdict }
}

export const judge = (results: Results): ReadonlyArray<Verdict> => targets.map(verdictOn(results))
