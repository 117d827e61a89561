/** The output: one line for each prompt, written by one process. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { open } from "node:fs/promises"
import { StoreError } from "./Ledger.ts"
import { lock } from "./Lock.ts"
import type { Prompt } from "./prompts.ts"
import { isFailed, lineOf, type Result } from "./Result.ts"

/** What a line says, without the answer. */
interface Written {
  readonly digest: string
  readonly failed: boolean
}

export interface Output {
  /** By the ids that have a line. */
  readonly written: ReadonlyMap<string, Written>
  /** Adds the lines of those that have none yet. They are on the disk at the end. */
  readonly write: (results: ReadonlyArray<readonly [Prompt, Result]>) => Effect.Effect<void, StoreError>
}

/** The id of a line and what it says; nothing where it is no line of an output. */
const parse = (line: string): readonly [string, Written] | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== "object" || value === null || !("id" in value) || typeof value.id !== "string") {
      return undefined
    }
    if (!("prompt" in value) || typeof value.prompt !== "string") return undefined
    const failed = "error" in value
    return failed || "answer" in value ? [value.id, { digest: value.prompt, failed }] : undefined
  } catch {
    return undefined
  }
}

/** How every line begins. */
const beginning = "{\"id\":\""

/** Opens the output, for this process alone. Half a line at its end goes: its process died while it wrote. */
export const output = (file: string): Effect.Effect<Output, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    yield* lock(file)
    const using = <A>(use: () => Promise<A>): Effect.Effect<A, StoreError> =>
      Effect.tryPromise({
        try: use,
        catch: (error) =>
          new StoreError({
            message: `The output ${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`
          })
      })
    const handle = yield* Effect.acquireRelease(
      using(() => open(file, "a+")),
      (handle) => Effect.promise(() => handle.close())
    )
    const bytes = yield* using(() => handle.readFile())
    const end = bytes.lastIndexOf("\n") + 1
    const written = new Map<string, Written>()
    for (const [i, line] of bytes.toString("utf8", 0, end).split("\n").slice(0, -1).entries()) {
      const found = parse(line)
      if (found === undefined) {
        return yield* new StoreError({ message: `${file} is not an output of this program: see line ${i + 1}.` })
      }
      written.set(...found)
    }
    const rest = bytes.toString("utf8", end)
    if (!beginning.startsWith(rest.slice(0, beginning.length))) {
      return yield* new StoreError({ message: `${file} is not an output of this program: see its last line.` })
    }
    if (end < bytes.length) yield* using(() => handle.truncate(end))
    return {
      written,
      write: (results) => {
        const lines: Array<string> = []
        for (const [prompt, result] of results) {
          if (written.has(prompt.id)) continue
          written.set(prompt.id, { digest: prompt.digest, failed: isFailed(result) })
          lines.push(lineOf(prompt, result))
        }
        return lines.length === 0 ? Effect.void : using(async () => {
          await handle.appendFile(lines.join(""))
          await handle.datasync()
        })
      }
    }
  })
