import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { AzureO1Pool } from "../../src/pool/index.ts"
import { exchangeOf } from "../support/conversations.ts"
import { request } from "../support/harness.ts"
import { rawServer } from "../support/raw-server.ts"
import { chat } from "../support/wire-says.ts"

/** The configuration of a server that says who it is. */
const saying = (text: string) =>
  Effect.map(
    rawServer(exchangeOf({
      on: "POST",
      status: 200,
      headers: { "content-type": "text/event-stream" },
      body: chat.whole(text)
    })),
    ({ url }): AzureO1Config => ({
      endpoint: url,
      apiKey: Redacted.make("fake-key"),
      deployment: "o4-mini",
      profile: ModelProfile.o4Mini
    })
  )

const ask = (o1: AzureO1["Service"]) => Effect.map(o1.complete(request), ({ text }) => text)
const asked = Effect.flatMap(AzureO1, ask)

describe("several clients of one program", () => {
  it.live("each ask their own deployment, however they are made", () =>
    Effect.scoped(Effect.gen(function*() {
      const [a, b] = yield* Effect.all([saying("a"), saying("b")])
      const program = Effect.gen(function*() {
        const made = yield* AzureO1.make(b)
        const failover = yield* AzureO1Pool.make(AzureO1Pool.inOrder([b]))
        return yield* Effect.all([
          asked,
          ask(made),
          ask(failover),
          Effect.provide(asked, AzureO1.layer(b)),
          Effect.provide(asked, AzureO1Pool.layer(AzureO1Pool.inOrder([b]))),
          Effect.flatMap(AzureO1.make(a), ask),
          asked
        ])
      })
      for (const layer of [AzureO1.layer(a), AzureO1Pool.layer(AzureO1Pool.inOrder([a]))]) {
        assert.deepStrictEqual(yield* Effect.provide(program, layer), ["a", "b", "b", "b", "b", "a", "a"])
      }
    })).pipe(Effect.provide(AzureO1Node.layerHttpClient)))
})
