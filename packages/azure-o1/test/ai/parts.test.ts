import { assert, describe, it } from "@effect/vitest"
import * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import * as Schema from "effect/Schema"
import { partsOf } from "../../src/ai/internal/parts.ts"
import { StreamParts } from "../../src/ai/internal/streamParts.ts"
import { noMetadata, type O1Completion, type ToolCall } from "../../src/O1Completion.ts"
import type { O1Event } from "../../src/O1Event.ts"
import { uniform } from "../support/random.ts"

const completion = (fields: Partial<O1Completion> = {}): O1Completion => ({
  id: "resp_1",
  model: "gpt-5.1",
  text: "",
  commentary: undefined,
  reasoning: undefined,
  refusal: undefined,
  finishReason: "stop",
  toolCalls: [],
  usage: { input: 10, cachedInput: 4, output: 20, reasoning: 15 },
  warnings: [],
  requestId: "req-1",
  region: undefined,
  metadata: noMetadata,
  ...fields
})

const delta = (_tag: "TextDelta" | "ReasoningDelta" | "CommentaryDelta" | "RefusalDelta", text: string): O1Event => ({
  _tag,
  text
})
const tool = (index: number, id: string | undefined, name: string | undefined, args: string): O1Event => ({
  _tag: "ToolCallDelta",
  index,
  id,
  name,
  arguments: args
})

const read = ({ id: response, toolCalls }: O1Completion) =>
  toolCalls.map(({ arguments: args, id, name }, i) => ({
    id: id || `${response}-call-${i}`,
    name,
    params: args === "" ? {} : JSON.parse(args) as unknown
  }))

const streamed = (events: ReadonlyArray<O1Event>, end: O1Completion) => {
  const parts = new StreamParts()
  return [...events.flatMap((event) => parts.take(event)), ...parts.finish(end, read(end))]
}

/** A part in short; what every answer ends with is left out. */
const short = (part: Response.StreamPartEncoded | Response.PartEncoded): ReadonlyArray<string> => {
  if (part.type === "finish" || part.type === "response-metadata") return []
  const said = "delta" in part
    ? ` ${part.delta}`
    : "text" in part
    ? ` ${part.text}`
    : "name" in part
    ? ` ${part.name}`
    : ""
  const { azureO1 } = (part.metadata ?? {}) as { readonly azureO1?: object }
  return [`${part.type}${said}${azureO1 === undefined ? "" : ` ${Object.keys(azureO1).join()}`}`]
}

const output = [{ type: "reasoning", id: "rs_1", summary: [] }, { type: "message", content: [] }]
const reasoned = { ...noMetadata, output }
const calls = [
  { id: "c1", name: "f", arguments: "{\"a\":1}" },
  { id: "c2", name: "g", arguments: "{\"b\":2}" }
]

