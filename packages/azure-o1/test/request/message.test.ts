import { assert, describe, it } from "@effect/vitest"
import {
  assistant,
  type AssistantMessage,
  filePart,
  imagePart,
  Message,
  type O1Request,
  textPart,
  toolResult,
  user
} from "../../src/O1Request.ts"
import { encode as encodeChat } from "../../src/wire/chatRequest.ts"
import { encode as encodeResponses } from "../../src/wire/responsesRequest.ts"

const chat = (request: O1Request) => JSON.parse(encodeChat(request, { model: "d", stream: false }))
const responses = (request: O1Request, store = true) =>
  JSON.parse(encodeResponses(request, { model: "d", stream: false, background: false, store }))

const reasoning = (id: string, encrypted?: string) => ({
  type: "reasoning",
  id,
  summary: [],
  status: null,
  ...encrypted === undefined ? {} : { encrypted_content: encrypted }
})
const said = (id: string, text: string, phase?: string) => ({
  type: "message",
  id,
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }],
  ...phase === undefined ? {} : { phase }
})
const called = (id: string, callId: string) => ({
  type: "function_call",
  id,
  call_id: callId,
  name: "f",
  arguments: "{}",
  status: "completed"
})
const call = (id: string) => ({ id, name: "f", arguments: "{}" })

const completion = (
  output: ReadonlyArray<unknown>,
  rest: { readonly text?: string; readonly calls?: ReadonlyArray<string>; readonly refusal?: string } = {}
) =>
  Message.fromCompletion({
    text: rest.text ?? "",
    toolCalls: (rest.calls ?? []).map(call),
    refusal: rest.refusal,
    metadata: { output }
  })

/** What is sent, in short. */
const short = (item: any): string =>
  [
    item.type ?? item.role,
    item.id ?? item.call_id,
    item.phase,
    typeof item.content === "string" ? item.content : item.content?.[0]?.text ?? item.content?.[0]?.refusal,
    item.encrypted_content
  ].filter((part) => part !== undefined).join(" ")

