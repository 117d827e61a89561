/** One service calls another: a pipeline around the client, the deadline across both, what a health endpoint shows. */
import { Deadline, Pipelines, Policy, PolicyRegistry } from "@effect-resilience/core"
import { ResilientHttpClient, ServerPolicy } from "@effect-resilience/core/http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Context, Effect, Layer, Option, Schedule } from "effect"
import { HttpClient, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { main } from "./support/run.ts"

/** A warehouse on a bad day: what it answers, one after the other, and how it is asked. */
const warehouse = (statuses: Array<200 | 429 | 503 | "slow">) =>
  Effect.gen(function*() {
    const bounded = Option.isSome(yield* Deadline.remaining)
    const status = statuses.shift() ?? 200
    const answer = status === "slow" ? "does not answer" : `answers ${status}`
    yield* Console.log(`  warehouse: ${bounded ? "knows how long it has" : "has all the time"}, ${answer}`)
    // interrupted by the middleware when the caller's time is over
    if (status === "slow") return yield* Effect.never
    if (status === 200) return HttpServerResponse.text("42")
    // a pause that the caller keeps to
    return HttpServerResponse.text("later", { status, headers: status === 429 ? { "retry-after-ms": "50" } : {} })
  })

/** Serves on loopback, and gives the address. */
const serve = (app: ReturnType<typeof warehouse>) =>
  Effect.gen(function*() {
    const server = yield* Layer.build(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    yield* HttpServer.serveEffect(app.pipe(ServerPolicy.make(Policy.identity))).pipe(Effect.provide(server))
    return HttpServer.formatAddress(Context.get(server, HttpServer.HttpServer).address)
  })

/** The client of the warehouse, which the rest of the program imports: any `HttpClient`, and one pipeline for all callers. */
class Warehouse extends Context.Service<Warehouse, {
  readonly stock: (item: string) => Effect.Effect<string, unknown>
}>()("Warehouse") {
  static readonly layer = (url: string) =>
    Layer.effect(
      Warehouse,
      Effect.gen(function*() {
        const pipeline = yield* Pipelines.makeStandard({
          name: "warehouse",
          total: "20 seconds",
          attempt: "5 seconds",
          retry: { schedule: Schedule.max([Schedule.exponential("10 millis"), Schedule.recurs(3)]) }
        })
        const client = ResilientHttpClient.make(yield* HttpClient.HttpClient, pipeline, {
          sendDeadline: true,
          failOnStatus: true
        })
        return {
          stock: (item) => Effect.flatMap(client.get(`${url}/stock/${item}`), (response) => response.text)
        }
      })
    )
}

/** What a health endpoint would answer. */
const health = Effect.map(
  PolicyRegistry.snapshot,
  (policies) => policies.map(({ kind, name, state }) => `${kind} ${name}: ${JSON.stringify(state)}`)
)

const shop = Effect.gen(function*() {
  const warehouse = yield* Warehouse
  yield* Console.log("shop: how many are there?")
  yield* Console.log(`shop: ${yield* warehouse.stock("lamp")}`)
  for (const line of yield* health) yield* Console.log(line)
  yield* Console.log("shop: and now, within three seconds?")
  const late = yield* warehouse.stock("lamp").pipe(Deadline.within("3 seconds"), Effect.flip)
  yield* Console.log(`shop: ${Deadline.isDeadlineExceeded(late) ? "no answer in time" : String(late)}`)
})

export const program = Effect.gen(function*() {
  const url = yield* serve(warehouse([503, 429, 200, "slow"]))
  yield* Effect.provide(shop, Warehouse.layer(url).pipe(Layer.provideMerge(PolicyRegistry.layer)))
}).pipe(Effect.scoped, Effect.provide(NodeHttpClient.layerUndici))

main(import.meta, program)
