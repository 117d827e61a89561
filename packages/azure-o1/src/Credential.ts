/**
 * Entra ID instead of a key: anything of the shape of `@azure/identity`'s `TokenCredential` will do.
 *
 * The client keeps a token until it is about to expire. The first call that finds it due starts a renewal in the background,
 * and all calls go on with the old token. While there is no token, all callers wait for one question to the credential, and
 * share its answer, or its failure. Every failure here is an `O1AuthError` of kind `credential`. It says nothing of the
 * deployment, and counts neither for its circuit breaker nor for its cooldown. A token that the service refuses is renewed
 * once.
 *
 * **Example** (A client that lives with its scope)
 *
 * ```ts import.meta.vitest
 * import { type Credential, user } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { FakeAzure } from "@effect-resilience/azure-o1/testing"
 * import { Effect } from "effect"
 *
 * const program = (endpoint: string, credential: Credential.TokenCredential) =>
 *   Effect.gen(function*() {
 *     const o1 = yield* AzureO1Node.make({ endpoint, deployment: "o1", credential })
 *     const { text } = yield* o1.complete({ messages: [user("What is 6 x 7?")] })
 *     return text
 *   }).pipe(Effect.scoped)
 *
 * // with @azure/identity: new DefaultAzureCredential()
 * const credential = { getToken: () => Promise.resolve({ token: "good", expiresOnTimestamp: Infinity }) }
 * const test = Effect.flatMap(FakeAzure, ({ url }) => program(url, credential))
 * await Effect.runPromise(Effect.provide(test, FakeAzure.layer({ tokens: ["good"] }))) // => "Hello, world."
 * ```
 *
 * @since 0.1.0
 */
export type * from "./credential/model.ts"
export { sharedTokens, tokens } from "./credential/tokens.ts"

/**
 * Which of Microsoft's clouds: the scopes of tokens differ.
 *
 * @category models
 * @since 0.1.0
 */
export type Cloud = "public" | "us-government" | "china"

const domains = {
  public: { cognitive: "cognitiveservices.azure.com", ai: "ai.azure.com", management: "management.azure.com" },
  "us-government": {
    cognitive: "cognitiveservices.azure.us",
    ai: "ai.azure.us",
    management: "management.usgovcloudapi.net"
  },
  china: { cognitive: "cognitiveservices.azure.cn", ai: "ai.azure.cn", management: "management.chinacloudapi.cn" }
} as const

/**
 * The scope of a token: the dated API versions and the v1 path have audiences of their own. Documented for the public cloud;
 * for the others it follows the same pattern, and the configuration's `scope` overrides it.
 *
 * @category getters
 * @since 0.1.0
 */
export const scopeOf = (cloud: Cloud, purpose: "v1" | "dated" | "management"): string => {
  const { ai, cognitive, management } = domains[cloud]
  return `https://${purpose === "v1" ? ai : purpose === "dated" ? cognitive : management}/.default`
}
