import { assert, it } from "@effect/vitest"
import * as Fs from "node:fs"

const read = (path: string) => Fs.readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")
const distinct = (words: Iterable<string>) => Array.from(new Set(words)).toSorted()

it("the vocabulary on its page is the one that the type test holds", () => {
  const rows = read("docs/vocabulary.md").split("\n").filter((line) => line.startsWith("| `"))
  const page = rows.flatMap((row) => Array.from(row.split("|")[1]!.matchAll(/`(\w+)`/g), ([, word]) => word!))
  const held = read("packages/core/typetest/vocabulary.tst.ts").matchAll(/^ {2}\| "(\w+)"$/gm)
  assert.deepStrictEqual(distinct(page), distinct(Array.from(held, ([, word]) => word!)))
})
