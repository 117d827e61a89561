import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import type * as net from "node:net"

/** What a test says to one request; `undefined` is to say nothing, ever. */
export interface OddAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** As it is if it is text, as JSON otherwise. */
  readonly body?: unknown
  /** How it goes on after the body: the end, a broken connection, or nothing more. Ended if absent. */
  readonly ending?: "reset" | "stall"
}

/** A request as the server saw it. */
export interface OddRequest {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export interface OddServer {
  readonly url: string
  readonly requests: ReadonlyArray<OddRequest>
}

/** An HTTP server on loopback that answers as no Azure would. Dates are sent only if they are told. */
export const oddServer = (
  answer: (request: OddRequest) => OddAnswer | undefined
): Effect.Effect<OddServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const requests: Array<OddRequest> = []
    const server = http.createServer((incoming, response) => {
      const { headers, method = "", url: path = "" } = incoming
      let body = ""
      incoming.setEncoding("utf8").on("data", (text: string) => body += text)
      incoming.on("end", () => {
        const request = { method, path, headers, body }
        requests.push(request)
        const said = answer(request)
        if (said === undefined) return
        const text = typeof said.body === "string" ? said.body : JSON.stringify(said.body ?? {})
        response.sendDate = false
        response.writeHead(said.status, {
          "content-type": text === said.body ? "text/plain" : "application/json",
          ...said.headers
        })
        if (said.ending === undefined) return response.end(text)
        response.flushHeaders()
        response.write(text)
        if (said.ending === "reset") setTimeout(() => response.destroy(), 10)
      })
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return { url: `http://127.0.0.1:${port}`, requests }
  })
