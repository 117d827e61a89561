import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpMethod from "effect/http/HttpMethod"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Deadline from "../../src/Deadline.ts"
import type * as Fault from "../../src/Fault.ts"
import * as Hedge from "../../src/Hedge.ts"
import { ResilientHttpClient } from "../../src/http/index.ts"
import { Call } from "../../src/internal/http/resilientHttpClient.ts"
import { HeldResponse } from "../../src/internal/http/response.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import * as Timeout from "../../src/Timeout.ts"
import { during, fork, now, outcome, recorder, timed } from "../support/harness.ts"
import { body, fake, status, url } from "../support/http.ts"

const retry = Retry.make({ schedule: Schedule.recurs(3) })
const refusedConnection = { cause: Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } }) }
const reset = { cause: Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET" } }) }

const transport = (request: HttpClientRequest.HttpClientRequest, cause: { readonly cause: unknown }) =>
  Effect.fail(
    new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, ...cause }) })
  )

const text = Effect.flatMap((response: HttpClientResponse.HttpClientResponse) => response.text)

/** Another attempt beside the one that runs after a while, without a word about the failure of the first. */
const hedge = Policy.make({
  info: { kind: "hedge", settings: {}, children: [] },
  effect: (self) => Effect.raceFirst(Effect.delay(self, "1 second"), Effect.delay(self, 0))
})

