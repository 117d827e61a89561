/** A pool: provisioned throughput first, spillover and back, a second region if the first is silent, and another set of members. */
import { AzureO1, O1Error, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { AzureO1Pool } from "@effect-resilience/azure-o1/pool"
import { FakeAzure, type Reply } from "@effect-resilience/azure-o1/testing"
import { Console, Context, Effect, Layer, Stream } from "effect"
import { main } from "./support/run.ts"

/** A deployment on loopback. A program of your own has an `AzureO1Config` for each. */
const deployment = (name: string, script: ReadonlyArray<Reply>, reply: Reply) =>
  Effect.map(Layer.build(FakeAzure.layer({ deployment: name, script, reply: () => reply })), Context.get(FakeAzure))

const ask = Effect.fnUntraced(function*(prompt: string) {
  const o1 = yield* AzureO1
  yield* Console.log(`> ${prompt}`)
  yield* Stream.runForEach(o1.stream({ messages: [user(prompt)] }), (event) => {
    switch (event._tag) {
      case "FailedOver":
        return Console.log(`[${event.from}: ${O1Error.label(event.error)}, so ${event.to} is asked]`)
      case "Hedged":
        return Console.log(`[${event.from} is silent, so ${event.to} is asked as well]`)
      case "Finished":
        return Console.log(event.completion.text)
      default:
        return Effect.void
    }
  })
})

const showMembers = Effect.gen(function*() {
  const pool = yield* AzureO1Pool
  for (const { kind, name, status } of yield* pool.state) yield* Console.log(`  ${name}, ${kind}: ${status}`)
})

export const program = Effect.gen(function*() {
  const sweden = yield* deployment("sweden", [
    FakeAzure.answer("Sweden answers."),
    FakeAzure.status(429, { retryAfter: "2 seconds" }),
    FakeAzure.answer("Sweden has room again.")
  ], FakeAzure.answer("Sweden is too late.", { think: "1 minute" }))
  const east = yield* deployment("east", [], FakeAzure.answer("East answers."))

  const pool = AzureO1Pool.layer([
    { ...sweden.config, api: "responses", kind: "provisioned", region: "swedencentral" },
    { ...east.config, region: "eastus2" }
  ], { hedge: { delay: "2 seconds" } })

  yield* Effect.gen(function*() {
    yield* ask("Who is there?")
    yield* ask("And when Sweden has no room?")
    yield* showMembers
    yield* Effect.sleep("2100 millis")
    yield* ask("And after two seconds?")
    yield* ask("And when Sweden thinks for long?")
    yield* Effect.repeat(Effect.delay(sweden.responses, "10 millis"), {
      until: (all) => all.some((one) => one.cancelled)
    })
    yield* Console.log("[Sweden has been told to stop]")

    const { update } = yield* AzureO1Pool
    yield* update([{ ...east.config, region: "eastus2" }])
    yield* ask("And without Sweden?")
    yield* showMembers
  }).pipe(Effect.provide(pool))
}).pipe(Effect.scoped, Effect.provide(AzureO1Node.layerHttpClient))

main(import.meta, program)
