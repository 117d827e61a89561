import { label, line, shorten, widthOf } from "./svgElements.ts"

/** A line that stands at a time, and the text beside it. */
export interface Mark {
  readonly at: number
  readonly text: string
  readonly kind: "quantile" | "limit"
}

/** From a time to its place. */
export interface Scale {
  readonly from: number
  readonly to: number
  readonly x: (millis: number) => number
}

const gap = 6
const longest = 240

/** Names may be of any length; the time that follows one stays. */
export const markOf = (name: string, time: string, at: number, kind: Mark["kind"]): Mark => ({
  at,
  text: `${shorten(name, longest - widthOf(` ${time}`))} ${time}`,
  kind
})

const extentOf = ({ text }: Mark): number => widthOf(text) + 2 * gap

/**
 * A logarithmic scale with all the times between its ends. Its end is as far as it must be for every label to be on the right of
 * its line.
 */
export const scaleOf = (
  times: ReadonlyArray<number>,
  marks: ReadonlyArray<Mark>,
  left: number,
  right: number
): Scale => {
  const from = Math.min(...times.filter((time) => time > 0)) / 1.3
  const width = right - left
  const ends = marks.map((mark) => Math.log(mark.at / from) * width / (width - extentOf(mark)))
  const length = Math.max(Math.log(Math.max(...times) * 1.3 / from), ...ends)
  const x = (millis: number): number => left + width * Math.log(Math.max(millis, from) / from) / length
  return { from, to: from * Math.exp(length), x }
}

export interface PlacedMark extends Mark {
  readonly x: number
  readonly row: number
}

/**
 * Each label on the right of its line, in a row above those of all lines that it would cross: a line begins in the row of its
 * label and goes down.
 */
export const place = (marks: ReadonlyArray<Mark>, { x: placeOf }: Scale): ReadonlyArray<PlacedMark> => {
  const placed: Array<PlacedMark & { readonly height: number }> = []
  for (const mark of marks.toSorted((a, b) => b.at - a.at)) {
    const x = placeOf(mark.at)
    const crossed = placed.filter((other) => other.x < x + extentOf(mark))
    placed.push({ ...mark, x, row: 0, height: Math.max(0, ...crossed.map(({ height }) => height + 1)) })
  }
  const highest = Math.max(0, ...placed.map(({ height }) => height))
  return placed.map(({ at, height, kind, text, x }) => ({ at, kind, text, x, row: highest - height })).toReversed()
}

export const rowHeight = 18

export const drawMarks = (marks: ReadonlyArray<PlacedMark>, top: number, bottom: number): ReadonlyArray<string> => {
  // a limit is never hidden by a quantile
  const inOrder = [...marks.filter(({ kind }) => kind === "quantile"), ...marks.filter(({ kind }) => kind === "limit")]
  const start = (row: number): number => top + 3 + row * rowHeight
  return [
    // all of them first: none hides a line that is close
    ...marks.map(({ row, x }) => line(x, start(row), x, bottom, "casing")),
    ...inOrder.map(({ kind, row, x }) => line(x, start(row), x, bottom, kind)),
    ...marks.map(({ kind, row, text, x }) =>
      label(x + gap, start(row) + 11, text, kind === "limit" ? { class: "limit-label" } : {})
    )
  ]
}
