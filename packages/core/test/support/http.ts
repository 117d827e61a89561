import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

type Answer = Effect.Effect<Response, HttpClientError.HttpClientError>

export const url = "http://service.test/"

/** A client without a network: answers by number of the attempt, and remembers what was asked and what was aborted. */
export const fake = (
  answer: (attempt: number, request: HttpClientRequest.HttpClientRequest) => Response | Answer
) => {
  const requests: Array<HttpClientRequest.HttpClientRequest> = []
  const signals: Array<AbortSignal> = []
  const client = HttpClient.make((request, _, signal) =>
    Effect.suspend(() => {
      signals.push(signal)
      const given = answer(requests.push(request), request)
      return Effect.map(
        given instanceof Response ? Effect.succeed(given) : given,
        (response) => HttpClientResponse.fromWeb(request, response)
      )
    })
  )
  return { client, requests, signals }
}

export const status = (code: number, headers: Record<string, string> = {}): Response =>
  new Response(`status ${code}`, { status: code, headers })

/** A body that is told chunk by chunk, and knows whether it was cancelled. */
export const body = () => {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  const state = { cancelled: false }
  const stream = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given
    },
    cancel() {
      state.cancelled = true
    }
  })
  return {
    state,
    response: new Response(stream),
    chunk: (text: string) => controller.enqueue(new TextEncoder().encode(text)),
    end: () => controller.close(),
    break: () => controller.error(new TypeError("terminated"))
  }
}

interface Served {
  url: string
  readonly requests: Array<Http.IncomingMessage>
  /** what is neither answered to the end nor given up by the client */
  readonly open: Set<Http.ServerResponse>
  /** connections that were made */
  connections: number
}

/** A real server on loopback. `attempt` counts from 1. */
export const serve = (
  handle: (request: Http.IncomingMessage, response: Http.ServerResponse, attempt: number) => void
): Effect.Effect<Served, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const served: Served = { url: "", requests: [], open: new Set(), connections: 0 }
        const server = Http.createServer((request, response) => {
          served.open.add(response)
          response.on("close", () => served.open.delete(response))
          handle(request, response, served.requests.push(request))
        })
        server.on("connection", () => served.connections++)
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
        served.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
        return { server, served }
      }),
      ({ server }) =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    ({ served }) => served
  )

/** Waits for what the other end of a socket will notice. */
export const eventually = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.andThen(Effect.sleep("2 millis"), eventually(holds)))
