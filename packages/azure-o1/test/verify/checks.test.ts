import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import * as Result from "effect/Result"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import { O1ConnectionError } from "../../src/O1Error.ts"
import * as Verify from "../../src/Verify.ts"
import * as answers from "../../src/verify/answers.ts"
import * as configuration from "../../src/verify/configuration.ts"
import * as managed from "../../src/verify/managed.ts"
import type { Probe } from "../../src/verify/probe.ts"
import { notLooked, reach } from "../../src/verify/reach.ts"
import { completed, config, failedWith, got, withToken } from "../support/probes.ts"

describe("configuration", () => {
  const versions: ReadonlyArray<readonly [string | undefined, ModelProfile.ModelProfile, string]> = [
    [undefined, ModelProfile.o1, "pass"],
    ["2024-10-21", ModelProfile.o1, "warn"],
    ["2024-10-21", ModelProfile.o1Mini, "pass"],
    ["2024-12-01-preview", ModelProfile.o1, "pass"],
    ["2025-04-01-preview", ModelProfile.o3, "pass"],
    ["2026-04-01-preview", ModelProfile.o3, "warn"]
  ]
  it("the API version is new enough for the model", () => {
    for (const [apiVersion, profile, expected] of versions) {
      const [finding] = configuration.advice({ ...config, apiVersion, profile })
      assert.strictEqual(finding!.status, expected, `${apiVersion} with ${profile.name}`)
    }
  })

  const endpoints: ReadonlyArray<readonly [string, string, string, Partial<AzureO1Config>?]> = [
    ["https://x.openai.azure.com", "pass", "resource"],
    ["https://x.openai.azure.com/openai/v1/", "pass", "resource"],
    ["https://x.openai.azure.com/openai/deployments/o1/chat/completions", "pass", "resource"],
    ["https://x.openai.azure.com/openai/deployments/o1/embeddings", "warn", "resource"],
    ["https://x.openai.azure.com/openai/deployments/other/chat/completions", "warn", "resource"],
    ["https://x.cognitiveservices.azure.com", "pass", "resource"],
    ["https://x.services.ai.azure.com", "pass", "resource"],
    ["https://x.services.ai.azure.com/models", "warn", "resource"],
    ["https://x.services.ai.azure.com/api/projects/p", "pass", "resource"],
    ["https://x.services.ai.azure.com/api/projects/p", "warn", "resource", { apiVersion: "2024-12-01-preview" }],
    ["https://x.openai.azure.us", "pass", "resource"],
    ["https://x.openai.azure.us", "warn", "resource", withToken],
    ["https://x.openai.azure.us", "pass", "resource", { ...withToken, cloud: "us-government" }],
    ["https://x.azure-api.net/o1", "pass", "gateway"],
    ["https://gateway.example.com", "pass", "gateway"],
    ["https://openai.azure.com.example.com", "pass", "gateway"],
    ["http://127.0.0.1:1234", "pass", "loopback"],
    ["https://ai.azure.com/resource/deployments", "warn", "portal"],
    ["https://oai.azure.com", "warn", "portal"],
    ["https://portal.azure.com", "warn", "portal"],
    ["https://eastus.api.cognitive.microsoft.com", "warn", "regional"],
    ["https://api.openai.com", "warn", "openai"],
    ["https://api.openai.com/v1", "pass", "openai"]
  ]
  it("the endpoint is of a kind that is known", () => {
    for (const [endpoint, expected, kind, rest] of endpoints) {
      const { details, status } = configuration.endpoint({ ...config, ...rest, endpoint })
      assert.deepStrictEqual([status, details["kind"]], [expected, kind], endpoint)
    }
  })
})

