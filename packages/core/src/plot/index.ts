/**
 * Draws lines, bands and bars over time or over any number, as an SVG document.
 *
 * A picture has one axis across and one or more panels, each with an axis of its own upwards. Axes have words, with the unit. The picture
 * follows the colour scheme of the reader, is printed on white, loads nothing from elsewhere, and tells lines apart by their dashes as well.
 *
 * It is made on `d3-scale` and `d3-shape`: a program that draws installs them.
 *
 * **Example** (What a breaker does to the load of a service)
 *
 * ```ts import.meta.vitest
 * import * as Plot from "@effect-resilience/core/plot"
 *
 * const svg = Plot.svg({
 *   title: "Calls through an outage",
 *   x: Plot.duration({ label: "time since the start" }),
 *   panels: [{
 *     y: { label: "calls per second" },
 *     marks: [
 *       Plot.span({ name: "the service is down", from: 20_000, to: 40_000 }),
 *       Plot.line({ name: "answered", points: [[0, 100], [20_000, 100], [20_001, 0], [42_000, 0], [43_000, 100], [60_000, 100]] }),
 *       Plot.line({ name: "rejected", points: [[0, 0], [20_001, 0], [22_000, 96], [42_000, 96], [43_000, 0], [60_000, 0]] })
 *     ]
 *   }]
 * })
 * svg.startsWith("<svg") // => true
 * ```
 *
 * @since 0.1.0
 */
import { checkedOptions, finite, invalid } from "../internal/options.ts"
import { evenTicks, namedTicks, show } from "./internal/durations.ts"
import type { Axis, Band, Bars, Line, Options, Panel, Rule, Span } from "./internal/model.ts"
import { draw } from "./internal/picture.ts"

export type { Axis, Band, Bars, Line, Mark, Options, Panel, Point, Rule, Span } from "./internal/model.ts"

/**
 * An axis of times in milliseconds, with numbers as people say them: `20s`, `5min`.
 *
 * @category axes
 * @since 0.1.0
 */
export const duration = (axis: Axis): Axis => ({
  ticks: axis.scale === "logarithmic" ? namedTicks : evenTicks,
  format: show,
  ...axis
})

/**
 * A time in milliseconds as the axis writes it: `320ms`, `4.1s`, `12min`.
 *
 * @category axes
 * @since 0.1.0
 */
export const showDuration: (millis: number) => string = show

/**
 * A line through points. A coordinate that is not finite makes a gap, and so does one that a logarithmic axis cannot show.
 *
 * @category marks
 * @since 0.1.0
 */
export const line = (options: Omit<Line, "_tag">): Line => ({ _tag: "Line", ...options })

/**
 * The space between two values at each place, as of a confidence interval. A line of the same name has the same colour.
 *
 * @category marks
 * @since 0.1.0
 */
export const band = (options: Omit<Band, "_tag">): Band => ({ _tag: "Band", ...options })

/**
 * Bars from one value across to another. Bars of several names that begin at the same value stand upon each other.
 *
 * @category marks
 * @since 0.1.0
 */
export const bars = (options: Omit<Bars, "_tag">): Bars => ({ _tag: "Bars", ...options })

/**
 * A vertical line at a value, with its name beside it: something that was measured, or a dashed limit.
 *
 * @category marks
 * @since 0.1.0
 */
export const rule = (options: Omit<Rule, "_tag">): Rule => ({ _tag: "Rule", ...options })

/**
 * A part of the axis across that has a name, drawn as a shade behind everything.
 *
 * @category marks
 * @since 0.1.0
 */
export const span = (options: Omit<Span, "_tag">): Span => ({ _tag: "Span", ...options })

const where = "Plot.svg"

const checkAxis = (option: string, axis: Axis): void => {
  const { from, label, scale, to } = checkedOptions(where, axis, option)
  if (typeof label !== "string" || label === "") throw invalid(where, `${option}.label`, label, "the words of the axis")
  if (scale !== undefined && scale !== "linear" && scale !== "logarithmic") {
    throw invalid(where, `${option}.scale`, scale, "\"linear\" or \"logarithmic\"")
  }
  for (const [end, value] of [["from", from], ["to", to]] as const) {
    if (value !== undefined) finite(where, `${option}.${end}`, value, scale === "logarithmic" ? 0 : -Infinity)
  }
  if (from !== undefined && to !== undefined && to <= from) {
    throw invalid(where, `${option}.to`, to, `greater than ${option}.from (${from})`)
  }
}

const checkPanel = ({ height, marks, y }: Panel, i: number): void => {
  const panel = `panels[${i}]`
  checkAxis(`${panel}.y`, y)
  if (height !== undefined) finite(where, `${panel}.height`, height, 40, { inclusive: true })
  if (!Array.isArray(marks)) throw invalid(where, `${panel}.marks`, marks, "an array of marks")
}

/**
 * The picture. A bad option throws a `RangeError`; names may have any characters.
 *
 * @category pictures
 * @since 0.1.0
 */
export const svg = (options: Options): string => {
  const { panels, title, width, x } = checkedOptions(where, options)
  if (typeof title !== "string" || title === "") throw invalid(where, "title", title, "a string that is not empty")
  if (!Array.isArray(panels) || panels.length === 0) {
    throw invalid(where, "panels", panels, "an array of at least one panel")
  }
  if (width !== undefined && !(width >= 320 && width <= 4000)) throw invalid(where, "width", width, "from 320 to 4000")
  checkAxis("x", x)
  panels.forEach(checkPanel)
  return draw(options)
}
