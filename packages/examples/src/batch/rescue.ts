/** What a parent has heard of the responses in flight, kept beside the output when Redis takes its own knowledge with it. */
import { ResumeToken } from "@effect-resilience/azure-o1/schema"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { readFile, rm, writeFile } from "node:fs/promises"
import { type Memory, StoreError } from "./Ledger.ts"

const Rescued = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ key: Schema.String, token: Schema.optionalKey(ResumeToken) }))
)

const fileOf = (output: string): string => `${output}.rescued`

/** Writes it down, if there is any. */
export const rescue = (output: string, memory: Memory): Effect.Effect<void> =>
  memory.size === 0 ? Effect.void : Effect.ignore(Effect.tryPromise(() => {
    const entries = Array.from(memory, ([key, token]) => token === undefined ? { key } : { key, token })
    return writeFile(fileOf(output), JSON.stringify(entries))
  }))

/** Gives back what was written down, and forgets it once `restore` has it. */
export const rescued = (
  output: string,
  restore: (memory: Memory) => Effect.Effect<void, StoreError>
): Effect.Effect<void, StoreError> => {
  const file = fileOf(output)
  const bad = (): StoreError => new StoreError({ message: `${file} cannot be read. Delete it to go on without it.` })
  return Effect.suspend(() =>
    existsSync(file)
      ? Effect.tryPromise({ try: () => readFile(file, "utf8"), catch: bad }).pipe(
        Effect.flatMap((text) => Effect.mapError(Schema.decodeEffect(Rescued)(text), bad)),
        Effect.flatMap((entries) => restore(new Map(entries.map(({ key, token }) => [key, token])))),
        Effect.andThen(Effect.ignore(Effect.tryPromise(() => rm(file))))
      )
      : Effect.void
  )
}
