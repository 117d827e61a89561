/** A request as it came over the socket. */
export interface RawRequest {
  readonly method: string
  readonly path: string
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The body, `undefined` if it is not JSON. */
  readonly json: unknown
  /** Which connection of the server brought it. */
  readonly connection: number
  /** When it was complete; milliseconds of `performance.now`. */
  readonly at: number
  /** When all actions had been taken; `undefined` before, and where the connection was gone by then. */
  answeredAt: number | undefined
  /** When its connection was gone. */
  closedAt: number | undefined
}

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const headersOf = (lines: ReadonlyArray<string>): Record<string, string> =>
  Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  }))

/** The body in chunks from `start` on, and where it ends; `undefined` if it is not complete. */
const unchunked = (bytes: Buffer, start: number): readonly [Buffer, number] | undefined => {
  const parts: Array<Buffer> = []
  for (let at = start;;) {
    const line = bytes.indexOf("\r\n", at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16)
    const end = line + 2 + size
    if (bytes.length < end + 2) return undefined
    if (size === 0) return [Buffer.concat(parts), end + 2]
    parts.push(bytes.subarray(line + 2, end))
    at = end + 2
  }
}

/** Makes requests of what a connection brings. */
export class RequestReader {
  private readonly connection: number
  private pieces: Array<Buffer> = []
  private size = 0
  /** How many bytes there must be before it is worth a look. */
  private needed = 0

  constructor(connection: number) {
    this.connection = connection
  }

  private keep(bytes: Buffer, needed: number): undefined {
    this.pieces = [bytes]
    this.size = bytes.length
    this.needed = needed
    return undefined
  }

  private one(): RawRequest | undefined {
    if (this.size < Math.max(this.needed, 1)) return undefined
    const bytes = Buffer.concat(this.pieces)
    const blank = bytes.indexOf("\r\n\r\n")
    if (blank < 0) return this.keep(bytes, 0)
    const [first = "", ...lines] = bytes.toString("latin1", 0, blank).split("\r\n")
    const headers = headersOf(lines)
    const start = blank + 4
    const length = start + Number(headers["content-length"] ?? 0)
    const whole = headers["transfer-encoding"] === "chunked"
      ? unchunked(bytes, start)
      : bytes.length < length
      ? undefined
      : [bytes.subarray(start, length), length] as const
    if (whole === undefined) return this.keep(bytes, length)
    const [content, end] = whole
    this.keep(bytes.subarray(end), 0)
    const [method = "", path = ""] = first.split(" ")
    const body = content.toString()
    return {
      method,
      path,
      headers,
      body,
      json: parsed(body),
      connection: this.connection,
      at: performance.now(),
      answeredAt: undefined,
      closedAt: undefined
    }
  }

  /** The requests that are complete with these bytes. */
  read(bytes: Buffer): ReadonlyArray<RawRequest> {
    this.pieces.push(bytes)
    this.size += bytes.length
    const complete: Array<RawRequest> = []
    for (let request = this.one(); request !== undefined; request = this.one()) complete.push(request)
    return complete
  }
}
