import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Deadline from "../../src/Deadline.ts"
import { DeadlineMiddleware, ResilientHttpClient } from "../../src/http/index.ts"
import * as Timeout from "../../src/Timeout.ts"
import { during, now, timed } from "../support/harness.ts"
import { fake, status, url } from "../support/http.ts"

const ask = (headers: Record<string, string>) =>
<A, E>(
  app: Effect.Effect<A, E, HttpServerRequest.HttpServerRequest>
): Effect.Effect<A, E> =>
  Effect.provideService(
    app,
    HttpServerRequest.HttpServerRequest,
    HttpServerRequest.fromWeb(new Request(url, { headers }))
  )

const left = Effect.map(
  Deadline.remaining,
  (left) => HttpServerResponse.text(Option.match(left, { onNone: () => "none", onSome: (d) => Duration.format(d) }))
)

const told = (response: HttpServerResponse.HttpServerResponse) =>
  Effect.promise(() => HttpServerResponse.toWeb(response).text())

describe("DeadlineMiddleware", () => {
  const middleware = DeadlineMiddleware.make()

  it.effect("tells the handler how long it has, by either header", () =>
    Effect.gen(function*() {
      const seen = (headers: Record<string, string>) => middleware(left).pipe(ask(headers), Effect.flatMap(told))
      assert.strictEqual(yield* seen({ "x-deadline-ms": "1500" }), "1s 500ms")
      assert.strictEqual(yield* seen({ "grpc-timeout": "2S" }), "2s")
      assert.strictEqual(yield* seen({ "x-deadline-ms": "soon", "grpc-timeout": "2S" }), "2s")
      assert.strictEqual(yield* seen({ "x-deadline-ms": "1000", "grpc-timeout": "2S" }), "1s")
      assert.strictEqual(yield* seen({}), "none")
      assert.strictEqual(yield* seen({ "x-deadline-ms": "soon" }), "none")
      const other = DeadlineMiddleware.make({ headers: ["X-Time-Left"] })(left)
      assert.strictEqual(
        yield* other.pipe(ask({ "x-time-left": "5", "x-deadline-ms": "1" }), Effect.flatMap(told)),
        "5ms"
      )
    }))

  it.effect("believes what Deadline.fromHeader believes, and no more than max", () =>
    Effect.gen(function*() {
      for (const header of ["1500", "2S", "99999999H", "1500.5", "-1", "1s", "1e3", ""]) {
        const response = yield* Deadline.remaining.pipe(
          Effect.tap((left) => Effect.sync(() => assert.deepStrictEqual(left, Deadline.fromHeader(header), header))),
          Effect.as(HttpServerResponse.empty()),
          middleware,
          ask({ "x-deadline-ms": header })
        )
        assert.strictEqual(response.status, 204)
      }
      const other = DeadlineMiddleware.make({ maxRemaining: "1 day" })(left).pipe(ask({ "grpc-timeout": "99999999H" }))
      assert.strictEqual(yield* Effect.flatMap(other, told), "1d")
    }))

  it.effect("a request that comes too late is answered and not handled", () =>
    Effect.gen(function*() {
      let handled = 0
      const app = Effect.sync(() => HttpServerResponse.text(String(++handled)))
      const statusOf = (options: DeadlineMiddleware.Options, millis: string) =>
        DeadlineMiddleware.make(options)(app).pipe(
          ask({ "x-deadline-ms": millis }),
          Effect.map((response) => {
            assert.isFalse("retry-after" in response.headers)
            return response.status
          })
        )
      assert.strictEqual(yield* statusOf({}, "0"), 504)
      assert.strictEqual(yield* statusOf({ status: 503 }, "0"), 503)
      assert.strictEqual(yield* statusOf({ minRemaining: "50 millis" }, "49"), 504)
      assert.strictEqual(handled, 0)
      assert.strictEqual(yield* statusOf({ minRemaining: "50 millis" }, "50"), 200)
      assert.strictEqual(handled, 1)
    }))

  it.effect("a handler that does not end in time is interrupted", () =>
    Effect.gen(function*() {
      let interrupted = false
      const app = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      const [exit, at] = yield* during(
        "1 minute",
        timed(Effect.map(ask({ "x-deadline-ms": "200" })(middleware(app)), (response) => response.status))
      )
      assert.deepStrictEqual([exit, at, interrupted], ["ok:504", 200, true])
    }))

  it.effect("failures of the handler are its own, its own timeouts among them", () =>
    Effect.gen(function*() {
      const failing = ask({ "x-deadline-ms": "200" })(middleware(Effect.fail("mine")))
      assert.deepStrictEqual(yield* Effect.exit(failing), Exit.fail("mine"))
      const slow = Effect.never.pipe(Timeout.total("100 millis"))
      const error = yield* during("1 minute", Effect.flip(ask({ "x-deadline-ms": "200" })(middleware(slow))))
      assert.strictEqual(error._tag, "TimeoutExceeded")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(ask({ "x-deadline-ms": "200" })(middleware(Effect.die("bug"))))))
    }))

  it.effect("an earlier deadline of the server's own stands", () =>
    Effect.gen(function*() {
      const app = Effect.never.pipe(middleware, ask({ "x-deadline-ms": "2000" }), Timeout.total("1 second"))
      const error = yield* during("1 minute", Effect.flip(app))
      assert.deepStrictEqual([error.phase, yield* now], ["total", 60_000])
    }))

  it.effect("D2: from service to service the time only shrinks", () =>
    Effect.gen(function*() {
      const next = fake(() => status(200))
      const client = ResilientHttpClient.make(next.client, Timeout.attempt("1 minute"), { sendDeadline: true })
      const app = Effect.as(Effect.delay(client.get(url), "300 millis"), HttpServerResponse.empty())
      yield* during("1 second", Effect.orDie(ask({ "x-deadline-ms": "1000" })(middleware(app))))
      assert.strictEqual(next.requests[0]!.headers["x-deadline-ms"], "700")
    }))

  it.effect("what the handler needs is still there", () =>
    Effect.gen(function*() {
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const app = Effect.map(Effect.all([Name, HttpServerRequest.HttpServerRequest]), ([name, request]) =>
        HttpServerResponse.text(`${name} ${request.method}`))
      const response = middleware(app).pipe(Effect.provideService(Name, "bob"), ask({ "x-deadline-ms": "9" }))
      assert.strictEqual(yield* Effect.flatMap(response, told), "bob GET")
    }))

  it("bad options are found when the middleware is made", () => {
    const make = (options: object) => () => DeadlineMiddleware.make(options)
    assert.throws(make({ status: 500 }), "DeadlineMiddleware.make: status must be 503 or 504, got 500")
    assert.throws(
      make({ minRemaining: -1 }),
      "DeadlineMiddleware.make: minRemaining must be a finite duration >= 0, got -1"
    )
    assert.throws(
      make({ minRemaining: NaN }),
      "DeadlineMiddleware.make: minRemaining must be a finite duration >= 0, got NaN"
    )
    assert.throws(
      make({ maxRemaining: 0 }),
      "DeadlineMiddleware.make: maxRemaining must be a finite duration > 0, got 0"
    )
    assert.throws(
      make({ minRemaining: "soon" }),
      "DeadlineMiddleware.make: minRemaining must be a finite duration >= 0, got \"soon\""
    )
  })
})
