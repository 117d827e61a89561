import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as AzureO1Node from "../../src/node.ts"
import { FakeAzure, type Reply } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"

/** Until it is so; a test that waits in vain runs into its own limit. */
const eventually = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(Effect.andThen(Effect.sleep("2 millis"), condition), { until: (done) => done }))

const moments: ReadonlyArray<readonly [string, ReadonlyArray<Reply>, "complete" | "stream"]> = [
  ["the wait before the headers of an answer", [FakeAzure.stall], "complete"],
  ["the body of an answer", [FakeAzure.broken("stall", 1)], "complete"],
  ["the wait before the headers of a stream", [FakeAzure.stall], "stream"],
  ["the wait before the first token", [FakeAzure.broken("stall", 0)], "stream"],
  ["a stream", [FakeAzure.broken("stall", 2)], "stream"],
  ["the body of an error", [{ ...FakeAzure.status(500), fault: { kind: "stall", after: 0 } }], "complete"]
]

describe("interrupting the caller", () => {
  for (const [moment, script, face] of moments) {
    it.live(`during ${moment} closes the socket`, () =>
      Effect.gen(function*() {
        const azure = yield* FakeAzure
        const o1 = yield* AzureO1.make(azure.config)
        const call = face === "complete" ? Effect.asVoid(o1.complete(request)) : Stream.runDrain(o1.stream(request))
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        yield* eventually(Effect.map(azure.requests, ({ length }) => length === 1))
        yield* Effect.sleep("50 millis")
        assert.strictEqual(yield* azure.connections, 1)
        yield* Fiber.interrupt(fiber)
        const [asked] = yield* azure.requests
        yield* eventually(Effect.sync(() => asked!.abandoned()))
        assert.strictEqual(yield* azure.connections, 0)
      }).pipe(Effect.provide(Layer.merge(FakeAzure.layer({ script }), AzureO1Node.layerHttpClient))))
  }

  it.live("during the backoff nothing is sent any more", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const o1 = yield* AzureO1.make(azure.config)
      const fiber = yield* Effect.forkChild(o1.complete(request), { startImmediately: true })
      yield* eventually(Effect.map(azure.requests, ({ length }) => length === 1))
      yield* Effect.sleep("20 millis")
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* azure.requests).length, 1)
    }).pipe(Effect.provide(Layer.merge(
      FakeAzure.layer({ script: [FakeAzure.status(429, { retryAfter: "60 seconds" })] }),
      AzureO1Node.layerHttpClient
    ))))

  // the process has nothing else to do, and must end by itself
  for (const moment of ["headers", "stream", "backoff", "answered"]) {
    it.live(`leaves nothing that keeps the process alive: ${moment}`, () =>
      Effect.gen(function*() {
        const program = fileURLToPath(new URL("../support/leaves-nothing.ts", import.meta.url))
        const code = yield* Effect.callback<number | null>((resume) => {
          const child = spawn(process.execPath, [program, moment], { stdio: ["ignore", "ignore", "inherit"] })
          child.on("exit", (code) => resume(Effect.succeed(code)))
          return Effect.sync(() => child.kill())
        })
        assert.strictEqual(code, 0)
      }))
  }
})
