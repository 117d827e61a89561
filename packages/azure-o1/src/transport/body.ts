import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { O1Error, O1ProtocolError } from "../O1Error.ts"

type Bytes = Stream.Stream<Uint8Array, O1Error>

type Pulled = Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, O1Error>

/** The beginning of an answer, and how a failure of the HTTP client is told. */
export interface Beginning {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly headers: HttpClientResponse.HttpClientResponse["headers"]
  readonly deployment: string
  readonly failed: (cause: unknown) => O1Error
  /** Hears that nothing is left to be read. */
  readonly ended: () => void
}

/** A way to compress a body, and whether a body that begins with this byte is compressed. */
interface Encoding {
  readonly format: "gzip" | "deflate" | "brotli"
  readonly begins: (byte: number) => boolean
}

/** With these begin JSON, events and pages. */
const texts = new Set(Array.from("{[\"<: \t\r\ndeir\u00ef", (char) => char.charCodeAt(0)))

const gzip: Encoding = { format: "gzip", begins: (byte) => byte === 0x1f }

/** gzip is asked for; of the others there are gateways that do not ask. */
const encodings = new Map<string, Encoding>([
  ["gzip", gzip],
  ["x-gzip", gzip],
  ["deflate", { format: "deflate", begins: (byte) => byte === 0x78 }],
  ["br", { format: "brotli", begins: (byte) => !texts.has(byte) }]
])

const encodingOf = ({ headers }: Beginning): Encoding | undefined => {
  const encoding = headers["content-encoding"]
  return encoding === undefined ? undefined : encodings.get(encoding.trim().toLowerCase())
}

/** What runtimes call compressed data that ends before its end. */
const isCut = (cause: unknown): boolean =>
  cause instanceof Error &&
  (/end of (file|stream|input)|truncat|incomplete/i.test(cause.message) || isCut(cause.cause))

const decompressed = (bytes: Bytes, format: Encoding["format"], deployment: string): Bytes => {
  return Stream.unwrap(
    Effect.try({
      try: () =>
        // it takes bytes of any kind, and more formats than its types know of
        new DecompressionStream(format as "gzip") as TransformStream<Uint8Array, Uint8Array>,
      catch: () =>
        new O1ProtocolError({
          kind: "malformed",
          deployment,
          detail: `it is compressed with ${format}, which was not asked for`,
          shouldRetry: false
        })
    }).pipe(Effect.map((decompression) =>
      Stream.fromReadableStream({
        evaluate: () => Stream.toReadableStream(bytes).pipeThrough(decompression),
        onError: (cause) => {
          if (O1Error.is(cause)) return cause
          return isCut(cause)
            ? new O1ProtocolError({ kind: "truncated", deployment })
            : new O1ProtocolError({
              kind: "malformed",
              deployment,
              detail: `it is not the ${format} that its header says it is`
            })
        }
      })
    ))
  )
}

/** A client on top of `fetch` has decompressed it already, and leaves the header as it was: the first byte tells. */
const unzipped = (bytes: Bytes, { begins, format }: Encoding, deployment: string): Bytes =>
  Stream.transformPull(bytes, (pull, scope) =>
    Effect.sync(() => {
      let rest: Pulled | undefined
      const first: Pulled = Effect.flatMap(pull, (chunks): Pulled => {
        const begin = chunks.find(({ length }) => length > 0)
        if (begin === undefined) return first
        let given = false
        const all: Pulled = Effect.suspend((): Pulled => {
          if (given) return pull
          given = true
          return Effect.succeed(chunks)
        })
        if (!begins(begin[0]!)) return Effect.suspend(() => rest = all)
        const next = decompressed(Stream.fromPull(Effect.succeed(all)), format, deployment)
        return Effect.flatMap(Channel.toPullScoped(Stream.toChannel(next), scope), (pull) => rest = pull)
      })
      return Effect.suspend(() => rest ?? first)
    }))

/** The bytes of an answer, decompressed. */
export const bytesOf = (beginning: Beginning): Bytes => {
  const bytes = beginning.response.stream.pipe(
    Stream.mapError(({ reason }) => beginning.failed(reason.cause)),
    Stream.onEnd(Effect.sync(beginning.ended))
  )
  const encoding = encodingOf(beginning)
  return encoding === undefined ? bytes : unzipped(bytes, encoding, beginning.deployment)
}

/** A body in one piece, as far as it has come. */
class Collected {
  private readonly chunks: Array<Uint8Array> = []
  private length = 0
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** Whether there is room for it. */
  add(chunks: ReadonlyArray<Uint8Array>): boolean {
    for (const chunk of chunks) {
      this.length += chunk.length
      if (this.length > this.limit) return false
      this.chunks.push(chunk)
    }
    return true
  }

  toString(): string {
    const bytes = new Uint8Array(Math.min(this.length, this.limit))
    let at = 0
    for (const chunk of this.chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return new TextDecoder().decode(bytes.subarray(0, at))
  }
}

const collect = (beginning: Beginning, collected: Collected, limit: number): Effect.Effect<void, O1Error> =>
  Stream.runForEachArray(bytesOf(beginning), (chunks) =>
    collected.add(chunks) ? Effect.void : Effect.fail(
      new O1ProtocolError({
        kind: "malformed",
        deployment: beginning.deployment,
        detail: `its body is longer than ${limit} bytes (maxBodyBytes)`,
        // it would be as long again
        shouldRetry: false
      })
    ))

/** The whole body as text, up to `limit` bytes of it. */
export const textOf = (beginning: Beginning, limit: number): Effect.Effect<string, O1Error> => {
  const length = beginning.headers["content-length"]
  // an HTTP client reads no more than was announced
  if (length !== undefined && Number(length) <= limit && beginning.headers["content-encoding"] === undefined) {
    return Effect.mapBoth(beginning.response.text, {
      onFailure: ({ reason }) => beginning.failed(reason.cause),
      onSuccess: (text) => {
        beginning.ended()
        return text
      }
    })
  }
  return Effect.suspend(() => {
    const collected = new Collected(limit)
    return Effect.map(collect(beginning, collected, limit), () => collected.toString())
  })
}

/** How long the words of an error are awaited, and how many of them are looked at. */
const patience = "5 seconds"
const longestWords = 1024 * 1024

/** The words of an error, as far as they come: the status says enough if they break off, never come or never end. */
export const wordsOf = (beginning: Beginning, limit: number): Effect.Effect<string> =>
  Effect.suspend(() => {
    const most = Math.min(limit, longestWords)
    const collected = new Collected(most)
    return collect(beginning, collected, most).pipe(
      Effect.timeoutOption(patience),
      Effect.ignore,
      Effect.map(() => collected.toString())
    )
  })
