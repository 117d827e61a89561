/**
 * The client for programs without Effect. It is apart from `AzureO1`, so that programs with Effect do not carry it.
 *
 * @since 0.1.0
 */
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import { AzureO1 } from "./AzureO1.ts"
import { type AzureO1Config, validate } from "./AzureO1Config.ts"
import { promised } from "./client/promised.ts"
import type { O1Promise } from "./O1Promise.ts"

/**
 * The client for programs without Effect, of a configuration or of a layer. With a configuration it runs on `fetch`, which
 * on Node gives up after 300 seconds without a byte: take `AzureO1Node.promise` there. The client lives until `close`.
 * Throws if the configuration is bad.
 *
 * **Example** (A call and a stream)
 *
 * ```ts import.meta.vitest
 * import { AzureO1Promise, user } from "@effect-resilience/azure-o1"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 *
 * const test = AzureO1Test.layer([AzureO1Test.answer("42"), AzureO1Test.tokens(["forty", "-two"])])
 * const o1 = AzureO1Promise.make(test)
 * const { text } = await o1.complete({ messages: [user("What is 6 x 7?")] }, { signal: AbortSignal.timeout(60_000) })
 * const words: Array<string> = []
 * for await (const token of o1.tokens({ messages: [user("And in words?")] })) words.push(token)
 * await o1.close()
 *
 * const said = [text, ...words] // => ["42", "forty", "-two"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (client: AzureO1Config | Layer.Layer<AzureO1, unknown>): O1Promise =>
  promised(
    "endpoint" in client
      ? Layer.provide(AzureO1.layer(validate(client)), FetchHttpClient.layer)
      : client,
    AzureO1
  )
