import * as Effect from "effect/Effect"
import * as http from "node:http"
import type * as net from "node:net"
import type { FakeServer } from "./fakeServer.ts"

/** Listens on an ephemeral port of the loopback interface for as long as the scope lives. */
export const listen = Effect.fnUntraced(function*(fake: FakeServer) {
  const sockets = new Set<net.Socket>()
  const server = http.createServer((request, response) => {
    // on the real clock, which is that of an empty context
    const fiber = Effect.runFork(fake.handle(request, response))
    response.on("close", () => fiber.interruptUnsafe())
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
    }),
    () =>
      Effect.callback<void>((resume) => {
        fake.stop()
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  return { url: `http://127.0.0.1:${port}`, sockets }
})
