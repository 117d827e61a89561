import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as AzureO1Promise from "../../src/AzureO1Promise.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1ConnectionError, O1DeploymentError, O1RequestError } from "../../src/O1Error.ts"
import type { O1Promise } from "../../src/O1Promise.ts"
import { AzureO1Test } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"
import { answer, silence, stream, streaming } from "../support/raw-actions.ts"
import { type Exchange, type RawServer, rawServer } from "../support/raw-server.ts"
import { chat, responses } from "../support/wire-says.ts"

/** A client without Effect of a server with this script. */
const against = (
  exchanges: ReadonlyArray<Exchange>,
  test: (o1: O1Promise, server: RawServer) => Promise<unknown>,
  config: Partial<AzureO1Config> = {},
  make: (config: AzureO1Config) => O1Promise = AzureO1Node.promise
) =>
  Effect.gen(function*() {
    const server = yield* rawServer(...exchanges)
    const o1 = make({
      endpoint: server.url,
      apiKey: Redacted.make("fake-key"),
      deployment: "o1",
      profile: ModelProfile.o4Mini,
      pollInterval: "5 millis",
      ...config
    })
    yield* Effect.promise(() => test(o1, server).finally(() => o1.close()))
  })

const until = async (condition: () => boolean): Promise<void> => {
  /* oxlint-disable no-await-in-loop -- it is asked again and again */
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}

const failure = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error("it has not failed")
}

const collected = async <A>(items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for await (const item of items) all.push(item)
  return all
}

const kept: Exchange = {
  on: "POST stream /responses$",
  does: [streaming(responses.created(), responses.delta(1, "Hel")), silence]
}
const cancelled = (server: RawServer) => until(() => server.asked().some((asked) => asked.endsWith("/cancel")))

describe("the client for programs without Effect", () => {
  for (const [name, make] of [["fetch", AzureO1Promise.make], ["undici", AzureO1Node.promise]] as const) {
    it.live(`on ${name}: answers, texts, objects, and errors that are the O1Error themselves`, () =>
      against(
        [
          { on: "stream", does: [stream(chat.whole("for", "ty"))], times: 2 },
          { on: "stream", does: [stream(chat.whole("{\"n\":42}"))] },
          { on: "stream", does: [answer(404, { error: { code: "DeploymentNotFound", message: "no" } })] }
        ],
        async (o1) => {
          assert.strictEqual((await o1.complete(request)).text, "forty")
          assert.deepStrictEqual(await collected(o1.tokens(request)), ["for", "ty"])
          const { value } = await o1.object(Schema.Struct({ n: Schema.Number }), request)
          assert.deepStrictEqual(value, { n: 42 })
          const error = await failure(o1.complete(request, { retries: 0 }))
          assert.instanceOf(error, O1DeploymentError)
          assert.instanceOf(await failure(collected(o1.stream(request))), O1DeploymentError)
        },
        {},
        make
      ))
  }

  it.live("a signal that has fired sends nothing", () =>
    against([], async (o1, server) => {
      const reason = new Error("too late")
      const signal = AbortSignal.abort(reason)
      assert.strictEqual(await failure(o1.complete(request, { signal })), reason)
      assert.strictEqual(await failure(collected(o1.stream(request, { signal }))), reason)
      assert.deepStrictEqual(server.asked(), [])
    }))

  it.live("a signal ends a call, and the service is told to stop", () =>
    against([kept], async (o1, server) => {
      const controller = new AbortController()
      const answer = failure(o1.complete(request, { signal: controller.signal }))
      await until(() => server.requests.length === 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
      controller.abort()
      assert.strictEqual(await answer, controller.signal.reason)
      await cancelled(server)
    }, { api: "responses" }))

  it.live("a signal ends a stream that nobody is reading just now", () =>
    against([kept], async (o1, server) => {
      const controller = new AbortController()
      const events = o1.tokens(request, { signal: controller.signal })[Symbol.asyncIterator]()
      assert.deepStrictEqual(await events.next(), { done: false, value: "Hel" })
      controller.abort()
      await cancelled(server)
      assert.strictEqual(await failure(events.next()), controller.signal.reason)
    }, { api: "responses" }))

  it.live("a signal ends a stream while it is waited for", () =>
    against([kept], async (o1, server) => {
      const controller = new AbortController()
      const rest = failure(collected(o1.tokens(request, { signal: controller.signal })))
      await until(() => server.requests.length === 1)
      controller.abort()
      assert.strictEqual(await rest, controller.signal.reason)
    }, { api: "responses" }))

  for (
    const [name, leave] of [
      ["break", () => true],
      ["an error of the loop's own", () => {
        throw new Error("mine")
      }]
    ] as const
  ) {
    it.live(`leaving the loop by ${name} closes the stream`, () =>
      against([kept], async (o1, server) => {
        try {
          for await (const token of o1.tokens(request)) if (token === "Hel" && leave()) break
        } catch (error) {
          assert.strictEqual((error as Error).message, "mine")
        }
        await cancelled(server)
      }, { api: "responses" }))
  }

  it.live("close ends what is under way, and what comes after it says so", () =>
    against([kept], async (o1, server) => {
      const answer = failure(o1.complete(request))
      const read = o1.tokens(request)[Symbol.asyncIterator]()
      await read.next()
      await until(() => server.requests.length === 2)
      await o1.close()
      assert.strictEqual(server.asked().filter((asked) => asked.endsWith("/cancel")).length, 2)
      for (
        const error of [
          await answer,
          await failure(read.next()),
          await failure(o1.complete(request)),
          await failure(collected(o1.tokens(request)))
        ]
      ) {
        assert.instanceOf(error, O1ConnectionError)
        assert.strictEqual(error.kind, "unusable")
      }
      await o1.close()
    }, { api: "responses" }))

  it.live("of a layer; bad options are told before anything is sent, a bad configuration at once", () =>
    Effect.promise(async () => {
      const o1 = AzureO1Promise.make(AzureO1Test.layerTransport([AzureO1Test.answer("42")]))
      assert.instanceOf(await failure(o1.complete(request, { retries: -1 })), O1RequestError)
      assert.strictEqual((await o1.complete(request)).text, "42")
      await o1.close()
      for (const make of [AzureO1Promise.make, AzureO1Node.promise]) {
        assert.throws(() => make({ endpoint: "nowhere", deployment: "o1" }), RangeError, "endpoint")
      }
    }))
})
