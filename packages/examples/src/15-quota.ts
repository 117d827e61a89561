/**
 * Calls within the quota of a deployment: two callers take turns by their weights and the service refuses nothing. A request that is
 * larger than the minute is not sent, and neither is one beyond the ceiling of the hour.
 */
import { AzureO1, O1Error, O1Transport, user } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { O1Quota } from "@effect-resilience/azure-o1/quota"
import { FakeAzure, type FakeRequest } from "@effect-resilience/azure-o1/testing"
import { Array, Console, Effect, Layer } from "effect"
import { main } from "./support/run.ts"

/** A deployment on loopback. A program of your own has an `AzureO1Config`, and may leave the limits to be learnt. */
const limits = { requestsPerMinute: 300, tokensPerMinute: 60_000 }

const live = Layer.unwrap(Effect.map(FakeAzure, ({ config }) =>
  AzureO1.layerServices.pipe(
    Layer.provideMerge(O1Quota.layer({ ...limits, tokensPerHour: 20_000 })),
    Layer.provide(O1Transport.layer(config))
  ))).pipe(
    Layer.provideMerge(FakeAzure.layer({ limits })),
    Layer.provide(AzureO1Node.layerHttpClient)
  )

const request = (maxCompletionTokens: number, caller = "chat") => ({
  messages: [user("How are you?")],
  maxCompletionTokens,
  user: caller
})

const turns = Effect.gen(function*() {
  const o1 = yield* AzureO1
  const calls = (caller: string) =>
    Effect.all(Array.replicate(o1.complete(request(500, caller)), 6), { concurrency: "unbounded" })
  yield* Effect.all([
    calls("nightly").pipe(O1Quota.as("nightly")),
    calls("chat").pipe(O1Quota.as("chat", { weight: 3 }))
  ], { concurrency: "unbounded" })
})

/** The caller of a request. */
const callers = ({ body }: FakeRequest) => (body as { readonly user: string }).user

const failed = (what: string) => (error: O1Error) => Console.log(`${what}: ${O1Error.label(error)}. ${error.detail}`)

export const program = Effect.gen(function*() {
  const o1 = yield* AzureO1
  const quota = yield* O1Quota
  const fake = yield* FakeAzure

  yield* turns
  const asked = (yield* fake.requests).filter(({ method }) => method === "POST")
  yield* Console.log(`Turns: ${asked.map(callers).join(", ")}`)
  yield* Console.log(`Requests: ${asked.length} for 12 answers, so none was refused.`)

  yield* Effect.catch(o1.complete(request(70_000)), failed("Larger than the minute"))
  yield* Effect.catch(o1.complete(request(20_000)), failed("Beyond the hour"))

  const { deployments, spent } = yield* quota.state
  const { remaining, waiting } = deployments["o1"]!
  yield* Console.log(`Left of the minute: ${remaining.requests} requests. Waiting: ${JSON.stringify(waiting)}.`)
  yield* Console.log(`Spent in the last hour: ${spent} of 20000 tokens.`)
}).pipe(Effect.provide(live))

main(import.meta, program)
