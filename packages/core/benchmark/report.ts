import { styleText } from "node:util"
import type { By } from "./contender.ts"
import { bareSubject, type Group, groups, type Row } from "./measure.ts"
import type { Weighed } from "./memory.ts"
import { type Cell, table } from "./table.ts"
import type { Results, Verdict } from "./targets.ts"

const label: { readonly [K in By]: string } = {
  bare: "bare",
  promise: "promise",
  ours: "ours",
  effect: "Effect",
  cockatiel: "cockatiel",
  opossum: "opossum"
}

const timed: ReadonlyArray<By> = ["ours", "effect", "cockatiel", "opossum"]
const compared: ReadonlyArray<By> = ["bare", "effect", "cockatiel", "opossum"]

const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

const times = (ratio: number): string => `${ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2)}x`

const cell = (value: number | undefined, format: (value: number) => string): Cell =>
  value === undefined ? { text: "-", style: "dim" } : { text: format(value) }

const title = (text: string): string => styleText("bold", text)

const groupTable = (group: Group, rows: ReadonlyArray<Row>): string => {
  const { ns, unit } = rows.find(({ subject }) => subject === bareSubject)!
  const awaited = ns.promise === undefined ? "" : `, awaited without Effect ${whole(ns.promise)} ns`
  return [
    `${title(group)}: ns per ${unit}; bare ${whole(ns.bare!)} ns${awaited}`,
    table(
      ["", ...timed.map((by) => label[by]), ...compared.map((by) => `to ${label[by]}`)],
      rows.filter(({ subject }) => subject !== bareSubject).map(({ ns, ratios, subject }) =>
        [
          { text: subject },
          timed.map((by) => cell(ns[by], whole)),
          compared.map((by) => cell(ratios[by], times))
        ].flat()
      ),
      [0]
    )
  ].join("\n")
}

const memoryTable = (memory: ReadonlyArray<Weighed>): string =>
  [
    title("calls in flight, and idle breakers by key"),
    table(
      ["", "", "number", "heap each", "over bare", "time for all"],
      memory.map(({ by, bytes, count, millis, overBare, subject }) => [
        { text: subject },
        { text: label[by] },
        { text: whole(count) },
        { text: `${whole(bytes)} B` },
        cell(overBare, (bytes) => `${whole(bytes)} B`),
        { text: `${whole(millis)} ms` }
      ]),
      [0, 1]
    )
  ].join("\n")

const units: { readonly [U in Verdict["unit"]]: (value: number) => string } = {
  x: times,
  B: (bytes) => `${whole(bytes)} B`,
  s: (seconds) => `${seconds.toFixed(2)} s`,
  us: (micros) => `${micros.toFixed(1)} us`
}

const targetTable = (verdicts: ReadonlyArray<Verdict>): string =>
  [
    title("targets"),
    table(
      ["", "at most", "measured", ""],
      verdicts.map(({ atMost, measured, measure, unit, verdict }) => [
        { text: measure },
        { text: units[unit](atMost) },
        cell(measured, units[unit]),
        { text: verdict, style: verdict === "met" ? "green" : verdict === "missed" ? "red" : "dim" }
      ]),
      [0, 3]
    )
  ].join("\n")

/** Everything that was measured, for a terminal. */
export const report = ({ memory, rows }: Results, verdicts: ReadonlyArray<Verdict>): string =>
  [
    ...Object.values(groups).map((group) => groupTable(group, rows.filter((row) => row.group === group))),
    ...memory === undefined ? [] : [memoryTable(memory)],
    targetTable(verdicts)
  ].join("\n\n")
