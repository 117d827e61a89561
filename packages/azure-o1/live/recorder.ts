// An HTTP client that keeps what goes over it, as it goes on: nothing is held back until it is complete.
import * as Effect from "effect/Effect"
import { HttpClient, type HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Stream from "effect/Stream"
import * as json from "../src/wire/json.ts"

/** One request, and what was heard of its answer. */
export interface Recorded {
  readonly method: string
  /** Of the address the path alone, for the host is the user's. */
  readonly path: string
  readonly asked: unknown
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  body: string
  /** The answer was complete; otherwise the connection broke, or nobody wanted to hear the rest. */
  complete: boolean
  /** Milliseconds from the request to the headers. */
  readonly took: number
}

const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest): unknown =>
  body._tag === "Uint8Array" ? json.parse(new TextDecoder().decode(body.body)) : undefined

const pathOf = (url: string): string => {
  const { pathname, search } = new URL(url)
  return pathname + search
}

/** The same client, which adds to `log` what it is used for. */
export const recording = (client: HttpClient.HttpClient, log: Array<Recorded>): HttpClient.HttpClient =>
  HttpClient.transform(client, (effect, request) =>
    Effect.suspend(() => {
      const start = performance.now()
      return Effect.map(effect, (response) => {
        const recorded: Recorded = {
          method: request.method,
          path: pathOf(request.url),
          asked: bodyOf(request),
          status: response.status,
          headers: { ...response.headers },
          body: "",
          complete: false,
          took: performance.now() - start
        }
        log.push(recorded)
        const decoder = new TextDecoder()
        const body = response.stream.pipe(
          Stream.tap((bytes) => Effect.sync(() => recorded.body += decoder.decode(bytes, { stream: true }))),
          Stream.onEnd(Effect.sync(() => recorded.complete = true)),
          Stream.toReadableStream
        )
        return HttpClientResponse.fromWeb(
          request,
          new Response(body, { status: response.status, headers: recorded.headers })
        )
      })
    }))
