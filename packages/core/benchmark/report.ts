import { baseOf, type By, type PerContender } from "./contender.ts"
import { type ChartName, charts, type Line } from "./growth.ts"
import { bareSubject, type GroupName, groups, median, netOf, ratioOf, type Row, rowOf } from "./measure.ts"
import type { Weighed } from "./memory.ts"
import { type Cell, none as nothing, type Table } from "./table.ts"
import type { Results, Verdict } from "./targets.ts"

/** The measurements, and the verdicts of the targets. */
export interface Judged extends Results {
  readonly targets: ReadonlyArray<Verdict>
}

const label: { readonly [K in By]: string } = {
  bare: "bare",
  promise: "promise",
  ours: "ours",
  effect: "Effect",
  cockatiel: "cockatiel tuned",
  cockatielAsIs: "cockatiel as is",
  cockatielInEffect: "cockatiel in Effect",
  opossum: "opossum",
  pRetry: "p-retry"
}

const rivals: ReadonlyArray<By> = [
  "effect",
  "cockatiel",
  "cockatielAsIs",
  "cockatielInEffect",
  "opossum",
  "pRetry"
]

const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

const times = (ratio: number): string => `${ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2)}x`

const units: { readonly [U in Verdict["unit"]]: (value: number) => string } = {
  x: times,
  B: (bytes) => `${whole(bytes)} B`
}

const none: Cell = { text: nothing, style: "dim" }

const cell = (value: number | undefined, format: (value: number) => string): Cell =>
  value === undefined ? none : { text: format(value) }

const styles = { "met": "green", "missed": "red", "not measured": "dim" } as const

