import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type OddServer, oddServer } from "../support/odd-server.ts"
import { against, find, statuses, verify } from "../support/verifying.ts"

describe("management", () => {
  const properties = {
    model: { format: "OpenAI", name: "o3-mini", version: "2025-01-31" },
    provisioningState: "Succeeded",
    rateLimits: [{ key: "request", renewalPeriod: 10, count: 2 }, { key: "token", renewalPeriod: 60, count: 20_000 }],
    capabilities: { chatCompletion: "true", responses: "true" },
    versionUpgradeOption: "OnceCurrentVersionExpired",
    spilloverDeploymentName: "o3-mini-spare"
  }
  const models = (page: string | null) => ({
    value: page === null
      ? [{ format: "OpenAI", name: "o1", version: "2024-12-17" }]
      : [{ ...properties.model, lifecycleStatus: "Deprecating", deprecation: { inference: "2100-01-01T00:00:00Z" } }]
  })
  const plane = (overrides: { readonly deployment?: unknown } = {}) =>
    Effect.gen(function*() {
      const server: OddServer = yield* oddServer(({ path }) => {
        const url = new URL(path, "http://plane")
        const page = url.searchParams.get("page")
        return {
          status: 200,
          body: url.pathname.endsWith("/models")
            ? { ...models(page), ...page === null ? { nextLink: `${server.url}${path}&page=2` } : {} }
            : overrides.deployment ?? { sku: { name: "Standard", capacity: 20 }, properties }
        }
      })
      return server
    })
  const account = { subscription: "sub", resourceGroup: "my group", account: "acc" }

  it.live("tells what the API does not", () =>
    against({}, (config) =>
      Effect.gen(function*() {
        const server = yield* plane()
        const token = Redacted.make("THETOKEN")
        const report = yield* verify(config, { management: { ...account, token, endpoint: server.url } })
        assert.isTrue(report.ok)
        assert.deepInclude(statuses(report), {
          model: "pass",
          retirement: "pass",
          limits: "pass",
          management: "pass",
          provisioning: "pass",
          lifecycle: "warn",
          capabilities: "pass",
          upgrade: "pass",
          spillover: "pass"
        })
        assert.deepInclude(find(report, "limits").details, { requestsPerMinute: 12, tokensPerMinute: 20_000 })
        assert.deepInclude(find(report, "retirement").details, { date: "2100-01-01", source: "management" })
        assert.deepInclude(find(report, "provisioning").details, { sku: "Standard", capacity: 20 })
        const root = "/subscriptions/sub/resourceGroups/my%20group/providers/Microsoft.CognitiveServices/accounts/acc"
        assert.sameMembers(server.requests.map(({ path }) => path), [
          `${root}/deployments/o1?api-version=2024-10-01`,
          `${root}/models?api-version=2024-10-01`,
          `${root}/models?api-version=2024-10-01&page=2`
        ])
        assert.isTrue(server.requests.every(({ headers }) => headers.authorization === "Bearer THETOKEN"))
      })).pipe(Effect.scoped))

  it.live("the next page of a list is not fetched from elsewhere", () =>
    against({}, (config) =>
      Effect.gen(function*() {
        const elsewhere = yield* oddServer(() => ({ status: 200, body: { value: [] } }))
        const server = yield* oddServer(() => ({
          status: 200,
          body: { value: [], nextLink: `${elsewhere.url}/models` }
        }))
        const credential = { getToken: () => Promise.resolve({ token: "THETOKEN", expiresOnTimestamp: Infinity }) }
        yield* verify(config, { management: { ...account, credential, endpoint: server.url } })
        assert.lengthOf(elsewhere.requests, 0)
      })).pipe(Effect.scoped))

  it.live("what it does not tell is a warning, and does not keep from starting", () =>
    against({}, (config) =>
      Effect.gen(function*() {
        const status = (status: number) =>
          Effect.gen(function*() {
            const server = yield* oddServer(() => ({ status, body: { error: { code: "x", message: "no" } } }))
            const token = Redacted.make("THETOKEN")
            const report = yield* verify(config, { management: { ...account, token, endpoint: server.url } })
            assert.isTrue(report.ok)
            return find(report, "management")
          })
        assert.deepInclude(yield* status(401), { status: "warn" })
        assert.include((yield* status(401)).fix, "https://management.azure.com/.default")
        assert.include((yield* status(403)).fix, "Reader")
        assert.include((yield* status(404)).fix, "resourceGroup")
        assert.include((yield* status(500)).fix, "later")
        const page = yield* oddServer(() => ({ status: 200, body: "<html>" }))
        const token = Redacted.make("THETOKEN")
        const paged = yield* verify(config, { management: { ...account, token, endpoint: page.url } })
        assert.deepInclude(find(paged, "management"), {
          status: "warn",
          message: "The management plane did not tell of the deployment."
        })
        const none = yield* verify(config, { management: account })
        assert.strictEqual(find(none, "management").message, "management has no credential and no token.")
        const plain = { ...account, token, endpoint: "http://example.com" }
        assert.include(
          find(yield* verify(config, { management: plain }), "management").message,
          "management.endpoint must be an https:// URL"
        )
      })).pipe(Effect.scoped))

  it.live("a deployment that failed", () =>
    against({}, (config) =>
      Effect.gen(function*() {
        const server = yield* plane({ deployment: { properties: { ...properties, provisioningState: "Failed" } } })
        const token = Redacted.make("THETOKEN")
        const report = yield* verify(config, { management: { ...account, token, endpoint: server.url } })
        assert.isFalse(report.ok)
        assert.deepInclude(statuses(report), { provisioning: "fail" })
      })).pipe(Effect.scoped))
})