describe("below HTTP", () => {
  const now = Date.parse("2026-06-01")
  const certificate: Verify.Certificate = {
    validTo: Date.parse("2026-12-01"),
    subject: "s",
    issuer: "i",
    protocol: "TLSv1.3"
  }
  const failure = Result.fail(new Verify.NetworkFailure({ code: "ENOTFOUND", detail: "no" }))
  const steps = { dns: Result.succeed(["10.0.0.1"]), tcp: Result.succeed(undefined), tls: Result.succeed(certificate) }
  const expiring = (validTo: string) => ({
    ...steps,
    tls: Result.succeed({ ...certificate, validTo: Date.parse(validTo) })
  })
  const refused = failedWith(new O1ConnectionError({ kind: "refused", code: "ECONNREFUSED" }))
  const table: ReadonlyArray<readonly [string, Parameters<typeof reach>[1], Probe | undefined, string]> = [
    ["nobody looked", notLooked, undefined, "skipped skipped skipped"],
    ["nobody looked, but the client met it", notLooked, refused, "skipped fail skipped"],
    ["all is well", steps, undefined, "pass pass pass"],
    ["the client counts more", steps, refused, "pass fail pass"],
    ["an unknown name", { ...notLooked, dns: failure }, undefined, "fail skipped skipped"],
    ["a proxy, which the client goes through", { ...notLooked, dns: failure }, got(400, {}), "warn skipped skipped"],
    ["a certificate that ends soon", expiring("2026-06-10"), undefined, "pass pass warn"],
    ["a certificate that has ended", expiring("2026-05-01"), undefined, "pass pass fail"],
    ["a certificate without a day", expiring("never"), undefined, "pass pass pass"]
  ]
  for (const [name, steps, probe, expected] of table) {
    it(name, () => {
      assert.strictEqual(reach(config.endpoint, steps, probe, now).map(({ status }) => status).join(" "), expected)
    })
  }
})

