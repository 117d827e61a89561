// Pools of deployments on servers of their own, over real sockets.
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { AzureO1 } from "../../src/AzureO1.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import type { CallOptions } from "../../src/O1Client.ts"
import type { ResumeToken } from "../../src/O1Completion.ts"
import { O1Error } from "../../src/O1Error.ts"
import { Message, user } from "../../src/O1Request.ts"
import { AzureO1Pool, type PoolMember, type PoolSettings } from "../../src/pool/index.ts"
import { FakeAzure, type FakeAzureOptions } from "../../src/testing/index.ts"
import { patient } from "../support/azure.ts"
import { request } from "../support/harness.ts"

type Server = FakeAzure["Service"]

/** A deployment by this name that answers with it. */
const server = (deployment: string, options: FakeAzureOptions = {}) =>
  Effect.map(
    Layer.build(FakeAzure.layer({ deployment, reply: () => FakeAzure.answer(deployment), ...options })),
    Context.get(FakeAzure)
  )

const made = (members: readonly [PoolMember, ...Array<PoolMember>], settings: PoolSettings = {}) =>
  AzureO1Pool.make(members, { ...patient, ...settings })

const faces = {
  complete: (o1: AzureO1["Service"], options?: CallOptions) =>
    Effect.map(o1.complete(request, options), ({ text }) => text),
  tokens: (o1: AzureO1["Service"], options?: CallOptions) =>
    Effect.map(Stream.runCollect(o1.tokens(request, options)), (texts) => texts.join(""))
}

const { complete, tokens } = faces

const asked = (...servers: ReadonlyArray<Server>) =>
  Effect.forEach(
    servers,
    ({ requests }) =>
      Effect.map(requests, (all) =>
        all.filter(({ operation }) => operation === "chat" || operation === "responses").length)
  )

const until = <A>(effect: Effect.Effect<A>, holds: (value: A) => boolean) =>
  Effect.repeat(Effect.delay(effect, "2 millis"), { until: holds })

const isIdle = (o1: AzureO1Pool["Service"]) =>
  Effect.map(o1.state, (members) => members.every(({ inFlight }) => inFlight === 0))

/** o1 as it is: no stream, so that the service makes the answer in the background. */
const inBackground = (config: PoolMember): PoolMember => ({
  ...config,
  profile: ModelProfile.o1,
  api: "responses",
  pollInterval: "5 millis"
} as PoolMember)

const live = <A, E, R>(name: string, test: Effect.Effect<A, E, R>) =>
  it.live(
    name,
    () => Effect.scoped(test).pipe(Effect.provide(AzureO1Node.layerHttpClient)) as Effect.Effect<A, E>,
    20_000
  )