describe("Message.fromCompletion", () => {
  const kinds: ReadonlyArray<
    readonly [
      name: string,
      message: AssistantMessage,
      stored: ReadonlyArray<string>,
      unstored: ReadonlyArray<string>,
      chat: { readonly content: string | null; readonly calls?: number; readonly refusal?: string }
    ]
  > = [
    [
      "an answer without items",
      completion([], { text: "hi" }),
      ["assistant hi"],
      ["assistant hi"],
      { content: "hi" }
    ],
    [
      "reasoning before an answer",
      completion([reasoning("rs_1"), said("msg_1", "hi")], { text: "hi" }),
      ["reasoning rs_1", "message msg_1 hi"],
      ["assistant hi"],
      { content: "hi" }
    ],
    [
      "encrypted reasoning before an answer",
      completion([reasoning("rs_1", "secret"), said("msg_1", "hi")], { text: "hi" }),
      ["reasoning rs_1 secret", "message msg_1 hi"],
      ["reasoning rs_1 secret", "assistant hi"],
      { content: "hi" }
    ],
    [
      "reasoning before a call",
      completion([reasoning("rs_1", "secret"), called("fc_1", "call_1")], { calls: ["call_1"] }),
      ["reasoning rs_1 secret", "function_call fc_1"],
      ["reasoning rs_1 secret", "function_call call_1"],
      { content: "", calls: 1 }
    ],
    [
      "reasoning before each call",
      completion([reasoning("rs_1", "a"), called("fc_1", "call_1"), reasoning("rs_2", "b"), called("fc_2", "call_2")], {
        calls: ["call_1", "call_2"]
      }),
      ["reasoning rs_1 a", "function_call fc_1", "reasoning rs_2 b", "function_call fc_2"],
      ["reasoning rs_1 a", "function_call call_1", "reasoning rs_2 b", "function_call call_2"],
      { content: "", calls: 2 }
    ],
    [
      "commentary before a call",
      completion([said("msg_1", "I look.", "commentary"), called("fc_1", "call_1")], { calls: ["call_1"] }),
      ["message msg_1 commentary I look.", "function_call fc_1"],
      ["message commentary I look.", "function_call call_1"],
      { content: "", calls: 1 }
    ],
    [
      "commentary and a final answer",
      completion([said("msg_1", "I look.", "commentary"), said("msg_2", "Monday.", "final_answer")], {
        text: "Monday."
      }),
      ["message msg_1 commentary I look.", "message msg_2 final_answer Monday."],
      ["message commentary I look.", "assistant final_answer Monday."],
      { content: "Monday." }
    ],
    [
      "two messages without phases, which are one text",
      completion([said("msg_1", "One."), said("msg_2", "Two.")], { text: "One.\n\nTwo." }),
      ["assistant One.\n\nTwo."],
      ["assistant One.\n\nTwo."],
      { content: "One.\n\nTwo." }
    ],
    [
      "a refusal",
      completion([{ type: "message", id: "msg_1", content: [{ type: "refusal", refusal: "No." }] }], {
        refusal: "No."
      }),
      ["message No."],
      ["message No."],
      { content: null, refusal: "No." }
    ],
    [
      "an answer that was cut within its reasoning",
      completion([said("msg_1", "hi"), reasoning("rs_1", "secret")], { text: "hi" }),
      ["message msg_1 hi"],
      ["assistant hi"],
      { content: "hi" }
    ],
    [
      "the item of a tool of the service",
      completion([reasoning("rs_1", "a"), { type: "web_search_call", id: "ws_1" }, said("msg_1", "hi")], {
        text: "hi"
      }),
      ["reasoning rs_1 a", "web_search_call ws_1", "message msg_1 hi"],
      ["assistant hi"],
      { content: "hi" }
    ],
    ["nothing at all", completion([]), ["assistant "], ["assistant "], { content: "" }]
  ]
  for (const [name, message, stored, unstored, { calls = 0, ...fields }] of kinds) {
    it(`${name}, on both APIs`, () => {
      const request = { messages: [message] }
      assert.deepStrictEqual(responses(request).input.map(short), stored)
      assert.deepStrictEqual(responses(request, false).input.map(short), unstored)
      const [sent] = chat(request).messages
      assert.deepInclude(sent, { role: "assistant", ...fields })
      assert.strictEqual(sent.tool_calls?.length ?? 0, calls)
      assert.notProperty(sent, "items")
    })

    it(`${name}, through a database`, () => {
      const back = JSON.parse(JSON.stringify(message))
      assert.deepStrictEqual(responses({ messages: [back] }), responses({ messages: [message] }))
    })
  }

  const changed: ReadonlyArray<readonly [name: string, message: AssistantMessage, sent: ReadonlyArray<string>]> = [
    [
      "a text that was shortened is what is sent",
      { ...completion([reasoning("rs_1"), said("msg_1", "a long text")], { text: "a long text" }), content: "a text" },
      ["reasoning rs_1", "assistant a text"]
    ],
    [
      "a call that was taken out takes its reasoning with it",
      {
        ...completion([reasoning("rs_1"), called("fc_1", "call_1"), called("fc_2", "call_2")], {
          calls: ["call_1", "call_2"]
        }),
        toolCalls: [call("call_2")]
      },
      ["function_call fc_2"]
    ],
    [
      "what no item mentions comes at the end",
      { ...completion([reasoning("rs_1")], { text: "hi" }), toolCalls: [call("call_9")] },
      ["reasoning rs_1", "assistant hi", "function_call call_9"]
    ],
    [
      "a phase without items",
      { role: "assistant", content: "hi", phase: "final_answer" },
      ["assistant final_answer hi"]
    ]
  ]
  for (const [name, message, sent] of changed) {
    it(name, () => {
      assert.deepStrictEqual(responses({ messages: [message] }).input.map(short), sent)
    })
  }

  const elsewhere = Message.fromCompletion({
    text: "hi",
    toolCalls: [call("call_1")],
    refusal: undefined,
    metadata: {
      output: [
        said("msg_0", "I look.", "commentary"),
        reasoning("rs_1", "secret"),
        { type: "web_search_call", id: "ws_1" },
        said("msg_1", "hi"),
        called("fc_1", "call_1")
      ],
      host: "one.openai.azure.com"
    }
  })
  const hosts: ReadonlyArray<readonly [host: string | undefined, store: boolean, sent: ReadonlyArray<string>]> = [
    ["one.openai.azure.com", true, [
      "message msg_0 commentary I look.",
      "reasoning rs_1 secret",
      "web_search_call ws_1",
      "message msg_1 hi",
      "function_call fc_1"
    ]],
    ["two.openai.azure.com", true, ["message commentary I look.", "assistant hi", "function_call call_1"]],
    ["two.openai.azure.com", false, ["message commentary I look.", "assistant hi", "function_call call_1"]],
    [undefined, true, [
      "message msg_0 commentary I look.",
      "reasoning rs_1 secret",
      "web_search_call ws_1",
      "message msg_1 hi",
      "function_call fc_1"
    ]]
  ]
  for (const [host, store, sent] of hosts) {
    it(`what ${host ?? "a host that is not told"} knows is sent to it${store ? "" : ", where nothing is stored"}`, () => {
      const body = JSON.parse(
        encodeResponses({ messages: [elsewhere] }, { model: "d", stream: false, background: false, store, host })
      )
      assert.deepStrictEqual(body.input.map(short), sent)
    })
  }

  it("a field that the service sent as null does not go back", () => {
    const [item] = responses({ messages: [completion([reasoning("rs_1"), said("msg_1", "hi")], { text: "hi" })] }).input
    assert.deepStrictEqual(item, { type: "reasoning", id: "rs_1", summary: [] })
  })
})

