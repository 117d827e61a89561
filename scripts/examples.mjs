// The example programs of packages/examples, each with what it shows: the first comment of its file.
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "packages", "examples", "src")

/** `{ number, name, file, shows }` of each, in order. */
export const examples = readdirSync(folder).filter((file) => /^\d+-.*\.ts$/.test(file)).toSorted().map((file) => {
  const [, comment] = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(join(folder, file), "utf8")) ?? []
  const shows = (comment ?? "").split("\n").map((line) => line.replace(/^\s*\*\s?/, "").trim()).join(" ").trim()
  return { number: Number.parseInt(file, 10), name: file.replace(/^\d+-|\.ts$/g, ""), file, shows }
})
