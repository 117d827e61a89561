import { styleText } from "node:util"

type Style = Parameters<typeof styleText>[0]

export interface Cell {
  readonly text: string
  readonly style?: Style
}

/** Colour only where `styleText` sees a terminal that shows it. */
const show = ({ style, text }: Cell, width: number, left: boolean): string => {
  const padded = left ? text.padEnd(width) : text.padStart(width)
  return style === undefined ? padded : styleText(style, padded)
}

/** Columns are numbers, aligned to the right, but for those in `words`. */
export const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  words: ReadonlyArray<number>
): string => {
  const all = [head.map((text): Cell => ({ text, style: "dim" })), ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.text.length)))
  return all.map((row) =>
    row.map((cell, column) => show(cell, widths[column]!, words.includes(column))).join("  ").trimEnd()
  ).join("\n")
}
