import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import { getEventListeners } from "node:events"
import * as Fs from "node:fs"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Hedge from "../src/Hedge.ts"
import { ResilientHttpClient } from "../src/http/index.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import { Callee, PolicyTest, Recorder } from "../src/testing/index.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, Busy } from "./support/harness.ts"
import { fake, status, url } from "./support/http.ts"

const { during, outcome, timed } = PolicyTest

/**
 * What users of other libraries complain about, by repository and issue. Where another test shows that it is not so here,
 * this says which: that test must exist.
 */
const elsewhere: ReadonlyArray<readonly [complaint: string, file: string, title: string]> = [
  // retries and budgets
  [
    "cockatiel 4.0.0: an abort is ignored during the backoff",
    "Retry",
    "in the backoff ends at once, and nothing is called again"
  ],
  ["cockatiel #107: retry and breaker surprise each other", "CircuitBreaker", "cockatiel #107"],
  [
    "Polly #1866: an overflowing delay waits for ever",
    "kernel/backoff",
    "saturates where it would overflow: Polly J1f"
  ],
  [
    "Polly #2348, dotnet/extensions #7686, failsafe-go #67: nothing bounds the retries of all calls",
    "RetryBudget",
    "Polly #2348, failsafe-go #67"
  ],
  [
    "failsafe-go #106: budgets over a window",
    "kernel/retryBudget",
    "half of two calls is one attempt, as long as both are in the window"
  ],
  [
    "failsafe-go #139: few calls need a floor",
    "kernel/retryBudget",
    "is compared with what is under way, the floor first"
  ],
  ["failsafe-go #141: an exhausted budget kills hedges under way", "Hedge", "failsafe-go #141"],
  ["envoy #30205: calls in backoff count as active", "RetryBudget", "envoy #30205"],
  [
    "azure-sdk: delays of one call grow with those of another",
    "Retry",
    "two calls through one policy do not share their schedule"
  ],
  [
    "finagle: a decorrelated delay never comes down",
    "kernel/backoff",
    "stays capped once it has reached the cap, and can come back down"
  ],
  ["undici: no jitter", "Retry", "without options: three retries, the delays growing and jittered"],
  [
    "effect 4.1: Stream.retry emits again what was emitted",
    "Retry",
    "is started again only while nothing has come out"
  ],
  [
    "effect 4.1: Schedule.during is no deadline",
    "Deadline",
    "a retry begins nothing that could not finish (Deadlines D2)"
  ],
  // circuit breakers
  ["Polly #1979: a probe that is lost leaves it half-open", "CircuitBreaker", "Polly #1979"],
  [
    "Polly #217, #216, #311, #717, denoland/std PR 7306: a result from before the trip decides",
    "CircuitBreaker",
    "a result from before the trip changes nothing"
  ],
  ["resilience4j #903, #935, #1389, #1568, #2172: stuck half-open", "CircuitBreaker", "resilience4j #903"],
  [
    "opossum #119, #276, #385, #484: stuck half-open, or flooded",
    "CircuitBreaker",
    "a lost probe gives its slot back after the lease"
  ],
  ["resilience4j #1432, tower-resilience #365: more probes than allowed", "CircuitBreaker", "resilience4j #1432"],
  ["resilience4j #1597: slow calls count only when they have ended", "CircuitBreaker", "resilience4j #1597"],
  ["resilience4j #1477, #1394: one minimum for every rate", "kernel/circuitBreaker", "each rule has its own minimum"],
  [
    "effect 4.1: an inner breaker's rejections open an outer one",
    "CircuitBreaker",
    "an inner circuit's rejections never open an outer one"
  ],
  [
    "opossum 10: rejections for want of capacity open it",
    "Bulkhead",
    "a rejection is never counted by a breaker outside"
  ],
  // per key, registries
  ["Polly #624, #1797, Shopify/semian #834: one breaker for all keys", "Keyed", "Polly #624"],
  ["opossum #321, #181, #635: a breaker per key leaks", "Keyed", "idle for five minutes, it is let go"],
  ["Polly #1828: a registry cannot be listed", "PolicyRegistry", "lists what has a name, in order, as plain data"],
  // timeouts and deadlines
  ["Polly #1133, #340: work that ignores cancellation is never abandoned", "Timeout", "Polly #1133"],
  [
    "dotnet/extensions #4770, #5363: two timeouts, and nobody knows which",
    "Timeout",
    "the owner of the earlier end is the one that reports"
  ],
  [
    "dotnet/extensions #4770: timeouts that contradict each other",
    "Pipelines",
    "an attempt longer than the total (MEHR: TotalRequestTimeout)"
  ],
  [
    "tower #682, #705: no standard stack",
    "Pipelines",
    "makes four calls in the default settings, and gives the last failure"
  ],
  ["resilience4j #2091: a deadline that crosses services", "Deadline", "crosses two services"],
  [
    "effect 4.1: Stream.timeout ends a stream as if it were complete",
    "Timeout",
    "idle: the silence between two elements"
  ],
  // bulkheads and limiters
  ["cockatiel #112: a newcomer overtakes who waits", "Bulkhead", "cockatiel #112"],
  ["resilience4j #1503: a wait without a bound", "Bulkhead", "resilience4j #1503"],
  [
    "tower #793, apollographql/router PR 9034: reject now, or wait",
    "Bulkhead",
    "runs so many at once, and by default nobody waits"
  ],
  ["effect 4.1: small asks starve a large one", "RateLimiter", "a large cost is not starved by small ones"],
  ["effect 4.1: who goes away is waited for", "RateLimiter", "five who went away do not make the next one wait"],
  // hedges, fallbacks, coalescing
  ["failsafe-go #65, #123: cancelled before the body is read", "Hedge", "failsafe-go #65, #123"],
  ["failsafe-go #122, #134, #136: contexts leak", "Hedge", "failsafe-go #122, #134, #136"],
  [
    "finagle, tower: a threshold learnt from winners drifts",
    "Hedge",
    "a first attempt that is beaten, fails or is interrupted is known only to take longer"
  ],
  ["Polly #1127, #2626: no cache, no stale value", "Fallback", "Polly #1127"],
  ["cockatiel #63, #88: no deduplication", "Coalesce", "cockatiel #63, #88"],
  // telemetry
  [
    "resilience4j #515, #593, #614, #1657: retries inflate the numbers of calls",
    "Observability",
    "calls and attempts are separate numbers"
  ],
  // http
  [
    "failsafe-go #73, undici #4080: a body that was read is sent again, empty",
    "http/ResilientHttpClient",
    "failsafe-go #73, undici #4080"
  ],
  [
    "dotnet/extensions #6167: a request is not cloned for a retry",
    "http/ResilientHttpClient",
    "bodies that can be read twice are sent again"
  ],
  ["dotnet/core #5493: streams are repeated after their start", "http/ResilientHttpClient", "dotnet/core #5493"]
]

