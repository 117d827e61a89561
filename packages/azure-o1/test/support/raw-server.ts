// A server that writes bytes to sockets, and so does what no HTTP library lets a server do: it says nothing for ever, cuts an
// answer after any byte, sends a 100 that nobody asked for, or no HTTP at all. What it does is a list of exchanges, each with
// actions that follow one another; `raw-actions.ts` has them. Its times are real ones.
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as net from "node:net"
import { type RawRequest, RequestReader } from "./raw-request.ts"

/** How a connection is ended: as one that is complete, or as by a router that has forgotten it. */
export type Cut = "fin" | "rst"

/** The answer to one request while it is given. */
interface Turn {
  readonly request: RawRequest
  /** How many requests this exchange was given to before. */
  readonly nth: number
  /** Bytes as they are, outside of every frame. */
  readonly bytes: (bytes: string | Uint8Array) => Promise<void>
  readonly head: (status: number, headers: Readonly<Record<string, string>>) => Promise<void>
  /** A piece of the body, as a chunk where the head has told no length. */
  readonly body: (text: string | Uint8Array) => Promise<void>
  /** The body is complete; the connection stays for the next request. */
  readonly end: () => Promise<void>
  readonly cut: (how: Cut) => Promise<void>
  /** Ends the connection so once that many bytes of the body are out. */
  readonly cutAfter: (bytes: number, how: Cut) => void
  /** Until then, or until the connection is gone. */
  readonly wait: (millis: number) => Promise<void>
  /** Until the connection is gone. */
  readonly gone: Promise<void>
  /** Whether there is nobody left to say something to. */
  readonly over: () => boolean
}

export type Action = (turn: Turn) => void | Promise<void>

/**
 * Words that must all fit: a method, `stream` or `plain` (`stream: true` in the body, or in the query), `background`, and
 * parts of the path that begin with a slash, `$` at their end for the path's end; or a function.
 */
type On = string | ((request: RawRequest) => boolean)

export interface Exchange {
  readonly on: On
  /**
   * How many requests it is for. The last that fits goes on for ever, whatever this says.
   *
   * @default 1
   */
  readonly times?: number
  readonly does: ReadonlyArray<Action>
}

export interface RawServer {
  readonly url: string
  /** The requests that are complete, in the order in which they were. */
  readonly requests: ReadonlyArray<RawRequest>
  /** The connections that are open now. */
  readonly open: () => number
  /** The connections that there were. */
  readonly connections: () => number
  /** What was asked, in short: `POST /responses stream`. */
  readonly asked: () => ReadonlyArray<string>
  /** Adds exchanges behind the others. */
  readonly add: (...exchanges: ReadonlyArray<Exchange>) => void
}

const wordFits = ({ json, method, path }: RawRequest, word: string): boolean => {
  const streams = (json as { stream?: unknown } | undefined)?.stream === true || /[?&]stream=true/.test(path)
  if (word === "stream") return streams
  if (word === "plain") return !streams
  if (word === "background") return (json as { background?: unknown } | undefined)?.background === true
  const [bare = ""] = path.split("?")
  if (word.startsWith("/")) return word.endsWith("$") ? bare.endsWith(word.slice(0, -1)) : bare.includes(word)
  return word === method
}

const fits = (on: On, request: RawRequest): boolean =>
  typeof on === "function" ? on(request) : on.split(" ").every((word) => wordFits(request, word))

/** A request in short: the API's part of the path, and whether a stream is asked for. */
const inShort = (request: RawRequest): string =>
  `${request.method} ${request.path.replace(/^\/openai(\/v1|\/deployments\/[^/]+)?/, "")}${
    wordFits(request, "background") ? " background" : ""
  }${request.method === "POST" && wordFits(request, "stream") ? " stream" : ""}`

/** What nobody has scripted: a cancel is taken, and everything else is a mistake of the test that shows. */
const unscripted: Action = async (turn) => {
  const cancels = wordFits(turn.request, "/cancel$")
  const body = cancels
    ? "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"cancelled\",\"output\":[]}"
    : `{"error":{"message":"no exchange for ${inShort(turn.request)}"}}`
  await turn.head(cancels ? 200 : 501, { "content-type": "application/json", "content-length": `${body.length}` })
  await turn.body(body)
  await turn.end()
}

/** One connection, and the turns that are taken on it one after another. */
class Connection {
  private readonly socket: net.Socket
  readonly gone: Promise<void>
  private chunked = false
  private bodyless = false
  private left = Infinity
  private how: Cut = "fin"

