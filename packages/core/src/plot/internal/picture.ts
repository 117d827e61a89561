import { axisAcross, axisUpwards, grid, numbersAcross, numbersWidth } from "./axes.ts"
import { element, escape, label, round, shorten } from "./elements.ts"
import type { Mark, Options, Panel } from "./model.ts"
import { drawRules, labelsOf, placed, roomOf, rowHeight, rowsOf } from "./rules.ts"
import { across, type Scale, upwards } from "./scales.ts"
import { coloursOf, drawMarks, isSeries, legend, stacked } from "./series.ts"
import { style } from "./style.ts"

const margin = 16
/** Where the legend begins. */
const under = 40

const xsOf = (mark: Mark): ReadonlyArray<number> => {
  switch (mark._tag) {
    case "Line":
    case "Band":
      return mark.points.map(([x]) => x)
    case "Bars":
      return mark.bars.flatMap(([from, to]) => [from, to])
    case "Rule":
      return [mark.at]
    case "Span":
      return [mark.from, mark.to]
  }
}

const ysOf = (marks: ReadonlyArray<Mark>): ReadonlyArray<number> => [
  ...marks.flatMap((mark): ReadonlyArray<number> =>
    mark._tag === "Line"
      ? mark.points.map(([, y]) => y)
      : mark._tag === "Band"
      ? mark.points.flatMap(([, low, high]) => [low, high])
      : []
  ),
  ...stacked(marks.filter((mark) => mark._tag === "Bars")).flatMap((bars) => bars.map(([, , , high]) => high))
]

const isEmpty = (panels: ReadonlyArray<Panel>): boolean =>
  panels.every(({ marks }) =>
    marks.every((mark) => !isSeries(mark) || (mark._tag === "Bars" ? mark.bars : mark.points).length === 0)
  )

/** Marks that go beyond the ends of their axes are cut off there: an inner picture shows nothing outside itself. */
const within = (
  panel: Panel,
  x: Scale,
  y: Scale,
  [left, right, start, end]: readonly [number, number, number, number],
  drawn: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const beyond = (scale: Scale, values: ReadonlyArray<number>, least: number, most: number): boolean =>
    values.filter(Number.isFinite).map(scale.place).some((place) => place < least - 0.5 || place > most + 0.5)
  const all = panel.marks.filter(isSeries)
  if (!beyond(x, all.flatMap(xsOf), left, right) && !beyond(y, ysOf(all), start, end)) return drawn
  const [width, height] = [right - left, end - start]
  const viewBox = [left, start, width, height].map(round).join(" ")
  return [element("svg", { x: left, y: start, width, height, viewBox }, drawn.join("\n"))]
}

/** One panel with its place. */
interface Laid {
  readonly panel: Panel
  readonly labels: ReturnType<typeof placed>
  readonly top: number
  /** Below the labels. */
  readonly start: number
  readonly end: number
  readonly y: Scale
}

export const draw = ({ empty = "Nothing to show.", panels, title, width = 800, x: xAxis }: Options): string => {
  const right = width - margin
  const colours = coloursOf(panels)
  const left = 48 + Math.max(24, ...panels.map(({ marks, y }) => numbersWidth(upwards(y, ysOf(marks), 100, 100))))
  const names = panels.map(({ marks }) => labelsOf(marks))
  const x = across(
    xAxis,
    panels.flatMap(({ marks }) => marks.flatMap(xsOf)),
    names.flat().map((each) => ({ at: each.at, width: roomOf(each) })),
    left,
    right
  )
  const nothing = isEmpty(panels)
  const key = legend(panels, colours, left, right, under)
  const laid: Array<Laid> = []
  let top = under + rowHeight * Math.max(1, key.rows) + 6
  for (const [i, panel] of panels.entries()) {
    const height = panel.height ?? (panels.length === 1 ? 240 : 150)
    const labels = placed(names[i]!, x)
    const start = top + rowHeight * rowsOf(labels)
    const end = start + height
    laid.push({ panel, labels, top, start, end, y: upwards(panel.y, ysOf(panel.marks), end, height) })
    top = end + 22
  }
  const bottom = laid.at(-1)!.end
  const numbers = numbersAcross(x, width - 2)
  const drawn = ({ end, labels, panel, start, top, y }: Laid): ReadonlyArray<string> =>
    [
      grid(numbers, start, end),
      axisUpwards(y, panel.y.label, left, right, (start + end) / 2),
      within(panel, x, y, [left, right, start, end], drawMarks(panel.marks, x, y, colours, start, end)),
      [element("line", { x1: left, y1: end, x2: right, y2: end, class: "axis" })],
      drawRules(labels, top, end)
    ].flat()
  const height = bottom + 54
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": title
    },
    [
      `<title>${escape(title)}</title>`,
      `<style>${style}</style>`,
      element("rect", { width, height, class: "ground" }),
      label(margin, 26, shorten(title, width + 80), { class: "title" }),
      ...nothing ? [label(left, 49, empty)] : key.drawn,
      ...laid.flatMap(drawn),
      ...axisAcross(numbers, xAxis.label, left, right, bottom)
    ].join("\n")
  ) + "\n"
}
