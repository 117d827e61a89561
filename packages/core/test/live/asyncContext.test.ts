import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { AsyncLocalStorage } from "node:async_hooks"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Coalesce from "../../src/Coalesce.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as Pipelines from "../../src/Pipelines.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as Timeout from "../../src/Timeout.ts"
import { Boom } from "../support/harness.ts"

const storage = new AsyncLocalStorage<string>()

interface Request {
  readonly name: string
  /** what its attempts found, in turn */
  readonly seen: Array<string | undefined>
  readonly call: Effect.Effect<string, Boom>
}

/** Its attempts take `millis`, and fail but for the last of `attempts`; those that take for ever are left behind. */
const request = (name: string, attempts: number, millis: number, end: "fails" | "hangs" | "stubborn"): Request => {
  const seen: Array<string | undefined> = []
  const call = Effect.suspend((): Effect.Effect<string, Boom> => {
    if (seen.push(storage.getStore()) >= attempts) return Effect.succeed(name)
    if (end === "hangs") return Effect.never
    return end === "fails"
      ? Effect.delay(Effect.fail(new Boom({})), millis)
      : Effect.uninterruptible(Effect.delay(Effect.fail(new Boom({})), millis))
  })
  return { name, seen, call }
}

type Wrap = (name: string) => Policy.Policy<any, any>
type Row = readonly [
  policy: string,
  wrap: () => Wrap,
  attempts: number,
  millis: number,
  end: "fails" | "hangs" | "stubborn"
]

const shared = (make: () => Policy.Policy<any, any>) => (): Wrap => {
  const policy = make()
  return () => policy
}
const again = Retry.make({ schedule: Schedule.spaced("5 millis"), times: 3 })

const rows: ReadonlyArray<Row> = [
  ["Retry", shared(() => again), 3, 5, "fails"],
  ["Hedge, after a delay", shared(() => Hedge.makeUnsafe({ after: "20 millis", maxHedges: 3 })), 3, 0, "hangs"],
  ["Hedge, after a failure", shared(() => Hedge.makeUnsafe({ after: "1 minute", maxHedges: 3 })), 3, 5, "fails"],
  ["Hedge, all at once", shared(() => Hedge.makeUnsafe({ after: 0, maxHedges: 2 })), 3, 0, "hangs"],
  [
    "Hedge, a learnt delay",
    shared(() => Hedge.makeUnsafe({ after: { quantile: 0.5, initialDelay: "20 millis" }, maxHedges: 2 })),
    3,
    0,
    "hangs"
  ],
  [
    "Retry around Timeout.attempt",
    shared(() => Policy.compose(again, Timeout.attempt("10 millis"))),
    3,
    0,
    "hangs"
  ],
  [
    "Retry around Timeout.attempt, detached",
    shared(() => Policy.compose(again, Timeout.attempt("10 millis", { detach: true }))),
    3,
    60,
    "stubborn"
  ],
  [
    "Pipelines.standard",
    shared(() => Pipelines.makeStandardUnsafe({ retry: { schedule: Schedule.recurs(3) } })),
    3,
    5,
    "fails"
  ],
  [
    "Retry around a Bulkhead with a queue",
    shared(() => Policy.compose(again, Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10 }))),
    3,
    5,
    "fails"
  ],
  [
    "Retry around a RateLimiter",
    shared(() =>
      Policy.compose(
        again,
        RateLimiter.makeUnsafe({ limit: RateLimiter.gcra({ limit: 1, within: "5 millis" }), maxWait: "1 minute" })
      )
    ),
    3,
    1,
    "fails"
  ],
  [
    "Retry around a Coalesce",
    () => {
      const flights = Coalesce.makeUnsafe<any, any>()
      return (name) => {
        const one = flights.for(name)
        return Policy.compose(
          again,
          Policy.make<any, any>({ info: one.info, effect: one as any, stream: one.stream as any })
        ) // of one result
      }
    },
    3,
    5,
    "fails"
  ],
  [
    "Keyed hedges",
    () => {
      const hedges = Keyed.makeUnsafe({
        lookup: (_: string) => Effect.sync(() => Hedge.makeUnsafe({ after: "20 millis", maxHedges: 3 }))
      })
      return (name) => hedges.for(name)
    },
    3,
    0,
    "hangs"
  ]
]

const faces: ReadonlyArray<
  readonly [string, (policy: Policy.Policy<any, any>, self: Request["call"]) => Effect.Effect<unknown, unknown>]
> = [
  ["effect", (policy, self) => policy(self)],
  ["stream", (policy, self) => Stream.runDrain(policy.stream(Stream.fromEffect(self)))]
]

describe("an attempt finds the async context of its own caller", () => {
  for (const [name, wrap, attempts, millis, end] of rows) {
    for (const [face, run] of faces) {
      it(`${name}, ${face}`, async () => {
        const policyOf = wrap()
        const requests = ["A", "B", "C"].map((each) => request(each, attempts, millis, end))
        const answers = requests.map(({ call, name }) =>
          storage.run(name, () => Effect.runPromise(run(policyOf(name), call)))
        )
        await Promise.all(answers)
        for (const { name, seen } of requests) {
          assert.isAtLeast(seen.length, attempts)
          assert.deepStrictEqual(new Set(seen), new Set([name]))
        }
      })
    }
  }
})
