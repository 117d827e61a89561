// What stands between a client and a server, and does to their bytes what routers, gateways and load balancers do: by chance,
// the same for the same seed. It knows of HTTP only where a request begins.
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as net from "node:net"
import { uniform } from "./random.ts"

/**
 * - `drop`: the answer is lost from some byte on, and nobody is told: both connections stay open
 * - `rst`, `fin`: the connection ends at some byte of the answer
 * - `garbage`: what comes is no HTTP
 * - `continue`: an informational answer that nobody asked for comes first
 * - `trickle`: the answer comes in small pieces
 * - `late`: the answer takes a while to begin
 */
const proxyFaults = ["drop", "rst", "fin", "garbage", "continue", "trickle", "late"] as const

export type ProxyFault = typeof proxyFaults[number]

export interface RawProxy {
  readonly url: string
  /** The connections of clients that are open now. */
  readonly open: () => number
  /** How often each fault was done. */
  readonly done: () => Readonly<Record<ProxyFault, number>>
}

interface Draw {
  readonly kind: ProxyFault
  /** The byte of the answer at which it happens. */
  readonly at: number
}

class Link {
  private readonly client: net.Socket
  private readonly server: net.Socket
  private readonly draw: () => Draw | undefined
  private fault: Draw | undefined = undefined
  private sent = 0
  private dropped = false
  private late = Promise.resolve()

  constructor(client: net.Socket, server: net.Socket, draw: () => Draw | undefined) {
    this.client = client
    this.server = server
    this.draw = draw
    client.on("data", (data: Buffer) => this.fromClient(data))
    server.on("data", (data: Buffer) => {
      this.late = this.late.then(() => this.fromServer(data))
    })
    // who ends it after a drop is not heard of on the other side
    client.on("close", () => server.destroy())
    server.on("close", () => {
      void this.late.then(() => this.dropped || client.destroy())
    })
    for (const socket of [client, server]) socket.on("error", () => {})
  }

  private fromClient(data: Buffer): void {
    if (this.dropped) return
    if (/^(GET|POST) \//.test(data.toString("latin1", 0, 6))) {
      this.fault = this.draw()
      this.sent = 0
      if (this.fault?.kind === "continue") this.client.write("HTTP/1.1 100 Continue\r\n\r\n")
      if (this.fault?.kind === "garbage") return void this.client.end("220 mail.example.org ESMTP\r\n")
    }
    this.server.write(data)
  }

  private async fromServer(data: Buffer): Promise<void> {
    const { client, fault } = this
    if (this.dropped || client.destroyed) return
    switch (fault?.kind) {
      case "drop":
      case "rst":
      case "fin": {
        const left = fault.at - this.sent
        this.sent += data.length
        if (data.length < left) return void client.write(data)
        client.write(data.subarray(0, left))
        this.dropped = true
        if (fault.kind === "fin") client.end()
        if (fault.kind === "rst") setTimeout(() => client.resetAndDestroy(), 5)
        return
      }
      case "trickle":
        /* oxlint-disable no-await-in-loop -- one piece follows another */
        for (let at = 0; at < data.length; at += 200) {
          client.write(data.subarray(at, at + 200))
          await new Promise<void>((resolve) => setImmediate(resolve))
        }
        return
      case "late":
        if (this.sent === 0) await new Promise<void>((resolve) => setTimeout(resolve, 30))
        this.sent += data.length
        break
      default:
    }
    client.write(data)
  }
}

/** A proxy in front of a server, as long as the scope lives. */
export const rawProxy = (
  target: string,
  options: { readonly rate: number; readonly seed: number; readonly kinds?: ReadonlyArray<ProxyFault> }
): Effect.Effect<RawProxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { kinds = proxyFaults, rate, seed } = options
    const next = uniform(seed)
    const port = Number(new URL(target).port)
    const sockets = new Set<net.Socket>()
    const done = Object.fromEntries(proxyFaults.map((kind) => [kind, 0])) as Record<ProxyFault, number>
    const draw = (): Draw | undefined => {
      const [hit, which, where] = [next(), next(), next()]
      if (hit >= rate) return undefined
      const kind = kinds[Math.floor(which * kinds.length)]!
      done[kind]++
      // somewhere in headers and events of a short answer
      return { kind, at: Math.floor(where * 4000) }
    }
    const proxy = net.createServer((client) => {
      sockets.add(client)
      client.on("close", () => sockets.delete(client))
      // oxlint-disable-next-line no-new -- it lives by its sockets
      new Link(client, net.connect(port, "127.0.0.1"), draw)
    })
    const own = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        proxy.listen(0, "127.0.0.1", () => resume(Effect.succeed((proxy.address() as net.AddressInfo).port)))
      }),
      () =>
        Effect.callback<void>((resume) => {
          proxy.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    return { url: `http://127.0.0.1:${own}`, open: () => sockets.size, done: () => ({ ...done }) }
  })