/** The bare case where it is not the call, the element or the stream alone. */
const what: { readonly [G in GroupName]: string } = {
  asynchronous: "",
  synchronous: "",
  rejections: "asynchronous callee, which is not called; bare is a call that fails and is caught; ",
  crowd: "asynchronous callee; ",
  runPromise: "",
  telemetry: "asynchronous callee; bare is the same stack with nobody who listens; ",
  http: "a stub that answers at once, the body read by the caller; ",
  elements: "",
  streams: "",
  endpoints: ""
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

const groupTable = (group: GroupName, { rows: all, targets: verdicts }: Judged, other: Judged | undefined): Table => {
  const own = all.filter((row) => row.group === group)
  const { ns, unit } = own.find(({ subject }) => subject === bareSubject)!
  const rows = own.filter(({ subject }) => subject !== bareSubject)
  const others = present(rows.map(({ ns }) => ns))
  const awaited = ns.promise === undefined ? "" : `, awaited without Effect ${whole(ns.promise)} ns`
  const targets = rows.map(({ subject }) => targetCell(verdicts, group, subject))
  const withTargets = targets.some(({ text }) => text !== "")
  const second = other === undefined ? [] : ["public path", "to bare"]
  const onPublicPath = (subject: string): ReadonlyArray<Cell> => {
    const row = other && rowOf(other.rows, group, subject)
    return other === undefined ? [] : [cell(row?.ns.ours, whole), cell(row?.ratios.bare, times)]
  }
  return {
    title: groups[group],
    note: `${what[group]}nanoseconds per ${unit}; bare ${whole(ns.bare!)} ns${awaited}`,
    head: [
      "",
      "ours",
      "to bare",
      ...second,
      ...others.map((by) => `${label[by]} (ours to it)`),
      ...withTargets ? ["target: at most"] : []
    ],
    rows: rows.map(({ ns, ratios, subject }, i) =>
      [
        { text: subject },
        cell(ns.ours, whole),
        cell(ratios.bare, times),
        onPublicPath(subject),
        others.map((by) => ns[by] === undefined ? none : { text: `${whole(ns[by])} (${times(ratios[by]!)})` }),
        withTargets ? targets[i]! : []
      ].flat()
    ),
    words: withTargets ? [0, 3 + second.length + others.length] : [0]
  }
}

/** What the policies take, without the call that all of them need. */
const netTable = (group: GroupName, { rows: all }: Judged, other: Judged | undefined): Table => {
  const rows = all.filter((row) => row.group === group && row.subject !== bareSubject)
  const others = present(rows.map(({ ns }) => ns))
  const beside = (subject: string, by: By): Cell => {
    const [ours, theirs] = [netOf(all, group, subject, "ours"), netOf(all, group, subject, by)]
    if (ours === undefined || theirs === undefined) return none
    return { text: `${whole(median(theirs))} (${times(ratioOf(ours, theirs))})` }
  }
  const second = (subject: string): ReadonlyArray<Cell> => {
    const net = other && netOf(other.rows, group, subject, "ours")
    return other === undefined ? [] : [cell(net && median(net), whole)]
  }
  return {
    title: `${groups[group]}, net`,
    note: `nanoseconds per call beyond the bare effect, or beyond the awaited function: ${
      others.filter((by) => baseOf[by] === "promise").map((by) => label[by]).join(", ")
    }`,
    head: [
      "",
      "ours",
      ...other === undefined ? [] : ["public path"],
      ...others.map((by) => `${label[by]} (ours to it)`)
    ],
    rows: rows.map(({ subject }) => {
      const ours = netOf(all, group, subject, "ours")
      const cells = others.map((by) => beside(subject, by))
      return [{ text: subject }, cell(ours && median(ours), whole), second(subject), cells].flat()
    }),
    words: [0]
  }
}

const growthTable = (chart: ChartName, { lines, targets }: Judged, other: Judged | undefined): Table => {
  const on = (from: ReadonlyArray<Line> | undefined) => from?.filter((line) => line.chart === chart) ?? []
  const own = on(lines)
  const second = on(other?.lines)
  const { sizes } = own.reduce((longest, line) => line.sizes.length > longest.sizes.length ? line : longest)
  const points = ({ ns }: Line): ReadonlyArray<Cell> => sizes.map((_, i) => cell(ns[i], whole))
  const verdicts = own.map(({ line }) => targetCell(targets, chart, line))
  const withTargets = verdicts.some(({ text }) => text !== "")
  return {
    title: `growth: ${charts[chart]}`,
    note: "nanoseconds per call",
    head: ["", ...sizes.map(whole), ...withTargets ? ["target: at most"] : []],
    rows: own.flatMap((line, i) => {
      const drawn = (name: string, line: Line, target: Cell) =>
        [{ text: name }, points(line), withTargets ? target : []].flat()
      const again = line.ours ? second.find((other) => other.line === line.line) : undefined
      const first = drawn(line.line, line, verdicts[i]!)
      return again === undefined ? [first] : [first, drawn(`${line.line}, public path`, again, { text: "" })]
    }),
    words: withTargets ? [0, 1 + sizes.length] : [0]
  }
}

const memoryTable = ({ memory, targets }: Judged, other: Judged | undefined): Table => {
  const line = (load: Weighed, name: string, target: Cell): ReadonlyArray<Cell> => {
    const { bytes, count, millis, overBare, startOverBare, subject } = load
    return [
      { text: subject },
      { text: name },
      { text: whole(count) },
      { text: units.B(bytes) },
      cell(overBare, units.B),
      { text: `${whole(millis)} ms` },
      cell(startOverBare, times),
      target
    ]
  }
  const nameOf = ({ by, signals }: Weighed): string => signals ? `${label[by]}, a signal each` : label[by]
  return {
    title: "calls in flight, and what is idle by key",
    head: ["", "", "number", "heap each", "over bare", "time for all", "to bare", "target: at most"],
    rows: memory!.flatMap((load) => {
      if (load.by !== "ours") return [line(load, nameOf(load), { text: "" })]
      const again = other?.memory?.find(({ by, subject }) => by === "ours" && subject === load.subject)
      const first = line(load, nameOf(load), targetCell(targets, "memory", load.subject))
      return again === undefined ? [first] : [first, line(again, "ours, public path", { text: "" })]
    }),
    words: [0, 1, 7]
  }
}

const targetTable = ({ targets }: Judged, other: Judged | undefined): Table => ({
  title: "targets",
  head: ["", "at most", "measured", "", ...other === undefined ? [] : ["public path", ""]],
  rows: targets.flatMap(({ atMost, measure, measured, unit, verdict }, i) => {
    const second = other?.targets[i]
    return measured === undefined ? [] : [[
      { text: measure },
      { text: units[unit](atMost) },
      cell(measured, units[unit]),
      { text: verdict, style: styles[verdict] },
      ...second === undefined
        ? []
        : [cell(second.measured, units[unit]), { text: second.verdict, style: styles[second.verdict] }]
    ]]
  }),
  words: [0, 3, 5]
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

/** What the targets say in all. */
export const verdict = ({ targets }: Judged): string => {
  const number = (verdict: Verdict["verdict"]): number => targets.filter((target) => target.verdict === verdict).length
  const unmeasured = number("not measured")
  return `${number("met")} targets met, ${number("missed")} missed${
    unmeasured === 0 ? "" : `, ${unmeasured} not measured`
  }`
}

/** Everything that was measured, beside the same with the public API of Effect only. */
export const tables = (judged: Judged, publicPath?: Judged): ReadonlyArray<Table> => {
  const { lines, memory, rows, targets } = judged
  const groupsMeasured = (Object.keys(groups) as ReadonlyArray<GroupName>).filter((group) =>
    rows.some((row) => row.group === group)
  )
  const measured = targets.some(({ verdict }) => verdict !== "not measured")
  return [
    ...measured ? [targetTable(judged, publicPath)] : [],
    ...groupsMeasured.map((group) => groupTable(group, judged, publicPath)),
    ...groupsMeasured.includes("asynchronous") ? [netTable("asynchronous", judged, publicPath)] : [],
    ...lines === undefined ?
      [] :
      (Object.keys(charts) as ReadonlyArray<ChartName>).map((chart) => growthTable(chart, judged, publicPath)),
    ...memory === undefined ? [] : [memoryTable(judged, publicPath)],
    ...rows.length === 0 ? [] : [deedTable(rows)]
  ]
}
