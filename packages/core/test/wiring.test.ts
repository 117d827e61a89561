import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import { complaints, type Files, filesOf } from "../../../tools/architecture/src/wiring.ts"

const workspace = filesOf(fileURLToPath(new URL("../../..", import.meta.url)))

/** The workspace with some files changed. */
const withFiles = (changed: Readonly<Record<string, (text: string) => string>>): Files => ({
  read: (path) => changed[path]?.(workspace.read(path)) ?? workspace.read(path),
  list: (folder) => [
    ...workspace.list(folder),
    ...Object.keys(changed).filter((path) => path.startsWith(`${folder}/`) && workspace.read(path) === "").map((path) =>
      path.slice(folder.length + 1)
    )
  ]
})

const face = { "packages/core/src/Tally.ts": () => "export const make = () => undefined" }
const barrel = { "packages/core/src/index.ts": (text: string) => `${text}export * as Tally from "./Tally.ts"\n` }
const entry = (to: string) => (text: string) =>
  text.replaceAll(`"./Timeout": `, `"./Tally": "${to}",\n    "./Timeout": `)

describe("what names every module of core", () => {
  it("names all that there are", () => {
    assert.deepStrictEqual(complaints(workspace), [])
  })

  const half: ReadonlyArray<readonly [string, Parameters<typeof withFiles>[0], ReadonlyArray<string>]> = [
    ["a module that index.ts does not export", face, ["packages/core/src/index.ts does not export Tally"]],
    ["a module that is nowhere else", { ...face, ...barrel }, [
      "packages/core/package.json: exports has no ./Tally",
      "docs/policies/tally.md is missing",
      "README.md: no row of a table names Tally and links its page",
      "docs/README.md: no row of a table names Tally and links its page",
      "docs/algebra.md: no row of a table names Tally and links its page",
      "packages/core/test/Policy.laws.test.ts: policyOf has no case with Tally"
    ]],
    ["a page without its sections, and options that nothing tries", {
      "packages/core/src/Bulkhead.ts": (text) => `${text}\nexport interface TallyOptions {}\n`,
      "docs/policies/bulkhead.md": (text) => text.replace("## Anti-patterns", "## Patterns"),
      "packages/core/test/options.test.ts": (text) => text.replaceAll("\"Bulkhead.", "\"Other.")
    }, [
      "docs/policies/bulkhead.md has no section \"Anti-patterns\"",
      "packages/core/test/options.test.ts: no row of its table makes a Bulkhead with a bad option",
      "packages/core/typetest/vocabulary.tst.ts: Options has no Bulkhead.TallyOptions"
    ]],
    ["a page about nothing", { "docs/policies/tally.md": () => "Tally" }, [
      "docs/policies/tally.md is about no module of index.ts"
    ]],
    ["an entry of nothing", { "packages/core/package.json": entry("./src/Tally.ts") }, [
      "packages/core/package.json: ./Tally is no module of index.ts",
      "packages/core/package.json: ./Tally is ./src/Tally.ts, and as published ./src/Tally.ts"
    ]],
    ["an entry that is published only", {
      "packages/azure-o1/package.json": (text) => text.replace(`    "./node": "./src/node.ts",\n`, "")
    }, ["packages/azure-o1/package.json: exports has no ./node"]],
    ["an entry that is not published", {
      "packages/azure-o1/package.json": (text) => text.replace(`      "./node": "./dist/node.js",\n`, "")
    }, ["packages/azure-o1/package.json: publishConfig.exports has no ./node"]],
    ["an entry that tests resolve to something else", {
      "tsconfig.tests.json": (text) => text.replace("azure-o1/node\"", "azure-o1/nodes\"")
    }, ["tsconfig.tests.json: paths has no @effect-resilience/azure-o1/node"]]
  ]
  for (const [name, changed, expected] of half) {
    it(`complains of ${name}`, () => {
      // what is missing already is told above
      const before = new Set(complaints(workspace))
      assert.deepStrictEqual(complaints(withFiles(changed)).filter((complaint) => !before.has(complaint)), expected)
    })
  }
})
