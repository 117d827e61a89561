/** The ledger in a file: one entry in each line, only ever added to. It belongs to one worker at a time. */
import type { ResumeToken } from "@effect-resilience/azure-o1"
import { ResumeToken as ResumeTokenSchema } from "@effect-resilience/azure-o1/schema"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type FileHandle, open } from "node:fs/promises"
import { after, type Entry, type Known, Ledger, type Next, next, type Reader, StoreError, unknown } from "./Ledger.ts"
import { lock } from "./Lock.ts"
import { Result } from "./Result.ts"

const id = Schema.String

const Line = Schema.fromJsonString(Schema.Union([
  Schema.TaggedStruct("Asked", { id }),
  Schema.TaggedStruct("Withdrawn", { id }),
  Schema.TaggedStruct("Accepted", { id, token: ResumeTokenSchema }),
  Schema.TaggedStruct("Ended", { id, responseId: Schema.String }),
  Schema.TaggedStruct("Lost", { id, responseId: Schema.String }),
  Schema.TaggedStruct("Answered", { id, result: Result })
]))

const decode = Schema.decodeUnknownEffect(Line)

/** The first line, by which a journal is told from other files. */
const heading = `${JSON.stringify({ journal: "effect-resilience batch", version: 1 })}\n`

const said = (error: unknown): string => error instanceof Error ? error.message : String(error)

const using = <A>(file: string, use: () => Promise<A>): Effect.Effect<A, StoreError> =>
  Effect.tryPromise({
    try: use,
    catch: (error) => new StoreError({ message: `The journal ${file} cannot be used: ${said(error)}.` })
  })

const opened = (file: string, flags: string): Effect.Effect<FileHandle, StoreError, Scope.Scope> =>
  Effect.acquireRelease(using(file, () => open(file, flags)), (handle) => Effect.promise(() => handle.close()))

/** Reads what was added since the last time, whole lines only. */
const following = (file: string, handle: FileHandle) => {
  let offset = 0
  let number = 0
  const read = Effect.gen(function*() {
    const { size } = yield* using(file, () => handle.stat())
    if (size <= offset) return []
    const bytes = Buffer.alloc(size - offset)
    yield* using(file, () => handle.read(bytes, 0, bytes.length, offset))
    const end = bytes.lastIndexOf("\n") + 1
    offset += end
    const entries: Array<Entry> = []
    for (const line of bytes.toString("utf8", 0, end).split("\n").slice(0, -1)) {
      number++
      if (number === 1 && `${line}\n` === heading) continue
      const is = number === 1 ? "a journal" : "a whole journal"
      entries.push(
        yield* Effect.mapError(
          number === 1 ? Effect.fail(undefined) : decode(line),
          () => new StoreError({ message: `${file} is not ${is}: line ${number} is something else.` })
        )
      )
    }
    return entries
  })
  return { read, offset: () => offset }
}

const write = (file: string, handle: FileHandle, lines: ReadonlyArray<string>): Effect.Effect<void, StoreError> =>
  using(file, async () => {
    await handle.appendFile(lines.join(""))
    await handle.datasync()
  })

/** Removes half a line at the end, which nobody has relied upon: its process died while it wrote. */
const repair = (file: string, handle: FileHandle, end: number): Effect.Effect<void, StoreError> =>
  Effect.gen(function*() {
    const { size } = yield* using(file, () => handle.stat())
    if (end > 0) return yield* size > end ? using(file, () => handle.truncate(end)) : Effect.void
    const beginning = yield* using(file, () => handle.readFile("utf8"))
    if (!heading.startsWith(beginning)) {
      return yield* new StoreError({ message: `${file} is not a journal: line 1 is something else.` })
    }
    yield* using(file, () => handle.truncate(0))
    yield* write(file, handle, [heading])
  })

/** The ledger of a worker. An entry is on the disk before the worker goes on. */
export const layer = (file: string): Layer.Layer<Ledger, StoreError> =>
  Layer.effect(
    Ledger,
    Effect.gen(function*() {
      yield* lock(file)
      const handle = yield* opened(file, "a+")
      const { offset, read } = following(file, handle)
      const all = new Map<string, Known>()
      const of = (id: string): Known => all.get(id) ?? unknown
      const note = (entry: Entry): void => void all.set(entry.id, after(of(entry.id), entry))
      for (const entry of yield* read) note(entry)
      yield* repair(file, handle, offset())

      const queue = yield* Queue.unbounded<
        { readonly line: string; readonly done: Deferred.Deferred<void, StoreError> }
      >()
      let broken: Exit.Exit<void, StoreError> = Exit.void
      yield* Effect.forever(Effect.gen(function*() {
        // all that waits goes to the disk together; after a failure nothing may follow what may be half a line
        const waiting = yield* Queue.takeAll(queue)
        if (Exit.isSuccess(broken)) broken = yield* Effect.exit(write(file, handle, waiting.map(({ line }) => line)))
        for (const { done } of waiting) Deferred.doneUnsafe(done, broken)
      })).pipe(Effect.forkScoped)

      const add = (entry: Entry): Effect.Effect<void, StoreError> =>
        Effect.suspend(() => {
          note(entry)
          const done = Deferred.makeUnsafe<void, StoreError>()
          Queue.offerUnsafe(queue, { line: `${JSON.stringify(entry)}\n`, done })
          return Deferred.await(done)
        })

      return {
        look: (id) => Effect.sync(() => next(of(id))._tag),
        begin: (id) =>
          Effect.suspend((): Effect.Effect<Next, StoreError> => {
            const then = next(of(id))
            return then._tag === "Ask" ? Effect.as(add({ _tag: "Asked", id }), then) : Effect.succeed(then)
          }),
        withdraw: (id) => add({ _tag: "Withdrawn", id }),
        accept: (id, token) =>
          Effect.suspend((): Effect.Effect<ResumeToken, StoreError> => {
            const standing = of(id).token
            return standing === undefined
              ? Effect.as(add({ _tag: "Accepted", id, token }), token)
              : Effect.succeed(standing)
          }),
        end: (id, responseId) => add({ _tag: "Ended", id, responseId }),
        lose: (id, responseId) => add({ _tag: "Lost", id, responseId }),
        answer: (id, result) => of(id).result === undefined ? add({ _tag: "Answered", id, result }) : Effect.void
      }
    })
  )

/** What a worker writes, read by another process. */
export const reader = (file: string): Effect.Effect<Reader, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    const handle = yield* opened(file, "a+")
    const { read } = following(file, handle)
    const all = new Map<string, Known>()
    let twice = 0
    return {
      news: Effect.map(read, (entries) => {
        const results: Array<readonly [string, Result]> = []
        for (const entry of entries) {
          const before = all.get(entry.id) ?? unknown
          const known = after(before, entry)
          all.set(entry.id, known)
          twice += known.twice - before.twice
          if (before.result === undefined && known.result !== undefined) results.push([entry.id, known.result])
        }
        return { results, twice, emptied: false }
      }),
      restore: () => Effect.void
    }
  })