describe("complaints", () => {
  describe("shown elsewhere", () => {
    for (const [complaint, file, title] of elsewhere) {
      it(complaint, () => {
        assert.include(Fs.readFileSync(new URL(`${file}.test.ts`, import.meta.url), "utf8"), title)
      })
    }
  })

  it.effect("cockatiel #64: four failures, an idle hour and one failure open nothing", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe({
        trip: CircuitBreaker.failureRate({ within: "30 seconds", minCalls: 5 })
      })
      const fail = Effect.exit(breaker(Effect.fail(new Boom({}))))
      yield* Effect.replicateEffect(fail, 4)
      yield* TestClock.adjust("1 hour")
      yield* fail
      assert.deepInclude(yield* breaker.state, { _tag: "Closed", calls: 1, failures: 1 })
    }))

  it.effect("cockatiel #98: work that ignores its abort signal times out all the same", () =>
    Effect.gen(function*() {
      const deaf = Effect.promise((_signal) => new Promise<void>(() => {}))
      const timeout = Timeout.attempt("30 millis")
      assert.deepStrictEqual(yield* during(timed(timeout(deaf)), "1 second"), ["TimeoutExceeded:attempt", 30])
    }))

  it.effect("cockatiel #97, tower #131, #461, #465: errors are not unknown: all of them can be handled by their tags", () =>
    Effect.gen(function*() {
      const stack = Policy.compose(Retry.make(), CircuitBreaker.makeUnsafe(), Timeout.attempt("1 second"))
      const handled: Effect.Effect<string> = stack(Effect.fail(new Boom({ n: 1 }))).pipe(Effect.catchTags({
        Boom: ({ n }) => Effect.succeed(`boom ${n}`),
        CircuitOpen: ({ policyName: circuit }) => Effect.succeed(`open ${circuit}`),
        TimeoutExceeded: ({ phase }) => Effect.succeed(phase)
      }))
      assert.strictEqual(yield* during(handled, "1 minute"), "boom 1")
    }))

  it.live("cockatiel #101, #69: the signal of a call is aborted with it, and the caller's keeps no listeners", () =>
    Effect.promise(async () => {
      const caller = new AbortController()
      const signals: Array<AbortSignal> = []
      const call = Effect.promise((signal) => {
        signals.push(signal)
        return signals.length <= 100 ? Promise.resolve() : new Promise<void>(() => {})
      })
      const stack = Policy.compose(Timeout.total("1 minute"), Retry.make(), Hedge.makeUnsafe({ after: "1 minute" }))
      await Promise.all(Array.from({ length: 100 }, () => Effect.runPromise(stack(call), { signal: caller.signal })))
      assert.deepStrictEqual(getEventListeners(caller.signal, "abort"), [])
      const last = Effect.runPromiseExit(stack(call), { signal: caller.signal })
      caller.abort()
      assert.strictEqual(outcome(await last), "Interrupt")
      assert.deepStrictEqual(signals.map(({ aborted }) => aborted), [...Array.from({ length: 100 }, () => false), true])
    }))

  for (const face of PolicyTest.faces) {
    it.effect(`opossum #780, #861: the timeout of one call leaves its siblings alone (${face})`, () =>
      Effect.gen(function*() {
        const stack = Policy.compose(CircuitBreaker.makeUnsafe(), Timeout.attempt("100 millis"))
        const callee = Callee.script([
          Callee.succeed("slow", { after: "1 second" }),
          Callee.succeed("healthy", { after: 80 })
        ])
        const call = timed(PolicyTest.through(face, stack, callee))
        const both = Effect.all([call, Effect.delay(call, 60)], { concurrency: 2 })
        assert.deepStrictEqual(yield* during(both, "1 second"), [["TimeoutExceeded:attempt", 100], ["ok:healthy", 140]])
        assert.deepStrictEqual(callee.outcomes, ["Interrupted", "Success"])
      }))
  }

  it.effect("opossum #288, #560, #660: by default one failure opens nothing, and neither do nineteen", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe()
      for (let failures = 1; failures < 20; failures++) {
        yield* Effect.exit(breaker(Effect.fail(new Boom({}))))
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
      }
    }))

  for (
    const [answers, expected] of [
      [["down", "up", "up"], "Closed"],
      [["up", "down", "up"], "Closed"],
      [["down", "down"], "Open"]
    ] as const
  ) {
    it.effect(`opossum #613, Polly #2381, #239, #254: three probes of which two succeed: ${answers.join(", ")}`, () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ open: "1 second", halfOpen: { probes: 3, ratio: 0.6 } })
        yield* PolicyTest.halfOpen(breaker)
        const callee = Callee.script(answers.map((answer) => answer === "up" ? Effect.void : Effect.fail(new Boom({}))))
        while (callee.left > 0) {
          assert.strictEqual((yield* breaker.state)._tag, "HalfOpen")
          yield* Effect.exit(breaker(callee.effect))
        }
        assert.strictEqual((yield* breaker.state)._tag, expected)
      }))
  }

  it.effect("opossum #719: a process that was frozen needs no timer to find the circuit half-open", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe({ open: "30 seconds" })
      yield* breaker.open()
      yield* TestClock.setTime(3_600_000)
      assert.deepStrictEqual(yield* timed(breaker(Effect.succeed("probe"))), ["ok:probe", 3_600_000])
    }))

  it.effect("Polly #10, #803: each kind of error has its own backoff", () =>
    Effect.gen(function*() {
      const schedule = Schedule.recurs(4).pipe(
        Schedule.setInputType<Boom | Busy>(),
        Schedule.modifyDelay(({ input }) => Effect.succeed(input._tag === "Boom" ? "100 millis" : "1 second"))
      )
      const [boom, busy] = [Callee.fail(new Boom({})), Callee.fail(new Busy({ retryAfter: 0 }))]
      const callee = Callee.script([boom, busy, boom, Callee.succeed("done")])
      const call = timed(callee.effect.pipe(Retry.make({ schedule })))
      assert.deepStrictEqual(yield* during(call, "1 minute"), ["ok:done", 1200])
      assert.deepStrictEqual(callee.startedAt, [0, 100, 1100, 1200])
    }))

  it.effect("resilience4j #905, #1041, #1460, #1639: a call that timed out in the queue is never made", () =>
    Effect.gen(function*() {
      const bulkhead = yield* PolicyTest.busy(Bulkhead.make({ concurrency: 1, maxQueue: 1 }))
      const callee = Callee.script([])
      const call = timed(callee.effect.pipe(bulkhead, Timeout.attempt("100 millis")))
      assert.deepStrictEqual(yield* during(call, "1 second"), ["TimeoutExceeded:attempt", 100])
      assert.deepStrictEqual(callee.attempts, [])
      assert.deepInclude(yield* bulkhead.state, { inUse: 1, queued: 0 })
    }))

  it.effect("resilience4j Hedge: a second attempt that fails does not beat the first, which is slow and good", () =>
    Effect.gen(function*() {
      const callee = Callee.script([Callee.succeed("first", { after: "300 millis" }), Callee.fail(new Boom({}))])
      const hedge = Hedge.makeUnsafe({ after: "100 millis" })
      assert.deepStrictEqual(yield* during(timed(hedge(callee.effect)), "1 second"), ["ok:first", 300])
      assert.deepStrictEqual(callee.startedAt, [0, 100])
    }))

  it.effect("failsafe-go #56: an event is told to whoever made the request", () =>
    Effect.gen(function*() {
      const retry = Retry.make({ schedule: Schedule.recurs(1) })
      const [a, b] = [yield* Recorder.make, yield* Recorder.make]
      const request = (events: Recorder.Recorder) => Effect.exit(Effect.fail(new Boom({})).pipe(retry, events.policy))
      yield* Effect.all([request(a), request(b)], { concurrency: 2 })
      for (const events of [a, b]) {
        assert.deepStrictEqual(events.ofTag("AttemptStarted").map(({ attempt }) => attempt), [1, 2])
      }
    }))

  it.effect("effect 4.1 retryTransient: failures and bad answers draw on one number of retries, not on its square", () =>
    Effect.gen(function*() {
      const { client, requests } = fake((n, request) =>
        n % 2 === 1
          ? status(503)
          : Effect.fail(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.TransportError({ request, cause: new TypeError("fetch failed") })
            })
          )
      )
      const resilient = ResilientHttpClient.make(client, Retry.make({ schedule: Schedule.recurs(2) }))
      const exit: Exit.Exit<unknown, unknown> = yield* Effect.exit(resilient.get(url))
      assert.deepStrictEqual([exit._tag, requests.length], ["Success", 3])
    }))
})
