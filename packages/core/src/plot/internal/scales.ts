import { scaleLinear, scaleLog } from "d3-scale"
import type { Axis } from "./model.ts"

/** From a value to its place. */
export interface Scale {
  readonly from: number
  readonly to: number
  readonly place: (value: number) => number
  /** Where numbers may stand. */
  readonly ticks: ReadonlyArray<number>
  readonly format: (value: number) => string
}

const isShown = ({ scale }: Axis): (value: number) => boolean =>
  scale === "logarithmic" ? (value) => value > 0 && value < Infinity : Number.isFinite

/** An axis of nothing, or of one value, still has a length. */
const extentOf = (axis: Axis, values: ReadonlyArray<number>, zero: boolean): readonly [number, number] => {
  const shown = values.filter(isShown(axis))
  const logarithmic = axis.scale === "logarithmic"
  let from = axis.from ?? shown.reduce((a, b) => Math.min(a, b), zero && !logarithmic ? 0 : Infinity)
  let to = axis.to ?? shown.reduce((a, b) => Math.max(a, b), -Infinity)
  if (from === Infinity) from = to > -Infinity ? Math.min(to, logarithmic ? to / 10 : 0) : logarithmic ? 1 : 0
  if (to === -Infinity) to = logarithmic ? from * 10 : from + 1
  if (to > from) return [from, to]
  return logarithmic ? [from / 1.3, from * 1.3] : zero || from === 0 ? [from, from + 1] : [from - 1, from + 1]
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 })

/** Over few powers of ten all digits, over some 1, 2 and 5, over many the powers alone. */
const isRound = (from: number, to: number): (value: number) => boolean => {
  const powers = Math.log10(to / from)
  const digits = powers > 4 ? [1] : powers > 1 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9]
  return (value) => digits.includes(Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9)))
}

const ofExtent = (axis: Axis, from: number, to: number, range: readonly [number, number], count: number): Scale => {
  const logarithmic = axis.scale === "logarithmic"
  const scale = logarithmic ? scaleLog() : scaleLinear()
  scale.domain([from, to]).range(range)
  const least = logarithmic ? from : -Infinity
  return {
    from,
    to,
    place: (value) => scale(Math.max(value, least)),
    ticks: (axis.ticks?.(from, to) ?? (logarithmic ? scale.ticks().filter(isRound(from, to)) : scale.ticks(count)))
      .filter((tick) => tick >= from && tick <= to),
    format: axis.format ?? ((value) => compact.format(value))
  }
}

/** The axis of a panel: upwards, and a little longer than its highest value. */
export const upwards = (
  axis: Axis,
  values: ReadonlyArray<number>,
  bottom: number,
  height: number
): Scale => {
  const [from, to] = extentOf(axis, values, true)
  return ofExtent(axis, from, to, [bottom, bottom - height], 5)
}

/** What stands at a value and needs so much room on the right of it. */
export interface Needs {
  readonly at: number
  readonly width: number
}

/**
 * The axis that all panels share. Its end is as far as it must be for every label to be on the right of its rule. A logarithmic axis has
 * a little room at both ends.
 */
export const across = (
  axis: Axis,
  values: ReadonlyArray<number>,
  labels: ReadonlyArray<Needs>,
  left: number,
  right: number
): Scale => {
  const logarithmic = axis.scale === "logarithmic"
  const [least, most] = extentOf(axis, values, false)
  const from = axis.from ?? (logarithmic ? least / 1.3 : least)
  const end = axis.to ?? (logarithmic ? most * 1.3 : most)
  const [to, fro] = logarithmic ? [Math.log, Math.exp] : [(value: number) => value, (value: number) => value]
  const width = right - left
  const ends = labels.filter(({ at }) => isShown(axis)(at)).map(({ at, width: room }) =>
    (to(Math.max(at, from)) - to(from)) * width / Math.max(1, width - room)
  )
  const length = ends.reduce((a, b) => Math.max(a, b), to(end) - to(from))
  return ofExtent(axis, from, fro(to(from) + length), [left, right], 10)
}
