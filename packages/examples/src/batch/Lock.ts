/**
 * One process at a time: a lock of the operating system, by way of SQLite. It ends with its process, however that ends, so that no
 * lock of a dead process is ever in the way.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { statSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { StoreError } from "./Ledger.ts"

class Locked extends Data.TaggedError("Locked")<{ readonly cause: unknown }> {}

const isBusy = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "errcode" in error && error.errcode === 5

const open = (file: string): DatabaseSync => {
  const database = new DatabaseSync(file)
  try {
    database.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** A device or a pipe is no file to keep anything in: it may never end. */
export const regular = (file: string): Effect.Effect<void, StoreError> =>
  Effect.suspend(() => {
    const stat = statSync(file, { throwIfNoEntry: false })
    return stat === undefined || stat.isFile() ? Effect.void : new StoreError({ message: `${file} is not a file.` })
  })

/** Holds the lock of a file until the scope ends. A process that is about to end may have it for a moment still. */
export const lock = (file: string): Effect.Effect<void, StoreError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.andThen(
      regular(file),
      Effect.try({ try: () => open(`${file}.lock`), catch: (cause) => new Locked({ cause }) })
    ).pipe(
      Effect.retry({
        while: (error) => error._tag === "Locked" && isBusy(error.cause),
        schedule: Schedule.max([Schedule.spaced("100 millis"), Schedule.recurs(50)])
      }),
      Effect.catchTags({
        Locked: ({ cause }) =>
          new StoreError({
            message: isBusy(cause)
              ? `Another process is at work on ${file}. Wait for it, or stop it.`
              : `The lock ${file}.lock cannot be taken: ${cause instanceof Error ? cause.message : String(cause)}.`
          })
      })
    ),
    (database) => Effect.sync(() => database.close())
  )
