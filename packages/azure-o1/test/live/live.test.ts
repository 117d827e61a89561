import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { replyTo } from "../../live/fake.ts"
import { redactor } from "../../live/redact.ts"
import { costOf, type Outcome, type Report, run } from "../../live/run.ts"
import { linesOf, verdict, words } from "../../live/say.ts"
import type { Allowed } from "../../live/target.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { FakeAzure, type FakeAzureOptions } from "../../src/testing/index.ts"
import { type Conversation, converse, told } from "../support/conversations.ts"

const apiKey = "THEVERYKEY0123456789"
const deployment = "our-secret-project"
const filterPrompt = "say \"something\" unspeakable"
const allowed: Allowed = { token: "THETOKEN0123456789", filterPrompt, burst: 3, maxTokens: 500 }

/** The service: a FakeAzure under another name. */
const at = <A>(
  options: FakeAzureOptions,
  f: (config: AzureO1Config, http: HttpClient.HttpClient, azure: FakeAzure["Service"]) => Effect.Effect<A>
): Effect.Effect<A> =>
  Effect.gen(function*() {
    const azure = yield* FakeAzure
    return yield* f({ ...azure.config, profile: ModelProfile.o4Mini }, yield* HttpClient.HttpClient, azure)
  }).pipe(Effect.provide([
    FakeAzure.layer({
      apiKey,
      deployment,
      model: "o4-mini-2025-04-16",
      readableAfter: "300 millis",
      filterMode: "default",
      tokens: [allowed.token!],
      limits: { requestsPerMinute: 100_000, tokensPerMinute: 100_000_000 },
      reply: (body) => replyTo(body, filterPrompt),
      ...options
    }),
    AzureO1Node.layerHttpClient
  ]))

const report = (options: FakeAzureOptions): Effect.Effect<Report> =>
  at(options, (config, http) => run(config, allowed, http, { source: "a test", tell: () => {} }))

const differing = ({ outcomes }: Report): ReadonlyArray<string> =>
  outcomes.filter(({ differed }) => differed.length > 0).map(({ name }) => name)

const none = (outcome: Outcome): ReadonlyArray<string> => [
  ...outcome.differed,
  ...outcome.shapes?.service ?? [],
  ...outcome.shapes?.fake ?? []
]

describe("npm run live, against FakeAzure as the service", () => {
  it.live("finds what is the same in all twelve checks, and writes what becomes a test", () =>
    Effect.gen(function*() {
      const live = yield* report({})
      assert.lengthOf(live.outcomes, 12)
      for (const outcome of live.outcomes) {
        assert.isUndefined(outcome.skipped, outcome.name)
        // how far a response has come when it is read is for the machine to say
        const shapes = none(outcome).filter((line) => !/^GET \/responses\/\{id\}( stream -> 404| -> )/.test(line))
        assert.deepStrictEqual(shapes, [], outcome.name)
        assert.isNotEmpty([...outcome.agreed, ...outcome.seen], outcome.name)
      }
      assert.strictEqual(verdict(live), "All 12 checks found at the service what FakeAzure does.")

      const text = JSON.stringify(live.transcript)
      for (const secret of [apiKey, allowed.token!, deployment, "unspeakable", "127.0.0.1"]) {
        assert.notInclude(text, secret)
        assert.notInclude(live.outcomes.flatMap(linesOf).join("\n"), secret)
      }
      assert.isAtLeast(live.transcript.recorded.length, 5)

      const cases: ReadonlyArray<Conversation> = JSON.parse(text).cases
      assert.isAtLeast(cases.length, 5)
      for (const conversation of cases) {
        for (const face of ["complete", "stream"] as const) {
          const outcome = yield* converse(conversation, face)
          const { name } = conversation
          assert.deepStrictEqual(told(outcome, conversation.expect), conversation.expect, `${name} by ${face}`)
        }
      }
    }))

  it.live("says what is otherwise", () =>
    Effect.gen(function*() {
      const live = yield* report({ streams: false, readableAfter: 0, filterMode: undefined })
      assert.includeMembers([...differing(live)], ["stream"])
      assert.match(verdict(live), /^\d+ of 12 checks found something else than FakeAzure does: /)
      const stream = live.outcomes.find(({ name }) => name === "stream")!
      assert.include(stream.differed.join(), "goes by: background; FakeAzure: stream")
      assert.include(linesOf(stream).join("\n"), "DIFF stream")
      assert.isNotEmpty(stream.shapes?.service)
      assert.isNotEmpty(stream.shapes?.fake)
    }))

  it.live("tells of a service that is not there, and of checks that cannot be made", () =>
    at({}, (config, http) =>
      Effect.gen(function*() {
        const nowhere = { ...config, deployment: "another", profile: ModelProfile.custom("x", { apis: ["chat"] }) }
        const few = { ...allowed, burst: 0 }
        const live = yield* run(nowhere, few, http, { source: "a test", tell: () => {} })
        const skipped = live.outcomes.filter(({ skipped }) => skipped !== undefined)
        assert.includeMembers(skipped.map(({ name }) => name), ["background", "cancel", "resume after a cut", "429"])
        assert.include(
          live.outcomes.flatMap(linesOf).join("\n"),
          "could be made: no, O1DeploymentError/deployment-not-found; FakeAzure: not seen"
        )
      })))

  it.live("costs no more than it says", () =>
    at({}, (config, http, azure) =>
      Effect.gen(function*() {
        const cost = costOf(allowed, { allowed, profile: ModelProfile.o4Mini })
        yield* run(config, allowed, http, { source: "a test", tell: () => {} })
        const requests = yield* azure.requests
        assert.isAtMost(requests.length, cost.requests)
        assert.isAtMost(
          requests.filter(({ operation }) => operation === "chat" || operation === "responses").length,
          cost.answers + 6
        )
        assert.include(words.cost(cost), `at most ${cost.requests} requests`)
      })))
})