const table: ReadonlyArray<{
  readonly name: string
  readonly events: ReadonlyArray<O1Event>
  readonly end: O1Completion
  readonly stream: ReadonlyArray<string>
  readonly whole: ReadonlyArray<string>
}> = [
  {
    name: "text",
    events: [delta("TextDelta", "a"), delta("TextDelta", "b")],
    end: completion({ text: "ab" }),
    stream: ["text-start", "text-delta a", "text-delta b", "text-end"],
    whole: ["text ab"]
  },
  {
    name: "reasoning that the service asks to have back, with a summary",
    events: [delta("ReasoningDelta", "hm"), delta("TextDelta", "a")],
    end: completion({ text: "a", reasoning: "hm", metadata: reasoned }),
    stream: [
      "reasoning-start",
      "reasoning-delta hm",
      "reasoning-end",
      "text-start",
      "text-delta a",
      "text-end",
      "reasoning-start",
      "reasoning-end items"
    ],
    whole: ["reasoning hm items", "text a"]
  },
  {
    name: "reasoning without a word, and then a tool",
    events: [tool(0, "c1", "f", "{\"a\":1}")],
    end: completion({ toolCalls: calls.slice(0, 1), finishReason: "tool_calls", metadata: reasoned }),
    stream: [
      "tool-params-start f",
      "tool-params-delta {\"a\":1}",
      "reasoning-start",
      "reasoning-end items",
      "tool-params-end",
      "tool-call f"
    ],
    whole: ["reasoning  items", "tool-call f"]
  },
  {
    name: "a summary that is open at the end",
    events: [delta("ReasoningDelta", "hm"), tool(0, "c1", "f", "{\"a\":1}")],
    end: completion({ toolCalls: calls.slice(0, 1), reasoning: "hm", metadata: reasoned }),
    stream: [
      "reasoning-start",
      "reasoning-delta hm",
      "tool-params-start f",
      "tool-params-delta {\"a\":1}",
      "reasoning-end items",
      "tool-params-end",
      "tool-call f"
    ],
    whole: ["reasoning hm items", "tool-call f"]
  },
  {
    name: "commentary, which is no answer",
    events: [delta("CommentaryDelta", "I look."), delta("TextDelta", "It is.")],
    end: completion({ text: "It is.", commentary: "I look." }),
    stream: [
      "reasoning-start phase",
      "reasoning-delta I look.",
      "reasoning-end",
      "text-start",
      "text-delta It is.",
      "text-end"
    ],
    whole: ["reasoning I look. phase", "text It is."]
  },
  {
    name: "a refusal",
    events: [delta("RefusalDelta", "No.")],
    end: completion({ refusal: "No." }),
    stream: ["text-start refusal", "text-delta No.", "text-end"],
    whole: ["text No. refusal"]
  },
  {
    name: "two calls whose pieces are mixed",
    events: [
      tool(0, "c1", "f", "{\"a\""),
      tool(1, "c2", "g", "{\"b\""),
      tool(0, undefined, undefined, ":1}"),
      tool(1, undefined, undefined, ":2}")
    ],
    end: completion({ toolCalls: calls }),
    stream: [
      "tool-params-start f",
      "tool-params-delta {\"a\"",
      "tool-params-start g",
      "tool-params-delta {\"b\"",
      "tool-params-delta :1}",
      "tool-params-delta :2}",
      "tool-params-end",
      "tool-params-end",
      "tool-call f",
      "tool-call g"
    ],
    whole: ["tool-call f", "tool-call g"]
  },
  {
    name: "a call whose name comes late, and one that only the end tells",
    events: [tool(0, "c1", undefined, "{\"a\""), tool(0, undefined, "f", ":1}")],
    end: completion({ toolCalls: calls }),
    stream: [
      "tool-params-start f",
      "tool-params-delta {\"a\":1}",
      "tool-params-end",
      "tool-params-start g",
      "tool-params-delta {\"b\":2}",
      "tool-params-end",
      "tool-call f",
      "tool-call g"
    ],
    whole: ["tool-call f", "tool-call g"]
  },
  {
    name: "a call without an id, whose last piece is missing in the stream",
    events: [tool(0, "", "f", "{\"a\"")],
    end: completion({ toolCalls: [{ ...calls[0]!, id: "" }] }),
    stream: ["tool-params-start f", "tool-params-delta {\"a\":1}", "tool-params-end", "tool-call f"],
    whole: ["tool-call f"]
  },
  {
    name: "calls in another order than their pieces",
    events: [tool(0, "c2", "g", "{\"b\":2}"), tool(1, "c1", "f", "{\"a\":1")],
    end: completion({ toolCalls: calls }),
    stream: [
      "tool-params-start g",
      "tool-params-delta {\"b\":2}",
      "tool-params-start f",
      "tool-params-delta {\"a\":1",
      "tool-params-delta }",
      "tool-params-end",
      "tool-params-end",
      "tool-call f",
      "tool-call g"
    ],
    whole: ["tool-call f", "tool-call g"]
  },
  {
    name: "two calls with one id",
    events: [tool(0, "c1", "f", "{\"a\":1}"), tool(1, "c1", "g", "{\"b\":2}")],
    end: completion({ toolCalls: calls.map(({ arguments: args, name }) => ({ id: "c1", name, arguments: args })) }),
    stream: [
      "tool-params-start f",
      "tool-params-delta {\"a\":1}",
      "tool-params-start g",
      "tool-params-delta {\"b\":2}",
      "tool-params-end",
      "tool-params-end",
      "tool-call f",
      "tool-call g"
    ],
    whole: ["tool-call f", "tool-call g"]
  },
  {
    name: "sources, in the words of both APIs",
    events: [delta("TextDelta", "a")],
    end: completion({
      text: "a",
      metadata: {
        ...noMetadata,
        annotations: [
          { type: "url_citation", url: "https://x.test/1", title: "One" },
          { type: "url_citation", url_citation: { url: "https://x.test/2" } },
          { type: "url_citation", url: "no url" },
          { type: "file_citation", filename: "a.txt" }
        ]
      }
    }),
    stream: ["text-start", "text-delta a", "text-end", "source", "source"],
    whole: ["text a", "source", "source"]
  },
  {
    name: "progress, which nobody sees",
    events: [{ _tag: "Started", transport: "stream", learned: [] }, delta("TextDelta", "a")],
    end: completion({ text: "a" }),
    stream: ["text-start", "text-delta a", "text-end"],
    whole: ["text a"]
  }
]

const decodeStream = Schema.decodeSync(Schema.Array(Response.StreamPart()))
const decodeWhole = Schema.decodeSync(Schema.Array(Response.Part()))

