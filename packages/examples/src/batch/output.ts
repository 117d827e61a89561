/** The output: one line for each prompt, written by one process. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { open } from "node:fs/promises"
import { StoreError } from "./Ledger.ts"
import { lock } from "./Lock.ts"
import { isFailed, lineOf, type Result } from "./Result.ts"

export interface Output {
  /** The ids that have a line, and whether it says that the prompt failed. */
  readonly written: ReadonlyMap<string, boolean>
  /** Adds the lines of those that have none yet. They are on the disk at the end. */
  readonly write: (results: ReadonlyArray<readonly [id: string, result: Result]>) => Effect.Effect<void, StoreError>
}

/** How every line begins. */
const beginning = "{\"id\":\""

/** The id of a line and whether it failed; nothing where it is no line of an output. */
const parse = (line: string): readonly [string, boolean] | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== "object" || value === null || !("id" in value) || typeof value.id !== "string") {
      return undefined
    }
    return "answer" in value ? [value.id, false] : "error" in value ? [value.id, true] : undefined
  } catch {
    return undefined
  }
}

/** The ids that have a line, for those who only read. */
export const idsOf = (text: string): ReadonlySet<string> =>
  new Set(text.split("\n").slice(0, -1).flatMap((line) => parse(line)?.[0] ?? []))

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
    const written = new Map<string, boolean>()
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
        for (const [id, result] of results) {
          if (written.has(id)) continue
          written.set(id, isFailed(result))
          lines.push(lineOf(id, result))
        }
        return lines.length === 0 ? Effect.void : using(async () => {
          await handle.appendFile(lines.join(""))
          await handle.datasync()
        })
      }
    }
  })
