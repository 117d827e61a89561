// Members with priority, weight and kind: who is asked, who spills over to whom, and what a change of the set does.
import { CircuitBreaker, PolicyRegistry } from "@effect-resilience/core"
import { Health } from "@effect-resilience/core/http"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../../src/AzureO1.ts"
import { O1AuthError, O1RateLimitError, O1RequestError, O1ServerError } from "../../src/O1Error.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { AzureO1Pool, type PoolMember, type PoolSettings } from "../../src/pool/index.ts"
import { O1Quota } from "../../src/quota/index.ts"
import { AzureO1Test, type Step, type TestTransport } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"

const { answer, fail, tokens } = AzureO1Test
const down = fail(new O1ServerError({ kind: "unavailable" }))
const busy = (retryAfter?: Duration.Input) =>
  fail(
    new O1RateLimitError({
      kind: "tokens",
      retryAfter: retryAfter === undefined ? undefined : Duration.fromInputUnsafe(retryAfter)
    })
  )
const many = (step: Step, n = 300): ReadonlyArray<Step> => Array.from({ length: n }, () => step)

type TestMember = TestTransport & PoolMember

const member = (
  name: string,
  steps: ReadonlyArray<Step>,
  more: Pick<PoolMember, "priority" | "weight" | "kind" | "region"> = {}
): TestMember => ({ ...AzureO1Test.transport([...steps, ...many(answer(name))], { deployment: name }), ...more })

const asked = (...members: ReadonlyArray<TestMember>) =>
  Effect.forEach(members, ({ calls }) => Effect.map(calls, ({ length }) => length))

const text = (o1: AzureO1["Service"]) => Effect.map(o1.complete(request), ({ text }) => text)

const made = (members: readonly [TestMember, ...Array<TestMember>], settings?: PoolSettings) =>
  AzureO1Pool.make(members, settings)

const seeded = Random.withSeed("pool")