describe("ResilientHttpClient", () => {
  describe("statuses", () => {
    it.effect("a status that may pass is tried again, and the answer is what the service says in the end", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((n) => status([503, 500, 200][n - 1]!))
        const resilient = ResilientHttpClient.make(client, retry)
        assert.strictEqual(yield* resilient.get(url).pipe(text), "status 200")
        assert.strictEqual(requests.length, 3)
      }))

    it.effect("a status that stays is answered once and given back as it is", () =>
      Effect.gen(function*() {
        for (const code of [400, 401, 404, 409, 501]) {
          const { client, requests } = fake(() => status(code))
          const response = yield* ResilientHttpClient.make(client, retry).get(url)
          assert.deepStrictEqual([response.status, yield* response.text, requests.length], [code, `status ${code}`, 1])
        }
      }))

    it.effect("after the last attempt the response comes back whole, or as an error if asked for", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((n) => status(503, { "x-attempt": String(n) }))
        const response = yield* ResilientHttpClient.make(client, retry).get(url)
        assert.deepStrictEqual([response.status, response.headers["x-attempt"], requests.length], [503, "4", 4])
        assert.strictEqual(yield* response.text, "status 503")
        assert.strictEqual(yield* response.text, "status 503", "as often as it is asked for")

        const failing = ResilientHttpClient.make(client, retry, { failOnStatus: true })
        const error = yield* Effect.flip(failing.get(url))
        assert.strictEqual(error.reason._tag, "StatusCodeError")
        assert.strictEqual(yield* error.response!.text, "status 503")
        assert.isFalse(Predicate.hasProperty(error, "failure"), "what the policy saw does not come out")
      }))

    it.effect("redirects and what isFailure lets pass are no failures", () =>
      Effect.gen(function*() {
        const redirect = fake(() => new Response(null, { status: 304 }))
        const failing = ResilientHttpClient.make(redirect.client, retry, { failOnStatus: true })
        assert.strictEqual((yield* failing.get(url)).status, 304)

        const missing = fake(() => status(404))
        const found = ResilientHttpClient.make(missing.client, retry, {
          isFailure: (response) => response.status >= 500,
          failOnStatus: true
        })
        assert.strictEqual((yield* found.get(url)).status, 404)
      }))

    it.effect("every form of Retry-After is waited for", () =>
      Effect.gen(function*() {
        const forms: ReadonlyArray<readonly [Record<string, string>, number]> = [
          [{ "retry-after": "20" }, 20_000],
          [{ "retry-after": "Thu, 01 Jan 1970 00:00:30 GMT" }, 30_000],
          [{ "retry-after": "1.5" }, 1500],
          [{ "retry-after-ms": "1500" }, 1500],
          [{ "retry-after-ms": "1234.5", "retry-after": "1" }, 1234.5],
          [{ "x-ms-retry-after-ms": "250", "retry-after": "1" }, 250],
          [{}, 0]
        ]
        for (const [headers, least] of forms) {
          yield* TestClock.setTime(0)
          const { client } = fake((n) => n === 1 ? status(429, headers) : status(200))
          const at = yield* during("1 minute", Effect.andThen(ResilientHttpClient.make(client, retry).get(url), now))
          assert.isTrue(at >= least && at <= least * 1.1 + 1, `${JSON.stringify(headers)}: ${at}`)
        }
      }))

    it.effect("a breaker counts what speaks against the service, and only that", () =>
      Effect.gen(function*() {
        const calls = (code: number) =>
          Effect.gen(function*() {
            const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2) })
            const client = ResilientHttpClient.make(fake(() => status(code)).client, breaker)
            yield* Effect.repeat(client.post(url), { times: 1 })
            return (yield* breaker.state)._tag
          })
        assert.deepStrictEqual(
          yield* Effect.all([calls(500), calls(429), calls(404), calls(200)]),
          ["Open", "Closed", "Closed", "Closed"]
        )
      }))
  })

  describe("failed attempts", () => {
    /** What can be reached from something by its properties, maps and sets. */
    const reachable = (root: unknown): ReadonlySet<unknown> => {
      const seen = new Set<unknown>()
      const open = [root]
      while (open.length > 0) {
        const next = open.pop()
        if (typeof next !== "object" || next === null || seen.has(next)) continue
        seen.add(next)
        if (next instanceof Map) open.push(...next.keys(), ...next.values())
        if (next instanceof Set) open.push(...next)
        open.push(...Reflect.ownKeys(next).map((key) => Reflect.getOwnPropertyDescriptor(next, key)!.value))
      }
      return seen
    }

    it.effect("a call holds the answer of its last attempt, and of no other", () =>
      Effect.gen(function*() {
        for (const attempts of [1, 20]) {
          const { client } = fake(() => status(503))
          const call = yield* Effect.withFiber((fiber) =>
            Effect.succeed(
              new Call(
                {
                  client: client as any, // whose types the call does not look at
                  policy: Policy.identity,
                  policyFor: undefined,
                  body: "buffer",
                  maxBytes: 100,
                  isFailure: () => true,
                  failOnStatus: false,
                  repeat: () => false,
                  deadlineHeader: undefined,
                  attemptHeader: undefined,
                  criticalityHeader: undefined
                },
                HttpClientRequest.get(url),
                fiber
              )
            )
          )
          yield* Effect.replicateEffect(Effect.exit(call.attempt(Effect.succeed)), attempts)
          assert.strictEqual(Array.from(reachable(call)).filter((held) => held instanceof HeldResponse).length, 1)
        }
      }))

    it.effect("whichever failure the policy ends with, its response is the answer", () =>
      Effect.gen(function*() {
        for (const chosen of [0, 1, 2]) {
          const { client } = fake((n) => status(500 + n))
          const choosing = Policy.make({
            info: { kind: "choosing", settings: {}, children: [] },
            effect: (self) => Effect.flatMap(Effect.replicateEffect(Effect.exit(self), 3), (exits) => exits[chosen]!)
          })
          assert.strictEqual((yield* ResilientHttpClient.make(client, choosing).get(url)).status, 501 + chosen)
        }
      }))
  })

  describe("a policy per request", () => {
    it.effect("is inside of the one for all, in every mode, and asked for once", () =>
      Effect.gen(function*() {
        for (const body of ["buffer", "headers", "stream"] as const) {
          const asked: Array<string> = []
          const breakers = Keyed.makeUnsafe({
            lookup: (_: string) => CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2) }),
            maxInstances: 2
          })
          const { client, requests } = fake((_, request) => status(request.url.includes("bad") ? 503 : 200))
          const resilient = ResilientHttpClient.make(client, retry, {
            body: body as "buffer",
            policyFor: (request) => {
              asked.push(ResilientHttpClient.hostOf(request))
              return breakers.for(ResilientHttpClient.hostOf(request))
            }
          })
          const bad = yield* Effect.flip(resilient.get("http://bad.test/a"))
          assert.deepStrictEqual([bad._tag, requests.length], ["CircuitOpen", 2])
          assert.strictEqual((yield* resilient.get("http://good.test:80/b")).status, 200)
          assert.deepStrictEqual(asked, ["bad.test", "good.test"])
          for (let i = 0; i < 10; i++) yield* resilient.get(`http://host-${i}.test/`).pipe(text, Effect.scoped)
          assert.isAtMost((yield* breakers.entries).length, 2)
        }
      }))

    it.effect("one that cannot be told is a defect of the request", () =>
      Effect.gen(function*() {
        const { client, requests } = fake(() => status(200))
        const resilient = ResilientHttpClient.make(client, retry, {
          policyFor: () => {
            throw new Error("no policy")
          }
        })
        assert.isTrue(Exit.hasDies(yield* Effect.exit(resilient.get(url))))
        assert.strictEqual(requests.length, 0)
      }))

    it("hostOf: the host of a URL with its port", () => {
      const of = (at: string) => ResilientHttpClient.hostOf(HttpClientRequest.get(at))
      assert.deepStrictEqual(
        ["http://A.test/x?y", "https://a.test:8443", "https://a.test:443", "http://[::1]:80/", "/relative", ""].map(of),
        ["a.test", "a.test:8443", "a.test", "[::1]", "", ""]
      )
    })
  })

  describe("gRPC", () => {
    const answer = (headers: Record<string, string>) => new Response(null, { headers })

    it.effect("a status without a message is a failure with the fault of its code", () =>
      Effect.gen(function*() {
        const run = (headers: Record<string, string>) =>
          Effect.gen(function*() {
            const { client, requests } = fake(() => answer(headers))
            const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(4) })
            const resilient = ResilientHttpClient.make(client, Policy.compose(retry, breaker), { repeat: () => true })
            const response = yield* resilient.post(url)
            assert.strictEqual(response.status, 200)
            return [requests.length, (yield* breaker.state)._tag] as const
          })
        assert.deepStrictEqual(yield* run({ "grpc-status": "0" }), [1, "Closed"])
        assert.deepStrictEqual(yield* run({ "grpc-status": "14" }), [4, "Open"])
        assert.deepStrictEqual(yield* run({ "grpc-status": "8" }), [4, "Closed"])
        assert.deepStrictEqual(yield* run({ "grpc-status": "5" }), [1, "Closed"])
        assert.deepStrictEqual(yield* run({ "grpc-status": "nonsense" }), [4, "Open"])
        assert.deepStrictEqual(yield* run({ "grpc-status": "14", "grpc-retry-pushback-ms": "-1" }), [1, "Closed"])
      }))

    it.effect("the pause that the service asks for is waited for, and failOnStatus makes an error of it", () =>
      Effect.gen(function*() {
        const { client } = fake((n) =>
          answer(n === 1 ? { "grpc-status": "8", "grpc-retry-pushback-ms": "1500" } : { "grpc-status": "0" })
        )
        const start = yield* now
        const at = yield* during("1 minute", Effect.andThen(ResilientHttpClient.make(client, retry).get(url), now))
        assert.isTrue(at - start >= 1500 && at - start <= 1651, String(at - start))
        const failing = fake(() => answer({ "grpc-status": "5" }))
        const error = yield* Effect.flip(
          ResilientHttpClient.make(failing.client, retry, { failOnStatus: true }).get(url)
        )
        assert.deepInclude(error.response?.headers, { "grpc-status": "5" })
      }))
  })

  describe("methods", () => {
    const attempts = (request: HttpClientRequest.HttpClientRequest, options?: ResilientHttpClient.Options) =>
      Effect.gen(function*() {
        const { client, requests } = fake(() => status(503))
        const response = yield* ResilientHttpClient.make(client, retry, { ...options, body: "buffer" }).execute(request)
        assert.strictEqual(response.status, 503)
        return requests.length
      })

    it.effect("C4: a method that is not idempotent is sent once, RFC 9110 section 9.2.2", () =>
      Effect.gen(function*() {
        const sent: Record<string, number> = {}
        for (const method of HttpMethod.all) sent[method] = yield* attempts(HttpClientRequest.make(method)(url))
        assert.deepStrictEqual(sent, {
          GET: 4,
          POST: 1,
          PUT: 4,
          DELETE: 4,
          PATCH: 1,
          HEAD: 4,
          OPTIONS: 4,
          TRACE: 4,
          QUERY: 4
        })
      }))

    it.effect("but for an Idempotency-Key, and where the caller allows it", () =>
      Effect.gen(function*() {
        const post = HttpClientRequest.post(url)
        const repeat = (request: HttpClientRequest.HttpClientRequest) => request.url.endsWith("/search")
        assert.strictEqual(yield* attempts(HttpClientRequest.setHeader(post, "Idempotency-Key", "7f3a")), 4)
        assert.strictEqual(yield* attempts(HttpClientRequest.setHeader(post, "Idempotency-Key", "")), 1)
        assert.strictEqual(yield* attempts(HttpClientRequest.post(`${url}search`), { repeat }), 4)
        assert.strictEqual(yield* attempts(post, { repeat }), 1)
      }))

    it.effect("a connection that was never made is always tried again, one that broke is not", () =>
      Effect.gen(function*() {
        const run = (cause: { readonly cause: unknown }) =>
          Effect.gen(function*() {
            const { client, requests } = fake((n, request) => n < 3 ? transport(request, cause) : status(201))
            const exit = yield* Effect.exit(
              ResilientHttpClient.make(client, retry).post(url, { body: HttpBody.text("a") })
            )
            return [Exit.isSuccess(exit), requests.length] as const
          })
        assert.deepStrictEqual(yield* run(refusedConnection), [true, 3])
        assert.deepStrictEqual(yield* run(reset), [false, 1])
      }))

    it.effect("what is not sent again is not waited for, and counts once for a breaker on either side", () =>
      Effect.gen(function*() {
        const { client, requests } = fake(() => status(503, { "retry-after": "30" }))
        const inner = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2) })
        const outer = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        const resilient = ResilientHttpClient.make(client, Policy.compose(outer, Retry.make(), inner))
        const response = yield* resilient.post(url)
        assert.deepStrictEqual([response.status, requests.length, yield* now], [503, 1, 0])
        assert.deepStrictEqual([(yield* inner.state)._tag, (yield* outer.state)._tag], ["Closed", "Open"])
      }))

    it.effect("nor is a timeout of the policy's own, which no callee could have told", () =>
      Effect.gen(function*() {
        for (const body of ["buffer", "stream"] as const) {
          const { events, policy: listening } = recorder()
          const { client, requests } = fake(() => Effect.never)
          const policy = Policy.compose(
            listening,
            Retry.make({ schedule: Schedule.spaced("1 minute") }),
            Timeout.phases({ first: "1 second" })
          )
          const start = yield* now
          const failed = ResilientHttpClient.make(client, policy, { body: body as "buffer" }).post(url)
          const at = yield* during("1 hour", Effect.andThen(Effect.flip(failed), now))
          assert.deepStrictEqual([at - start, requests.length], [1000, 1])
          assert.deepStrictEqual(
            events.map((event) => event._tag === "RetryStopped" ? event.reason : event._tag),
            ["AttemptStarted", "TimedOut", "AttemptEnded", "not-retryable"]
          )
        }
      }))

    it.effect("a pause that the service asks for is the one that a breaker hears of", () =>
      Effect.gen(function*() {
        const { client } = fake(() => status(503, { "retry-after": "30" }))
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), retryAfter: {} })
        yield* ResilientHttpClient.make(client, breaker).post(url)
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(30) })
      }))

    it.effect("a hedge begins nothing beside what must not be sent twice", () =>
      Effect.gen(function*() {
        const run = (method: "GET" | "POST", delay: Duration.Input) =>
          Effect.gen(function*() {
            const { events, policy: listening } = recorder()
            const { client, requests } = fake(() => Effect.delay(Effect.succeed(status(200)), "3 seconds"))
            const policy = Policy.compose(listening, Hedge.makeUnsafe({ after: delay, maxHedges: 2 }))
            yield* during(
              "1 minute",
              ResilientHttpClient.make(client, policy).execute(HttpClientRequest.make(method)(url))
            )
            return [requests.length, events.length > 0] as const
          })
        assert.deepStrictEqual(yield* run("GET", "1 second"), [3, true])
        assert.deepStrictEqual(yield* run("GET", 0), [3, true])
        assert.deepStrictEqual(yield* run("POST", "1 second"), [1, false])
        assert.deepStrictEqual(yield* run("POST", 0), [1, false])
      }))

    it.effect("but in the place of what was never sent", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((n, request) =>
          n === 1 ? Effect.delay(transport(request, refusedConnection), "2 seconds") : status(200)
        )
        const resilient = ResilientHttpClient.make(client, Hedge.makeUnsafe({ after: "1 second" }))
        const response = yield* during("1 minute", resilient.post(url))
        assert.deepStrictEqual([response.status, requests.length], [200, 2])
      }))

    it.effect("other requests inside of it, and policies of the client's own, are not bound by it", () =>
      Effect.gen(function*() {
        const token = fake((n) => status(n < 3 ? 503 : 200))
        const asking = ResilientHttpClient.make(token.client, retry)
        const own = fake((n) => status(n === 1 ? 503 : 200))
        const restless = HttpClient.transformResponse(HttpClient.filterStatusOk(own.client), retry)
        const policy = Policy.make({
          info: { kind: "token", settings: {}, children: [] },
          effect: (self) => Effect.andThen(self, Effect.andThen(Effect.orDie(asking.get(url)), self))
        })
        const response = yield* ResilientHttpClient.make(restless, policy).post(url)
        assert.deepStrictEqual([response.status, token.requests.length, own.requests.length], [200, 3, 2])
      }))

    it.effect("failsafe-go #73, undici #4080: a body that is a stream is sent once, and the first failure comes back", () =>
      Effect.gen(function*() {
        let read = 0
        const stream = Stream.fromEffect(Effect.sync(() => new Uint8Array([++read])))
        const { client, requests } = fake((_, request) =>
          Effect.andThen(
            request.body._tag === "Stream" ? Effect.orDie(Stream.runDrain(request.body.stream)) : Effect.void,
            transport(request, refusedConnection)
          )
        )
        const put = HttpClientRequest.put(url).pipe(HttpClientRequest.bodyStream(stream))
        const error = yield* Effect.flip(ResilientHttpClient.make(client, Retry.make()).execute(put))
        assert.deepStrictEqual(
          [requests.length, read, yield* now],
          [1, 1, 0],
          "the connection is no excuse for a stream"
        )
        assert.strictEqual(error.reason._tag, "TransportError")
        assert.strictEqual(error.reason.cause, refusedConnection.cause)
      }))

    it.effect("bodies that can be read twice are sent again, a raw stream is not", () =>
      Effect.gen(function*() {
        const form = new FormData()
        form.append("a", "b")
        const replayable = ["text", new Uint8Array(1).buffer, new Blob(["a"]), new URLSearchParams("a=b")]
        const bodies = [HttpBody.text("a"), HttpBody.formData(form), ...replayable.map((raw) => HttpBody.raw(raw))]
        for (const body of bodies) {
          assert.strictEqual(yield* attempts(HttpClientRequest.put(url, { body })), 4)
        }
        assert.strictEqual(yield* attempts(HttpClientRequest.put(url, { body: HttpBody.raw(new ReadableStream()) })), 1)
      }))

    it.effect("a timeout of the attempt is not followed by another, and is what the caller gets", () =>
      Effect.gen(function*() {
        const { client, requests, signals } = fake(() => Effect.never)
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2) })
        const policy = Policy.compose(retry, breaker, Timeout.attempt("1 second"))
        const error = yield* during("1 minute", Effect.flip(ResilientHttpClient.make(client, policy).post(url)))
        assert.isTrue(Timeout.isTimeoutExceeded(error))
        assert.deepStrictEqual([requests.length, signals[0]!.aborted], [1, true])
        assert.strictEqual((yield* breaker.state)._tag, "Closed", "what was refused is not counted")
      }))

    it.effect("asked as often as one likes, what is refused stays refused and keeps the first failure", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((_, request) => transport(request, reset))
        const stubborn = Policy.make({
          info: { kind: "stubborn", settings: {}, children: [] },
          effect: (self) => Effect.andThen(Effect.exit(self), Effect.andThen(Effect.exit(self), self))
        })
        const error = yield* Effect.flip(ResilientHttpClient.make(client, stubborn).post(url))
        assert.strictEqual(requests.length, 1)
        assert.strictEqual(error.reason._tag === "TransportError" && error.reason.cause, reset.cause)
        assert.strictEqual(Object.getPrototypeOf(error), HttpClientError.HttpClientError.prototype)
      }))

    it.effect("an outer retry's metadata is not taken for this call's", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((_, request) =>
          requests.length === 1 ? transport(request, reset) : Effect.never
        )
        const impatient = Policy.make({
          info: { kind: "impatient", settings: {}, children: [] },
          effect: (self) =>
            Effect.catchIf(
              Effect.timeout(self, "1 second"),
              Cause.isTimeoutError,
              () => self
            ) as typeof self
        })
        const resilient = ResilientHttpClient.make(client, impatient)
        const error = yield* during("1 minute", Effect.flip(Effect.retry(resilient.post(url), { times: 1 })))
        assert.strictEqual(requests.length, 2)
        assert.strictEqual(
          HttpClientError.isHttpClientError(error) ? error.reason.message : error,
          "Transport: interrupted, and not a request to be sent again (POST http://service.test/)"
        )
      }))

    it.effect("a second attempt beside the first waits for it", () =>
      Effect.gen(function*() {
        const run = (method: "GET" | "POST") =>
          Effect.gen(function*() {
            const { client, requests } = fake(() => Effect.delay(Effect.succeed(status(200)), "3 seconds"))
            const request = HttpClientRequest.make(method)(url)
            const answered = yield* during(
              "1 minute",
              ResilientHttpClient.make(client, hedge).execute(request).pipe(text)
            )
            return [answered, requests.length] as const
          })
        assert.deepStrictEqual(yield* run("GET"), ["status 200", 2])
        assert.deepStrictEqual(yield* run("POST"), ["status 200", 1])
      }))

    it.effect("an attempt after one that went well gets the same answer", () =>
      Effect.gen(function*() {
        const twice = Policy.make({
          info: { kind: "twice", settings: {}, children: [] },
          effect: (self) => Effect.andThen(self, self)
        })
        const { client, requests } = fake((n) => new Response(`answer ${n}`))
        const resilient = ResilientHttpClient.make(client, twice)
        assert.strictEqual(yield* resilient.post(url).pipe(text), "answer 1")
        assert.strictEqual(yield* resilient.get(url).pipe(text), "answer 3")
        assert.strictEqual(requests.length, 3)
      }))

    it.effect("and if the first was never sent, it is sent in its place", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((n, request) =>
          n === 1 ? Effect.delay(transport(request, refusedConnection), "2 seconds") : status(200)
        )
        const patient = Policy.make({
          info: { kind: "hedge", settings: {}, children: [] },
          effect: (self) => Effect.race(self, Effect.delay(self, "1 second"))
        })
        const answered = yield* during("1 minute", ResilientHttpClient.make(client, patient).post(url).pipe(text))
        assert.deepStrictEqual([answered, requests.length], ["status 200", 2])
      }))
  })

  describe("what the policy sees", () => {
    it.effect("faults, in its telemetry as well", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const { client } = fake((n, request) =>
          [() => status(429, { "retry-after": "1" }), () => transport(request, reset), () => status(404)][n - 1]!()
        )
        const resilient = ResilientHttpClient.make(client, Policy.compose(policy, retry))
        yield* during("1 minute", resilient.get(url))
        const faults = events.flatMap((event): Array<Fault.Fault | undefined> =>
          event._tag === "AttemptEnded" ? [event.fault] : []
        )
        assert.deepStrictEqual(faults.map((fault) => fault?._tag), ["Throttled", "Transient", "Permanent"])
      }))

    it.effect("the errors of the client itself, and its own come through untouched", () =>
      Effect.gen(function*() {
        class Mine extends Data.TaggedError("Mine")<{}> {}
        const mine = new Mine()
        const { client, requests } = fake(() => status(200))
        const failing = HttpClient.transformResponse(client, Effect.flatMap(() => Effect.fail(mine)))
        assert.strictEqual(yield* Effect.flip(ResilientHttpClient.make(failing, retry).get(url)), mine)
        assert.strictEqual(requests.length, 4)
      }))

    it.effect("preprocessing happens once, and a client around this one still works", () =>
      Effect.gen(function*() {
        let prepared = 0
        const { client, requests } = fake(() => status(503))
        const prepare = HttpClient.mapRequest((request: HttpClientRequest.HttpClientRequest) =>
          HttpClientRequest.setHeader(request, "x-prepared", String(++prepared))
        )
        yield* ResilientHttpClient.make(prepare(client), retry).pipe(prepare).get(url)
        assert.deepStrictEqual(
          requests.map(({ headers }) => headers["x-prepared"]),
          ["1", "1", "1", "1"].map(() => "2")
        )
      }))

    it("bad options are found when the client is made", () => {
      const { client } = fake(() => status(200))
      const make = (options: object) => () => ResilientHttpClient.make(client, retry, options)
      assert.throws(make({ maxBytes: -1 }), "ResilientHttpClient.make: maxBytes must be an integer >= 0, got -1")
      assert.throws(make({ body: "all" }), "body must be \"buffer\", \"stream\" or \"headers\", got \"all\"")
      assert.throws(make({ sendDeadline: "x deadline" }), "the name of a header, got \"x deadline\"")
      assert.throws(make({ sendDeadline: "" }), "sendDeadline must be a boolean or the name of a header, got \"\"")
      assert.throws(make({ sendDeadline: 1 }), "sendDeadline must be a boolean or the name of a header, got 1")
      assert.throws(
        () => ResilientHttpClient.make(client, { schedule: Schedule.forever } as any), // which types forbid
        "ResilientHttpClient.make: policy must be a policy, got an object"
      )
      assert.throws(make({ failOnStatus: "yes" }), "ResilientHttpClient.make: failOnStatus must be true or false")
      assert.throws(make({ sendAttempt: "x attempt" }), "sendAttempt must be a boolean or the name of a header")
      for (const option of ["isFailure", "repeat", "policyFor"]) {
        assert.throws(make({ [option]: 503 }), `ResilientHttpClient.make: ${option} must be a function, got 503`)
      }
    })
  })

  describe("body: buffer", () => {
    it.effect("failsafe-go #65, #123: a body that breaks is tried again", () =>
      Effect.gen(function*() {
        const first = body()
        first.chunk("hal")
        const { client, requests } = fake((n) => n === 1 ? first.response : new Response("whole"))
        const fiber = yield* fork(ResilientHttpClient.make(client, retry).get(url).pipe(text))
        first.break()
        assert.strictEqual(yield* Fiber.join(fiber), "whole")
        assert.strictEqual(requests.length, 2)
      }))

    it.effect("cockatiel #98: a body that stalls ends with the timeout, and its connection with it", () =>
      Effect.gen(function*() {
        const stalled = body()
        stalled.chunk("hal")
        const { client, signals } = fake(() => stalled.response)
        const resilient = ResilientHttpClient.make(client, Timeout.attempt("1 second"))
        const error = yield* during("1 second", Effect.flip(resilient.get(url)))
        assert.strictEqual(error._tag, "TimeoutExceeded")
        assert.isTrue(stalled.state.cancelled)
        assert.isTrue(signals[0]!.aborted)
      }))

    it.effect("interruption while the body is read cancels it", () =>
      Effect.gen(function*() {
        const stalled = body()
        const { client, signals } = fake(() => stalled.response)
        const fiber = yield* fork(ResilientHttpClient.make(client, retry).get(url))
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual([stalled.state.cancelled, signals[0]!.aborted], [true, true])
      }))

    it.effect("a body beyond the limit is a permanent failure, and is not read to its end", () =>
      Effect.gen(function*() {
        const large = body()
        large.chunk("12345")
        const { client, requests } = fake(() => large.response)
        const error = yield* Effect.flip(ResilientHttpClient.make(client, retry, { maxBytes: 4 }).get(url))
        assert.strictEqual(error.reason._tag, "DecodeError")
        assert.include(error.message, "body of more than 4 bytes")
        assert.deepStrictEqual([requests.length, large.state.cancelled], [1, true])

        const exact = fake(() => new Response("1234"))
        assert.strictEqual(
          yield* ResilientHttpClient.make(exact.client, retry, { maxBytes: 4 }).get(url).pipe(text),
          "1234"
        )
      }))

    it.effect("a body whose length is known keeps to the same laws: limit, cut, interruption", () =>
      Effect.gen(function*() {
        const sized = (length: number, response: Response) => {
          response.headers.set("content-length", String(length))
          return response
        }
        const options = { maxBytes: 4 }
        // what the header says, and what comes: more than it says is not let in, nor anything that was packed
        for (
          const [length, content, headers] of [[5, "12345", {}], [4, "12345", {}], [2, "12345", {
            "content-encoding": "br"
          }]] as const
        ) {
          const { client } = fake(() => sized(length, new Response(content, { headers })))
          const error = yield* Effect.flip(ResilientHttpClient.make(client, retry, options).get(url))
          assert.include(error.message, "body of more than 4 bytes", `${length} of ${content}`)
        }
        for (const content of ["", "1234"]) {
          const { client, signals } = fake(() => sized(content.length, new Response(content)))
          const response = yield* ResilientHttpClient.make(client, retry, options).get(url)
          assert.deepStrictEqual([yield* response.text, yield* response.text], [content, content])
          assert.isFalse(signals[0]!.aborted, "there is nothing to abort")
        }
        const head = fake(() => sized(5, new Response(null)))
        assert.strictEqual((yield* ResilientHttpClient.make(head.client, retry, options).head(url)).status, 200)

        const cut = fake((n) => {
          const broken = body()
          broken.chunk("hal")
          broken.break()
          return n === 1 ? sized(4, broken.response) : sized(4, new Response("full"))
        })
        assert.strictEqual(yield* ResilientHttpClient.make(cut.client, retry, options).get(url).pipe(text), "full")
        assert.strictEqual(cut.requests.length, 2)

        const stalled = fake(() => sized(4, body().response))
        const fiber = yield* fork(ResilientHttpClient.make(stalled.client, retry, options).get(url))
        yield* Fiber.interrupt(fiber)
        assert.isTrue(stalled.signals[0]!.aborted)
      }))

    it.effect("what a client of the caller's own opens for an attempt is closed with it, also where all went well", () =>
      Effect.gen(function*() {
        let open = 0
        const { client } = fake(() => status(200))
        const holding = HttpClient.transform(client, (effect) =>
          Effect.andThen(
            Effect.acquireRelease(Effect.sync(() => void open++), () => Effect.sync(() => void open--)),
            effect
          ))
        yield* ResilientHttpClient.make(holding, retry).get(url)
        assert.strictEqual(open, 0)
      }))

    it.effect("a failure whose body breaks or is too large is still the failure that its status says", () =>
      Effect.gen(function*() {
        const { client, requests } = fake(() => status(404))
        const response = yield* ResilientHttpClient.make(client, retry, { maxBytes: 3 }).get(url)
        assert.deepStrictEqual([response.status, requests.length], [404, 1])
        assert.include((yield* Effect.flip(response.text)).message, "body of more than 3 bytes")
      }))

    it.effect("everything that a response has is still there", () =>
      Effect.gen(function*() {
        const { client } = fake(() =>
          new Response("{\"a\":1}", { headers: { "content-type": "application/json", "set-cookie": "k=v" } })
        )
        const response = yield* ResilientHttpClient.make(client, retry).get(`${url}a?b=c`)
        assert.deepStrictEqual(yield* response.json, { a: 1 })
        assert.deepStrictEqual(
          yield* HttpClientResponse.matchStatus(response, {
            "2xx": (ok) => ok.text,
            orElse: () => Effect.succeed("")
          }),
          "{\"a\":1}"
        )
        assert.strictEqual((yield* response.arrayBuffer).byteLength, 7)
        assert.strictEqual((yield* Stream.mkUint8Array(response.stream)).byteLength, 7)
        assert.deepStrictEqual(
          [
            response.url,
            response.headers["content-type"],
            response.cookies.cookies["k"]?.value,
            response.remoteAddress._tag
          ],
          [`${url}a?b=c`, "application/json", "v", "None"]
        )
        assert.deepInclude(response.toJSON(), { status: 200 })
        assert.strictEqual((yield* Effect.flip(response.upgrade)).reason._tag, "StatusCodeError")

        for (const mode of ["buffer", "stream"] as const) {
          const held = (body: string) =>
            ResilientHttpClient.make(fake(() => new Response(body)).client, retry, { body: mode as "buffer" }).get(url)
          assert.isNull(yield* (yield* held("")).json)
          const odd = yield* held("\uFEFFno JSON")
          assert.deepStrictEqual([yield* odd.text, yield* odd.text], ["no JSON", "no JSON"])
          const { reason } = yield* Effect.flip(odd.json)
          assert.deepInclude(reason, { _tag: "DecodeError", request: odd.request, response: odd })
          assert.instanceOf(reason.cause, SyntaxError)
        }

        const form = fake(() => new Response(new URLSearchParams("x=1"), { headers: {} }))
        const fields = yield* ResilientHttpClient.make(form.client, retry).get(url)
        assert.strictEqual((yield* fields.formData).get("x"), "1")
        assert.strictEqual((yield* fields.urlParamsBody).params.length, 1)

        const empty = fake(() => new Response(null, { status: 204 }))
        assert.strictEqual(yield* ResilientHttpClient.make(empty.client, retry).get(url).pipe(text), "")
      }))
  })

  describe("body: headers", () => {
    it.effect("the policy ends with the head, the body is the caller's", () =>
      Effect.gen(function*() {
        const late = body()
        const { client } = fake((n) => n === 1 ? status(503) : late.response)
        const policy = Policy.compose(retry, Timeout.attempt("1 second"))
        const response = yield* ResilientHttpClient.make(client, policy, { body: "headers" }).get(url)
        const fiber = yield* fork(response.text)
        yield* TestClock.adjust("1 minute")
        late.chunk("late")
        late.end()
        assert.strictEqual(yield* Fiber.join(fiber), "late")
      }))
  })

  describe("body: stream", () => {
    const bytes = (response: HttpClientResponse.HttpClientResponse) => Stream.decodeText(response.stream)

    it.effect("the head comes at once and the rest as it comes, once", () =>
      Effect.gen(function*() {
        const slow = body()
        const { client } = fake((n) => n === 1 ? status(503) : slow.response)
        const response = yield* ResilientHttpClient.make(client, retry, { body: "stream" }).get(url)
        assert.strictEqual(response.status, 200)
        const seen: Array<string> = []
        const fiber = yield* fork(Stream.runForEach(bytes(response), (part) => Effect.sync(() => void seen.push(part))))
        slow.chunk("a")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(seen, ["a"])
        slow.chunk("b")
        slow.end()
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(seen, ["a", "b"])
        assert.include((yield* Effect.flip(Stream.runDrain(response.stream))).message, "body was read before")
      }))

    it.effect("an attempt that loses to another one is closed", () =>
      Effect.gen(function*() {
        const { client, signals } = fake((n) =>
          Effect.delay(Effect.succeed(status(200)), n === 1 ? "1 hour" : "1 second")
        )
        const resilient = ResilientHttpClient.make(client, hedge, { body: "stream" })
        assert.strictEqual(yield* during("2 seconds", resilient.get(url).pipe(text)), "status 200")
        assert.isTrue(signals[0]!.aborted)
      }))

    it.effect("idle and total timeouts are about the body, and end the connection", () =>
      Effect.gen(function*() {
        const stalled = body()
        const { client, signals } = fake(() => stalled.response)
        const policy = Timeout.phases({ first: "1 second", idle: "2 seconds" })
        const response = yield* ResilientHttpClient.make(client, policy, { body: "stream" }).get(url)
        const fiber = yield* fork(Effect.flip(response.text))
        stalled.chunk("a")
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(fiber)
        assert.isTrue(error.reason._tag === "DecodeError" && Timeout.isTimeoutExceeded(error.reason.cause))
        assert.deepStrictEqual([stalled.state.cancelled, signals[0]!.aborted], [true, true])
      }))

    it.effect("no head in time is the policy's own error", () =>
      Effect.gen(function*() {
        const { client, signals } = fake(() => Effect.never)
        const policy = Timeout.phases({ first: "1 second" })
        const resilient = ResilientHttpClient.make(client, policy, { body: "stream" })
        const error = yield* during("1 second", Effect.flip(resilient.get(url)))
        assert.strictEqual(error._tag, "TimeoutExceeded")
        assert.isTrue(signals[0]!.aborted)
      }))

    it.effect("a deadline around the request ends with the head, the policy's own limits do not", () =>
      Effect.gen(function*() {
        const { response } = body()
        const { client } = fake(() => response)
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        const policy = Policy.compose(Timeout.total("1 minute"), breaker)
        const patient = ResilientHttpClient.make(client, policy, { body: "stream" })
        const { text } = yield* patient.get(url).pipe(Timeout.total("5 seconds"))
        const read = yield* fork(text)
        yield* TestClock.adjust("59 seconds")
        assert.isUndefined(read.pollUnsafe())
        yield* TestClock.adjust("1 seconds")
        assert.include(String(read.pollUnsafe()), "the policy has ended it")
        assert.strictEqual((yield* breaker.state)._tag, "Open", "a body that hangs speaks against the service")
      }))

    it.effect("of limits inside that end together, the outer one is reported, as of an effect", () =>
      Effect.gen(function*() {
        const { client } = fake(() => Effect.never)
        const policy = Policy.compose(Timeout.total("10 seconds"), Timeout.attempt("10 seconds"))
        const calls = [
          ResilientHttpClient.make(client, policy).get(url),
          Effect.scoped(ResilientHttpClient.make(client, policy, { body: "stream" }).get(url))
        ]
        for (const call of calls) {
          assert.strictEqual(outcome(yield* during("10 seconds", Effect.exit(call))), "TimeoutExceeded:total")
        }
      }))

    it.effect("who stops reading after that deadline is a caller that goes away", () =>
      Effect.gen(function*() {
        const { response } = body()
        const { client } = fake(() => response)
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        const patient = ResilientHttpClient.make(client, breaker, { body: "stream" })
        const { text } = yield* patient.get(url).pipe(Timeout.total("5 seconds"))
        const read = yield* fork(text)
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.interrupt(read)
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
      }))

    it.effect("dotnet/core #5493: a breaker records the outcome of the whole, and nothing is sent again after the head", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        const breaking = body()
        const { client, requests } = fake(() => breaking.response)
        const resilient = ResilientHttpClient.make(client, Policy.compose(retry, breaker), { body: "stream" })
        const response = yield* resilient.get(url)
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
        const fiber = yield* fork(Effect.flip(response.text))
        breaking.break()
        assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "DecodeError")
        assert.deepStrictEqual([(yield* breaker.state)._tag, requests.length], ["Open", 1])
      }))

    it.effect("a status that stays comes back whole, though its attempt is closed", () =>
      Effect.gen(function*() {
        const { client, requests } = fake(() => status(503))
        const response = yield* ResilientHttpClient.make(client, retry, { body: "stream" }).post(url)
        assert.deepStrictEqual([response.status, yield* response.text, requests.length], [503, "status 503", 1])
      }))

    it.effect("failsafe-go #122: what is held for a response is freed with its body, or with its scope", () =>
      Effect.gen(function*() {
        let held = 0
        const permit = Policy.make({
          info: { kind: "permit", settings: {}, children: [] },
          effect: (self) => self,
          stream: (self) =>
            Stream.unwrap(Effect.as(
              Effect.acquireRelease(
                Effect.sync(() => void held++),
                () => Effect.sync(() => void held--)
              ),
              self
            ))
        })
        const opened: Array<ReturnType<typeof body>> = []
        const { client, signals } = fake(() => {
          const next = body()
          opened.push(next)
          next.chunk("a")
          return next.response
        })
        const resilient = ResilientHttpClient.make(client, permit, { body: "stream" })
        const scope = yield* Scope.make()
        const inScope = Effect.provideContext(resilient.get(url), Context.make(Scope.Scope, scope))

        const first = yield* inScope
        assert.strictEqual(held, 1)
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(bytes(first), 1)), ["a"])
        assert.deepStrictEqual(
          [held, opened[0]!.state.cancelled, signals[0]!.aborted],
          [0, true, true],
          "taken in part"
        )

        yield* inScope
        assert.strictEqual(held, 1)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual([held, opened[1]!.state.cancelled, signals[1]!.aborted], [0, true, true], "never read")
      }))
  })

  it.live("failsafe-go #129: wherever an interruption comes, no response is left open", () =>
    Effect.gen(function*() {
      const policy = Policy.compose(retry, Timeout.attempt("1 minute"))
      let opened = 0
      for (const mode of ["buffer", "stream"] as const) {
        // a yield after every so many operations, and the interruption some yields later
        for (let operations = 12; operations < 50; operations += 2) {
          for (let yields = 0; yields < 14; yields++) {
            const bodies: Array<ReturnType<typeof body>> = []
            const { client, signals } = fake((n) => {
              if (n === 1) return status(503)
              const endless = body()
              bodies.push(endless)
              return endless.response
            })
            const resilient = ResilientHttpClient.make(client, policy, { body: mode as "buffer" })
            const fiber = yield* fork(
              resilient.get(url).pipe(
                Effect.flatMap((response) => Stream.runDrain(response.stream)),
                Effect.scoped,
                Effect.provideService(Scheduler.MaxOpsBeforeYield, operations)
              )
            )
            for (let i = 0; i < yields; i++) yield* Effect.yieldNow
            yield* Fiber.interrupt(fiber)
            for (const [i, { state }] of bodies.entries()) {
              opened++
              assert.isTrue(state.cancelled || signals[i + 1]!.aborted, `${mode}, ${operations}, ${yields}`)
            }
          }
        }
      }
      assert.isTrue(opened > 100)
    }))

  it.effect.prop(
    "like a loop that knows the rules",
    [
      Schema.Literals(["GET", "PUT", "POST", "PATCH"]),
      Schema.Boolean,
      Schema.Array(Schema.Literals(["refused", "reset", "broken", 200, 404, 429, 503])).check(Schema.isMaxLength(5))
    ],
    ([method, key, script]) =>
      Effect.gen(function*() {
        const passing = new Set<unknown>(["refused", "reset", "broken", 429, 503])
        const outcomes = [...script, 200]
        const repeatable = key || method === "GET" || method === "PUT"
        let expected = 1
        while (expected < 4) {
          const outcome = outcomes[expected - 1]
          if (!passing.has(outcome) || !(repeatable || outcome === "refused")) break
          expected++
        }
        const last = outcomes[expected - 1]

        const { client, requests } = fake((n, request) => {
          const outcome = outcomes[n - 1]!
          if (typeof outcome === "number") return status(outcome)
          if (outcome !== "broken") return transport(request, outcome === "refused" ? refusedConnection : reset)
          const broken = body()
          broken.break()
          return broken.response
        })
        const request = HttpClientRequest.make(method)(url, key ? { headers: { "idempotency-key": "k" } } : {})
        for (const mode of ["buffer", "stream"] as const) {
          requests.length = 0
          // a stream's attempt ends with its head, so what breaks after it is not tried again
          if (mode === "stream" && script.includes("broken")) continue
          const resilient = ResilientHttpClient.make(client, retry, { body: mode as "buffer" })
          const exit = yield* Effect.exit(Effect.scoped(resilient.execute(request)))
          assert.strictEqual(requests.length, expected)
          assert.strictEqual(
            Exit.isSuccess(exit) ? exit.value.status : "failure",
            typeof last === "number" ? last : "failure"
          )
        }
      })
  )

  describe("the deadline", () => {
    it.effect("D2: the time that is left goes with every attempt, and not the time that there was", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((n) => Effect.delay(Effect.succeed(status(n < 3 ? 503 : 200)), "1 second"))
        const policy = Policy.compose(
          Timeout.total("10 seconds"),
          Retry.make({ schedule: Schedule.spaced("500 millis") })
        )
        const sent = (sendDeadline: boolean | string, headers: Record<string, string> = {}) =>
          Effect.gen(function*() {
            requests.length = 0
            yield* during("1 minute", ResilientHttpClient.make(client, policy, { sendDeadline }).get(url, { headers }))
            return requests.map(({ headers }) => headers[sendDeadline === true ? "x-deadline-ms" : "x-time-left"])
          })
        assert.deepStrictEqual(yield* sent(true), ["10000", "8500", "7000"])
        assert.deepStrictEqual(yield* sent("X-Time-Left"), ["10000", "8500", "7000"])
        assert.deepStrictEqual(yield* sent(true, { "x-deadline-ms": "5" }), ["5", "5", "5"])
        assert.deepStrictEqual(yield* sent(false), [undefined, undefined, undefined])

        const unlimited = fake(() => status(200))
        yield* ResilientHttpClient.make(unlimited.client, retry, { sendDeadline: true }).get(url)
        assert.isFalse("x-deadline-ms" in unlimited.requests[0]!.headers)
      }))

    it.effect("every fiber of the call tells it while the call lasts, and a finalizer does not", () =>
      Effect.gen(function*() {
        const owners: ReadonlyArray<readonly [string, Policy.Policy<unknown, unknown>]> = [
          ["total", Timeout.total("2 seconds")],
          ["within", Deadline.within("2 seconds")],
          ["both", Policy.compose(Deadline.within("3 seconds"), Timeout.total("2 seconds"))]
        ]
        const told = (request: HttpClientRequest.HttpClientRequest) => request.headers["x-deadline-ms"]
        for (const [name, owner] of owners) {
          const { client, requests } = fake(() => status(200))
          const resilient = ResilientHttpClient.make(client, retry, { sendDeadline: true })
          const work = Effect.forEach([1, 2], () => resilient.get(url), { concurrency: "unbounded" })
          const unlock = Effect.ignore(resilient.del(url))
          // the deadline comes, the caller leaves before it, the work ends in time
          for (
            const [left, ends] of [[undefined, Effect.never], [1, Effect.never], [undefined, Effect.void]] as const
          ) {
            requests.length = 0
            const call = owner(Effect.ensuring(Effect.andThen(work, ends), unlock))
            const fiber = yield* fork(Effect.exit(call))
            if (left === undefined) yield* TestClock.adjust("2 seconds")
            else yield* Effect.andThen(TestClock.adjust("1 second"), Fiber.interrupt(fiber))
            const sent = requests.map(({ headers, method }) => [method, headers["x-deadline-ms"]] as const)
            const last = ends === Effect.void ? "2000" : undefined
            assert.deepStrictEqual(sent, [["GET", "2000"], ["GET", "2000"], ["DELETE", last]], name)
          }
          assert.isUndefined(told(yield* Effect.andThen(resilient.get(url), Effect.sync(() => requests.at(-1)!))))
        }
      }))

    it.effect("gRPC reads it in its own form", () =>
      Effect.gen(function*() {
        const { client, requests } = fake(() => status(200))
        const policy = Timeout.total("1500 millis")
        yield* ResilientHttpClient.make(client, policy, { sendDeadline: "grpc-timeout" }).get(url)
        assert.strictEqual(requests[0]!.headers["grpc-timeout"], "1500m")
      }))

    /** A service that is told how long it has, gives up `early` milliseconds before, and says so. */
    const givesUp = (early: number, code: number, headers: Record<string, string> = {}) =>
      fake((_, request) =>
        Effect.delay(
          Effect.sync(() => status(code, headers)),
          Number(request.headers["x-deadline-ms"] ?? 200) - early
        )
      )

    it.effect("a service that gives up when our time is over speaks for whoever enforces the deadline", () =>
      Effect.gen(function*() {
        const answers = [[504, {}], [503, {}], [400, { "grpc-status": "4" }]] as const
        type Owner = Policy.Policy<unknown, Timeout.TimeoutExceeded | Deadline.DeadlineExceeded>
        const owners: ReadonlyArray<readonly [string, Owner]> = [
          ["TimeoutExceeded:total", Timeout.total("200 millis")],
          ["DeadlineExceeded", Deadline.within("200 millis")]
        ]
        for (const [code, headers] of answers) {
          for (const early of [0, 1, 2]) {
            for (const body of ["buffer", "headers", "stream"] as const) {
              for (const [name, owner] of owners) {
                const { client, requests } = givesUp(early, code, headers)
                const options = { sendDeadline: true, body: body as "buffer" }
                const inside = ResilientHttpClient.make(client, Policy.compose(owner, retry), options).get(url)
                const outside = ResilientHttpClient.make(client, retry, options).get(url).pipe(owner)
                for (const call of [inside, outside]) {
                  const [ended, at] = yield* during("1 minute", timed(call))
                  assert.strictEqual(ended, name, `${code}, ${early} before, ${body}`)
                  assert.strictEqual(at % 60_000, 200)
                }
                assert.strictEqual(requests.length, 2)
              }
            }
          }
        }
      }))

    it.effect("so does one that cuts the connection, before the head or in the middle of a body", () =>
      Effect.gen(function*() {
        const cut = (when: "head" | "body", early: number) =>
          fake((_, request) => {
            const left = Number(request.headers["x-deadline-ms"]) - early
            if (when === "head") return Effect.andThen(Effect.sleep(left), transport(request, reset))
            const half = body()
            half.chunk("hal")
            return Effect.as(
              Effect.forkDetach(Effect.andThen(Effect.sleep(left), Effect.sync(half.break))),
              half.response
            )
          })
        for (const when of ["head", "body"] as const) {
          for (const mode of ["buffer", "stream"] as const) {
            const ends = (early: number) =>
              Effect.gen(function*() {
                const { client } = cut(when, early)
                const options = { sendDeadline: true, body: mode as "buffer" }
                const call = ResilientHttpClient.make(client, Timeout.total("200 millis"), options).get(url).pipe(text)
                const [ended] = yield* during("1 minute", timed(Effect.scoped(call)))
                return ended
              })
            // the body of a stream has one error, whose cause it is
            const own = mode === "stream" && when === "body" ? "HttpClientError" : "TimeoutExceeded:total"
            for (const early of [0, 2]) assert.strictEqual(yield* ends(early), own, `${when}, ${mode}, ${early}`)
            assert.strictEqual(yield* ends(5), "HttpClientError", `${when}, ${mode}`)
          }
        }
        const { client } = cut("body", 1)
        const options = { sendDeadline: true, body: "stream" } as const
        const response = yield* ResilientHttpClient.make(client, Timeout.total("200 millis"), options).get(url)
        const { reason } = yield* during("1 minute", Effect.flip(response.text))
        assert.isTrue(reason._tag === "DecodeError" && Timeout.isTimeoutExceeded(reason.cause))
      }))

    it.effect("any other answer is the service's own", () =>
      Effect.gen(function*() {
        const rows = [
          ["before the time is over", givesUp(3, 504), true],
          ["which asks for a pause", givesUp(0, 503, { "retry-after": "1" }), true],
          ["another status", givesUp(1, 404), true],
          ["of one that was not told", givesUp(1, 504), false]
        ] as const
        for (const [name, { client }, sendDeadline] of rows) {
          const policy = Timeout.total("200 millis")
          const call = ResilientHttpClient.make(client, policy, { sendDeadline }).get(url)
          const response = yield* during("1 minute", Effect.exit(call))
          assert.isTrue(Exit.isSuccess(response), name)
        }
      }))

    it.effect("where nobody ends the work at the deadline, the answer stands a moment later", () =>
      Effect.gen(function*() {
        const { client } = givesUp(0, 504)
        const shared = ResilientHttpClient.make(client, Policy.identity, { sendDeadline: true }).get(url)
        const fiber = yield* Effect.forkDetach(Effect.flatMap(shared, () => now)).pipe(
          Timeout.total("200 millis")
        )
        const start = yield* now
        yield* TestClock.adjust("1 minute")
        assert.isAtMost((yield* Fiber.join(fiber)) - start, 220)
      }))
  })

  describe("the number of the attempt", () => {
    it.effect("goes with every attempt, retries and hedges in the order in which they begin", () =>
      Effect.gen(function*() {
        const sent = (sendAttempt: boolean | string, header: string, policy: Policy.Policy = retry) =>
          Effect.gen(function*() {
            const { client, requests } = fake((n) =>
              Effect.delay(Effect.succeed(status(n < 3 ? 503 : 200)), "2 seconds")
            )
            yield* during("1 minute", ResilientHttpClient.make(client, policy, { sendAttempt }).get(url))
            return requests.map(({ headers }) => headers[header])
          })
        assert.deepStrictEqual(yield* sent(true, "x-attempt-count"), ["1", "2", "3"])
        assert.deepStrictEqual(yield* sent("X-Envoy-Attempt-Count", "x-envoy-attempt-count"), ["1", "2", "3"])
        assert.deepStrictEqual(
          yield* sent("grpc-previous-rpc-attempts", "grpc-previous-rpc-attempts"),
          [undefined, "1", "2"]
        )
        assert.deepStrictEqual(yield* sent(false, "x-attempt-count"), [undefined, undefined, undefined])
        const hedged = Hedge.makeUnsafe({ after: "1 second", maxHedges: 2 })
        assert.deepStrictEqual(yield* sent(true, "x-attempt-count", hedged), ["1", "2", "3"])
      }))

    it.effect("is what the request says, if it says so", () =>
      Effect.gen(function*() {
        const { client, requests } = fake((n) => status(n < 3 ? 503 : 200))
        const headers = { "x-attempt-count": "7" }
        yield* ResilientHttpClient.make(client, retry, { sendAttempt: true }).get(url, { headers })
        assert.deepStrictEqual(requests.map(({ headers }) => headers["x-attempt-count"]), ["7", "7", "7"])
      }))
  })
})