describe("a transcript", () => {
  const redact = redactor({
    endpoint: "https://contoso-prod.openai.azure.com/",
    deployment: "gpt-5",
    secrets: ["sk-1", "two\nlines"]
  })
  const table: ReadonlyArray<readonly [string, string]> = [
    ["at contoso-prod.openai.azure.com", "at example.openai.azure.com"],
    ["the resource contoso-prod has none", "the resource example has none"],
    ["{\"model\":\"gpt-5\"}", "{\"model\":\"o1\"}"],
    ["{\"model\":\"gpt-5-2025-08-07\"}", "{\"model\":\"gpt-5-2025-08-07\"}"],
    ["key sk-1.", "key <redacted>."],
    ["{\"input\":\"two\\nlines\"}", "{\"input\":\"<redacted>\"}"],
    ["resp_68a1b2c3d4e5f60718293a4b, rs_68a1b2c3d4e5f60718293a4b", "resp_1, rs_1"],
    ["resp_68a1b2c3d4e5f60718293a4b again, resp_99a1b2c3d4e5f60718293a4b", "resp_1 again, resp_2"],
    ["0f8fad5b-d9cb-469f-a165-70867728950e", "00000000-0000-4000-8000-000000000001"],
    ["{\"encrypted_content\":\"gAAAA==\"}", "{\"encrypted_content\":\"ZmFrZQ==\"}"],
    ["response.output_text.delta invalid_request_error", "response.output_text.delta invalid_request_error"]
  ]
  for (const [text, clean] of table) {
    it(text, () => assert.strictEqual(redact(text), clean))
  }
})

/** The program, in a process of its own. */
const program = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
): Effect.Effect<{ readonly code: number; readonly said: string }> =>
  Effect.callback((resume) => {
    const file = fileURLToPath(new URL("../../live/main.ts", import.meta.url))
    const { PATH = "" } = process.env
    execFile(process.execPath, [file, ...args], { env: { PATH, ...env } }, (error, stdout, stderr) =>
      resume(Effect.succeed({ code: typeof error?.code === "number" ? error.code : 0, said: stdout + stderr })))
  })

describe("the program", () => {
  const variables = (url: string): Record<string, string> => ({
    AZURE_OPENAI_ENDPOINT: url,
    AZURE_OPENAI_API_KEY: apiKey,
    AZURE_OPENAI_DEPLOYMENT: deployment,
    AZURE_OPENAI_MODEL: "o4-mini"
  })

  it.live("tells the cost, and sends nothing until it is told to go on; never in CI", () =>
    at({}, (_, __, azure) =>
      Effect.gen(function*() {
        const asked = yield* program([], variables(azure.url))
        assert.strictEqual(asked.code, 2, asked.said)
        assert.match(asked.said, /at most \d+ requests/)
        assert.include(asked.said, words.notYet)
        const inCi = yield* program(["--yes"], { ...variables(azure.url), CI: "true" })
        assert.strictEqual(inCi.code, 2)
        assert.include(inCi.said, words.inCi)
        assert.lengthOf(yield* azure.requests, 0)
      })))

  it.live("says what is missing, and how it is used", () =>
    Effect.gen(function*() {
      const { code, said } = yield* program(["--yes"], {})
      assert.strictEqual(code, 2)
      assert.include(said, "AZURE_OPENAI_ENDPOINT")
      assert.include(said, "Nothing was sent.")
      assert.include((yield* program(["--help"], { CI: "1" })).said, "--max-tokens N")
    }))
})