describe("a pool", () => {
  it.effect("spreads calls among equals by their weight", () =>
    Effect.gen(function*() {
      const members = [
        member("a", many(answer("a", { after: "1 second" }))),
        member("b", many(answer("b", { after: "1 second" })), { weight: 3 })
      ] as const
      const o1 = yield* made([...members])
      const calls = yield* Effect.forkChild(
        seeded(Effect.all(Array.from({ length: 200 }, () => text(o1)), { concurrency: "unbounded" })),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(calls)
      const [a = 0, b = 0] = yield* asked(...members)
      assert.strictEqual(a + b, 200)
      assert.isTrue(a > 40 && a < 60, `${a} of 200, for a quarter`)
    }))

  it.effect("prefers the one that answers sooner", () =>
    Effect.gen(function*() {
      const members = [
        member("slow", many(answer("slow", { after: "20 seconds" }))),
        member("quick", many(answer("quick", { after: "1 second" })))
      ] as const
      const o1 = yield* made([...members])
      for (let i = 0; i < 40; i++) {
        const call = yield* Effect.forkChild(seeded(text(o1)), { startImmediately: true })
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.join(call)
      }
      const [slow = 0, quick = 0] = yield* asked(...members)
      assert.isTrue(quick > 3 * slow, `quick ${quick}, slow ${slow}`)
    }))

  it.effect("lower priorities first, whatever their order", () =>
    Effect.gen(function*() {
      const [c, a, b] = [
        member("c", [], { priority: 7 }),
        member("a", [down]),
        member("b", [down], { priority: 1 })
      ]
      const o1 = yield* made([c, a, b])
      assert.strictEqual(yield* text(o1), "c")
      assert.deepStrictEqual(yield* asked(a, b, c), [1, 1, 1])
      assert.strictEqual(yield* text(o1), "a")
    }))

  it.effect("a level takes everything as long as one of it may be asked", () =>
    Effect.gen(function*() {
      const [a, b, c] = [member("a", [busy("1 hour")]), member("b", []), member("c", [], { priority: 1 })]
      const o1 = yield* made([a, b, c])
      yield* Effect.replicateEffect(text(o1), 100)
      const [, ofB, ofC] = yield* asked(a, b, c)
      assert.deepStrictEqual([ofB, ofC], [100, 0])
    }))

  it.effect("a failure goes to the others of the level first", () =>
    Effect.gen(function*() {
      const [a, b, c] = [member("a", many(down)), member("b", many(down)), member("c", [], { priority: 1 })]
      const o1 = yield* made([a, b, c])
      assert.strictEqual(yield* text(o1), "c")
      assert.deepStrictEqual(yield* asked(a, b, c), [1, 1, 1])
    }))

  describe("ejection", () => {
    const states = (o1: AzureO1Pool["Service"]) => Effect.map(o1.state, (all) => all.map(({ status }) => status))

    it.effect("who fails again and again is left out for a while, and comes back", () =>
      Effect.gen(function*() {
        const [a, b] = [member("a", many(down, 3)), member("b", [], { priority: 1 })]
        const o1 = yield* made([a, b], { ejection: { failures: 3, duration: "1 minute" } })
        yield* Effect.replicateEffect(text(o1), 10)
        assert.deepStrictEqual(yield* asked(a, b), [3, 10])
        assert.deepStrictEqual(yield* states(o1), ["ejected", "available"])
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* text(o1), "a")
        assert.deepStrictEqual(yield* states(o1), ["warming", "available"])
      }))

    it.effect("nobody is left out who is the last to be asked", () =>
      Effect.gen(function*() {
        const [a, b] = [member("a", many(down, 4)), member("b", [...many(down, 4)], { priority: 1 })]
        const o1 = yield* made([a, b], { ejection: { failures: 3, duration: "1 minute" }, breaker: { failures: 100 } })
        yield* Effect.replicateEffect(Effect.exit(o1.complete(request, { retries: 0 })), 4)
        assert.deepStrictEqual(yield* asked(a, b), [4, 4])
        assert.strictEqual(yield* text(o1), "b")
      }))

    it.effect("what is the caller's or the request's fault leaves nobody out", () =>
      Effect.gen(function*() {
        const invalid = fail(new O1RequestError({ kind: "invalid" }))
        const a = member("a", [...many(invalid, 5), ...many(busy("1 milli"), 5)])
        const o1 = yield* made([a, member("b", [], { priority: 1 })], { ejection: { failures: 2 } })
        for (let i = 0; i < 10; i++) {
          yield* Effect.exit(text(o1))
          yield* TestClock.adjust("2 millis")
        }
        assert.deepStrictEqual((yield* o1.state).map(({ failures }) => failures), [0, 0])
        assert.notInclude(yield* states(o1), "ejected")
      }))

    it.effect("false leaves nobody out", () =>
      Effect.gen(function*() {
        const [a, b] = [member("a", many(down, 20)), member("b", [], { priority: 1 })]
        const o1 = yield* made([a, b], { ejection: false, breaker: { failures: 100 } })
        yield* Effect.replicateEffect(text(o1), 20)
        assert.deepStrictEqual(yield* asked(a, b), [20, 20])
      }))
  })

  describe("spillover", () => {
    it.effect("provisioned before pay-as-you-go, of one priority", () =>
      Effect.gen(function*() {
        const [paid, reserved] = [member("paid", []), member("reserved", [], { kind: "provisioned" })]
        const o1 = yield* made([paid, reserved])
        yield* Effect.replicateEffect(text(o1), 20)
        assert.deepStrictEqual(yield* asked(reserved, paid), [20, 0])
      }))

    it.effect("a 429 of the provisioned one spills over at once, and comes back after its pause", () =>
      Effect.gen(function*() {
        const [paid, reserved] = [member("paid", []), member("reserved", [busy("3 seconds")], { kind: "provisioned" })]
        const o1 = yield* made([paid, reserved])
        assert.deepStrictEqual(yield* Effect.replicateEffect(text(o1), 3), ["paid", "paid", "paid"])
        assert.deepStrictEqual(yield* asked(reserved, paid), [1, 3])
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(yield* Effect.replicateEffect(text(o1), 3), ["reserved", "reserved", "reserved"])
      }))

    it.effect("a priority says more than the kind", () =>
      Effect.gen(function*() {
        const [reserved, paid] = [member("reserved", [], { kind: "provisioned", priority: 1 }), member("paid", [])]
        assert.strictEqual(yield* text(yield* made([reserved, paid])), "paid")
      }))

    /** A policy under which some would wait for their turn. */
    const waiting = (waits: Record<string, Duration.Input>) =>
      Layer.effect(
        O1Policy,
        Effect.map(O1Policy, (policies) =>
          ({
            ...policies,
            parts: (request, options) => ({
              ...policies.parts(request, options),
              wait: (name) => Effect.succeed(Duration.fromInputUnsafe(waits[name] ?? 0))
            })
          }) satisfies O1Policy["Service"])
      ).pipe(Layer.provide(O1Policy.layer))

    const underQuota = (members: readonly [TestMember, ...Array<TestMember>], waits: Record<string, Duration.Input>) =>
      AzureO1.pipe(
        Effect.flatMap(text),
        Effect.provide(Layer.provide(AzureO1Pool.layerServices(members), waiting(waits)))
      )

    it.effect("a wait for the quota of the provisioned one spills over at once", () =>
      Effect.gen(function*() {
        const pool = [member("paid", []), member("reserved", [], { kind: "provisioned" })] as const
        assert.strictEqual(yield* underQuota([...pool], { reserved: "100 millis" }), "paid")
        assert.strictEqual(yield* underQuota([...pool], {}), "reserved")
      }))

    it.effect("with O1Quota: the provisioned one is asked for what it has, nobody waits, and calls come back", () =>
      Effect.gen(function*() {
        const [paid, reserved] = [member("paid", []), member("reserved", [], { kind: "provisioned" })]
        const policy = Layer.provide(
          O1Quota.layerServices({ deployments: { reserved: { requestsPerMinute: 10 } } }),
          O1Policy.layer
        )
        yield* Effect.gen(function*() {
          const o1 = yield* AzureO1
          yield* Effect.replicateEffect(text(o1), 15)
          // the service counts requests in windows of ten seconds
          assert.deepStrictEqual(yield* asked(reserved, paid), [2, 13])
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(yield* Effect.replicateEffect(text(o1), 2), ["reserved", "reserved"])
        }).pipe(Effect.provide(Layer.provide(AzureO1Pool.layerServices([paid, reserved]), policy)))
      }))

    it.effect("if all of them have to wait, it is the first one's turn", () =>
      Effect.gen(function*() {
        const pool = [member("paid", []), member("reserved", [], { kind: "provisioned" })] as const
        assert.strictEqual(yield* underQuota([...pool], { reserved: "2 seconds", paid: "1 second" }), "reserved")
      }))

    it.effect("a request larger than the minute goes to a member that can take it", () =>
      Effect.gen(function*() {
        const pool = [member("small", []), member("large", [], { priority: 1 })] as const
        assert.strictEqual(yield* underQuota([...pool], { small: "Infinity" }), "large")
      }))
  })

  describe("update", () => {
    it.effect("new members are asked, and old ones are not", () =>
      Effect.gen(function*() {
        const [a, b, c] = [member("a", []), member("b", []), member("c", [])]
        const o1 = yield* made([a])
        yield* text(o1)
        yield* o1.update([b, c])
        assert.deepStrictEqual((yield* o1.state).map(({ name }) => name), ["b", "c"])
        yield* Effect.replicateEffect(text(o1), 50)
        const [ofA, ofB = 0, ofC = 0] = yield* asked(a, b, c)
        assert.deepStrictEqual([ofA, ofB + ofC], [1, 50])
      }))

    it.effect("calls that are under way finish where they are", () =>
      Effect.gen(function*() {
        const a = member("a", [answer("old", { after: "10 seconds" }), tokens(["o", "l", "d"], { every: "5 seconds" })])
        const b = member("b", [])
        const o1 = yield* made([a])
        const call = yield* Effect.forkChild(text(o1), { startImmediately: true })
        const stream = yield* Effect.forkChild(Stream.runCollect(o1.tokens(request)), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        yield* o1.update([b])
        assert.strictEqual(yield* text(o1), "b")
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* Fiber.join(call), "old")
        assert.deepStrictEqual(yield* Fiber.join(stream), ["o", "l", "d"])
        assert.deepStrictEqual((yield* o1.state).map(({ inFlight }) => inFlight), [0])
      }))

    it.effect("one that fails after it was removed goes over to the new ones", () =>
      Effect.gen(function*() {
        const a = member("a", [fail(new O1ServerError({ kind: "unavailable" }), { after: "10 seconds" })])
        const b = member("b", [])
        const o1 = yield* made([a])
        const call = yield* Effect.forkChild(text(o1), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        yield* o1.update([b])
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* Fiber.join(call), "b")
      }))

    it.effect("a pause of one that stays holds, and other numbers count at once", () =>
      Effect.gen(function*() {
        const [a, b] = [member("a", [busy("1 hour")]), member("b", [], { priority: 1 })]
        const o1 = yield* made([a, b])
        yield* text(o1)
        yield* o1.update([{ ...a, priority: 3 }, b, member("c", [], { priority: 2 })])
        yield* text(o1)
        assert.deepStrictEqual(
          (yield* o1.state).map(({ name, priority, status }) => [name, priority, status]),
          [["a", 3, "cooling"], ["b", 1, "available"], ["c", 2, "warming"]]
        )
        assert.deepStrictEqual(yield* asked(a, b), [1, 2])
      }))

    it.effect("what was wrong with a member is forgotten with its configuration", () =>
      Effect.gen(function*() {
        for (const wrong of [fail(new O1AuthError({ kind: "unauthorized" })), busy("1 hour")]) {
          const [a, b] = [member("a", [wrong]), member("b", [])]
          const o1 = yield* made(AzureO1Pool.inOrder([a, b]))
          assert.strictEqual(yield* text(o1), "b")
          yield* o1.update(AzureO1Pool.inOrder([a, b]))
          assert.strictEqual(yield* text(o1), "b")
          yield* o1.update(AzureO1Pool.inOrder([member("a", []), b]))
          assert.strictEqual(yield* text(o1), "a")
        }
      }))

    it.effect("members without names keep those that they were given", () =>
      Effect.gen(function*() {
        const twins = [AzureO1Test.transport(many(answer("1"))), AzureO1Test.transport(many(answer("2")))] as const
        const o1 = yield* AzureO1Pool.make(twins)
        const names = Effect.map(o1.state, (all) => all.map(({ name }) => name))
        assert.deepStrictEqual(yield* names, ["o1#1", "o1#2"])
        yield* o1.update([twins[1], AzureO1Test.transport([]), twins[0]])
        assert.deepStrictEqual(yield* names, ["o1#2", "o1", "o1#1"])
      }))

    it.effect("a bad list is a defect that says so, and changes nothing", () =>
      Effect.gen(function*() {
        const a = member("a", [])
        const o1 = yield* made([a])
        const bad: ReadonlyArray<readonly [ReadonlyArray<PoolMember>, string]> = [
          [[], "AzureO1Pool.update: members must not be empty"],
          [[{ ...a, name: "x" }, { ...a, name: "x" }], "name must be another one for each member, got \"x\" twice"],
          [[{ ...a, priority: -1 }], "priority of \"a\" must be an integer, 0 or more, got -1"],
          [[{ ...a, weight: 0 }], "weight of \"a\" must be a number greater than 0, got 0"],
          [[{ ...a, kind: "ptu" as never }], "kind of \"a\" must be \"provisioned\" or \"pay-as-you-go\", got \"ptu\""],
          [[{ ...a, region: "" }], "region of \"a\" must be a name, got \"\""],
          [
            [{ endpoint: "https://x.openai.azure.com", deployment: "o1" }],
            "\"o1\" is a configuration, and the pool was made without an HttpClient"
          ]
        ]
        for (const [members, message] of bad) {
          const exit = yield* Effect.exit(o1.update(members as never))
          assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes(message), String(exit))
        }
        assert.strictEqual(yield* text(o1), "a")
      }))

    it.effect("a response that a removed member keeps cannot be read any more, and the error says why", () =>
      Effect.gen(function*() {
        const [a, b] = [member("a", []), member("b", [])]
        const o1 = yield* made([a, b])
        const token = { responseId: "resp_1", deployment: "a", after: -1 }
        yield* o1.update([b])
        for (const asking of [Stream.runDrain(o1.resume(token)), o1.cancel(token)]) {
          const error = yield* Effect.flip(Effect.asVoid(asking))
          assert.deepInclude(error, { _tag: "O1RequestError", kind: "response-not-found", deployment: "a" })
          assert.include(error.message, "\"a\" was removed from the pool")
        }
        yield* o1.update([a, b])
        yield* Stream.runDrain(o1.resume(token))
      }))
  })

  it.effect("its state, for a health endpoint", () =>
    Effect.gen(function*() {
      const members = [
        member("busy", [busy("1 minute")], { kind: "provisioned", region: "eu" }),
        member("wrong", [fail(new O1RequestError({ kind: "operation-not-supported" }))], { priority: 1 }),
        member("fine", many(answer("fine", { after: "2 seconds" })), { priority: 2, weight: 2 })
      ] as const
      const o1 = yield* made([...members])
      const call = yield* Effect.forkChild(text(o1), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* o1.state)[2]?.inFlight, 1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(call)
      const [first, , third] = yield* o1.state
      assert.deepInclude(first, {
        name: "busy",
        deployment: "busy",
        region: "eu",
        kind: "provisioned",
        priority: 0,
        weight: 1,
        status: "cooling",
        why: "\"busy\" has asked to be left alone: O1RateLimitError/tokens.",
        returnsIn: Duration.seconds(58),
        breaker: "Closed",
        inFlight: 0
      })
      assert.deepInclude(third, { status: "available", why: undefined, latency: Duration.seconds(2), inFlight: 0 })
    }))

  it.effect("is in the registry of policies, and its health says which members do not work", () =>
    Effect.gen(function*() {
      const wrong = fail(new O1AuthError({ kind: "unauthorized" }))
      const o1 = yield* made(
        AzureO1Pool.inOrder([member("a", [wrong]), member("b", [busy("1 minute")]), member("c", [])]),
        {
          name: "models"
        }
      )
      assert.deepStrictEqual(yield* Health.check(), { status: "up", reasons: [] })
      assert.strictEqual(yield* text(o1), "c")
      const found = (yield* PolicyRegistry.snapshot).filter(({ name }) => name === "models")
      assert.deepStrictEqual(found.map(({ kind, state }) => [kind, state]), [
        ["balancer", { inFlight: 0, endpoints: { a: "available", b: "cooling", c: "available" } }],
        ["pool", { members: { a: "last", b: "cooling", c: "available" } }]
      ])
      const { reasons, status } = yield* Health.check()
      assert.strictEqual(status, "degraded")
      assert.deepStrictEqual(reasons.map(({ kind, reason }) => [kind, reason]), [
        ["balancer", "1 of 3 endpoints rest: 1 cooling"],
        ["pool", "1 of 3 members do not work, or are too slow"]
      ])
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("the layer gives the client, the pool and the policy", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const pool = yield* AzureO1Pool
      const { breakerState } = yield* O1Policy
      assert.strictEqual(yield* text(o1), "a")
      assert.strictEqual((yield* pool.state)[0]?.name, "a")
      assert.isTrue(CircuitBreaker.isCircuitOpen !== undefined && (yield* breakerState("a"))._tag === "Closed")
    }).pipe(Effect.provide(AzureO1Pool.layer([member("a", [])]))))

  it.effect("a bad option is a defect that names it", () =>
    Effect.gen(function*() {
      const bad: ReadonlyArray<readonly [PoolSettings, string]> = [
        [{ hedge: { delay: -1 } }, "hedge.delay must be"],
        [{ hedge: { delay: "1 second", max: 0 } }, "hedge.max must be"],
        [{ ejection: { failures: 0 } }, "AzureO1Pool: ejection.failures must be"],
        [{ retries: -1 }, "retries"]
      ]
      for (const [settings, option] of bad) {
        const exit = yield* Effect.exit(made([member("a", [])], settings))
        assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("RangeError"), String(exit))
        assert.include(String(exit), option)
      }
    }))
})
