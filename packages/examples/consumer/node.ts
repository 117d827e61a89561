// A program that has installed the packages: the client on Node's HTTP client.
import { AzureO1, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"

const program = Effect.gen(function*() {
  const azure = yield* FakeAzure
  yield* azure.enqueue(FakeAzure.answer("by undici"))
  const o1 = yield* AzureO1.make(azure.config)
  const { text } = yield* o1.complete({ messages: [user("hello?")] })
  yield* Console.log(`node: ${text}`)
}).pipe(Effect.provide([FakeAzure.layer(), AzureO1Node.layerHttpClient]))

NodeRuntime.runMain(program)
