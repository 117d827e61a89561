import { globSync, readFileSync } from "node:fs"
import { resolve } from "node:path"

/** Where examples are. */
export const sources = ["packages/*/src/**/*.ts", "packages/*/README.md", "README.md", "docs/**/*.md"]

/** A fenced example. */
export interface Example {
  /** The line of the file it starts on. */
  readonly line: number
  readonly code: string
  /** Marked to be run, and not only to be compiled. */
  readonly runs: boolean
}

const fence = /^[ \t]*(?:\* )?```ts( import\.meta\.vitest)?\n([\s\S]*?)^[ \t]*(?:\* )?```$/gm

export const filesOf = (globs: ReadonlyArray<string>): ReadonlyArray<string> =>
  globSync(globs).toSorted().map((name) => resolve(name))

export const examplesIn = (file: string): ReadonlyArray<Example> => {
  const source = readFileSync(file, "utf8")
  return Array.from(source.matchAll(fence), ({ 1: runs, 2: code, index }) => ({
    line: source.slice(0, index).split("\n").length,
    code: code!.replace(/^[ \t]*\* ?/gm, ""),
    runs: runs !== undefined
  }))
}
