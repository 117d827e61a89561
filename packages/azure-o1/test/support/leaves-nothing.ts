// Interrupts a call at the moment that the argument names, and then has nothing more to do: the process must end by itself,
// with the layer of the HTTP client still open. The server is a process of its own, so that its sockets are not in the way.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { fork } from "node:child_process"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as AzureO1Node from "../../src/node.ts"
import { FakeAzure } from "../../src/testing/index.ts"
import { request } from "./harness.ts"

const scripts = {
  headers: [FakeAzure.stall],
  stream: [FakeAzure.broken("stall", 2)],
  backoff: [FakeAzure.status(429, { retryAfter: "60 seconds" })],
  answered: [FakeAzure.answer("hello")]
}
const moment = process.argv[2] as keyof typeof scripts

const serve = async (): Promise<void> => {
  const server = ManagedRuntime.make(FakeAzure.layer({ script: scripts[moment] }))
  process.on("disconnect", () => process.exit())
  process.send!(await server.runPromise(Effect.map(FakeAzure, ({ url }) => url)))
}

const call = (endpoint: string): Promise<void> => {
  const client = AzureO1.make({ endpoint, apiKey: Redacted.make("fake-key"), deployment: "o1" })
  const runtime = ManagedRuntime.make(Layer.provide(Layer.effect(AzureO1, client), AzureO1Node.layerHttpClient))
  return runtime.runPromise(Effect.gen(function*() {
    const o1 = yield* AzureO1
    if (moment === "answered") return void (yield* o1.complete(request))
    const fiber = yield* Effect.forkChild(Stream.runDrain(o1.stream(request)), { startImmediately: true })
    yield* Effect.sleep("500 millis")
    yield* Fiber.interrupt(fiber)
  }))
}

if (process.argv[3] === "serve") {
  void serve()
} else {
  process.exitCode = 1
  const server = fork(import.meta.filename, [moment, "serve"])
  server.once("message", (url: string) => {
    server.unref()
    server.channel!.unref()
    void call(url).then(() => {
      process.exitCode = 0
    })
  })
}
