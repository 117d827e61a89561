// Whatever the members do and whenever callers leave: every call ends, and nothing is left of it.
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { O1AuthError, type O1Error, O1RateLimitError, O1RequestError, O1ServerError } from "../../src/O1Error.ts"
import { AzureO1Pool, type PoolMember } from "../../src/pool/index.ts"
import { AzureO1Test, type Step, type TestTransport } from "../../src/testing/index.ts"
import { CurrentCall } from "../../src/transport/call.ts"
import { request } from "../support/harness.ts"

const errors: ReadonlyArray<O1Error> = [
  new O1ServerError({ kind: "unavailable" }),
  new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(3) }),
  new O1RateLimitError({ kind: "requests" }),
  new O1AuthError({ kind: "unauthorized" }),
  new O1RequestError({ kind: "unsupported-parameter", param: "user" }),
  new O1RequestError({ kind: "invalid" })
]

/** What members do, and what is open of it. */
class World {
  readonly random: () => number
  /** Attempts that were begun and not closed. */
  open = 0
  /** Responses that the service makes, and nobody has cancelled. */
  readonly kept = new Set<number>()
  private made = 0

  constructor(random: () => number) {
    this.random = random
  }

  one<A>(all: ReadonlyArray<A>): A {
    return all[Math.floor(this.random() * all.length)]!
  }

  /** Decided when it is asked. */
  step(): Step {
    const body = Effect.sync((): Step => {
      const after = Duration.seconds(Math.floor(this.random() * 20))
      const roll = this.random()
      return roll < 0.5
        ? AzureO1Test.answer("42", { after })
        : roll < 0.8
        ? AzureO1Test.fail(this.one(errors), { after })
        : roll < 0.9
        ? AzureO1Test.hang
        : AzureO1Test.tokens(["4", "2"], { first: after, every: "2 seconds", fail: this.one(errors) })
    })
    const held = Effect.acquireRelease(
      Effect.map(CurrentCall, (call) => {
        this.open++
        // what an attempt before it has begun here goes on
        const id = call?.open === undefined ? this.made++ : Number(call.open.id)
        if (call !== undefined && call.open === undefined && this.random() < 0.5) {
          this.kept.add(id)
          call.open = {
            id: String(id),
            streams: true,
            token: () => ({ responseId: String(id), deployment: "o1", after: -1 }),
            text: () => "",
            cancel: Effect.sync(() => this.kept.delete(id))
          }
        }
        return { call, id }
      }),
      () => Effect.sync(() => void this.open--)
    )
    /** A response that has ended is no longer made. */
    const ended = ({ call, id }: { readonly call: { open: unknown } | undefined; readonly id: number }) =>
      Effect.sync(() => {
        this.kept.delete(id)
        if (call !== undefined) call.open = undefined
      })
    return {
      complete: Effect.scoped(
        Effect.flatMap(
          held,
          (open) =>
            Effect.flatMap(body, ({ complete }) => Effect.ensuring(complete, Effect.void)).pipe(
              Effect.tap(ended(open)),
              Effect.tapError(() => ended(open))
            )
        )
      ),
      stream: Stream.unwrap(Effect.map(held, (open) =>
        Stream.unwrap(Effect.map(body, ({ stream }) => stream)).pipe(
          Stream.tap((event) => event._tag === "Finished" ? ended(open) : Effect.void),
          Stream.tapError(() => ended(open))
        )))
    }
  }
}

describe("a pool, whatever happens", () => {
  for (const hedge of [undefined, { delay: "5 seconds" }, { delay: "1 second", max: 2 }] as const) {
    for (let seed = 0; seed < 25; seed++) {
      it.effect(`hedge ${JSON.stringify(hedge)}, seed ${seed}`, () =>
        Effect.gen(function*() {
          const generator = yield* Random.Random
          const world = new World(() => generator.nextDoubleUnsafe())
          const steps = () => Array.from({ length: 400 }, () => world.step())
          const members = Array.from(
            { length: 2 + Math.floor(world.random() * 3) },
            (_, i): TestTransport & PoolMember => ({
              ...AzureO1Test.transport(steps(), { deployment: "abcde"[i]! }),
              priority: Math.floor(world.random() * 2),
              kind: world.one(["provisioned", "pay-as-you-go"]),
              weight: 1 + world.random()
            })
          ) as [TestTransport & PoolMember, ...Array<TestTransport & PoolMember>]
          const o1 = yield* AzureO1Pool.make(members, { hedge, total: "2 minutes" })
          const calls = Array.from({ length: 12 }, () =>
            world.random() < 0.5 ? Effect.asVoid(o1.complete(request)) : Stream.runDrain(o1.stream(request)))
          const fibers = yield* Effect.forEach(
            calls,
            (call) =>
              Effect.forkChild(Effect.result(call), { startImmediately: true })
          )
          for (let second = 0; second < 30; second++) {
            yield* TestClock.adjust("1 second")
            if (world.random() < 0.2) yield* Fiber.interrupt(world.one(fibers))
            if (world.random() < 0.1) {
              yield* o1.update(members.filter((_, i) => i === 0 || world.random() < 0.7) as never)
            }
          }
          yield* TestClock.adjust("10 minutes")
          const results = yield* Effect.forEach(fibers, (fiber) => {
            const exit = fiber.pollUnsafe()
            assert.isDefined(exit)
            return Effect.succeed(exit._tag === "Success" ? exit.value : undefined)
          })
          assert.strictEqual(world.open, 0)
          assert.deepStrictEqual((yield* o1.state).filter(({ inFlight }) => inFlight !== 0), [])
          // only what an error tells of may go on
          const told = new Set(results.flatMap((result) => {
            if (result === undefined || result._tag === "Success") return []
            const { attempts, resume } = result.failure
            return [resume, ...attempts.map(({ resume }) => resume)].map((token) => token?.responseId)
          }))
          assert.deepStrictEqual(Array.from(world.kept).filter((id) => !told.has(String(id))), [])
        }).pipe(Random.withSeed(`pool ${seed}`)))
    }
  }
})
