import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as util from "node:util"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as AzureO1Config from "../../src/AzureO1Config.ts"
import * as AzureO1Node from "../../src/node.ts"
import type { O1Error } from "../../src/O1Error.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { O1Transport } from "../../src/O1Transport.ts"
import { FakeAzure } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"

const key = "THEVERYKEY0123456789"

/** Every way in which something gets printed. */
const printed = (u: unknown): string =>
  [
    String(u),
    (() => {
      try {
        return JSON.stringify(u)
      } catch {
        return ""
      }
    })(),
    util.inspect(u, { depth: null, showHidden: true, getters: true }),
    util.inspect(u),
    u instanceof Error ? `${u.stack} ${u.message} ${printed(u.cause)}` : ""
  ].join("\n")

describe("the key", () => {
  it.live("is in no error, log, span or anything else that the package returns", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const seen: Array<unknown> = [azure.config]
      const echo = { error: { code: "401", message: `Incorrect API key provided: ${key}.` } }
      yield* azure.enqueue(
        ...[400, 401, 403, 404, 429, 500].flatMap((
          status
        ) => [FakeAzure.status(status, { body: echo }), FakeAzure.status(status, { body: echo })]),
        FakeAzure.status(500, { body: `plain words with ${key}` }),
        FakeAzure.status(500, { headers: { "x-request-id": key, "x-ms-region": key } }),
        FakeAzure.status(200, { body: echo }),
        FakeAzure.broken("reset", "nothing"),
        FakeAzure.broken("reset", 2),
        FakeAzure.broken("truncate", 2),
        FakeAzure.answer("fine"),
        FakeAzure.answer("fine")
      )
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const logger = Logger.make(({ cause, message }) => void seen.push(message, cause, Cause.pretty(cause)))

      const program = Effect.gen(function*() {
        const o1 = yield* AzureO1
        const policy = yield* O1Policy
        const transport = yield* O1Transport
        seen.push(o1, policy, transport, yield* AzureO1.make(azure.config))
        const once = { retries: 0 } as const
        for (let i = 0; i < 9; i++) {
          const calls: ReadonlyArray<Effect.Effect<unknown, O1Error>> = [
            o1.complete(request, once),
            Stream.runCollect(o1.stream(request, once)),
            transport.complete(request)
          ]
          for (const call of calls) {
            const exit = yield* Effect.exit(Effect.tapCause(call, Effect.logError))
            seen.push(exit, exit._tag === "Failure" ? Cause.pretty(exit.cause) : exit.value)
            if (exit._tag === "Failure") {
              seen.push(...exit.cause.reasons.map((reason) => reason._tag === "Fail" ? reason.error : reason))
            }
          }
        }
      }).pipe(
        Effect.provide(
          AzureO1.layerServices.pipe(
            Layer.provideMerge(O1Policy.layer),
            Layer.provideMerge(O1Transport.layer(azure.config)),
            Layer.provideMerge(AzureO1Node.layerHttpClient),
            Layer.provideMerge(Logger.layer([logger]))
          )
        ),
        Effect.provideService(Tracer.Tracer, tracer),
        Effect.provideService(HttpClient.TracerHeaderFilter, () => true)
      )
      yield* program

      const provider = ConfigProvider.fromUnknown({
        AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com",
        AZURE_OPENAI_API_KEY: key,
        AZURE_OPENAI_DEPLOYMENT: "o1"
      })
      seen.push(yield* AzureO1Config.config.parse(provider))

      assert.isAbove(seen.length, 60)
      assert.isAbove(spans.length, 20)
      for (const thing of [...seen, ...spans]) {
        const text = printed(thing)
        const at = text.indexOf(key)
        if (at >= 0) assert.fail(text.slice(Math.max(0, at - 1000), at + key.length))
      }
      const [asked] = yield* azure.requests
      assert.strictEqual(asked!.headers["api-key"], key, "and yet it was sent")
      assert.strictEqual(Redacted.value(azure.config.apiKey!), key)
    }).pipe(Effect.provide([FakeAzure.layer({ apiKey: key }), AzureO1Node.layerHttpClient])))
})
