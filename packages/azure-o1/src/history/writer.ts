import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { constVoid } from "effect/Function"
import type { PlatformError } from "effect/PlatformError"

export interface WriterOptions {
  readonly path: string
  readonly maxBytes: number
  readonly maxFiles: number
  readonly maxPending: number
}

/** The files of a history, the latest first: `path`, `path.1`, `path.2`, ... */
export const filesOf = (path: string, maxFiles: number): ReadonlyArray<string> =>
  Array.from({ length: maxFiles }, (_, i) => i === 0 ? path : `${path}.${i}`)

/** Writes lines in batches. A file that would become too large is put aside first. */
export class Writer {
  private readonly fs: FileSystem.FileSystem
  private readonly options: WriterOptions
  private pending: Array<string> = []
  private size = 0
  /** The last line of the file may be one that was not written to its end: a line feed before the next one keeps that whole. */
  private torn = false
  /** How many lines did not fit into the memory while the files could not be written. */
  private dropped = 0

  private constructor(fs: FileSystem.FileSystem, options: WriterOptions) {
    this.fs = fs
    this.options = options
  }

  /** Finds the file as it is, and fails where it cannot be written. */
  static readonly open = (fs: FileSystem.FileSystem, options: WriterOptions): Effect.Effect<Writer, PlatformError> =>
    Effect.gen(function*() {
      const writer = new Writer(fs, options)
      yield* writer.append("")
      writer.size = Number((yield* fs.stat(options.path)).size)
      writer.torn = writer.size > 0
      return writer
    })

  add(line: string): void {
    this.pending.push(line)
    if (this.pending.length <= this.options.maxPending) return
    this.pending.shift()
    this.dropped++
  }

  /** Writes what is there, and gives how many lines had to be dropped since the last time. What could not be written is kept for the next time. */
  get flush(): Effect.Effect<number, PlatformError> {
    return Effect.uninterruptible(Effect.suspend(() => {
      if (this.pending.length === 0) return Effect.succeed(0)
      const lines = this.pending
      this.pending = []
      const text = `${this.torn ? "\n" : ""}${lines.join("")}`
      return Effect.onError(this.write(text), () => Effect.andThen(this.cutBack, Effect.sync(() => this.keep(lines))))
    })).pipe(Effect.map(() => {
      const { dropped } = this
      this.dropped = 0
      return dropped
    }))
  }

  /** Lines that could not be written wait with the newer ones, as many as there is room for. */
  private keep(lines: ReadonlyArray<string>): void {
    const kept = [...lines, ...this.pending]
    this.pending = kept.slice(-this.options.maxPending)
    this.dropped += kept.length - this.pending.length
  }

  /** Takes back a part of a batch, which will be written again as a whole. */
  private get cutBack(): Effect.Effect<void> {
    return Effect.match(this.fs.truncate(this.options.path, this.size), {
      onFailure: () => {
        this.torn = true
      },
      onSuccess: constVoid
    })
  }

  private write(text: string): Effect.Effect<void, PlatformError> {
    return Effect.gen({ self: this }, function*() {
      const bytes = new TextEncoder().encode(text).length
      if (this.size > 0 && this.size + bytes > this.options.maxBytes) yield* this.rotate
      yield* this.append(text)
      this.size += bytes
      this.torn = false
    })
  }

  private append(text: string): Effect.Effect<void, PlatformError> {
    return this.fs.writeFile(this.options.path, new TextEncoder().encode(text), { flag: "a", mode: 0o600 })
  }

  /** The oldest file goes, and every other one becomes one older. A crash within leaves a gap, and no file is read twice. */
  private get rotate(): Effect.Effect<void, PlatformError> {
    return Effect.gen({ self: this }, function*() {
      const files = filesOf(this.options.path, this.options.maxFiles)
      yield* this.fs.remove(files.at(-1)!, { force: true })
      for (const [at, file] of Array.from(files.slice(0, -1).entries()).toReversed()) {
        if (yield* this.fs.exists(file)) yield* this.fs.rename(file, files[at + 1]!)
      }
      this.size = 0
      this.torn = false
    })
  }
}
