// A service in memory, for tests on the test clock: it answers requests as a function says, and remembers them.
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import { O1Policy, type O1PolicySettings } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"

export interface Asked {
  readonly host: string
  readonly method: string
  /** The way in which it is asked: a poll or a cancel is none. */
  readonly rung: "kept" | "stream" | "background" | "plain" | undefined
  readonly api: "chat" | "responses"
  readonly body: Record<string, any>
}

export type Answer = Effect.Effect<Response>
export type Serve = (asked: Asked, nth: number) => Answer

const rungOf = (api: Asked["api"], method: string, path: string, body: Asked["body"]): Asked["rung"] => {
  if (method !== "POST" || path.endsWith("/cancel")) return undefined
  if (body.stream === true) return api === "responses" && body.background === true ? "kept" : "stream"
  return body.background === true ? "background" : "plain"
}

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  Effect.sync(() =>
    new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } })
  )

export const refusal = (param: string | null, message: string, code = "unsupported_value"): Answer =>
  json(400, { error: { code, message, param, type: "invalid_request_error" } })

export const noStreams: Answer = refusal("stream", "Unsupported value: 'stream' does not support true with this model.")

const choice = (text: string, model: string) => ({
  id: "c",
  model,
  choices: [{ index: 0, finish_reason: "stop", message: { content: text } }]
})

const events = (...all: ReadonlyArray<unknown>): Answer =>
  Effect.sync(() =>
    new Response(all.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") + "data: [DONE]\n\n", {
      headers: { "content-type": "text/event-stream" }
    })
  )

/** The answer that was asked for, in its form. */
export const answer = ({ rung, api }: Asked, text = rung ?? "", model = "o1-2024-12-17"): Answer => {
  const response = {
    id: "resp_1",
    object: "response",
    model,
    status: "completed",
    output: [{ type: "message", content: [{ type: "output_text", text }] }]
  }
  if (rung === "kept" || (rung === "stream" && api === "responses")) {
    return events(
      { type: "response.created", sequence_number: 0, response: { ...response, status: "in_progress", output: [] } },
      { type: "response.completed", sequence_number: 1, response }
    )
  }
  if (rung === "stream") {
    return events({ id: "c", model, choices: [{ index: 0, delta: { content: text }, finish_reason: "stop" }] })
  }
  return json(200, api === "responses" ? response : choice(text, model))
}

/** The HTTP client of the service, and what it was asked. */
export const service = (serve: Serve) => {
  const asked: Array<Asked> = []
  const client = HttpClient.make((request, url) =>
    Effect.suspend(() => {
      const text = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : "{}"
      const body = JSON.parse(text) as Asked["body"]
      const api = url.pathname.includes("/responses") ? "responses" : "chat"
      const one = {
        host: url.hostname,
        method: request.method,
        rung: rungOf(api, request.method, url.pathname, body),
        api,
        body
      } as const
      asked.push(one)
      return Effect.map(serve(one, asked.length), (response) => HttpClientResponse.fromWeb(request, response))
    })
  )
  return {
    asked,
    /** The ways in which was asked so far. */
    rungs: () => asked.flatMap(({ rung }) => rung ?? []),
    http: Layer.succeed(HttpClient.HttpClient, client)
  }
}

export const configOf = (config: Partial<AzureO1Config> = {}): AzureO1Config => ({
  endpoint: "https://a.openai.azure.com",
  apiKey: Redacted.make("key"),
  deployment: "d",
  ...config
})

/** The client of a service. */
export const clientOf = (
  { http }: ReturnType<typeof service>,
  config?: Partial<AzureO1Config>,
  settings: O1PolicySettings = {}
): Effect.Effect<AzureO1["Service"]> =>
  AzureO1.pipe(Effect.provide(
    AzureO1.layerServices.pipe(
      Layer.provide(O1Policy.layerWith(settings)),
      Layer.provide(O1Transport.layer(configOf(config))),
      Layer.provide(http)
    )
  ))
