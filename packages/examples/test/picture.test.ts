import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { run } from "./support.ts"

it.effect("docs/latency.svg is what example 09 draws; npm run picture makes it anew", () =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "picture-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    const path = join(directory, "latency.svg")
    const { code, stderr } = yield* run("09-monitor.ts", { args: [path] })
    assert.strictEqual(code, 0, stderr)
    assert.strictEqual(
      readFileSync(path, "utf8"),
      readFileSync(new URL("../../../docs/latency.svg", import.meta.url), "utf8")
    )
  }))
