import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Criticality from "../../src/Criticality.ts"
import { ResilientHttpClient, ServerPolicy } from "../../src/http/index.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import { eventually, fake, status, url } from "../support/http.ts"

const asked = (options: ServerPolicy.Options, headers: Record<string, string>, body = false) =>
  Effect.gen(function*() {
    const said = Effect.map(Criticality.current, (criticality) => criticality as string)
    const app = body
      ? Effect.succeed(HttpServerResponse.stream(Stream.encodeText(Stream.fromEffect(said))))
      : Effect.map(said, (text) => HttpServerResponse.text(text))
    const response = yield* ServerPolicy.make(Policy.identity, options)(app).pipe(
      Effect.provideService(
        HttpServerRequest.HttpServerRequest,
        HttpServerRequest.fromWeb(new Request(url, { headers }))
      )
    )
    return yield* Effect.promise(() => HttpServerResponse.toWeb(response).text())
  })

describe("ServerPolicy: how much a request matters", () => {
  for (
    const [name, options, headers, expected] of [
      ["what the caller says", {}, { "x-criticality": "sheddable" }, "sheddable"],
      ["in the book's letters", {}, { "x-criticality": "SHEDDABLE_PLUS" }, "sheddable-plus"],
      ["nobody is more than critical", {}, { "x-criticality": "critical-plus" }, "critical"],
      [
        "unless the server says so",
        { maxCriticality: "critical-plus" },
        { "x-criticality": "critical-plus" },
        "critical-plus"
      ],
      ["a word that is none of the four", {}, { "x-criticality": "urgent" }, "critical"],
      ["of what is said more than once the lowest", {}, { "x-criticality": "critical-plus, sheddable" }, "sheddable"],
      ["what a proxy says behind a word of the caller's", {}, { "x-criticality": "me first, sheddable" }, "sheddable"],
      ["nothing", {}, {}, "critical"],
      ["nothing, where callers matter less", { maxCriticality: "sheddable-plus" }, {}, "sheddable-plus"],
      ["more than that", { maxCriticality: "sheddable-plus" }, { "x-criticality": "critical" }, "sheddable-plus"],
      ["less than that", { maxCriticality: "sheddable-plus" }, { "x-criticality": "sheddable" }, "sheddable"],
      ["by another header", { criticalityHeaders: ["X-Class"] }, {
        "x-class": "sheddable",
        "x-criticality": "critical"
      }, "sheddable"],
      ["by the first that can be read", { criticalityHeaders: ["a", "b"] }, { a: "5", b: "sheddable" }, "sheddable"],
      ["by none", { criticalityHeaders: [] }, { "x-criticality": "sheddable" }, "critical"]
    ] as ReadonlyArray<readonly [string, ServerPolicy.Options, Record<string, string>, string]>
  ) {
    it.effect(name, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* asked(options, headers), expected)
        assert.strictEqual(yield* asked(options, headers, true), expected, "a body that is a stream")
      }))
  }

  it.effect("callers differ, and one who cannot be told is a defect of the request", () =>
    Effect.gen(function*() {
      const maxCriticality = (request: HttpServerRequest.HttpServerRequest): Criticality.Criticality => {
        const key = request.headers["x-api-key"]
        if (key === undefined) throw new Error("no key")
        return key === "ours" ? "critical-plus" : "sheddable"
      }
      const headers = { "x-criticality": "critical-plus" }
      assert.strictEqual(yield* asked({ maxCriticality }, { ...headers, "x-api-key": "ours" }), "critical-plus")
      assert.strictEqual(yield* asked({ maxCriticality }, { ...headers, "x-api-key": "theirs" }), "sheddable")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(asked({ maxCriticality }, headers))))
    }))

  it.effect("what stands around the server is the usual, and the cap holds for it as well", () =>
    Effect.gen(function*() {
      const around = Criticality.as("critical-plus")
      assert.strictEqual(yield* around(asked({}, {})), "critical")
      assert.strictEqual(yield* around(asked({ maxCriticality: "critical-plus" }, {})), "critical-plus")
      assert.strictEqual(yield* Criticality.as("sheddable")(asked({}, {})), "sheddable")
      assert.strictEqual(yield* Criticality.as("sheddable")(asked({}, { "x-criticality": "critical" })), "critical")
    }))
})

