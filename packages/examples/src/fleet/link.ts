/** The way to a region: a relay on loopback that can be cut, as a network is. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect, createServer, type Socket } from "node:net"

export interface Link {
  readonly url: string
  /** Breaks every connection and accepts none. */
  readonly cut: Effect.Effect<void>
  readonly mend: Effect.Effect<void>
}

/** A relay to a port of this machine. */
export const make = (port: number): Effect.Effect<Link, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly link: Link; readonly close: () => void }>((resume) => {
      const open = new Set<Socket>()
      let isCut = false
      const server = createServer((socket) => {
        if (isCut) {
          socket.resetAndDestroy()
          return
        }
        const onward = connect({ host: "127.0.0.1", port })
        for (const [one, other] of [[socket, onward], [onward, socket]] as const) {
          open.add(one)
          one.on("error", () => other.destroy())
          one.on("close", () => {
            open.delete(one)
            other.destroy()
          })
          one.pipe(other)
        }
      })
      const reset = (): void => {
        for (const socket of open) socket.resetAndDestroy()
      }
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const own = typeof address === "object" && address !== null ? address.port : 0
        const link: Link = {
          url: `http://127.0.0.1:${own}`,
          cut: Effect.sync(() => {
            isCut = true
            reset()
          }),
          mend: Effect.sync(() => {
            isCut = false
          })
        }
        const close = (): void => {
          server.close()
          reset()
        }
        resume(Effect.succeed({ link, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ link }) => link))
