import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { during, request, value } from "../support/harness.ts"

it.effect("attempts that are shorter than the pause between polls ask all the same", () => {
  const asked: Array<string> = []
  const service = Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) => {
      asked.push(request.method)
      const output = [{ type: "message", content: [{ type: "output_text", text: "done" }] }]
      const body = request.method === "POST" ? { status: "queued" } : { status: "completed", output }
      return Effect.succeed(HttpClientResponse.fromWeb(request, Response.json({ id: "r1", ...body })))
    })
  )
  const transport = O1Transport.layer({
    endpoint: "https://x.openai.azure.com",
    apiKey: Redacted.make("key"),
    deployment: "o1",
    api: "responses",
    profile: { ...ModelProfile.o1, streaming: "no" }
  })
  const client = AzureO1.layerServices.pipe(Layer.provide([transport, O1Policy.layer]), Layer.provide(service))
  return Effect.gen(function*() {
    const o1 = yield* AzureO1
    const exit = yield* during("1 minute", o1.complete(request, { timeout: "100 millis", onTimeout: "same" }))
    assert.strictEqual(value(exit).text, "done")
    assert.deepStrictEqual(asked, ["POST", "GET"])
  }).pipe(Effect.provide(client))
})
