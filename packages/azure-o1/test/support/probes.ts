import * as Headers from "effect/http/Headers"
import * as Redacted from "effect/Redacted"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import { noMetadata, type O1Completion } from "../../src/O1Completion.ts"
import type { O1Error } from "../../src/O1Error.ts"
import type { Probe } from "../../src/verify/probe.ts"
import { fromResponse } from "../../src/wire/errors.ts"

export const config: AzureO1Config = {
  endpoint: "https://example.openai.azure.com",
  apiKey: Redacted.make("key"),
  deployment: "o1"
}
const credential = { getToken: () => Promise.resolve(null) }
export const withToken = { ...config, apiKey: undefined, credential }

/** A probe that got this answer. */
export const got = (
  status: number,
  body: unknown,
  options: { readonly headers?: Record<string, string>; readonly kind?: Probe["kind"] } = {}
): Probe => {
  const headers = Headers.fromInput({ "content-type": "application/json", ...options.headers })
  const text = typeof body === "string" ? body : JSON.stringify(body)
  const error = fromResponse({ status, headers, body: text, now: 0, deployment: "o1", redact: (text) => text })
  return {
    kind: options.kind ?? "cheap",
    sent: 1,
    answers: [{ status, headers, sentAt: 0, receivedAt: 0 }],
    error
  }
}

export const failedWith = (error: O1Error, sent = 1): Probe => ({ kind: "cheap", sent, answers: [], error })

const completion: O1Completion = {
  id: "1",
  model: "o1-2024-12-17",
  text: "ready",
  commentary: undefined,
  reasoning: undefined,
  refusal: undefined,
  finishReason: "stop",
  toolCalls: [],
  usage: { input: 9, cachedInput: 0, output: 70, reasoning: 64 },
  warnings: [],
  requestId: undefined,
  region: undefined,
  metadata: noMetadata
}

export const completed = (overrides: Partial<O1Completion> = {}, headers: Record<string, string> = {}): Probe => ({
  kind: "real",
  sent: 1,
  answers: [{ status: 200, headers: Headers.fromInput(headers), sentAt: 0, receivedAt: 0 }],
  completion: { ...completion, ...overrides }
})
