/**
 * Where the answers of all processes are: a file for each id, which only one of them can write. A process that dies while it writes
 * leaves nothing that could be taken for an answer.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { link, readdir, readFile, unlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import process from "node:process"

export const Answer = Schema.Struct({
  id: Schema.String,
  text: Schema.String,
  /** The deployment that has answered. */
  deployment: Schema.String,
  /** The process that wrote it down. */
  pid: Schema.Int
})

export type Answer = typeof Answer.Type

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

const isFault = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

const fileOf = (folder: string, id: string): string => join(folder, `${id}.json`)

/** The answer that there is. */
export const read = (folder: string, id: string): Effect.Effect<Answer | undefined> =>
  Effect.promise(async () => {
    try {
      return await readFile(fileOf(folder, id), "utf8")
    } catch (error) {
      if (isFault(error, "ENOENT")) return undefined
      throw error
    }
  }).pipe(Effect.flatMap((text) => text === undefined ? Effect.undefined : Effect.orDie(decode(text))))

/** How many answers there are. */
export const count = (folder: string): Effect.Effect<number> =>
  Effect.promise(async () => (await readdir(folder)).filter((name) => !name.startsWith(".")).length)

/** Writes an answer, unless there is one. Tells whether it was this one. */
export const write = (folder: string, answer: Answer): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    const draft = join(folder, `.${answer.id}.${process.pid}.${performance.now()}`)
    await writeFile(draft, JSON.stringify(answer))
    try {
      await link(draft, fileOf(folder, answer.id))
      return true
    } catch (error) {
      if (isFault(error, "EEXIST")) return false
      throw error
    } finally {
      await unlink(draft)
    }
  })
