import type { By, PerContender } from "./contender.ts"
import { bareSubject, type GroupName, groups, type Row } from "./measure.ts"
import type { Weighed } from "./memory.ts"
import type { Cell, Table } from "./table.ts"
import type { Results, Verdict } from "./targets.ts"

const label: { readonly [K in By]: string } = {
  bare: "bare",
  promise: "promise",
  ours: "ours",
  effect: "Effect",
  cockatiel: "cockatiel",
  cockatielAsIs: "cockatiel as is",
  opossum: "opossum",
  pRetry: "p-retry"
}

const rivals: ReadonlyArray<By> = ["effect", "cockatiel", "cockatielAsIs", "opossum", "pRetry"]

const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

const times = (ratio: number): string => `${ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2)}x`

const units: { readonly [U in Verdict["unit"]]: (value: number) => string } = {
  x: times,
  B: (bytes) => `${whole(bytes)} B`,
  s: (seconds) => `${seconds.toFixed(2)} s`,
  us: (micros) => `${micros.toFixed(1)} us`
}

const none: Cell = { text: "-", style: "dim" }

const cell = (value: number | undefined, format: (value: number) => string): Cell =>
  value === undefined ? none : { text: format(value) }

const styles = { "met": "green", "missed": "red", "not measured": "dim" } as const

/** What is bare where it is not the call, the element or the stream alone. */
const what: { readonly [G in GroupName]: string } = {
  asynchronous: "",
  synchronous: "",
  rejections: "asynchronous callee, which is not called; bare is a call that fails and is caught; ",
  crowd: "asynchronous callee; ",
  runPromise: "",
  telemetry: "asynchronous callee; bare is the same stack with nobody who listens; ",
  http: "a stub that answers at once, the body read by the caller; ",
  elements: "",
  streams: ""
}

/** What the targets say about one row of ours. */
const targetCell = (verdicts: ReadonlyArray<Verdict>, group: Verdict["place"]["group"], subject: string): Cell => {
  const here = verdicts.filter(({ place }) => place.group === group && place.subject === subject)
  const text = here.map(({ atMost, to, unit, verdict }) =>
    [units[unit](atMost), to, verdict].join(" ").replace("  ", " ")
  )
  return here.some(({ verdict }) => verdict === "missed") ?
    { text: text.join(", "), style: styles.missed } :
    { text: text.join(", "), style: styles.met }
}

const present = <A>(rows: ReadonlyArray<PerContender<A>>): ReadonlyArray<By> =>
  rivals.filter((by) => rows.some((row) => row[by] !== undefined))

const groupTable = (group: GroupName, all: ReadonlyArray<Row>, verdicts: ReadonlyArray<Verdict>): Table => {
  const { ns, unit } = all.find(({ subject }) => subject === bareSubject)!
  const rows = all.filter(({ subject }) => subject !== bareSubject)
  const others = present(rows.map(({ ns }) => ns))
  const awaited = ns.promise === undefined ? "" : `, awaited without Effect ${whole(ns.promise)} ns`
  const targets = rows.map(({ subject }) => targetCell(verdicts, group, subject))
  const withTargets = targets.some(({ text }) => text !== "")
  return {
    title: groups[group],
    note: `${what[group]}nanoseconds per ${unit}; bare ${whole(ns.bare!)} ns${awaited}`,
    head: [
      "",
      "ours",
      "to bare",
      ...others.map((by) => `${label[by]} (ours to it)`),
      ...withTargets ? ["target: at most"] : []
    ],
    rows: rows.map(({ ns, ratios, subject }, i) =>
      [
        { text: subject },
        cell(ns.ours, whole),
        cell(ratios.bare, times),
        others.map((by) => ns[by] === undefined ? none : { text: `${whole(ns[by])} (${times(ratios[by]!)})` }),
        withTargets ? targets[i]! : []
      ].flat()
    ),
    words: withTargets ? [0, 3 + others.length] : [0]
  }
}

const memoryTable = (memory: ReadonlyArray<Weighed>, verdicts: ReadonlyArray<Verdict>): Table => ({
  title: "calls in flight, and what is idle by key",
  head: ["", "", "number", "heap each", "over bare", "time for all", "target: at most"],
  rows: memory.map(({ by, bytes, count, millis, overBare, signals, subject }) => [
    { text: subject },
    { text: signals ? `${label[by]}, a signal each` : label[by] },
    { text: whole(count) },
    { text: units.B(bytes) },
    cell(overBare, units.B),
    { text: `${whole(millis)} ms` },
    by === "ours" ? targetCell(verdicts, "memory", subject) : { text: "" }
  ]),
  words: [0, 1, 6]
})

const targetTable = (verdicts: ReadonlyArray<Verdict>): Table => ({
  title: "targets",
  head: ["", "at most", "measured", ""],
  rows: verdicts.map(({ atMost, measure, measured, unit, verdict }) => [
    { text: measure },
    { text: units[unit](atMost) },
    cell(measured, units[unit]),
    { text: verdict, style: styles[verdict] }
  ]),
  words: [0, 3]
})

/** Each subject once, wherever it stands first. */
const deedTable = (rows: ReadonlyArray<Row>): Table => {
  const ours = rows.filter(({ subject }, i) =>
    subject !== bareSubject && rows.findIndex((row) => row.subject === subject) === i
  )
  const columns: ReadonlyArray<By> = ["ours", ...present(ours.map(({ does }) => does))]
  return {
    title: "what stands behind the rows",
    head: ["", ...columns.map((by) => label[by])],
    rows: ours.map(({ does, subject }) =>
      [{ text: subject }, columns.map((by) => does[by] === undefined ? none : { text: does[by] })].flat()
    ),
    words: [0, ...columns.map((_, i) => i + 1)]
  }
}

/** Everything that was measured. */
export const tables = ({ memory, rows }: Results, verdicts: ReadonlyArray<Verdict>): ReadonlyArray<Table> => [
  ...(Object.keys(groups) as ReadonlyArray<GroupName>).flatMap((group) => {
    const own = rows.filter((row) => row.group === group)
    return own.length === 0 ? [] : [groupTable(group, own, verdicts)]
  }),
  ...memory === undefined ? [] : [memoryTable(memory, verdicts)],
  targetTable(verdicts),
  ...rows.length === 0 ? [] : [deedTable(rows)]
]
