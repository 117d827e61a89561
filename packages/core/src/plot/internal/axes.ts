import { label, line, round, widthOf } from "./elements.ts"
import type { Scale } from "./scales.ts"

/** Numbers that would lie upon each other are left out, and so are their lines. */
export const numbersAcross = ({ format, place, ticks }: Scale, edge: number) => {
  let free = -Infinity
  const kept: Array<{ readonly x: number; readonly text: string }> = []
  for (const tick of ticks) {
    const text = format(tick)
    const half = widthOf(text) / 2
    const x = place(tick)
    if (x - half < free || x + half > edge) continue
    free = x + half + 6
    kept.push({ x, text })
  }
  return kept
}

export const grid = (xs: ReadonlyArray<{ readonly x: number }>, top: number, bottom: number): ReadonlyArray<string> =>
  xs.map(({ x }) => line(x, top, x, bottom, "grid"))

export const axisAcross = (
  numbers: ReadonlyArray<{ readonly x: number; readonly text: string }>,
  words: string,
  left: number,
  right: number,
  bottom: number
): ReadonlyArray<string> => [
  ...numbers.flatMap(({ text, x }) => [
    line(x, bottom, x, bottom + 4, "axis"),
    label(x, bottom + 18, text, { "text-anchor": "middle" })
  ]),
  label((left + right) / 2, bottom + 40, words, { "text-anchor": "middle" })
]

/** The lowest number, and those above it that do not touch the one before. */
const numbersUpwards = ({ place, ticks }: Scale): ReadonlyArray<number> => {
  let free = Infinity
  return ticks.filter((tick) => {
    const isFree = place(tick) <= free
    if (isFree) free = place(tick) - 14
    return isFree
  })
}

/** What the numbers of an axis that goes up take. */
export const numbersWidth = ({ format, ticks }: Scale): number =>
  ticks.reduce((widest, tick) => Math.max(widest, widthOf(format(tick))), 0)

export const axisUpwards = (
  scale: Scale,
  words: string,
  left: number,
  right: number,
  middle: number
): ReadonlyArray<string> => [
  ...numbersUpwards(scale).flatMap((tick) => {
    const y = scale.place(tick)
    return [
      line(left - 4, y, right, y, "grid"),
      label(left - 8, y + 4, scale.format(tick), { "text-anchor": "end" })
    ]
  }),
  label(24, middle, words, { "text-anchor": "middle", transform: `rotate(-90 24 ${round(middle)})` })
]
