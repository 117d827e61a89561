/** Two deployments behind one client: the next is asked at once, a busy one is left alone, and then preferred again. */
import { type AzureO1, type CallOptions, O1Error, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { AzureO1Pool } from "@effect-resilience/azure-o1/pool"
import { FakeAzure, type Reply } from "@effect-resilience/azure-o1/testing"
import { Console, Context, Effect, Layer, Stream } from "effect"
import { main } from "./support/run.ts"

/** A deployment on loopback. A program of your own has an `AzureO1Config` for each. */
const deployment = (name: string, script: ReadonlyArray<Reply>) =>
  Effect.map(Layer.build(FakeAzure.layer({ deployment: name, script })), Context.get(FakeAzure))

const busy = FakeAzure.status(429, { retryAfter: "2 seconds" })
const busier = FakeAzure.status(429, { retryAfter: "1 minute" })

const ask = (o1: AzureO1["Service"], prompt: string, options?: CallOptions) =>
  o1.stream({ messages: [user(prompt)] }, options).pipe(
    Stream.runForEach((event) => {
      switch (event._tag) {
        case "FailedOver":
          return Console.log(`[${event.from}: ${O1Error.label(event.error)}, so ${event.to} is asked]`)
        case "Retrying":
          return Console.log("[nobody is left, so the first that may be asked again is waited for]")
        case "Finished":
          return Console.log(event.completion.text)
        default:
          return Effect.void
      }
    }),
    Effect.catch((error) => {
      const attempts = error.attempts.map(({ deployment, outcome }) => `${deployment} ${outcome}`)
      return Console.log(`No answer: ${error.deployment} ${O1Error.label(error)}, after ${attempts.join(", ")}`)
    })
  )

export const program = Effect.gen(function*() {
  const east = yield* deployment("east", [
    busy,
    FakeAzure.answer("East is back."),
    busy,
    FakeAzure.answer("East was the first to be back."),
    FakeAzure.status(401)
  ])
  const west = yield* deployment("west", [
    FakeAzure.answer("West answers."),
    FakeAzure.answer("West again, at once."),
    busier
  ])
  const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder([east.config, west.config]))

  yield* ask(o1, "Who is there?")
  yield* ask(o1, "And now?")
  yield* Effect.sleep("2 seconds")
  yield* ask(o1, "And after two seconds?")
  yield* ask(o1, "And if both are busy?")
  yield* ask(o1, "And if nobody is back in time?", { timeout: "10 seconds", total: "10 seconds" })
}).pipe(Effect.scoped, Effect.provide(AzureO1Node.layerHttpClient))

main(import.meta, program)
