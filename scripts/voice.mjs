// Finds the sentences that a reader has to read twice, by the patterns of docs/voice.md.
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"

const root = join(fileURLToPath(import.meta.url), "..", "..")

const places = [
  "*.md",
  ".changeset/*.md",
  "docs/**/*.md",
  "packages/*/*.md",
  "packages/*/{src,live,benchmark,laboratory}/**/*.{ts,md}",
  "scripts/*.mjs",
  "tools/*/src/**/*.ts"
]

/** These show what is wrong. */
const shown = new Set(["docs/voice.md", "scripts/voice.mjs"])

const patterns = [
  [/(?:^|[.!?:] |\*+ |\/\/ |- |\| )(?:Who|Whoever|What is|What was|What has) /u, "begins without its actor: name who or what it is"],
  [/\bwhoever\b/iu, "\"whoever\": name the one that acts"],
  [/\bone's own\b/iu, "\"one's own\": your own, or its own"],
  [/\bin the place of\b/iu, "\"in the place of\": instead of"],
  [/\ball the same\b/iu, "\"all the same\": still, anyway"],
  [/\b(?:is|of) no use\b/iu, "\"no use\": say what happens"]
]

const found = places
  .flatMap((place) => globSync(place, { cwd: root, exclude: ["**/node_modules/**", "**/dist/**"] }))
  .filter((file) => !shown.has(file))
  .flatMap((file) =>
    readFileSync(join(root, file), "utf8").split("\n").flatMap((line, i) =>
      patterns.flatMap(([pattern, advice]) => pattern.test(line) ? [`${file}:${i + 1} ${advice}\n  ${line.trim()}`] : [])
    )
  )

for (const sentence of found) console.log(sentence)
if (found.length > 0) process.exitCode = 1
