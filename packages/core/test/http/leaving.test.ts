import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import * as AdaptiveLimit from "../../src/AdaptiveLimit.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import { ServerPolicy } from "../../src/http/index.ts"
import type * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { eventually } from "../support/http.ts"

const server = NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })
const done = HttpServerResponse.text("done")

/** Requests by path, whose callers can go away. */
const asking = (services: Context.Context<HttpServer.HttpServer>) =>
  Effect.map(HttpClient.HttpClient, (client) => {
    const { address } = Context.get(services, HttpServer.HttpServer)
    return (path: string) => Effect.forkChild(client.get(`${HttpServer.formatAddress(address)}${path}`))
  })

const live = <A, E>(effect: Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))

describe("ServerPolicy over sockets: a caller that goes away", () => {
  const waiting: Readonly<Record<string, () => readonly [Policy.Policy<unknown, unknown>, () => number]>> = {
    "a bulkhead": () => {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 3 })
      return [bulkhead, () => Effect.runSync(bulkhead.state).queued]
    },
    "an adaptive limit": () => {
      const limit = AdaptiveLimit.makeUnsafe({ initialConcurrency: 1, maxQueue: 3 })
      return [limit, () => Effect.runSync(limit.state).queued]
    },
    "a limiter": () => {
      const limiter = RateLimiter.makeUnsafe({
        limit: RateLimiter.gcra({ limit: 1, within: "1 minute" }),
        maxWait: "1 hour"
      })
      return [limiter, () => Effect.runSync(limiter.state).waiting]
    }
  }
  for (const [name, make] of Object.entries(waiting)) {
    for (const around of ["a whole app", "a router"] as const) {
      it.live(`leaves the queue of ${name} around ${around}`, () =>
        live(Effect.gen(function*() {
          const [policy, queued] = make()
          const opened = yield* Deferred.make<void>()
          const app = Effect.as(Deferred.await(opened), done)
          const guarded = ServerPolicy.make(policy)
          const services = around === "a router"
            ? yield* Layer.build(
              HttpRouter.serve(
                Layer.mergeAll(HttpRouter.add("GET", "/", app), HttpRouter.middleware(guarded, { global: true })),
                { disableLogger: true, disableListenLog: true }
              ).pipe(Layer.provideMerge(server))
            )
            : yield* Layer.build(server)
          if (around === "a whole app") yield* HttpServer.serveEffect(guarded(app)).pipe(Effect.provide(services))
          const ask = yield* asking(services)
          const first = yield* ask("/")
          // the first one is there when a second one has to wait for it
          const second = yield* ask("/")
          yield* eventually(() => queued() === 1)
          yield* Fiber.interruptAll([first, second])
          yield* eventually(() => queued() === 0)
          yield* Deferred.succeed(opened, undefined)
        })))
    }
  }

  it.live("interrupts a route that has begun, and not one that is uninterruptible", () =>
    live(Effect.gen(function*() {
      const log: Array<string> = []
      const bulkhead = yield* Bulkhead.make({ concurrency: 1, maxQueue: 3 })
      const route = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted")))
      const payment = Effect.as(Effect.delay(Effect.sync(() => log.push("paid")), "50 millis"), done)
      const app = Layer.mergeAll(
        HttpRouter.add("GET", "/route", route),
        HttpRouter.add("GET", "/payment", payment, { uninterruptible: true }),
        HttpRouter.middleware(ServerPolicy.make(bulkhead), { global: true })
      )
      const services = yield* Layer.build(
        HttpRouter.serve(app, { disableLogger: true, disableListenLog: true }).pipe(Layer.provideMerge(server))
      )
      const ask = yield* asking(services)
      for (const path of ["/route", "/payment"]) {
        const fiber = yield* ask(path)
        yield* eventually(() => Effect.runSync(bulkhead.state).inUse === 1)
        yield* Fiber.interrupt(fiber)
        yield* eventually(() => Effect.runSync(bulkhead.state).inUse === 0)
      }
      assert.deepStrictEqual(log, ["interrupted", "paid"])
    })))

  it.live("does not make a handler give up that waits for its turn in a queue of its own", () =>
    live(Effect.gen(function*() {
      const log: Array<string> = []
      const database = yield* Bulkhead.make({ concurrency: 1, maxQueue: 3 })
      const held = yield* Effect.forkChild(database(Effect.never), { startImmediately: true })
      const app = Effect.suspend(() => {
        log.push("begun")
        return Effect.as(database(Effect.sync(() => log.push("written"))), done)
      })
      const policy = Bulkhead.makeUnsafe({ concurrency: 10 })
      const services = yield* Layer.build(server)
      yield* HttpServer.serveEffect(app.pipe(ServerPolicy.make(policy))).pipe(Effect.provide(services))
      const ask = yield* asking(services)
      const fiber = yield* ask("/")
      yield* eventually(() => log.length === 1)
      yield* Fiber.interrupt(fiber)
      yield* Effect.sleep("20 millis")
      yield* Fiber.interrupt(held)
      yield* eventually(() => log.length === 2)
      assert.deepStrictEqual(log, ["begun", "written"])
    })))
})
