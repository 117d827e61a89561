/** The tables of an experiment, in its page and in a terminal. */
import { markdownRows, plain, type Table as Shown } from "../../../packages/core/benchmark/table.ts"
import type { Report, Table } from "./Experiment.ts"

const textOf = (cell: string | number): string =>
  typeof cell === "string" ? cell : cell.toLocaleString("en-US", { maximumFractionDigits: 2 })

/** A figure, with its unit or without, or what stands where there is none. */
const isFigure = (text: string): boolean => /^[<>~±+-]?\s?\d|^(?:-|never)?$/u.test(text)

const shownOf = (title: string, { columns, rows }: Table): Shown => {
  const texts = rows.map((row) => row.map(textOf))
  const words = columns.flatMap((_, i) => texts.every((row) => isFigure(row[i] ?? "")) ? [] : [i])
  return { title, head: columns, words, rows: texts.map((row) => row.map((text) => ({ text }))) }
}

export const inTerminal = (title: string, table: Table, width: number): string => plain(shownOf(title, table), width)

const end = "<!-- /lab -->"
const places = /<!-- lab:(\S+) -->(?:(?!<!-- (?:lab:|\/lab))[\s\S])*<!-- \/lab -->/gu

/** The page with the tables in their places, and what does not fit. */
export const replaceTables = (
  page: string,
  tables: Report["tables"]
): { readonly text: string; readonly complaints: ReadonlyArray<string> } => {
  const complaints: Array<string> = []
  const missing = new Set(Object.keys(tables))
  const text = page.replaceAll(places, (place, name: string) => {
    const table = Object.hasOwn(tables, name) ? tables[name] : undefined
    if (table === undefined) {
      complaints.push(`has a place for a table "${name}", which the experiment does not make`)
      return place
    }
    missing.delete(name)
    return `<!-- lab:${name} -->\n\n${markdownRows(shownOf(name, table))}\n\n${end}`
  })
  for (const name of missing) complaints.push(`has no place for the table "${name}": <!-- lab:${name} --> and ${end}`)
  return { text, complaints }
}

export const plotFile = (experiment: string, plot: string): string =>
  `${experiment}${plot === "" ? "" : `-${plot}`}.svg`
