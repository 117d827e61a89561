import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import type { O1Client } from "../../src/O1Client.ts"
import { type AssistantMessage, type O1Request, type OutputItem, toolResult, user } from "../../src/O1Request.ts"
import { AzureO1Pool } from "../../src/pool/index.ts"
import { withoutItems } from "../../src/transport/detaching.ts"
import { clientAt } from "../support/conversations.ts"
import { answer, down, stream } from "../support/raw-actions.ts"
import { rawServer } from "../support/raw-server.ts"
import { responses } from "../support/wire-says.ts"

const reasoning = { type: "reasoning", id: "rs_1", summary: [] }
const encrypted = { ...reasoning, id: "rs_2", encrypted_content: "xyz" }
const call = { type: "function_call", id: "fc_1", call_id: "c1", name: "f", arguments: "{}" }
const commentary = { type: "message", id: "msg_1", phase: "commentary", content: [] }

const withoutId = (item: OutputItem): OutputItem =>
  Object.fromEntries(Object.entries(item).filter(([field]) => field !== "id"))
const [encryptedAlone, callAlone, commentaryAlone] = [encrypted, call, commentary].map(withoutId) as [
  OutputItem,
  OutputItem,
  OutputItem
]

const of = (items: ReadonlyArray<OutputItem> | undefined): O1Request => {
  const toolCalls = [{ id: "c1", name: "f", arguments: "{}" }]
  const message: AssistantMessage = { role: "assistant", content: "hello", toolCalls, items }
  return { messages: [user("hi"), message, toolResult("c1", "done")] }
}

const table: ReadonlyArray<
  readonly [
    name: string,
    items: ReadonlyArray<OutputItem> | undefined,
    lighter: ReadonlyArray<OutputItem> | "none" | undefined
  ]
> = [
  ["reasoning that only the service has", [reasoning, call], [callAlone]],
  ["reasoning that goes along", [encrypted, call], [encryptedAlone, callAlone]],
  ["commentary", [commentary, reasoning], [commentaryAlone]],
  ["without ids already", [encryptedAlone, callAlone], "none"],
  ["nothing to leave out", undefined, undefined],
  ["nothing left", [], undefined]
]

describe("a conversation for a deployment that does not know its items", () => {
  for (const [name, items, lighter] of table) {
    it(name, () => {
      assert.deepStrictEqual(
        withoutItems(of(items)),
        lighter === undefined ? undefined : of(lighter === "none" ? undefined : lighter)
      )
    })
  }

  it("what others have said stays as it is", () => {
    assert.isUndefined(withoutItems({ messages: [user("hi")] }))
  })
})

const refusals = [
  [404, "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", null],
  [400, "Item with id 'rs-1' not found.", null],
  [400, "Item 'fc_1' of type 'function_call' was provided without its required 'reasoning' item: 'rs_1'.", null],
  [400, "The encrypted content gAAA... could not be verified.", "invalid_encrypted_content"]
] as const

const faces: ReadonlyArray<readonly [string, (o1: O1Client) => Effect.Effect<string, unknown>]> = [
  ["complete", (o1) => Effect.map(o1.complete(of([encrypted, call])), ({ text }) => text)],
  ["stream", (o1) => Effect.map(Stream.runCollect(o1.tokens(of([encrypted, call]))), (tokens) => tokens.join(""))]
]

const itemsIn = (json: unknown) => JSON.stringify((json as { readonly input: unknown }).input)

describe("a service that does not know an item of the conversation", () => {
  for (const [face, ask] of faces) {
    for (const [status, message, code] of refusals) {
      it.live(`${face}: ${status} ${message.slice(0, 40)}: it is asked without`, () =>
        Effect.gen(function*() {
          const server = yield* rawServer(
            { on: "POST", does: [answer(status, { error: { message, code, type: "invalid_request_error" } })] },
            { on: "POST", does: [stream(responses.whole("Hello"))] }
          )
          const text = yield* Effect.provide(Effect.flatMap(AzureO1, ask), clientAt(server.url, { api: "responses" }))
          assert.strictEqual(text, "Hello")
          const [first, second] = server.requests.map(({ json }) => itemsIn(json))
          assert.include(first, "rs_2")
          assert.notInclude(second, "rs_2")
          assert.include(second, "xyz")
          assert.lengthOf(server.requests, 2)
        }))
    }

    it.live(`${face}: a conversation goes on at another member, which is not blamed`, () =>
      Effect.gen(function*() {
        const a = yield* rawServer({ on: "POST", does: [down()] })
        const unknown = { message: "Item with id 'rs_2' not found.", type: "invalid_request_error", param: "input" }
        const b = yield* rawServer(
          { on: "POST", does: [answer(404, { error: unknown })] },
          { on: "POST", does: [answer(404, { error: { ...unknown, code: "invalid_encrypted_content" } })] },
          { on: "POST", does: [stream(responses.whole("Hello"))] }
        )
        const member = (endpoint: string, name: string) => ({
          endpoint,
          name,
          apiKey: Redacted.make("fake-key"),
          deployment: "o1",
          api: "responses" as const,
          profile: ModelProfile.o4Mini
        })
        const layer = AzureO1Pool.layer(AzureO1Pool.inOrder([member(a.url, "a"), member(b.url, "b")]))
        const text = yield* Effect.provide(
          Effect.flatMap(AzureO1, ask),
          Layer.provide(layer, AzureO1Node.layerHttpClient)
        )
        assert.strictEqual(text, "Hello")
        const [, , last] = b.requests.map(({ json }) => itemsIn(json))
        assert.include(last, "hello")
        assert.notInclude(last, "xyz")
      }))
  }
})