describe("answers", () => {
  it("the model is the one of the profile", () => {
    const table: ReadonlyArray<readonly [ModelProfile.ModelProfile, string | undefined, string]> = [
      [ModelProfile.o1, undefined, "skipped"],
      [ModelProfile.o1, "o1-2024-12-17", "pass"],
      [ModelProfile.o1, "gpt-5.1-2025-11-13", "warn"],
      [ModelProfile.o1, "something", "warn"],
      [ModelProfile.custom("anything"), "something", "pass"]
    ]
    for (const [profile, served, expected] of table) {
      assert.strictEqual(answers.model({ ...config, profile }, served, "answer").status, expected, String(served))
    }
    assert.strictEqual(answers.servedModel(completed()), "o1-2024-12-17")
    assert.strictEqual(answers.servedModel(got(400, {}, { headers: { "x-ms-served-model": "o3" } })), "o3")
    assert.isUndefined(answers.servedModel(completed({ model: "" })))
  })

  describe("retirement", () => {
    const of = (
      day: string,
      rest: {
        readonly served?: string
        readonly planned?: string
        readonly answers?: boolean
        readonly profile?: ModelProfile.ModelProfile
      } = {}
    ) => {
      const given = { ...config, profile: rest.profile ?? ModelProfile.o1 }
      const planned = rest.planned === undefined
        ? undefined
        : { model: "o1", at: Date.parse(rest.planned), replacement: undefined, source: "management" } as const
      return answers.retirement(
        rest.served ?? given.profile.name,
        answers.expectedRetirement(given, rest.served),
        planned,
        { now: Date.parse(day), warning: Duration.days(90), answers: rest.answers ?? false }
      )
    }
    const table: ReadonlyArray<readonly [name: string, ReturnType<typeof of>, status: string, message: RegExp]> = [
      ["long before", of("2026-01-01"), "pass", /not retired before 2026-10-21/],
      ["a day before the warning", of("2026-07-23"), "pass", /./],
      ["90 days before", of("2026-07-24"), "warn", /in 89 days/],
      ["the day before", of("2026-10-20"), "warn", /in 1 day\./],
      ["the day, by a page", of("2026-10-21"), "warn", /Microsoft's page of 2026-09-02.*is not known/],
      ["years after, by a page", of("2036-10-21"), "warn", /was to be retired/],
      ["the day, and it answers", of("2026-10-21", { answers: true }), "warn", /still answers/],
      ["by the management plane", of("2027-01-02", { planned: "2027-01-01" }), "fail", /was retired on 2027-01-01/],
      [
        "by the management plane, and it answers",
        of("2027-01-02", { planned: "2027-01-01", answers: true }),
        "warn",
        /any day/
      ],
      [
        "the management plane knows better",
        of("2026-12-31", { planned: "2027-01-01" }),
        "warn",
        /2027-01-01, in 1 day/
      ],
      [
        "of the model that was upgraded to",
        of("2026-11-26", { served: "gpt-5.6-sol" }),
        "pass",
        /gpt-5.6-sol.*2028-01-11/
      ],
      ["of a model that is not known", of("2026-11-26", { served: "new-1" }), "skipped", /when new-1 is/],
      ["of a successor without a day", of("2036-11-26", { served: "gpt-6" }), "skipped", /when gpt-6 is/],
      [
        "of another model of the same profile",
        of("2027-08-01", { served: "gpt-5.2-2025-12-11", profile: ModelProfile.gpt51 }),
        "skipped",
        /when gpt-5.2-2025-12-11 is/
      ],
      [
        "of a profile of one's own",
        of("2027-08-01", {
          served: "mine-2",
          profile: ModelProfile.custom("mine", {
            retirement: { date: "2027-07-01", replacement: undefined, told: "2027-01-01" }
          })
        }),
        "warn",
        /^mine was to be retired on 2027-07-01/
      ]
    ]
    for (const [name, finding, status, message] of table) {
      it(name, () => {
        assert.strictEqual(finding.status, status)
        assert.match(finding.message, message)
      })
    }

    it("says what to deploy", () => {
      assert.strictEqual(
        of("2026-12-31", { planned: "2027-01-01" }).fix,
        "Deploy gpt-5.6-sol, and set profile for it."
      )
    })
  })

  it("streaming: by the profile, and by an answer", () => {
    const stream = completed({}, { "content-type": "text/event-stream; charset=utf-8" })
    const table: ReadonlyArray<readonly [ModelProfile.ModelProfile, Probe | undefined, string, RegExp]> = [
      [ModelProfile.o1Mini, undefined, "pass", /does not stream on Azure/],
      [ModelProfile.o1, undefined, "pass", /^o1 does not stream on Azure/],
      [ModelProfile.o3, undefined, "pass", /o1 on Azure does not/],
      [ModelProfile.o3Mini, undefined, "pass", /^o3-mini streams\.$/],
      [ModelProfile.o3, completed(), "pass", /^It does not stream/],
      [ModelProfile.o3Mini, completed(), "warn", /this deployment does not/],
      [ModelProfile.o3Mini, stream, "pass", /came as a stream/]
    ]
    for (const [profile, probe, expected, message] of table) {
      const finding = answers.streaming({ ...config, profile }, probe)
      assert.strictEqual(finding.status, expected)
      assert.match(finding.message, message)
    }
  })

  it("usage", () => {
    assert.strictEqual(answers.usage(undefined).status, "skipped")
    assert.strictEqual(answers.usage(completed({ usage: undefined })).status, "warn")
    assert.deepInclude(answers.usage(completed()), {
      status: "pass",
      message: "The answer cost 9 tokens of input and 70 of output."
    })
  })

  it("limits: told, configured, too small, unknown", () => {
    const told = (requests: string, tokens: string) =>
      answers.toldLimits(got(400, {}, {
        headers: { "x-ratelimit-limit-requests": requests, "x-ratelimit-limit-tokens": tokens }
      }))
    assert.deepStrictEqual(told("10", "6000"), { requests: 10, tokens: 6000 })
    for (const unknown of ["-1", "0", "", "many"]) assert.deepStrictEqual(told(unknown, unknown), {})
    assert.deepStrictEqual(answers.toldLimits(undefined), {})

    const of = (...parameters: Parameters<typeof answers.limits>) =>
      answers.limits(...parameters).map(({ status }) => status)
    assert.deepStrictEqual(of({}, {}, { maxCompletionTokens: 1 }), ["skipped"])
    assert.deepStrictEqual(of({ tokens: 6000 }, {}, { promptTokens: 1000, maxCompletionTokens: 5000 }), ["pass"])
    assert.deepStrictEqual(of({ tokens: 6000 }, {}, { promptTokens: 1001, maxCompletionTokens: 5000 }), ["warn"])
    assert.deepStrictEqual(of({}, { tokens: 6000 }, { maxCompletionTokens: 100_000 }), ["warn"])
    assert.deepStrictEqual(of({ requests: 5 }, { requests: 10 }, undefined), ["warn"])
    assert.deepStrictEqual(of({ tokens: 1000 }, { tokens: 6000 }, { maxCompletionTokens: 2000 }), ["warn", "warn"])
    assert.deepStrictEqual(of({ requests: 10, tokens: 6000 }, { requests: 10, tokens: 6000 }, undefined), ["pass"])
  })

  it("the clock: the header has seconds, and was on its way", () => {
    const noon = Date.parse("2026-06-01T12:00:00Z")
    const of = (sent: number, received: number, date: string, config: AzureO1Config, admitted = false) =>
      answers.clock(config, {
        ...got(400, {}),
        answers: [{
          status: 400,
          headers: Headers.fromInput({ date }),
          sentAt: noon + sent,
          receivedAt: noon + received
        }]
      }, admitted)
    const date = new Date(noon).toUTCString()
    const table: ReadonlyArray<readonly [number, number, Verify.Status, Verify.Status, number]> = [
      [0, 0, "pass", "pass", 0],
      [900, 950, "pass", "pass", 0],
      [-30_000, 30_000, "pass", "pass", 0],
      [-61_000, -60_000, "pass", "pass", 60],
      [-62_000, -61_000, "warn", "warn", 61],
      [61_000, 62_000, "pass", "pass", -60],
      [62_000, 62_000, "warn", "warn", -61],
      [-302_000, -301_000, "warn", "fail", 301],
      [302_000, 303_000, "warn", "fail", -301]
    ]
    for (const [sent, received, key, token, skew] of table) {
      assert.deepInclude(of(sent, received, date, config), { status: key, details: { skewSeconds: skew } }, `${sent}`)
      assert.strictEqual(of(sent, received, date, withToken).status, token)
    }
    assert.strictEqual(of(0, 0, "yesterday", config).status, "skipped")
    assert.strictEqual(answers.clock(config, undefined, false).status, "skipped")
    // a token that was taken just now is good
    assert.strictEqual(of(302_000, 303_000, date, withToken, true).status, "warn")
  })
})

describe("management", () => {
  const model = { format: "OpenAI", name: "o1", version: "2024-12-17" }
  const findings = (properties: object, entry: object = {}) =>
    managed.findings({
      deployment: Result.succeed({ properties: { model, ...properties } }),
      models: Result.succeed([{ ...model, ...entry }])
    }, config)
  const status = (check: string, properties: object, entry?: object) =>
    findings(properties, entry).find((finding) => finding.check === check)!.status

  it("each of its fields", () => {
    const table: ReadonlyArray<readonly [string, object, object, string]> = [
      ["provisioning", { provisioningState: "Succeeded" }, {}, "pass"],
      ["provisioning", { provisioningState: "Creating" }, {}, "warn"],
      ["provisioning", { provisioningState: "Failed" }, {}, "fail"],
      ["provisioning", { provisioningState: "Disabled" }, {}, "fail"],
      ["provisioning", {}, {}, "skipped"],
      ["lifecycle", {}, { lifecycleStatus: "GenerallyAvailable" }, "pass"],
      ["lifecycle", {}, { lifecycleStatus: "Preview" }, "warn"],
      ["lifecycle", {}, { lifecycleStatus: "Deprecating" }, "warn"],
      ["lifecycle", {}, {}, "skipped"],
      ["lifecycle", {}, { version: "another", lifecycleStatus: "Preview" }, "skipped"],
      ["capabilities", { capabilities: { chatCompletion: "true" } }, {}, "pass"],
      ["capabilities", { capabilities: { chatCompletion: "false" } }, {}, "warn"],
      ["capabilities", { capabilities: { maxContextToken: "200000" } }, {}, "pass"],
      ["capabilities", {}, {}, "skipped"],
      ["upgrade", { versionUpgradeOption: "NoAutoUpgrade" }, {}, "pass"],
      ["upgrade", {}, {}, "skipped"],
      ["spillover", { spilloverDeploymentName: "spare" }, {}, "pass"],
      ["spillover", {}, {}, "pass"]
    ]
    for (const [check, properties, entry, expected] of table) {
      assert.strictEqual(
        status(check, properties, entry),
        expected,
        `${check} ${JSON.stringify({ properties, entry })}`
      )
    }
  })

  it("reads what came, in whatever form", () => {
    assert.strictEqual(managed.deployedModel({ properties: { model } }), "o1-2024-12-17")
    assert.isUndefined(managed.deployedModel(undefined))
    assert.deepStrictEqual(
      managed.configuredLimits({
        properties: { rateLimits: [{ key: "request", renewalPeriod: 0, count: 1 }, null, "x"] }
      }),
      { requests: undefined, tokens: undefined }
    )
    assert.isUndefined(
      managed.plannedRetirement({ properties: { model } }, [{ ...model, deprecation: { inference: "?" } }])
    )
  })
})
