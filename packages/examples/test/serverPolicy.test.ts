import { Bulkhead, CircuitBreaker, Policy, Timeout } from "@effect-resilience/core"
import { ResilientHttpClient, ServerPolicy } from "@effect-resilience/core/http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { HttpClient, HttpServer, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"

type App<E> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, any>

/** Serves on loopback with the middleware around the app, or where the server takes it; gives a client and the address. */
const serve = <E>(app: App<E>, around: (app: App<E>) => App<unknown>, where: "app" | "server") =>
  Effect.gen(function*() {
    const built = yield* Layer.build(
      Layer.merge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }), NodeHttpClient.layerUndici)
    )
    const served = where === "app" ? HttpServer.serveEffect(around(app)) : HttpServer.serveEffect(app, around as any)
    yield* Effect.provide(served, built)
    const address = HttpServer.formatAddress(Context.get(built, HttpServer.HttpServer).address)
    return { client: Context.get(built, HttpClient.HttpClient), address }
  }) as Effect.Effect<
    { readonly client: HttpClient.HttpClient; readonly address: string },
    never,
    Scope.Scope
  > // the app needs only what the server provides

const eventually = (holds: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(holds, (held) => held ? Effect.void : Effect.andThen(Effect.sleep("2 millis"), eventually(holds)))

const bytes = (text: string) => new TextEncoder().encode(text)

describe("ServerPolicy over sockets", () => {
  for (const where of ["app", "server"] as const) {
    it.live(`around the ${where}: a permit is held until the body is sent, and the next caller is told to come back`, () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
        const idle = Effect.map(bulkhead.state, ({ inUse }) => inUse === 0)
        const last = yield* Deferred.make<Uint8Array>()
        const body = Stream.concat(Stream.succeed(bytes("first ")), Stream.fromEffect(Deferred.await(last)))
        const { address, client } = yield* serve(
          Effect.sync(() => HttpServerResponse.stream(body)),
          ServerPolicy.make(bulkhead),
          where
        )
        const response = yield* client.get(address)
        const refused = yield* client.get(address)
        assert.deepStrictEqual([response.status, refused.status], [200, 503])
        yield* Deferred.succeed(last, bytes("last"))
        assert.strictEqual(yield* response.text, "first last")
        yield* eventually(idle)
        assert.strictEqual((yield* client.get(address)).status, 200)
      }))

    it.live(`around the ${where}: a caller that leaves in the middle of a body frees the permit, and is no failure`, () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        const endless = Stream.concat(Stream.succeed(bytes("one")), Stream.never)
        const { address, client } = yield* serve(
          Effect.sync(() => HttpServerResponse.stream(endless)),
          ServerPolicy.make(Policy.compose(breaker, bulkhead)),
          where
        )
        const scope = yield* Scope.make()
        const response = yield* HttpClient.withScope(client).get(address).pipe(
          Effect.provideService(Scope.Scope, scope)
        )
        assert.strictEqual((yield* Stream.runCollect(Stream.take(response.stream, 1))).length, 1)
        yield* Scope.close(scope, Exit.void)
        yield* eventually(Effect.map(bulkhead.state, ({ inUse }) => inUse === 0))
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
      }))

    it.live(`around the ${where}: the caller's deadline ends the handler, and only the caller reports it`, () =>
      Effect.gen(function*() {
        const ended = yield* Deferred.make<void>()
        const { address, client } = yield* serve(
          Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined)),
          ServerPolicy.make(Policy.identity),
          where
        )
        const calling = ResilientHttpClient.make(client, Timeout.total("100 millis"), { sendDeadline: true })
        const error = yield* Effect.flip(calling.get(address))
        assert.isTrue(Timeout.isTimeoutExceeded(error))
        yield* Deferred.await(ended)
      }))
  }

  it.live("a body without an end is cut at the caller's deadline", () =>
    Effect.gen(function*() {
      const endless = Stream.concat(Stream.succeed(bytes("one")), Stream.never)
      const { address, client } = yield* serve(
        Effect.sync(() => HttpServerResponse.stream(endless)),
        ServerPolicy.make(Policy.identity),
        "app"
      )
      const response = yield* client.get(address, { headers: { "x-deadline-ms": "100" } })
      assert.strictEqual(response.status, 200)
      assert.strictEqual((yield* Effect.flip(response.text)).reason._tag, "DecodeError")
    }))

  it.live("many callers, a slow handler: nobody waits, and nothing is held in the end", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 3 })
      const go = yield* Deferred.make<void>()
      const { address, client } = yield* serve(
        Effect.as(Deferred.await(go), HttpServerResponse.text("done")),
        ServerPolicy.make(bulkhead),
        "app"
      )
      const fibers = yield* Effect.forEach(
        Array.from({ length: 20 }),
        () => Effect.forkChild(Effect.map(client.get(address), ({ status }) => status))
      )
      yield* eventually(
        Effect.sync(() => fibers.filter((fiber) => fiber.pollUnsafe() !== undefined).length === 17)
      )
      yield* Deferred.succeed(go, undefined)
      const statuses = yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(statuses.filter((status) => status === 200).length, 3)
      assert.deepStrictEqual(statuses.filter((status) => status === 503).length, 17)
      assert.strictEqual((yield* bulkhead.state).inUse, 0)
    }))
})
