import { label, line, shorten, widthOf } from "./elements.ts"
import type { Mark, Rule, Span } from "./model.ts"
import type { Scale } from "./scales.ts"

/** A rule or the beginning of a span, with its name beside it above the panel. */
export interface Labelled {
  readonly at: number
  readonly text: string
  readonly kind: "measured" | "limit" | "span"
}

const gap = 6
const longest = 240

const labelOf = (mark: Rule | Span): Labelled =>
  mark._tag === "Rule"
    ? { at: mark.at, text: shorten(mark.name, longest), kind: mark.kind ?? "measured" }
    : { at: mark.from, text: shorten(mark.name, longest), kind: "span" }

export const labelsOf = (marks: ReadonlyArray<Mark>): ReadonlyArray<Labelled> =>
  // a span may go without words
  marks.flatMap((mark) => mark._tag === "Rule" || (mark._tag === "Span" && mark.name !== "") ? [labelOf(mark)] : [])

export const roomOf = ({ text }: Labelled): number => widthOf(text) + 2 * gap

export interface Placed extends Labelled {
  readonly x: number
  readonly row: number
}

/**
 * Each label on the right of its line, in a row above those of all lines that it would cross: a line begins in the row of its
 * label and goes down.
 */
export const placed = (labels: ReadonlyArray<Labelled>, { from, place, to }: Scale): ReadonlyArray<Placed> => {
  const known: Array<Placed & { readonly height: number }> = []
  const seen = labels.filter(({ at }) => at >= from && at <= to)
  for (const each of seen.toSorted((a, b) => b.at - a.at)) {
    const x = place(each.at)
    const crossed = known.filter((other) => other.x < x + roomOf(each))
    known.push({ ...each, x, row: 0, height: crossed.reduce((most, { height }) => Math.max(most, height + 1), 0) })
  }
  const highest = known.reduce((most, { height }) => Math.max(most, height), 0)
  return known.map(({ at, height, kind, text, x }) => ({ at, kind, text, x, row: highest - height })).toReversed()
}

export const rowHeight = 18

export const rowsOf = (labels: ReadonlyArray<Placed>): number =>
  labels.length === 0 ? 0 : 1 + Math.max(...labels.map(({ row }) => row))

export const drawRules = (labels: ReadonlyArray<Placed>, top: number, bottom: number): ReadonlyArray<string> => {
  const lines = labels.filter(({ kind }) => kind !== "span")
  // a limit is never hidden by what was measured
  const inOrder = [...lines.filter(({ kind }) => kind === "measured"), ...lines.filter(({ kind }) => kind === "limit")]
  const start = (row: number): number => top + 3 + row * rowHeight
  return [
    // all of them first: none hides a line that is close
    ...lines.map(({ row, x }) => line(x, start(row), x, bottom, "casing")),
    ...inOrder.map(({ kind, row, x }) => line(x, start(row), x, bottom, kind)),
    ...labels.map(({ kind, row, text, x }) =>
      label(x + gap, start(row) + 11, text, kind === "limit" ? { class: "limit-label" } : {})
    )
  ]
}
