import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8")

/** The code without comments, imports and empty lines. */
const essence = (code: string): string =>
  code
    .replaceAll(/\/\*\*[\s\S]*?\*\/\n/g, "")
    .replaceAll(/^import .*\n/gm, "")
    .replaceAll(/\n{2,}/g, "\n")
    .trim()

it("the README shows the call as it is", () => {
  const blocks = Array.from(read("../../../README.md").matchAll(/```ts\n([\s\S]*?)```/g), ([, code]) => essence(code!))
  assert.include(blocks, essence(read("../src/O1Call.ts")))
})