describe("a pool over real sockets", () => {
  live(
    "20 calls at once survive two dead deployments of three",
    Effect.gen(function*() {
      const [east, west, north] = [
        yield* server("east", { reply: () => FakeAzure.broken("reset", "nothing") }),
        yield* server("west", { reply: () => FakeAzure.status(503) }),
        yield* server("north")
      ]
      const o1 = yield* made([east.config, west.config, north.config])
      const answers = yield* Effect.all(Array.from({ length: 20 }, () => complete(o1)), { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(answers), new Set(["north"]))
      // once they are known to be dead, nobody asks them
      const before = yield* asked(east, west)
      yield* Effect.replicateEffect(tokens(o1), 20)
      const [first = 0, second = 0] = yield* asked(east, west)
      assert.isBelow(first + second - before[0]! - before[1]!, 15)
      assert.isTrue(yield* isIdle(o1))
    })
  )

  describe("hedging", () => {
    const slow = { reply: () => FakeAzure.answer("east", { think: "20 seconds" }) }
    for (const face of ["complete", "tokens"] as const) {
      live(
        `${face}: the first thinks for long, the second answers, and the first response is cancelled on its server`,
        Effect.gen(function*() {
          const [east, west] = [yield* server("east", slow), yield* server("west")]
          const o1 = yield* made(AzureO1Pool.inOrder([inBackground(east.config), inBackground(west.config)]), {
            hedge: { delay: "100 millis" }
          })
          assert.strictEqual(yield* faces[face](o1), "west")
          yield* until(east.responses, ([response]) => response!.cancelled)
          assert.deepStrictEqual(yield* asked(east, west), [1, 1])
          assert.deepStrictEqual((yield* west.responses).map(({ cancelled }) => cancelled), [false])
          yield* until(isIdle(o1), (idle) => idle)
        })
      )

      live(
        `${face}: the first answers after all, and the second response is cancelled on its server`,
        Effect.gen(function*() {
          const [east, west] = [
            yield* server("east", { reply: () => FakeAzure.answer("east", { think: "400 millis" }) }),
            yield* server("west", slow)
          ]
          const o1 = yield* made(AzureO1Pool.inOrder([inBackground(east.config), inBackground(west.config)]), {
            hedge: { delay: "50 millis" }
          })
          assert.strictEqual(yield* faces[face](o1), "east")
          yield* until(west.responses, ([response]) => response!.cancelled)
          assert.deepStrictEqual((yield* east.responses).map(({ cancelled }) => cancelled), [false])
        })
      )

      live(
        `${face}: a caller that leaves cancels both`,
        Effect.gen(function*() {
          const [east, west] = [yield* server("east", slow), yield* server("west", slow)]
          const o1 = yield* made([inBackground(east.config), inBackground(west.config)], {
            hedge: { delay: "50 millis" }
          })
          const call = yield* Effect.forkChild(faces[face](o1), { startImmediately: true })
          for (const { responses } of [east, west]) yield* until(responses, ({ length }) => length === 1)
          yield* Fiber.interrupt(call)
          for (const { responses } of [east, west]) yield* until(responses, ([response]) => response!.cancelled)
          assert.isTrue(yield* isIdle(o1))
        })
      )
    }

    live(
      "a stream that loses is closed on the wire",
      Effect.gen(function*() {
        const [east, west] = [yield* server("east", slow), yield* server("west")]
        const chat = ({ config }: Server) => ({ ...config, api: "chat" as const })
        const o1 = yield* made(AzureO1Pool.inOrder([chat(east), chat(west)]), { hedge: { delay: "100 millis" } })
        assert.strictEqual(yield* tokens(o1), "west")
        yield* until(east.requests, ([first]) => first!.abandoned())
      })
    )

    live(
      "an answer that streams is not hedged, however long it takes, with complete neither",
      Effect.gen(function*() {
        const words = Array.from({ length: 30 }, (_, i) => `${i} `)
        const [east, west] = [
          yield* server("east", { reply: () => FakeAzure.answer(words, { every: "20 millis" }) }),
          yield* server("west")
        ]
        const o1 = yield* made(AzureO1Pool.inOrder([east.config, west.config]), { hedge: { delay: "200 millis" } })
        assert.strictEqual(yield* complete(o1), words.join(""))
        assert.strictEqual(yield* tokens(o1), words.join(""))
        assert.deepStrictEqual(yield* asked(east, west), [2, 0])
      })
    )
  })

  live(
    "spillover: what the provisioned deployment has no room for goes to the other one at once, and comes back",
    Effect.gen(function*() {
      const [reserved, paid] = [
        yield* server("reserved", {
          script: [FakeAzure.answer("reserved"), FakeAzure.status(429, { retryAfter: "500 millis" })]
        }),
        yield* server("paid")
      ]
      const o1 = yield* made([paid.config, { ...reserved.config, kind: "provisioned" }])
      assert.deepStrictEqual(yield* Effect.replicateEffect(complete(o1), 2), ["reserved", "paid"])
      const ago = Effect.delay(complete(o1), "50 millis")
      yield* Effect.repeat(ago, { until: (text) => text === "reserved" })
      // nobody has asked it before its pause was over
      const [ofReserved, ofPaid = 0] = yield* asked(reserved, paid)
      assert.strictEqual(ofReserved, 3)
      assert.isAbove(ofPaid, 1)
    })
  )

  live(
    "a conversation stays with the host that knows its reasoning, as long as that may be asked",
    Effect.gen(function*() {
      const servers = [yield* server("one"), yield* server("two"), yield* server("three")]
      const members = servers.map(({ config }) => ({ ...config, api: "responses" as const }))
      const o1 = yield* made(members as [PoolMember, ...Array<PoolMember>])
      for (let conversation = 0; conversation < 2; conversation++) {
        const messages: Array<Message> = [user("hello")]
        const homes: Array<string> = []
        for (let turn = 0; turn < 6; turn++) {
          const answer = yield* o1.complete({ messages })
          homes.push(answer.text)
          messages.push(Message.fromCompletion(answer), user("and then?"))
        }
        assert.deepStrictEqual(new Set(homes), new Set([homes[0]]))
        const home = servers.find(({ config }) => config.deployment === homes[0])!
        yield* home.enqueue(FakeAzure.status(429, { retryAfter: "20 seconds" }))
        const { text } = yield* o1.complete({ messages })
        assert.notStrictEqual(text, homes[0])
      }
    })
  )

  describe("another set of members", () => {
    live(
      "a call that is under way finishes where it is, the next one goes elsewhere",
      Effect.gen(function*() {
        const [east, west] = [
          yield* server("east", { reply: () => FakeAzure.answer(["ea", "st"], { every: "200 millis" }) }),
          yield* server("west")
        ]
        const o1 = yield* made([east.config])
        const begun = yield* Deferred.make<void>()
        const call = yield* Effect.forkChild(
          Stream.runCollect(Stream.tap(o1.tokens(request), () => Deferred.succeed(begun, undefined))),
          { startImmediately: true }
        )
        yield* Deferred.await(begun)
        yield* o1.update([west.config])
        assert.strictEqual(yield* complete(o1), "west")
        assert.deepStrictEqual(yield* Fiber.join(call), ["ea", "st"])
      })
    )

    live(
      "a key that was rotated counts at once",
      Effect.gen(function*() {
        const east = yield* server("east", { apiKey: "new" })
        const o1 = yield* made([{ ...east.config, apiKey: Redacted.make("old") }])
        const error = yield* Effect.flip(complete(o1))
        assert.strictEqual(O1Error.label(error), "O1AuthError/unauthorized")
        yield* o1.update([{ ...east.config, apiKey: Redacted.make("new") }])
        assert.strictEqual(yield* complete(o1), "east")
      })
    )
  })

  describe("a response that one of them keeps", () => {
    /** Begins an answer and leaves it. */
    const left = Effect.fnUntraced(function*(o1: AzureO1["Service"]) {
      const accepted = yield* Deferred.make<ResumeToken>()
      const call = yield* Effect.forkChild(
        Stream.runForEach(
          o1.stream(request, { onLeave: "keep" }),
          (event) => event._tag === "Accepted" ? Deferred.succeed(accepted, event.resume) : Effect.void
        ),
        { startImmediately: true }
      )
      const token = yield* Deferred.await(accepted)
      yield* Fiber.interrupt(call)
      return token
    })

    const read = (o1: AzureO1["Service"], token: ResumeToken) =>
      Effect.map(Stream.runCollect(o1.resume(token)), (events) => {
        const last = events.at(-1)
        return last?._tag === "Finished" ? last.completion.text : undefined
      })

    const thinking = { reply: () => FakeAzure.answer("kept", { think: "300 millis" }) }

    live(
      "is read where it was made, also if three members have its deployment, and by another pool",
      Effect.gen(function*() {
        const servers = [yield* server("o1", thinking), yield* server("o1", thinking), yield* server("o1", thinking)]
        const members = servers.map(({ config }) => inBackground(config)) as [PoolMember, ...Array<PoolMember>]
        const token = yield* left(yield* made(members))
        assert.strictEqual(yield* read(yield* made(members), token), "kept")
        const kept = (yield* Effect.forEach(servers, ({ responses }) => responses)).flat()
        assert.deepStrictEqual(kept.map(({ cancelled, status }) => [status, cancelled]), [["completed", false]])
      })
    )

    live(
      "cannot be read without its member, and the error says so at once",
      Effect.gen(function*() {
        const [east, west] = [yield* server("east", thinking), yield* server("west", thinking)]
        const o1 = yield* made(AzureO1Pool.inOrder([inBackground(east.config), inBackground(west.config)]))
        const token = yield* left(o1)
        yield* o1.update([inBackground(west.config)])
        const [elapsed, error] = yield* Effect.timed(Effect.flip(read(o1, token)))
        assert.deepInclude(error, { _tag: "O1RequestError", kind: "response-not-found", deployment: "east" })
        assert.include(error.message, "removed from the pool")
        assert.isBelow(Duration.toMillis(elapsed), 5000)
        assert.deepStrictEqual((yield* west.requests).length, 0)
        yield* o1.update([inBackground(east.config), inBackground(west.config)])
        assert.strictEqual(yield* read(o1, token), "kept")
      })
    )
  })
})
