// A program that has installed the packages: the client over fetch, and what its tests use.
import { AzureO1, user } from "@effect-resilience/azure-o1"
import { AzureO1Test, FakeAzure } from "@effect-resilience/azure-o1/testing"
import { Effect, Stream } from "effect"
import { FetchHttpClient } from "effect/http"

const request = { messages: [user("hello?")] } as const

const mocked = Effect.flatMap(AzureO1, (o1) => o1.complete(request)).pipe(
  Effect.map(({ text }) => text),
  Effect.provide(AzureO1Test.layer([AzureO1Test.answer("mocked")]))
)

const streamed = Effect.gen(function*() {
  const azure = yield* FakeAzure
  yield* azure.enqueue(FakeAzure.status(503, { retryAfter: "1 millis" }), FakeAzure.answer("over the wire"))
  const o1 = yield* AzureO1.make(azure.config)
  return Array.from(yield* Stream.runCollect(o1.tokens(request))).join("")
}).pipe(Effect.provide([FakeAzure.layer(), FetchHttpClient.layer]))

Effect.runPromise(Effect.all([mocked, streamed])).then(
  (texts) => console.log(`o1: ${texts.join(", ")}`),
  (error: unknown) => console.log(`o1: ${String(error)}`)
)
