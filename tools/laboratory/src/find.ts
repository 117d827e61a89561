import { globSync } from "node:fs"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import type { AnyExperiment } from "./Experiment.ts"

export interface Located {
  /** The URL of its file. */
  readonly file: string
  readonly experiment: AnyExperiment
}

/** Those in the folders, by name. A file without a default export is part of another. */
export const find = async (root: string, folders: string): Promise<ReadonlyArray<Located>> => {
  const paths = globSync(`${folders}/*.ts`, { cwd: root }).toSorted()
  const all = await Promise.all(paths.map(async (path) => {
    const file = pathToFileURL(join(root, path)).href
    const { default: experiment } = await import(file) as { readonly default?: AnyExperiment }
    if (experiment !== undefined && experiment.name !== basename(path, ".ts")) {
      throw new Error(`${path} has an experiment with another name: "${experiment.name}"`)
    }
    return experiment === undefined ? [] : [{ file, experiment }]
  }))
  return all.flat()
}