describe("parts of what the user says", () => {
  const pdf = "data:application/pdf;base64,JVBERi0="
  const kinds = [
    [textPart("x"), { type: "text", text: "x" }, { type: "input_text", text: "x" }],
    [imagePart("https://e.x/a.png", "low"), {
      type: "image_url",
      image_url: { url: "https://e.x/a.png", detail: "low" }
    }, { type: "input_image", image_url: "https://e.x/a.png", detail: "low" }],
    [filePart(new Uint8Array([37, 80, 68, 70, 45]), "a.pdf"), {
      type: "file",
      file: { filename: "a.pdf", file_data: pdf }
    }, { type: "input_file", filename: "a.pdf", file_data: pdf }],
    [filePart(pdf.replace("0=", "0")), {
      type: "file",
      file: { filename: "document.pdf", file_data: pdf.replace("0=", "0") }
    }, {
      type: "input_file",
      filename: "document.pdf",
      file_data: pdf.replace("0=", "0")
    }],
    [{ type: "file", id: "file-1" }, { type: "file", file: { file_id: "file-1" } }, {
      type: "input_file",
      file_id: "file-1"
    }]
  ] as const
  for (const [part, onChat, onResponses] of kinds) {
    it(`${JSON.stringify(part)} on both APIs`, () => {
      const request = { messages: [user([part])] }
      assert.deepStrictEqual(chat(request).messages[0].content, [onChat])
      assert.deepStrictEqual(responses(request).input[0].content, [onResponses])
    })
  }

  it("a file that the service is to fetch is for the Responses API", () => {
    const request = { messages: [user([filePart("https://e.x/a.pdf")])] }
    assert.deepStrictEqual(responses(request).input[0].content, [
      { type: "input_file", file_url: "https://e.x/a.pdf" }
    ])
  })
})

describe("halves of characters", () => {
  const half = "cut \ud83d"
  const whole = "cut \ufffd"
  const spoiled: O1Request = {
    messages: [
      user(half),
      user([textPart(half)]),
      assistant(half, [{ id: "call_1", name: "f", arguments: half }]),
      toolResult("call_1", half)
    ],
    user: half,
    metadata: { [half]: half },
    extra: { note: { deep: [half] } }
  }

  it("never leave, wherever they are", () => {
    for (
      const body of [
        encodeChat(spoiled, { model: "d", stream: true }),
        encodeResponses(spoiled, { model: "d", stream: true, background: true, store: true })
      ]
    ) {
      assert.notMatch(body, /\\ud/)
      assert.strictEqual(body.split(whole).length, 10)
    }
  })

  const kept = ["\ud83d\ude00", String.raw`\ud83d`, String.raw`\\ud83d`, "\\\ud83d\ude00", "ud83d"]
  for (const text of kept) {
    it(`${JSON.stringify(text)} is no half`, () => {
      assert.strictEqual(chat({ messages: [user(text)] }).messages[0].content, text)
    })
  }

  for (
    const [text, sent] of [
      [String.raw`\ ` + "\ud83d", String.raw`\ ` + "\ufffd"],
      ["\\\ud83d", "\\\ufffd"],
      ["\\\\\ud83d", "\\\\\ufffd"],
      ["\ud83d\ud83d\ude00\ude00", "\ufffd\ud83d\ude00\ufffd"],
      ["\udc00\ud800", "\ufffd\ufffd"]
    ] as const
  ) {
    it(`${JSON.stringify(text)} is one`, () => {
      assert.strictEqual(chat({ messages: [user(text)] }).messages[0].content, sent)
    })
  }
})