describe("the parts of an answer", () => {
  for (const { end, events, name, stream, whole } of table) {
    it(name, () => {
      const parts = streamed(events, end)
      assert.deepStrictEqual(parts.flatMap(short), stream)
      assert.deepStrictEqual(partsOf(end, read(end)).flatMap(short), whole)
    })

    it(`${name}: a stream makes the same conversation as the whole`, () => {
      const said = (prompt: Prompt.Prompt) =>
        prompt.content.flatMap(({ content }) =>
          typeof content === "string" ? [] : content.filter((part) => part.type !== "reasoning")
        )
      const reasoning = (prompt: Prompt.Prompt) => JSON.stringify(prompt.content).match(/"items":\[.*?\]/)?.[0]
      const ofStream = Prompt.fromResponseParts(decodeStream(streamed(events, end)))
      const ofWhole = Prompt.fromResponseParts(decodeWhole(partsOf(end, read(end))))
      assert.deepStrictEqual(said(ofStream), said(ofWhole))
      assert.strictEqual(reasoning(ofStream), reasoning(ofWhole))
    })
  }

  it("the end tells the response, the reason and the usage", () => {
    const [metadata, finish] = partsOf(completion(), [])
    assert.deepInclude(metadata, { type: "response-metadata", id: "resp_1", modelId: "gpt-5.1" })
    assert.deepInclude(finish, {
      type: "finish",
      reason: "stop",
      usage: {
        inputTokens: { total: 10, cacheRead: 4, uncached: 6 },
        outputTokens: { total: 20, reasoning: 15, text: 5 }
      }
    })
  })

  const reasons = [
    ["stop", "stop"],
    ["length", "length"],
    ["tool_calls", "tool-calls"],
    ["content_filter", "content-filter"],
    ["unknown", "unknown"],
    ["constructor", "other"],
    ["anything", "other"]
  ] as const
  for (const [finishReason, reason] of reasons) {
    it(`${finishReason} is ${reason}`, () => {
      const finish = partsOf(completion({ finishReason, usage: undefined }), []).at(-1)
      assert.deepInclude(finish, { reason, usage: { inputTokens: {}, outputTokens: {} } })
    })
  }

  it("a response that is kept is told as soon as it is known, with what resumes it", () => {
    const resume = { responseId: "resp_1", deployment: "o1", after: -1 }
    assert.deepStrictEqual(new StreamParts().take({ _tag: "Accepted", resume }), [
      { type: "response-metadata", id: "resp_1", metadata: { azureO1: { resume } } }
    ])
  })

  it("whatever comes in whichever order: every block has a beginning, an end, and all that was said", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = uniform(seed)
      const below = (n: number): number => Math.floor(random() * n)
      const said = { text: "", reasoning: "", commentary: "", refusal: "" }
      const made: Array<ToolCall> = []
      const events: Array<O1Event> = []
      for (let i = below(20); i > 0; i--) {
        const piece = String(i)
        const kind = below(5)
        if (kind < 4) {
          events.push(
            delta((["TextDelta", "ReasoningDelta", "CommentaryDelta", "RefusalDelta"] as const)[kind]!, piece)
          )
          said[(["text", "reasoning", "commentary", "refusal"] as const)[kind]!] += piece
        } else {
          const index = below(3)
          const known = made[index]
          if (known === undefined) {
            const position = made.push({ id: `c${made.length}`, name: "f", arguments: piece }) - 1
            events.push(tool(position, `c${position}`, "f", piece))
          } else {
            made[index] = { ...known, arguments: known.arguments + piece }
            events.push(tool(index, undefined, undefined, piece))
          }
        }
      }
      const or = (text: string) => text === "" ? undefined : text
      const end = completion({
        text: said.text,
        reasoning: or(said.reasoning),
        commentary: or(said.commentary),
        refusal: or(said.refusal),
        toolCalls: made,
        metadata: below(2) === 0 ? reasoned : noMetadata
      })
      const parts = decodeStream(streamed(events, end))
      const open = new Map<string, string>()
      const seen: Record<string, string> = {}
      for (const part of parts) {
        const [, block, step] = /^(text|reasoning|tool-params)-(start|delta|end)$/.exec(part.type) ?? []
        if (block === undefined || !("id" in part)) continue
        const key = `${block} ${part.id}`
        assert.strictEqual(open.get(key), step === "start" ? undefined : "open", `${seed}: ${part.type}`)
        if (step === "start") open.set(key, "open")
        if (step === "end") open.set(key, "closed")
        if (part.type.endsWith("delta") && "delta" in part) seen[block] = (seen[block] ?? "") + part.delta
      }
      assert.isTrue(Array.from(open.values()).every((state) => state === "closed"), String(seed))
      const sorted = (text: string | undefined) => Array.from(text ?? "").toSorted((a, b) => a < b ? -1 : 1).join("")
      assert.strictEqual(sorted(seen["text"]), sorted(said.text + said.refusal))
      assert.strictEqual(sorted(seen["reasoning"]), sorted(said.reasoning + said.commentary))
      assert.strictEqual(sorted(seen["tool-params"]), sorted(made.map((call) => call.arguments).join("")))
    }
  })
})
