import type { By } from "./contender.ts"
import { type GroupName, ratioOf, type Row } from "./measure.ts"
import type { Weighed } from "./memory.ts"
import { five, standard, type Subject, three } from "./subjects.ts"

export interface Results {
  readonly rows: ReadonlyArray<Row>
  /** `undefined` without the memory part. */
  readonly memory: ReadonlyArray<Weighed> | undefined
}

interface Place {
  readonly group: GroupName | "memory"
  readonly subject: string
}

interface Target {
  readonly measure: string
  /** The row of ours that it is about. */
  readonly place: Place
  /** What ours is compared with, in a word. */
  readonly to: string
  readonly atMost: number
  readonly unit: "x" | "B" | "s" | "us"
  readonly measured: (results: Results) => number | undefined
}

export interface Verdict extends Omit<Target, "measured"> {
  readonly measured: number | undefined
  readonly verdict: "met" | "missed" | "not measured"
}

const rowOf = ({ rows }: Results, { group, subject }: Place): Row | undefined =>
  rows.find((row) => row.group === group && row.subject === subject)

/** Ours in one row as a multiple of another in the same or another row, round by round. */
const ratio = (place: Place, by: By, otherSubject = place.subject) => (results: Results): number | undefined => {
  const ours = rowOf(results, place)?.rounds.ours
  const other = rowOf(results, { group: place.group, subject: otherSubject })?.rounds[by]
  return ours === undefined || other === undefined ? undefined : ratioOf(ours, other)
}

/** A target in multiples of another's time, in the rows with an asynchronous callee. */
const beside = (
  measure: string,
  subject: Subject,
  by: By,
  to: string,
  atMost: number,
  otherSubject?: Subject
): Target => {
  const place: Place = { group: "asynchronous", subject }
  return { measure: `${measure}, to ${to}`, place, to, atMost, unit: "x", measured: ratio(place, by, otherSubject) }
}

const weighed = (subject: Weighed["subject"], f: (weighed: Weighed) => number | undefined) => ({ memory }: Results) => {
  const ours = memory?.find((load) => load.subject === subject && load.by === "ours")
  return ours === undefined ? undefined : f(ours)
}

const asIs = "cockatiel as is"
const cheapest = "cockatiel"
const opossum = "opossum's breaker"
const opossumsBreaker = "breaker, share over time"

const inFlight: Place = { group: "memory", subject: five }
const idleBreaker: Place = { group: "memory", subject: "idle breaker" }
const openBreaker: Place = { group: "rejections", subject: "open breaker" }
const phases: Place = { group: "elements", subject: "timeout phases" }
const perStream: Place = { group: "streams", subject: five }

const targets: ReadonlyArray<Target> = [
  beside("the five", five, "cockatielAsIs", asIs, 0.25),
  beside("the five", five, "cockatiel", cheapest, 0.25),
  beside("the five", five, "effect", "Effect", 0.2),
  beside(standard, standard, "cockatielAsIs", `${asIs}, its five`, 0.18, five),
  beside(standard, standard, "cockatiel", `${cheapest}, its five`, 0.18, five),
  beside("the three", three, "cockatielAsIs", asIs, 0.28),
  beside("the three", three, "cockatiel", cheapest, 0.28),
  beside("closed breaker", opossumsBreaker, "opossum", "opossum", 1),
  beside("bulkhead", "bulkhead", "opossum", opossum, 1, opossumsBreaker),
  beside("limiter", "limiter, token bucket", "opossum", opossum, 1, opossumsBreaker),
  {
    measure: "rejection by an open breaker, to cockatiel",
    place: openBreaker,
    to: "cockatiel",
    atMost: 0.1,
    unit: "x",
    measured: ratio(openBreaker, "cockatiel")
  },
  {
    measure: "100,000 calls in flight through the five, heap of each over the bare call",
    place: inFlight,
    to: "over the bare call",
    atMost: 3 * 1024,
    unit: "B",
    measured: weighed(five, ({ overBare }) => overBare)
  },
  {
    measure: "the same, time to start them",
    place: inFlight,
    to: "",
    atMost: 1,
    unit: "s",
    measured: weighed(five, ({ millis }) => millis / 1000)
  },
  {
    measure: "1,000 idle breakers by key, heap of each",
    place: idleBreaker,
    to: "",
    atMost: 1024,
    unit: "B",
    measured: weighed("idle breaker", ({ bytes }) => bytes)
  },
  {
    measure: "Timeout.phases per element, to Stream.timeoutOrElse",
    place: phases,
    to: "Effect",
    atMost: 0.4,
    unit: "x",
    measured: ratio(phases, "effect")
  },
  {
    measure: "the five per stream",
    place: perStream,
    to: "",
    atMost: 20,
    unit: "us",
    measured: (results) => {
      const ns = rowOf(results, perStream)?.ns.ours
      return ns === undefined ? undefined : ns / 1000
    }
  }
]

const verdictOn = (results: Results) => ({ measured: measure, ...target }: Target): Verdict => {
  const measured = measure(results)
  const verdict = measured === undefined ? "not measured" : measured <= target.atMost ? "met" : "missed"
  return { ...target, measured, verdict }
}

export const judge = (results: Results): ReadonlyArray<Verdict> => targets.map(verdictOn(results))
