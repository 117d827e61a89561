import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { AzureO1Pool, type PoolMember } from "../../src/pool/index.ts"
import { FakeAzure, type FakeAzureOptions, type Reply } from "../../src/testing/index.ts"
import { label, patient, text } from "../support/azure.ts"
import { request } from "../support/harness.ts"

const server = (options: FakeAzureOptions) => Effect.map(Layer.build(FakeAzure.layer(options)), Context.get(FakeAzure))

/** Two deployments of the same name, each on a server of its own, and the client of both. */
const pair = <A, E>(
  first: ReadonlyArray<Reply>,
  f: (
    o1: AzureO1["Service"],
    servers: { readonly east: FakeAzure["Service"]; readonly west: FakeAzure["Service"] },
    policy: O1Policy["Service"]
  ) => Effect.Effect<A, E>,
  config: Partial<AzureO1Config & PoolMember> = {}
) =>
  Effect.gen(function*() {
    const east = yield* server({ script: first })
    const west = yield* server({ script: [FakeAzure.answer("from the west"), FakeAzure.answer("again")] })
    const client = AzureO1Pool.layer(
      AzureO1Pool.inOrder([{ ...east.config, ...config }, { ...west.config, ...config }]),
      patient
    )
    return yield* Effect.gen(function*() {
      return yield* f(yield* AzureO1, { east, west }, yield* O1Policy)
    }).pipe(Effect.provide(Layer.provide(client, AzureO1Node.layerHttpClient)))
  })

const hostOf = ({ url }: FakeAzure["Service"]): string => new URL(url).host

describe("failover over real sockets", () => {
  for (const face of ["complete", "tokens"] as const) {
    it.live(`the first dies before the end of its headers, the second answers: ${face}`, () =>
      pair([FakeAzure.broken("reset", "nothing")], (o1, { east, west }, policy) =>
        Effect.gen(function*() {
          const answer = face === "complete" ? Effect.map(o1.complete(request), ({ text }) => text) : text(o1)
          assert.strictEqual(yield* answer, "from the west")
          assert.strictEqual((yield* east.requests).length, 1)
          assert.strictEqual((yield* west.requests).length, 1)
          const failures = (host: string) =>
            Effect.map(
              policy.breakerState(`o1@${host}`),
              (state) => state._tag === "Closed" && state.consecutiveFailures
            )
          assert.strictEqual(yield* failures(hostOf(east)), 1)
          assert.strictEqual(yield* failures(hostOf(west)), 0)
        })))
  }

  it.live("a 429 with Retry-After: the first is left alone meanwhile", () =>
    pair([FakeAzure.status(429, { retryAfter: "20 seconds" })], (o1, { east, west }) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* text(o1), "from the west")
        assert.strictEqual(yield* text(o1), "again")
        assert.strictEqual((yield* east.requests).length, 1)
        assert.strictEqual((yield* west.requests).length, 2)
      })))

  it.live("a stream that breaks after its first token stays broken", () =>
    pair(
      [FakeAzure.broken("reset", 2)],
      (o1, { west }) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* label(Stream.runDrain(o1.tokens(request))), "O1ConnectionError/reset")
          assert.deepStrictEqual(yield* west.requests, [])
        }),
      { api: "chat" }
    ))

  it.live("what the first has begun in the background is cancelled there, and the second begins its own", () =>
    pair(
      [FakeAzure.broken("reset", 0, FakeAzure.answer("never", { think: "20 seconds" }))],
      (o1, { east, west }) =>
        Effect.gen(function*() {
          yield* east.enqueueReads(FakeAzure.status(403), FakeAzure.status(403))
          const events = yield* Stream.runCollect(o1.stream(request))
          const last = events.at(-1)!
          assert.strictEqual(last._tag === "Finished" && last.completion.text, "from the west")
          const over = events.find((event) => event._tag === "FailedOver")
          assert.deepInclude(over, { from: `o1@${hostOf(east)}`, to: `o1@${hostOf(west)}` })
          yield* Effect.repeat(Effect.delay(east.responses, "2 millis"), { until: ([response]) => response!.cancelled })
          assert.deepStrictEqual((yield* west.requests).map(({ operation }) => operation), ["responses"])
        }),
      { api: "responses" }
    ))
})