describe("ResilientHttpClient: sends how much a call matters", () => {
  it.effect("with every attempt, under the name that it is given, and never over what the request says", () =>
    Effect.gen(function*() {
      const seen = (sendCriticality: boolean | string | undefined, headers = {}) =>
        Effect.gen(function*() {
          const { client, requests } = fake(() => status(503))
          const resilient = ResilientHttpClient.make(client, Retry.make({ times: 1, after: () => 0 }), {
            sendCriticality
          })
          yield* Criticality.as("sheddable")(resilient.get(url, { headers }))
          return requests.map(({ headers }) => headers["x-criticality"] ?? headers["x-class"])
        })
      assert.deepStrictEqual(yield* seen(true), ["sheddable", "sheddable"])
      assert.deepStrictEqual(yield* seen("X-Class"), ["sheddable", "sheddable"])
      assert.deepStrictEqual(yield* seen(undefined), [undefined, undefined])
      assert.deepStrictEqual(yield* seen(true, { "x-criticality": "critical" }), ["critical", "critical"])
    }))
})

describe("load shedding over sockets", () => {
  it.live("who matters less is turned away, who matters more is served first, and nobody raises oneself", () =>
    Effect.gen(function*() {
      const served: Array<string> = []
      const opened = yield* Deferred.make<void>()
      const app = Effect.gen(function*() {
        const { url } = yield* HttpServerRequest.HttpServerRequest
        yield* Deferred.await(opened)
        served.push(`${url} ${yield* Criticality.current}`)
        return HttpServerResponse.text("done")
      })
      const bulkhead = yield* Bulkhead.make({ concurrency: 1, maxQueue: 3 })
      const services = yield* Layer.build(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      yield* HttpServer.serveEffect(app.pipe(ServerPolicy.make(bulkhead))).pipe(Effect.provide(services))
      const { address } = Context.get(services, HttpServer.HttpServer)
      const client = ResilientHttpClient.make(yield* HttpClient.HttpClient, Policy.identity, { sendCriticality: true })
      const queued = (n: number) =>
        eventually(() => {
          const { inUse, queued } = Effect.runSync(bulkhead.state)
          return inUse + queued === n
        })
      const ask = (path: string, criticality: Criticality.Criticality, waiting: number) =>
        Effect.gen(function*() {
          const request = client.get(`${HttpServer.formatAddress(address)}/${path}`)
          const fiber = yield* Effect.forkChild(
            Criticality.as(criticality)(Effect.map(request, ({ status }) => status))
          )
          yield* queued(waiting)
          return fiber
        })

      const first = yield* ask("first", "critical", 1)
      const reports = [yield* ask("report", "sheddable", 2), yield* ask("statistics", "sheddable", 3)]
      // one that goes away leaves its place
      yield* Fiber.interrupt(yield* ask("gone", "sheddable", 4))
      yield* queued(3)
      const page = yield* ask("page", "critical", 4)
      // takes the place of the newest of the lowest, behind the page: both are critical here
      const payment = yield* ask("payment", "critical-plus", 4)
      assert.strictEqual(yield* Fiber.join(reports[1]!), 503)
      const more = yield* Effect.map(
        Criticality.as("sheddable")(client.get(`${HttpServer.formatAddress(address)}/more`)),
        ({ status }) => status
      )
      assert.strictEqual(more, 503)
      yield* Deferred.succeed(opened, undefined)
      assert.deepStrictEqual(yield* Fiber.joinAll([first, reports[0]!, page, payment]), [200, 200, 200, 200])
      assert.deepStrictEqual(served, ["/first critical", "/page critical", "/payment critical", "/report sheddable"])
      assert.deepInclude(yield* bulkhead.state, { inUse: 0, queued: 0 })
    }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer)))
})
