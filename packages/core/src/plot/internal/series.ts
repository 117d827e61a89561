import { area, curveLinear, curveStepAfter, line as path } from "d3-shape"
import { element, label, line, widthOf } from "./elements.ts"
import type { Band, Bars, Line, Mark, Panel, Span } from "./model.ts"
import type { Scale } from "./scales.ts"
import { palette } from "./style.ts"

/** The marks that have a colour, and a place in the legend. */
export type Series = Line | Band | Bars

export const isSeries = (mark: Mark): mark is Series => mark._tag !== "Rule" && mark._tag !== "Span"

/** A name has one colour in all panels. */
export const coloursOf = (panels: ReadonlyArray<Panel>): ReadonlyMap<string, number> => {
  const colours = new Map<string, number>()
  for (const { name } of panels.flatMap(({ marks }) => marks.filter(isSeries))) {
    if (!colours.has(name)) colours.set(name, colours.size)
  }
  return colours
}

const classOf = (kind: string, index: number): string => `${kind} s${index % palette.length}`

/** From the ninth line on a colour comes again, with other dashes. */
const lineClass = (index: number): string =>
  `${classOf("line", index)} d${(index + Math.floor(index / palette.length)) % palette.length}`

const isDrawn = (scale: Scale, value: number): boolean => Number.isFinite(scale.place(value)) && Number.isFinite(value)

const drawLine = ({ points, steps }: Line, x: Scale, y: Scale, index: number): string => {
  const d = path<readonly [number, number]>(([at]) => x.place(at), ([, value]) => y.place(value))
    .defined(([at, value]) => isDrawn(x, at) && isDrawn(y, value))
    .curve(steps === true ? curveStepAfter : curveLinear)
    .digits(1)([...points])
  return d === null ? "" : element("path", { d, class: lineClass(index) })
}

const drawBand = ({ points }: Band, x: Scale, y: Scale, index: number): string => {
  const d = area<readonly [number, number, number]>()
    .x(([at]) => x.place(at)).y0(([, low]) => y.place(low)).y1(([, , high]) => y.place(high))
    .defined(([at, low, high]) => isDrawn(x, at) && isDrawn(y, low) && isDrawn(y, high))
    .digits(1)([...points])
  return d === null ? "" : element("path", { d, class: classOf("band", index) })
}

/** Bars that begin at the same place stand upon each other, in the order of their series. */
export const stacked = (
  all: ReadonlyArray<Bars>
): ReadonlyArray<ReadonlyArray<readonly [number, number, number, number]>> => {
  const heights = new Map<number, number>()
  return all.map(({ bars }) =>
    bars.filter(([from, to, value]) => to > from && value > 0 && value < Infinity).map(([from, to, value]) => {
      const low = heights.get(from) ?? 0
      heights.set(from, low + value)
      return [from, to, low, low + value] as const
    })
  )
}

/** A bar that nobody could see is none. */
const least = 0.05

const drawBars = (
  bars: ReadonlyArray<readonly [number, number, number, number]>,
  x: Scale,
  y: Scale,
  index: number
): string =>
  bars.map(([from, to, low, high]) => {
    const height = y.place(low) - y.place(high)
    const width = x.place(to) - x.place(from)
    const inset = Math.min(0.5, width / 4)
    return height < least
      ? ""
      : element("rect", {
        x: x.place(from) + inset,
        y: y.place(high),
        width: width - 2 * inset,
        height,
        class: classOf("bar", index)
      })
  }).join("")

const drawSpan = ({ from, to }: Span, x: Scale, top: number, bottom: number): string => {
  const [start, end] = [Math.max(from, x.from), Math.min(to, x.to)]
  return end > start
    // the edges tell apart spans that follow one another
    ? line(x.place(start), top, x.place(start), bottom, "edge") +
      line(x.place(end), top, x.place(end), bottom, "edge") +
      element("rect", {
        x: x.place(start),
        y: top,
        width: x.place(end) - x.place(start),
        height: bottom - top,
        class: "span"
      })
    : ""
}

/** Spans lie below everything, then bars and bands, and lines above them. */
export const drawMarks = (
  marks: ReadonlyArray<Mark>,
  x: Scale,
  y: Scale,
  colours: ReadonlyMap<string, number>,
  top: number,
  bottom: number
): ReadonlyArray<string> => {
  const spans = marks.filter((mark) => mark._tag === "Span")
  const bars = marks.filter((mark) => mark._tag === "Bars")
  const bands = marks.filter((mark) => mark._tag === "Band")
  const lines = marks.filter((mark) => mark._tag === "Line")
  const index = ({ name }: Series): number => colours.get(name)!
  return [
    ...spans.map((span) => drawSpan(span, x, top, bottom)),
    ...stacked(bars).map((each, i) => drawBars(each, x, y, index(bars[i]!))),
    ...bands.map((band) => drawBand(band, x, y, index(band))),
    ...lines.map((each) => drawLine(each, x, y, index(each)))
  ].filter((drawn) => drawn !== "")
}

/** Every name once, in rows: the form of what it names, in its colour. */
export const legend = (
  panels: ReadonlyArray<Panel>,
  colours: ReadonlyMap<string, number>,
  left: number,
  right: number,
  top: number
): { readonly drawn: ReadonlyArray<string>; readonly rows: number } => {
  const all = panels.flatMap(({ marks }) => marks.filter(isSeries))
  const drawn: Array<string> = []
  let [x, row] = [left, 0]
  for (const [name, index] of colours) {
    const forms = new Set(all.filter((mark) => mark.name === name).map(({ _tag }) => _tag))
    const isLine = forms.has("Line")
    const sample = isLine ? 26 : 10
    const width = sample + 6 + widthOf(name)
    if (x > left && x + width > right) [x, row] = [left, row + 1]
    const y = top + row * 18
    drawn.push(
      isLine
        ? element("line", { x1: x, y1: y + 5, x2: x + sample, y2: y + 5, class: lineClass(index) })
        : element("rect", {
          x,
          y,
          width: sample,
          height: 10,
          class: classOf(forms.has("Bars") ? "bar" : "band", index)
        }),
      label(x + sample + 6, y + 9, name)
    )
    x += width + 24
  }
  return { drawn, rows: colours.size === 0 ? 0 : row + 1 }
}
