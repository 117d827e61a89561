import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { words } from "../typetest/vocabulary.ts"

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8")
const sources = new URL("../src/", import.meta.url).pathname

describe("docs/vocabulary.md", () => {
  it("has every word that an option has for a name, once, and no other", () => {
    const rows = [...read("../../../docs/vocabulary.md").matchAll(/^\| `(\w+)`/gm)].map(([, word]) => word)
    assert.deepStrictEqual(new Set(rows), new Set<string | undefined>(words))
    assert.strictEqual(rows.length, words.length)
  })

  it("is held to every type of options that is exported", () => {
    const listed = read("../typetest/vocabulary.tst.ts")
    for (const file of globSync("{*,http/*,shared/*,testing/*}.ts", { cwd: sources })) {
      for (const [, type] of read(`../src/${file}`).matchAll(/^export (?:interface|type) (\w*Options)\b/gm)) {
        assert.include(listed, `| ${basename(file, ".ts")}.${type}`, file)
      }
    }
  })
})
