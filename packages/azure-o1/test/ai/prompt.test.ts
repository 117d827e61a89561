import { assert, describe, it } from "@effect/vitest"
import * as Prompt from "effect/ai/Prompt"
import * as Result from "effect/Result"
import { messagesOf } from "../../src/ai/internal/prompt.ts"
import type { Message } from "../../src/O1Request.ts"

const call = (id: string, name: string, params: unknown) => ({ type: "tool-call", id, name, params }) as const
const result = (id: string, result: unknown, rest: object = {}) =>
  ({ type: "tool-result", id, name: "f", isFailure: false, result, ...rest }) as const
const items = [{ type: "reasoning", id: "rs_1", summary: [], encrypted_content: "xyz" }]
const bytes = new Uint8Array([1, 2, 3])

const table: ReadonlyArray<readonly [name: string, prompt: Prompt.RawInput, messages: ReadonlyArray<Message>]> = [
  ["a text", "hello", [{ role: "user", content: "hello" }]],
  [
    "roles",
    [
      { role: "system", content: "Be brief." },
      { role: "user", content: "hello" },
      { role: "assistant", content: "Hi." },
      { role: "user", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] }
    ],
    [
      { role: "developer", content: "Be brief." },
      { role: "user", content: "hello" },
      { role: "assistant", content: "Hi." },
      { role: "user", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] }
    ]
  ],
  [
    "images: by URL, as bytes, as base64 and as a data URL, with detail",
    [{
      role: "user",
      content: [
        { type: "text", text: "look" },
        { type: "file", mediaType: "image/png", data: new URL("https://x.test/a.png") },
        { type: "file", mediaType: "image/*", data: bytes, options: { azureO1: { imageDetail: "low" } } },
        { type: "file", mediaType: "image/gif", data: "AQID" },
        { type: "file", mediaType: "image/gif", data: "data:image/gif;base64,AQID" }
      ]
    }],
    [{
      role: "user",
      content: [
        { type: "text", text: "look" },
        { type: "image", url: "https://x.test/a.png", detail: undefined },
        { type: "image", url: "data:image/jpeg;base64,AQID", detail: "low" },
        { type: "image", url: "data:image/gif;base64,AQID", detail: undefined },
        { type: "image", url: "data:image/gif;base64,AQID", detail: undefined }
      ]
    }]
  ],
  [
    "files: PDF as bytes and by URL, and uploads of any kind by their ids",
    [{
      role: "user",
      content: [
        { type: "file", mediaType: "application/pdf", fileName: "a.pdf", data: bytes },
        { type: "file", mediaType: "application/pdf", data: "https://x.test/a.pdf" },
        { type: "file", mediaType: "text/csv", data: "assistant-abc" },
        { type: "file", mediaType: "image/png", data: "file-abc" }
      ]
    }],
    [{
      role: "user",
      content: [
        { type: "file", url: "data:application/pdf;base64,AQID", filename: "a.pdf" },
        { type: "file", url: "https://x.test/a.pdf", filename: undefined },
        { type: "file", id: "assistant-abc", filename: undefined },
        { type: "file", id: "file-abc", filename: undefined }
      ]
    }]
  ],
  [
    "a turn with tools: calls, results as JSON or text, what a tool shows to the model, failures",
    [
      { role: "assistant", content: [{ type: "text", text: "I look." }, call("1", "f", { a: 1 }), call("2", "f", {})] },
      {
        role: "tool",
        content: [
          result("1", { b: 2 }),
          result("2", "plain"),
          result("3", 7, { modelOutput: [{ type: "text", text: "shown" }] }),
          result("4", undefined),
          result("5", { type: "execution-denied" }, { isFailure: true })
        ]
      }
    ],
    [
      {
        role: "assistant",
        content: "I look.",
        toolCalls: [{ id: "1", name: "f", arguments: "{\"a\":1}" }, { id: "2", name: "f", arguments: "{}" }]
      },
      { role: "tool", toolCallId: "1", content: "{\"b\":2}" },
      { role: "tool", toolCallId: "2", content: "plain" },
      { role: "tool", toolCallId: "3", content: "shown" },
      { role: "tool", toolCallId: "4", content: "" },
      { role: "tool", toolCallId: "5", content: "{\"type\":\"execution-denied\"}" }
    ]
  ],
  [
    "reasoning goes back as the service gave it; a summary alone, and commentary, do not",
    [
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "hm", options: { azureO1: { items } } },
          { type: "reasoning", text: "I look.", options: { azureO1: { phase: "commentary" } } },
          call("1", "f", {})
        ]
      },
      { role: "assistant", content: [{ type: "reasoning", text: "of another provider", options: { openai: {} } }] }
    ],
    [{ role: "assistant", content: "", toolCalls: [{ id: "1", name: "f", arguments: "{}" }], items }]
  ],
  [
    "a refusal is no text of an answer",
    [{ role: "assistant", content: [{ type: "text", text: "I cannot.", options: { azureO1: { refusal: true } } }] }],
    [{ role: "assistant", content: "", refusal: "I cannot." }]
  ],
  [
    "approvals, and what another provider has executed, are nobody's business here",
    [
      { role: "assistant", content: [{ type: "tool-approval-request", approvalId: "a", toolCallId: "1" }] },
      { role: "tool", content: [{ type: "tool-approval-response", approvalId: "a", approved: true }] },
      { role: "assistant", content: [{ ...call("1", "web_search", {}), providerExecuted: true }] }
    ],
    []
  ]
]

describe("the messages of a prompt", () => {
  for (const [name, prompt, messages] of table) {
    it(name, () => {
      const converted = messagesOf(Prompt.make(prompt), { systemRole: "developer" })
      assert.deepStrictEqual(Result.getOrThrow(converted), messages)
    })
  }

  it("the role of instructions is a setting", () => {
    const converted = messagesOf(Prompt.make([{ role: "system", content: "x" }]), { systemRole: "system" })
    assert.deepStrictEqual(Result.getOrThrow(converted), [{ role: "system", content: "x" }])
  })

  it("a file that cannot be sent is told by its type", () => {
    const prompt = Prompt.make([{ role: "user", content: [{ type: "file", mediaType: "audio/wav", data: bytes }] }])
    const converted = messagesOf(prompt, { systemRole: "developer" })
    assert.include(Result.isFailure(converted) ? converted.failure : "", "audio/wav")
  })
})
