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

/** Text on lines that fit, at words. */
export const wrap = (text: string, width: number, indent = ""): string =>
  (text.match(new RegExp(`\\S{${width - indent.length},}|\\S.{0,${width - indent.length - 1}}(?=\\s|$)`, "gu")) ?? [])
    .map((line) => indent + line).join("\n")

/** A row after the other, where columns beside one another do not fit: what a row is about, and below it each cell by its name. */
const turned = ({ head, rows, words }: Table, width: number): ReadonlyArray<string> => {
  // the leading words name a row
  const names = head.findIndex((_, column) => !words.includes(column))
  const last = names < 0 ? 1 : names
  return rows.map((cells) => {
    const name = cells.slice(0, last).map(({ text }) => text).filter((text) => text !== "").join(", ")
    const told = cells.slice(last).flatMap(({ text }, i) =>
      text === "" || text === none ? [] : [`${head[last + i]!} ${text}`.trim()]
    )
    const missed = cells.some(({ style }) => style === "red")
    return [missed ? styleText("red", wrap(name, width)) : wrap(name, width), wrap(told.join("; "), width, "    ")]
      .join("\n")
  })
}

/** What stands where nothing was measured. */
export const none = "-"

/** For a terminal of so many columns. */
export const plain = (table: Table, columns: number): string => {
  const widths = widthsOf(table, 0)
  const all = [table.head.map((text): Cell => ({ text, style: "dim" })), ...table.rows]
  const fits = widths.reduce((sum, width) => sum + width + 2, -2) <= columns
  const lines = fits
    ? all.map((row) =>
      row.map((cell, column) => show(cell, widths[column]!, table.words.includes(column))).join("  ").trimEnd()
    )
    : turned(table, columns)
  const title = styleText("bold", table.title)
  return [...table.note === undefined ? [title] : [`${title}:`, wrap(table.note, columns)], ...lines].join("\n")
}

/** The rows as the formatter of this repository would write them. */
export const markdownRows = (table: Table): string => {
  const widths = widthsOf(table, 3)
  const isWord = (column: number) => table.words.includes(column)
  const line = (texts: ReadonlyArray<string>) => `| ${texts.join(" | ")} |`
  const row = (texts: ReadonlyArray<string>) =>
    line(texts.map((text, column) => pad(text, widths[column]!, isWord(column))))
  return [
    row(table.head),
    line(widths.map((width, column) => isWord(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)),
    ...table.rows.map((cells) => row(cells.map(({ text }) => text)))
  ].join("\n")
}

/** With the title and the note. */
export const markdown = (table: Table): string =>
  [
    `### ${table.title[0]!.toUpperCase()}${table.title.slice(1)}`,
    ...table.note === undefined ? [] : [`${table.note[0]!.toUpperCase()}${table.note.slice(1)}.`],
    markdownRows(table)
  ].join("\n\n")
