import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Fault from "../../src/Fault.ts"
import { ResilientHttpClient, ServerPolicy } from "../../src/http/index.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as Timeout from "../../src/Timeout.ts"
import { Busy, during, fork, now, timed } from "../support/harness.ts"
import { fake, status, url } from "../support/http.ts"

const ask = (headers: Record<string, string>) =>
<A, E>(
  app: Effect.Effect<A, E, HttpServerRequest.HttpServerRequest | Scope.Scope>
): Effect.Effect<A, E, Scope.Scope> =>
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

const middleware = ServerPolicy.make(Policy.identity)

describe("ServerPolicy: the deadline of the caller", () => {
  it.effect("tells the handler how long it has, by either header", () =>
    Effect.gen(function*() {
      const seen = (headers: Record<string, string>) => middleware(left).pipe(ask(headers), Effect.flatMap(told))
      assert.strictEqual(yield* seen({ "x-deadline-ms": "1500" }), "1s 500ms")
      assert.strictEqual(yield* seen({ "grpc-timeout": "2S" }), "2s")
      assert.strictEqual(yield* seen({ "x-deadline-ms": "soon", "grpc-timeout": "2S" }), "2s")
      assert.strictEqual(yield* seen({ "x-deadline-ms": "1000", "grpc-timeout": "2S" }), "1s")
      assert.strictEqual(yield* seen({}), "none")
      assert.strictEqual(yield* seen({ "x-deadline-ms": "soon" }), "none")
      const other = ServerPolicy.make(Policy.identity, { deadlineHeaders: ["X-Time-Left"] })(left)
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
      const other = ServerPolicy.make(Policy.identity, { maxRemaining: "1 day" })(left).pipe(
        ask({ "grpc-timeout": "99999999H" })
      )
      assert.strictEqual(yield* Effect.flatMap(other, told), "1d")
    }))

  it.effect("a request that comes too late is answered and not handled", () =>
    Effect.gen(function*() {
      let handled = 0
      const app = Effect.sync(() => HttpServerResponse.text(String(++handled)))
      const statusOf = (options: ServerPolicy.Options, millis: string) =>
        ServerPolicy.make(Policy.identity, options)(app).pipe(
          ask({ "x-deadline-ms": millis }),
          Effect.map((response) => {
            assert.isFalse("retry-after" in response.headers)
            return response.status
          })
        )
      assert.strictEqual(yield* statusOf({}, "0"), 504)
      assert.strictEqual(yield* statusOf({ lateStatus: 503 }, "0"), 503)
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
    const make = (options: object) => () => ServerPolicy.make(Policy.identity, options)
    assert.throws(make({ lateStatus: 500 }), "ServerPolicy.make: lateStatus must be 503 or 504, got 500")
    assert.throws(make({ rejectedStatus: 418 }), "ServerPolicy.make: rejectedStatus must be 429 or 503, got 418")
    assert.throws(make({ body: "buffer" }), "ServerPolicy.make: body must be \"stream\" or \"headers\", got \"buffer\"")
    assert.throws(make({ minRemaining: -1 }), "ServerPolicy.make: minRemaining must be a finite duration >= 0, got -1")
    assert.throws(make({ minRemaining: NaN }), "minRemaining must be a finite duration >= 0, got NaN")
    assert.throws(make({ minRemaining: "soon" }), "minRemaining must be a finite duration >= 0, got \"soon\"")
    assert.throws(make({ maxRemaining: 0 }), "ServerPolicy.make: maxRemaining must be a finite duration > 0, got 0")
    assert.throws(
      () => ServerPolicy.make(identity as any),
      /* which types forbid */ "ServerPolicy.make: policy must be a policy, got a function"
    )
    for (const deadlineHeaders of ["x-deadline-ms", ["x deadline"], [1]]) {
      assert.throws(
        make({ deadlineHeaders }),
        "ServerPolicy.make: deadlineHeaders must be an array of names of headers"
      )
    }
    for (const option of ["isFailure", "policyFor"]) {
      assert.throws(make({ [option]: 1 }), `ServerPolicy.make: ${option} must be a function, got 1`)
    }
  })
})

const bodies = ["stream", "headers"] as const
const minutely = RateLimiter.fixedWindow({ limit: 1, within: "1 minute" })
const ok = Effect.succeed(HttpServerResponse.text("ok"))
const refusing = <E>(error: E): Policy.Policy<unknown, E> =>
  Policy.make({ info: { kind: "refusing", settings: {}, children: [] }, effect: () => Effect.fail(error) })

describe("ServerPolicy", () => {
  describe("what a policy refuses or cuts off", () => {
    const open = Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), open: "1500 millis" })
      yield* Effect.exit(breaker(Effect.fail("down")))
      return breaker
    })
    const full = Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
      yield* fork(bulkhead(Effect.never))
      return bulkhead
    })
    const spent = Effect.gen(function*() {
      const limiter = RateLimiter.makeUnsafe({ limit: minutely })
      yield* Effect.orDie(limiter(Effect.void))
      return limiter
    })
    const isolated = Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe()
      yield* breaker.isolate
      return breaker
    })
    const rows: ReadonlyArray<
      readonly [string, Effect.Effect<Policy.Policy<unknown, unknown>>, number, string | undefined]
    > = [
      ["a full bulkhead", full, 503, undefined],
      ["a rate that is spent", spent, 429, "60"],
      ["an open circuit", open, 503, "2"],
      ["an isolated circuit, of which nobody knows the end", isolated, 503, undefined],
      [
        "a rejection of a policy of your own",
        Effect.succeed(refusing({ [Fault.TypeId]: Fault.rejected() })),
        503,
        undefined
      ],
      ["a timeout", Effect.succeed(Timeout.attempt("1 second")), 504, undefined],
      ["a deadline of the server's own", Effect.succeed(Deadline.within("1 second")), 504, undefined]
    ]
    for (const [name, policy, status, retryAfter] of rows) {
      it.effect(`${name} is answered with ${status}`, () =>
        Effect.gen(function*() {
          for (const body of bodies) {
            const app = Effect.as(Effect.sleep("1 hour"), HttpServerResponse.text("late"))
            const served = app.pipe(ServerPolicy.make(yield* policy, { body }), ask({}), Effect.orDie)
            const response = yield* during("1 second", served)
            assert.deepStrictEqual([response.status, response.headers["retry-after"]], [status, retryAfter], body)
          }
        }))
    }

    it.effect("with the status that is asked for", () =>
      Effect.gen(function*() {
        const limited = ok.pipe(ServerPolicy.make(yield* spent, { rejectedStatus: 503 }), ask({}))
        assert.strictEqual((yield* limited).status, 503)
        const refused = ok.pipe(ServerPolicy.make(yield* full, { rejectedStatus: 429 }), ask({}))
        assert.strictEqual((yield* refused).status, 429)
        const late = Effect.never.pipe(ServerPolicy.make(Timeout.attempt("1 second"), { lateStatus: 503 }), ask({}))
        assert.strictEqual((yield* during("1 second", late)).status, 503)
      }))

    it.effect("any other error of the policy is one of the app", () =>
      Effect.gen(function*() {
        for (const body of bodies) {
          const exit = yield* Effect.exit(ok.pipe(ServerPolicy.make(refusing("mine"), { body }), ask({})))
          assert.deepStrictEqual(exit, Exit.fail("mine"))
        }
      }))
  })

  describe("what the handler ends with", () => {
    const endings: ReadonlyArray<readonly [string, Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>]> = [
      ["a response", ok],
      ["a failure as a response", Effect.succeed(HttpServerResponse.empty({ status: 503 }))],
      ["an error", Effect.fail("mine")],
      ["an error that looks like one of a policy", Effect.fail(new Busy({ retryAfter: "1 second" }))],
      ["a rejection of its own callee's", Effect.fail({ _tag: "CircuitOpen", [Fault.TypeId]: Fault.rejected() })],
      ["a timeout of its own", Effect.fail({ _tag: "TimeoutExceeded" })],
      ["a defect", Effect.die("bug")],
      ["a response as a defect", Effect.die(HttpServerResponse.empty({ status: 404 }))],
      ["an interruption", Effect.failCause(Cause.interrupt(7))]
    ]
    for (const [name, app] of endings) {
      it.effect(`${name} stays as it is`, () =>
        Effect.gen(function*() {
          const bare = yield* Effect.exit(app)
          const policies: ReadonlyArray<Policy.Policy<unknown, unknown>> = [
            Policy.identity,
            CircuitBreaker.makeUnsafe(),
            Retry.make({ schedule: Schedule.recurs(1) })
          ]
          for (const policy of policies) {
            for (const body of bodies) {
              const exit = yield* during(
                "1 minute",
                Effect.exit(app.pipe(ServerPolicy.make(policy, { body }), ask({})))
              )
              assert.deepStrictEqual(exit, bare, `${policy.info.kind}, ${body}`)
            }
          }
        }))
    }

    it.effect("and the policy sees it with the fault of its answer", () =>
      Effect.gen(function*() {
        class Missing extends Data.TaggedError("Missing")<{}> {
          [HttpServerRespondable.symbol]() {
            return Effect.succeed(HttpServerResponse.empty({ status: 404 }))
          }
        }
        const states = (app: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>) =>
          Effect.forEach(bodies, (body) =>
            Effect.gen(function*() {
              const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
              yield* Effect.exit(app.pipe(ServerPolicy.make(breaker, { body }), ask({})))
              return (yield* breaker.state)._tag
            }))
        const closed = [
          ok,
          Effect.fail(new Missing()),
          Effect.die(HttpServerResponse.empty({ status: 404 })),
          Effect.succeed(HttpServerResponse.empty({ status: 429 })),
          Effect.fail({ [Fault.TypeId]: Fault.rejected() }),
          Effect.interrupt
        ]
        for (const app of closed) assert.deepStrictEqual(yield* states(app), ["Closed", "Closed"])
        const opening = [
          Effect.fail("down"),
          Effect.die("bug"),
          Effect.succeed(HttpServerResponse.empty({ status: 500 })),
          Effect.die(HttpServerResponse.empty({ status: 502 }))
        ]
        for (const app of opening) assert.deepStrictEqual(yield* states(app), ["Open", "Open"])
      }))

    it.effect("isFailure tells otherwise, and a policy may ask for the status", () =>
      Effect.gen(function*() {
        let handled = 0
        const app = Effect.sync(() => HttpServerResponse.empty({ status: ++handled === 1 ? 409 : 200 }))
        const again = Retry.make({
          schedule: Schedule.recurs(1),
          classify: () => Fault.transient(),
          while: (error: ServerPolicy.RequestFailed) => error.status === 409
        })
        assert.strictEqual((yield* app.pipe(ServerPolicy.make(again), ask({}))).status, 200)
        handled = 0
        const calm = ServerPolicy.make(again, { isFailure: ({ status }) => status >= 500 })
        assert.strictEqual((yield* app.pipe(calm, ask({}))).status, 409)
      }))
  })

  it.effect("a deadline that a caller sends is the callee's fault only if it had a fair time", () =>
    Effect.gen(function*() {
      const rows: ReadonlyArray<readonly [string, Duration.Input, string]> = [
        ["3", "20 millis", "Closed"],
        ["5", "20 millis", "Closed"],
        ["2000", "1 hour", "Open"]
      ]
      for (const [header, takes, expected] of rows) {
        for (const body of bodies) {
          const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(5) })
          const work = Effect.as(Effect.sleep(takes), HttpServerResponse.text("done"))
          for (const app of [work.pipe(ServerPolicy.make(breaker, { body })), middleware(breaker(work))]) {
            const asked = Effect.replicateEffect(Effect.exit(ask({ "x-deadline-ms": header })(app)), 40, {
              concurrency: "unbounded"
            })
            yield* during("2 seconds", asked)
            assert.strictEqual((yield* breaker.state)._tag, expected, `${header} ms, ${body}`)
            yield* breaker.close
          }
        }
      }
    }))

  describe("bodies that are streams", () => {
    const counted = () => {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
      return { bulkhead, inUse: Effect.map(bulkhead.state, ({ inUse }) => inUse) }
    }
    const parts = (...parts: ReadonlyArray<string>) => Stream.fromIterable(parts).pipe(Stream.encodeText)
    const read = (response: HttpServerResponse.HttpServerResponse) =>
      response.body._tag === "Stream" ? Stream.mkString(Stream.decodeText(response.body.stream)) : Effect.succeed("")

    it.effect("a permit is held until the last byte, the headers stay, and a body is read once", () =>
      Effect.gen(function*() {
        const { bulkhead, inUse } = counted()
        const app = Effect.succeed(
          HttpServerResponse.stream(parts("a", "b"), { contentType: "text/plain", contentLength: 2 }).pipe(
            HttpServerResponse.setHeader("content-type", "text/event-stream")
          )
        )
        const response = yield* app.pipe(ServerPolicy.make(bulkhead), ask({}))
        assert.strictEqual(yield* inUse, 1)
        assert.strictEqual(response.headers["content-type"], "text/event-stream")
        assert.deepInclude(response.body, { contentType: "text/plain", contentLength: 2 })
        assert.strictEqual((yield* app.pipe(ServerPolicy.make(bulkhead), ask({}))).status, 503)
        assert.strictEqual(yield* read(response), "ab")
        assert.strictEqual(yield* inUse, 0)
        assert.include(String(yield* Effect.flip(read(response))), "read before")
      }))

    it.effect("with headers it ends with the head", () =>
      Effect.gen(function*() {
        const { bulkhead, inUse } = counted()
        const app = Effect.succeed(HttpServerResponse.stream(parts("a")))
        const response = yield* app.pipe(ServerPolicy.make(bulkhead, { body: "headers" }), ask({}))
        assert.deepStrictEqual([yield* inUse, yield* read(response)], [0, "a"])
      }))

    it.effect("one that nobody reads is given back with the scope of its request", () =>
      Effect.gen(function*() {
        const { bulkhead, inUse } = counted()
        const app = Effect.succeed(HttpServerResponse.stream(parts("a"))).pipe(ServerPolicy.make(bulkhead), ask({}))
        yield* Effect.scoped(Effect.andThen(app, Effect.map(inUse, (n) => assert.strictEqual(n, 1))))
        assert.strictEqual(yield* inUse, 0)
      }))

    it.effect("what a handler acquires lives as long as its request", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const app = Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => void log.push("closed")))
          return HttpServerResponse.stream(parts("a"))
        })
        yield* app.pipe(
          ServerPolicy.make(Timeout.attempt("1 second")),
          ask({}),
          Effect.flatMap(read),
          Effect.tap(() => Effect.sync(() => void log.push("read"))),
          Effect.scoped
        )
        assert.deepStrictEqual(log, ["read", "closed"])
      }))

    it.effect("the caller's deadline ends it, and a breaker hears what came of the whole", () =>
      Effect.gen(function*() {
        const endless = Stream.concat(parts("a"), Stream.never)
        const app = Effect.succeed(HttpServerResponse.stream(endless))
        const response = yield* app.pipe(middleware, ask({ "x-deadline-ms": "2000" }))
        const [ended, at] = yield* during("1 minute", timed(read(response)))
        assert.deepStrictEqual([ended, at], ["DeadlineExceeded", 2000])

        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        const breaking = Effect.succeed(
          HttpServerResponse.stream(Stream.concat(parts("a"), Stream.fail("disk")))
        ).pipe(ServerPolicy.make(breaker), ask({}))
        assert.strictEqual(yield* Effect.flip(Effect.flatMap(breaking, read)), "disk")
        assert.strictEqual((yield* breaker.state)._tag, "Open")
      }))
  })

  describe("a policy per request", () => {
    it.effect("is inside of the one for all, and its refusals are answered as well", () =>
      Effect.gen(function*() {
        const limiters = Keyed.makeUnsafe({
          lookup: (_: string) => RateLimiter.makeUnsafe({ limit: minutely })
        })
        for (const body of bodies) {
          const app = ok.pipe(
            ServerPolicy.make(Timeout.total("1 second"), {
              body,
              policyFor: (request) => limiters.for(body + (request.headers["x-api-key"] ?? ""))
            })
          )
          const statuses = yield* Effect.forEach(["a", "a", "b"], (key) =>
            Effect.map(ask({ "x-api-key": key })(app), ({ status }) => status))
          assert.deepStrictEqual(statuses, [200, 429, 200])
        }
      }))
  })

  it("is a middleware of a router and of a web handler", async () => {
    const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
    const { dispose, handler } = HttpRouter.toWebHandler(
      Layer.mergeAll(
        HttpRouter.add("GET", "/stream", HttpServerResponse.stream(Stream.make(new Uint8Array(1)))),
        HttpRouter.middleware(ServerPolicy.make(bulkhead), { global: true })
      ).pipe(Layer.provide(HttpServer.layerServices)),
      { disableLogger: true }
    )
    const get = (path: string) => handler(new Request(url + path))
    assert.strictEqual((await get("nowhere")).status, 404)
    const first = await get("stream")
    assert.strictEqual((await get("stream")).status, 503)
    assert.strictEqual((await first.arrayBuffer()).byteLength, 1)
    assert.strictEqual((await get("stream")).status, 200)
    await dispose()
  })
})
