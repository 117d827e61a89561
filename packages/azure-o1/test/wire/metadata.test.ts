import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { identity } from "effect/Function"
import { Headers } from "effect/http"
import type { O1Completion } from "../../src/O1Completion.ts"
import { O1Error } from "../../src/O1Error.ts"
import { type Answer, AnswerStream, decode } from "../../src/wire/answer.ts"
import { ChatAnswer } from "../../src/wire/chat.ts"
import type { Origin } from "../../src/wire/origin.ts"
import { ResponsesAnswer } from "../../src/wire/responses.ts"

const now = Date.UTC(2026, 10, 22)

const originOf = (headers: Record<string, string> = {}): Origin => ({
  headers: Headers.fromInput(headers),
  status: 200,
  deployment: "o1",
  now,
  redact: identity
})

const completionOf = (outcome: unknown): O1Completion =>
  O1Error.is(outcome) ? assert.fail(outcome.message) : outcome as O1Completion

const streamed = (answer: Answer, chunks: ReadonlyArray<object>): O1Completion => {
  const stream = new AnswerStream(answer, originOf(), identity)
  for (const chunk of chunks) stream.feed(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`))
  stream.end()
  const { outcome } = stream
  return outcome?._tag === "Finished" ? outcome.completion : assert.fail(O1Error.label(outcome))
}

describe("metadata", () => {
  const safe = { violence: { filtered: false, severity: "low" } }
  const jailbreak = { jailbreak: { filtered: false, detected: true } }
  const citation = { type: "url_citation", url: "https://example.org" }

  it("of an answer of Chat Completions, in one piece and streamed", () => {
    const top = { id: "c", model: "o1", service_tier: "flex", system_fingerprint: "fp_1" }
    const prompt = [{ prompt_index: 0, content_filter_results: jailbreak }]
    const whole = decode(
      new ChatAnswer(originOf()),
      JSON.stringify({
        ...top,
        prompt_filter_results: prompt,
        choices: [{
          message: { content: "Hi", annotations: [citation] },
          finish_reason: "stop",
          content_filter_results: safe
        }]
      }),
      originOf()
    )
    const pieces = streamed(new ChatAnswer(originOf()), [
      { choices: [], prompt_filter_results: prompt },
      { ...top, choices: [{ delta: { content: "H" }, content_filter_results: safe }] },
      { ...top, choices: [{ delta: { content: "i" }, content_filter_results: safe }] },
      { ...top, choices: [{ delta: { annotations: [citation] } }] },
      { ...top, choices: [{ delta: {}, finish_reason: "stop" }] }
    ])
    for (const completion of [completionOf(whole), pieces]) {
      assert.deepInclude(completion.metadata, {
        serviceTier: "flex",
        fingerprint: "fp_1",
        filterResults: [{ source: "prompt", categories: jailbreak }, { source: "completion", categories: safe }],
        annotations: [citation],
        output: []
      })
    }
  })

  it("of a response, in one piece and streamed, with the whole output and without", () => {
    const item = {
      type: "message",
      id: "m",
      phase: "final_answer",
      content: [{ type: "output_text", text: "Hi", annotations: [citation] }]
    }
    const reasoning = { type: "reasoning", id: "r", summary: [], encrypted_content: "opaque" }
    const search = { type: "web_search_call", id: "w", status: "completed" }
    const filters = [
      { source_type: "prompt", content_filter_results: jailbreak },
      { source_type: "completion", content_filter_results: safe }
    ]
    const output = [reasoning, search, item]
    const response = { id: "r", status: "completed", model: "o1", service_tier: "priority", content_filters: filters }
    const whole = decode(new ResponsesAnswer(originOf()), JSON.stringify({ ...response, output }), originOf())
    const done = output.map((item, i) => ({ type: "response.output_item.done", output_index: i, item }))
    const bare = streamed(new ResponsesAnswer(originOf()), [
      ...done,
      { type: "response.completed", response: { ...response, output: [] } }
    ])
    const full = streamed(new ResponsesAnswer(originOf()), [
      ...done,
      { type: "response.completed", response: { ...response, output } }
    ])
    for (const completion of [completionOf(whole), bare, full]) {
      assert.deepInclude(completion.metadata, {
        serviceTier: "priority",
        fingerprint: undefined,
        filterResults: [{ source: "prompt", categories: jailbreak }, { source: "completion", categories: safe }],
        annotations: [citation],
        output
      })
      assert.strictEqual(completion.text, "Hi")
    }
  })

  it("has the annotations that were told on their own", () => {
    const completion = streamed(new ResponsesAnswer(originOf()), [
      { type: "response.output_text.delta", delta: "Hi" },
      { type: "response.output_text.annotation.added", annotation: citation },
      { type: "response.completed", response: { id: "r", status: "completed", output: [] } }
    ])
    assert.deepStrictEqual(completion.metadata.annotations, [citation])
  })

  describe("headers", () => {
    const headersOf = (headers: Record<string, string>, clientRequestId?: string) => {
      const origin = { ...originOf(headers), clientRequestId }
      const body = "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}"
      return completionOf(decode(new ChatAnswer(origin), body, origin)).metadata.headers
    }
    const nothing = { limit: undefined, remaining: undefined, reset: undefined }

    it("all of them", () => {
      assert.deepStrictEqual(
        headersOf({
          "apim-request-id": "a",
          "x-ms-client-request-id": "echo",
          "x-ms-region": "Sweden Central",
          "x-ms-served-model": "o1-2024-12-17",
          "x-ratelimit-limit-requests": "10",
          "x-ratelimit-remaining-requests": "9",
          "x-ratelimit-reset-requests": "6",
          "x-ratelimit-limit-tokens": "60000",
          "x-ratelimit-remaining-tokens": "0",
          "x-ratelimit-reset-tokens": "1m0.5s"
        }),
        {
          requestId: "a",
          clientRequestId: "echo",
          region: "Sweden Central",
          servedModel: "o1-2024-12-17",
          rateLimits: {
            requests: { limit: 10, remaining: 9, reset: Duration.seconds(6) },
            tokens: { limit: 60_000, remaining: 0, reset: Duration.millis(60_500) }
          }
        }
      )
    })

    it("none", () => {
      assert.deepStrictEqual(headersOf({}, "ours"), {
        requestId: undefined,
        clientRequestId: "ours",
        region: undefined,
        servedModel: undefined,
        rateLimits: { requests: nothing, tokens: nothing }
      })
    })

    it("numbers that stand for none, and what is no number", () => {
      for (
        const [limit, remaining, reset] of [["-1", "-1", "0"], ["0", "0", "0"], ["", "", ""], ["many", "some", "soon"]]
      ) {
        const { rateLimits } = headersOf({
          "x-ratelimit-limit-tokens": limit!,
          "x-ratelimit-remaining-tokens": remaining!,
          "x-ratelimit-reset-tokens": reset!
        })
        assert.deepStrictEqual(rateLimits.tokens, nothing)
      }
    })
  })
})