  constructor(socket: net.Socket) {
    this.socket = socket
    this.gone = new Promise((resolve) => socket.once("close", () => resolve()))
    // a client that goes away with a reset is nothing to die of
    socket.on("error", () => {})
  }

  get over(): boolean {
    return this.socket.destroyed || this.socket.writableEnded
  }

  private bytes(bytes: string | Uint8Array): Promise<void> {
    if (this.over || bytes.length === 0) return Promise.resolve()
    return Promise.race([this.gone, new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()))])
  }

  private async cut(how: Cut): Promise<void> {
    if (how === "fin") {
      this.socket.end()
      return this.gone
    }
    // a reset takes with it what the other side has not read yet
    await this.wait(10)
    this.socket.resetAndDestroy()
  }

  private head(status: number, headers: Readonly<Record<string, string>>): Promise<void> {
    const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
    this.bodyless = status === 204 || status === 304 || (status >= 100 && status < 200)
    this.chunked = !this.bodyless && !names.has("content-length") && headers.connection !== "close"
    const lines = Object.entries({ ...headers, ...this.chunked ? { "transfer-encoding": "chunked" } : {} })
    return this.bytes(`HTTP/1.1 ${status} x\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`)
  }

  private async body(text: string | Uint8Array): Promise<void> {
    const piece = Buffer.from(text).subarray(0, this.left)
    this.left -= piece.length
    if (piece.length > 0) {
      const framed = this.chunked ? [`${piece.length.toString(16)}\r\n`, piece, "\r\n"] : [piece]
      await this.bytes(Buffer.concat(framed.map((part) => Buffer.from(part))))
    }
    if (this.left === 0) await this.cut(this.how)
  }

  private end(): Promise<void> {
    if (this.chunked) return this.bytes("0\r\n\r\n")
    return Promise.resolve()
  }

  private wait(millis: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined = undefined
    const elapsed = new Promise<void>((resolve) => timer = setTimeout(resolve, millis))
    return Promise.race([this.gone, elapsed]).finally(() => clearTimeout(timer))
  }

  async take(request: RawRequest, exchange: Exchange, nth: number): Promise<void> {
    this.chunked = this.bodyless = false
    this.left = Infinity
    const turn: Turn = {
      request,
      nth,
      bytes: (bytes) => this.bytes(bytes),
      head: (status, headers) => this.head(status, headers),
      body: (text) => this.body(text),
      end: () => this.end(),
      cut: (how) => this.cut(how),
      cutAfter: (bytes, how) => {
        this.left = bytes
        this.how = how
      },
      wait: (millis) => this.wait(millis),
      gone: this.gone,
      over: () => this.over
    }
    for (const action of exchange.does) {
      if (this.over) return
      // oxlint-disable-next-line no-await-in-loop -- one action follows another
      await action(turn)
    }
  }
}

/** A server of these exchanges on loopback, as long as the scope lives. */
export const rawServer = (...exchanges: ReadonlyArray<Exchange>): Effect.Effect<RawServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const script = exchanges.map((exchange) => ({ exchange, used: 0 }))
    const requests: Array<RawRequest> = []
    const sockets = new Set<net.Socket>()
    let connections = 0

    const choose = (request: RawRequest): readonly [Exchange, number] => {
      const fitting = script.filter(({ exchange }) => fits(exchange.on, request))
      const chosen = fitting.find(({ exchange: { times = 1 }, used }) => used < times) ?? fitting.at(-1)
      return chosen === undefined ? [{ on: "", does: [unscripted] }, 0] : [chosen.exchange, chosen.used++]
    }

    const server = net.createServer({ noDelay: true }, (socket) => {
      const number = connections++
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
      const connection = new Connection(socket)
      const reader = new RequestReader(number)
      let turn = Promise.resolve()
      socket.on("data", (data: Buffer) => {
        for (const request of reader.read(data)) {
          requests.push(request)
          void connection.gone.then(() => request.closedAt ??= performance.now())
          const [exchange, nth] = choose(request)
          turn = turn.then(async () => {
            await connection.take(request, exchange, nth)
            request.answeredAt = connection.over ? undefined : performance.now()
          })
        }
      })
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    return {
      url: `http://127.0.0.1:${port}`,
      requests,
      open: () => sockets.size,
      connections: () => connections,
      asked: () => requests.map(inShort),
      add: (...more) => void script.push(...more.map((exchange) => ({ exchange, used: 0 })))
    }
  })
