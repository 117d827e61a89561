import { styleText } from "node:util"

type Style = Parameters<typeof styleText>[0]

export interface Cell {
  readonly text: string
  readonly style?: Style
}

export interface Table {
  readonly title: string
  readonly note?: string
  readonly head: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
  /** The columns that are not numbers; numbers are aligned to the right. */
  readonly words: ReadonlyArray<number>
}

const widthsOf = ({ head, rows }: Table, least: number): ReadonlyArray<number> =>
  head.map((title, column) => Math.max(least, title.length, ...rows.map((row) => row[column]!.text.length)))

const pad = (text: string, width: number, left: boolean): string => left ? text.padEnd(width) : text.padStart(width)

/** Colour only where `styleText` sees a terminal that shows it. */
const show = ({ style, text }: Cell, width: number, left: boolean): string => {
  const padded = pad(text, width, left)
  return style === undefined ? padded : styleText(style, padded)
}

/** For a terminal. */
export const plain = (table: Table): string => {
  const widths = widthsOf(table, 0)
  const all = [table.head.map((text): Cell => ({ text, style: "dim" })), ...table.rows]
  const lines = all.map((row) =>
    row.map((cell, column) => show(cell, widths[column]!, table.words.includes(column))).join("  ").trimEnd()
  )
  const title = styleText("bold", table.title)
  return [table.note === undefined ? title : `${title}: ${table.note}`, ...lines].join("\n")
}

/** As the formatter of this repository would write it. */
export const markdown = (table: Table): string => {
  const widths = widthsOf(table, 3)
  const isWord = (column: number) => table.words.includes(column)
  const line = (texts: ReadonlyArray<string>) => `| ${texts.join(" | ")} |`
  const row = (texts: ReadonlyArray<string>) =>
    line(texts.map((text, column) => pad(text, widths[column]!, isWord(column))))
  return [
    `### ${table.title[0]!.toUpperCase()}${table.title.slice(1)}`,
    "",
    ...table.note === undefined ? [] : [`${table.note[0]!.toUpperCase()}${table.note.slice(1)}.`, ""],
    row(table.head),
    line(widths.map((width, column) => isWord(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)),
    ...table.rows.map((cells) => row(cells.map(({ text }) => text)))
  ].join("\n")
}
