import { assert, describe, it } from "@effect/vitest"
import * as ModelProfile from "../src/ModelProfile.ts"
import { assistant, developer, filePart, imagePart, type O1Request, system, textPart, user } from "../src/O1Request.ts"

const hello = { messages: [user("hello")] } as const
const picture = { messages: [user([textPart("what?"), imagePart("https://example.com/x.png")])] } as const
const now = { name: "now" }
const document = { messages: [user([filePart(new Uint8Array([1]), "a.pdf")])] } as const

describe("ModelProfile", () => {
  const models: ReadonlyArray<readonly [string, string | undefined]> = [
    ["o1", "o1"],
    ["o1-2024-12-17", "o1"],
    ["o1-mini-2024-09-12", "o1-mini"],
    ["o1-preview-2024-09-12", "o1-preview"],
    ["o1-pro-2025-03-19", "o1-pro"],
    ["o3-2025-04-16", "o3"],
    ["o3-mini-2025-01-31", "o3-mini"],
    ["o3-pro-2025-06-10", "o3-pro"],
    ["o4-mini-2025-04-16", "o4-mini"],
    ["gpt-5-2025-08-07", "gpt-5"],
    ["gpt-5-mini-2025-08-07", "gpt-5"],
    ["gpt-5-nano-2025-08-07", "gpt-5"],
    ["gpt-5-pro-2025-10-06", "gpt-5-pro"],
    ["gpt-5.1-2025-11-13", "gpt-5.1"],
    ["gpt-5.2-2025-12-11", "gpt-5.1"],
    ["gpt-5.3-chat", "gpt-5.1"],
    ["gpt-5.4-mini-2026-03-17", "gpt-5.4"],
    ["gpt-5.6-sol", "gpt-5.4"],
    ["gpt-5.10", "gpt-5.4"],
    ["gpt-5-chat-2025-10-03", "gpt-5-chat"],
    ["gpt-5-codex-mini", "gpt-5-codex"],
    ["gpt-5.1-codex-max", "gpt-5-codex"],
    ["gpt-5.2-codex", "gpt-5-codex"],
    ["gpt-5.3-codex-2026-02-05", "gpt-5-codex"],
    ["gpt-6-codex", "gpt-5-codex"],
    ["codex-mini-2025-05-16", "gpt-5-codex"],
    ["gpt-5.2-pro", "gpt-5-pro"],
    ["gpt-5.4-pro-2026-03-05", "gpt-5-pro"],
    ["gpt-6.1-pro", "gpt-5-pro"],
    ["gpt-6", "gpt-6"],
    ["gpt-6-sol", "gpt-6"],
    ["gpt-6.1-terra", "gpt-6"],
    ["gpt-7-2027-01-01", "gpt-6"],
    ["gpt-10.2", "gpt-6"],
    ["o3-deep-research-2025-06-26", "deep-research"],
    ["o4-mini-deep-research", "deep-research"],
    ["gpt-6-deep-research", "deep-research"],
    ["o5", "o4-mini"],
    ["o5-mini", "o4-mini"],
    ["o5-pro", "o3-pro"],
    ["GPT-5.4-Pro", "gpt-5-pro"],
    ["o1x", undefined],
    ["gpt-4o-2024-11-20", undefined],
    ["gpt-4.1-mini", undefined],
    ["gpt-35-turbo", undefined],
    ["gpt-4-1106-preview", undefined],
    ["gpt-oss-120b", undefined],
    ["gpt-image-1", undefined],
    ["model-router", undefined],
    ["constructor", undefined],
    ["", undefined]
  ]
  for (const [model, name] of models) {
    it(`${model || "no model"} is ${name ?? "not known"}`, () => {
      assert.strictEqual(ModelProfile.forModel(model)?.name, name)
    })
  }

  const refused: ReadonlyArray<readonly [ModelProfile.ModelProfile, O1Request, string]> = [
    [ModelProfile.o1Mini, { messages: [developer("x"), user("y")] }, "messages"],
    [ModelProfile.o1Mini, { messages: [system("x"), user("y")] }, "messages"],
    [ModelProfile.o1, { messages: [developer("x"), system("x"), user("y")] }, "messages"],
    [ModelProfile.o3Mini, picture, "messages"],
    [ModelProfile.o1, { ...hello, reasoningEffort: "minimal" }, "reasoningEffort"],
    [ModelProfile.o1Mini, { ...hello, reasoningEffort: "low" }, "reasoningEffort"],
    [ModelProfile.gpt51, { ...hello, reasoningEffort: "minimal" }, "reasoningEffort"],
    [ModelProfile.o1Mini, { ...hello, tools: [{ name: "now", parameters: {} }] }, "tools"],
    [ModelProfile.o1Mini, { ...hello, toolChoice: "auto" }, "tools"],
    [ModelProfile.o1, { ...hello, parallelToolCalls: true }, "parallelToolCalls"],
    [ModelProfile.gpt5, { ...hello, parallelToolCalls: true, reasoningEffort: "minimal" }, "parallelToolCalls"],
    [ModelProfile.o1Mini, { ...hello, responseFormat: "json" }, "responseFormat"],
    [ModelProfile.o1, { ...hello, reasoningSummary: "auto" }, "reasoningSummary"],
    [ModelProfile.o1, { ...hello, maxCompletionTokens: 100_001 }, "maxCompletionTokens"],
    [ModelProfile.o3Mini, document, "messages"],
    [ModelProfile.o4Mini, { ...hello, verbosity: "low" }, "verbosity"],
    [ModelProfile.o1, { ...hello, temperature: 0.5 }, "temperature"],
    [ModelProfile.o1, { ...hello, temperature: 0 }, "temperature"],
    [ModelProfile.o1, { ...hello, topP: 1 }, "topP"],
    [ModelProfile.o4Mini, { ...hello, topLogprobs: 0 }, "topLogprobs"],
    [ModelProfile.gpt5, { ...hello, temperature: 1, reasoningEffort: "minimal" }, "temperature"],
    [ModelProfile.gpt5, { ...hello, logitBias: {} }, "logitBias"],
    [ModelProfile.gpt51, { ...hello, temperature: 0.5, reasoningEffort: "low" }, "temperature"],
    [ModelProfile.gpt51, { ...hello, reasoningEffort: "high", extra: { logprobs: true } }, "logprobs"],
    [ModelProfile.gpt54, { ...hello, presencePenalty: 1, reasoningEffort: "max" }, "presencePenalty"],
    [ModelProfile.gpt6, { ...hello, temperature: 0.5, reasoningEffort: "none" }, "temperature"],
    [ModelProfile.gpt5Codex, { ...hello, temperature: 0.5, reasoningEffort: "none" }, "temperature"],
    [ModelProfile.gpt5Codex, { ...hello, stop: "x" }, "stop"],
    [ModelProfile.o1Mini, { ...hello, previousResponseId: "resp_1" }, "previousResponseId"],
    [ModelProfile.gpt51, { ...hello, previousResponseId: "resp_1", stop: "x" }, "stop"],
    [ModelProfile.gpt51, { messages: [user([filePart("https://e.x/a.pdf")])], logitBias: {} }, "logitBias"],
    [ModelProfile.gpt51, { ...hello, extra: { max_tokens: 5 } }, "max_tokens"],
    [ModelProfile.o1, { ...hello, extra: { temperature: 0.5 } }, "temperature"],
    [ModelProfile.o1, { ...hello, extra: { max_tokens: 5 } }, "max_tokens"]
  ]
  for (const [profile, request, param] of refused) {
    it(`${profile.name} refuses ${JSON.stringify(request)} for ${param}`, () => {
      assert.deepInclude(ModelProfile.check(profile, request), { kind: "unsupported-parameter", param })
    })
  }

  const allowed: ReadonlyArray<readonly [ModelProfile.ModelProfile, O1Request]> = [
    [ModelProfile.o1, { ...picture, reasoningEffort: "high", maxCompletionTokens: 100_000, parallelToolCalls: false }],
    [ModelProfile.o1Mini, { messages: [user("a"), assistant("b"), user("c")], responseFormat: "text" }],
    [ModelProfile.o1, { ...hello, extra: { prompt_cache_key: "k" } }],
    [ModelProfile.gpt5, { ...hello, parallelToolCalls: true, reasoningSummary: "auto" }],
    [ModelProfile.o1, { ...document, previousResponseId: "resp_1", seed: 7, stop: undefined, temperature: undefined }],
    [ModelProfile.gpt51, { ...hello, reasoningEffort: "none", temperature: 0.2, topP: 0.1, topLogprobs: 3 }],
    [ModelProfile.gpt51, { ...hello, temperature: 0.2, extra: { logprobs: true } }],
    [ModelProfile.gpt54, { ...hello, reasoningEffort: "none", presencePenalty: 1, verbosity: "low" }],
    [ModelProfile.gpt5Chat, { ...hello, temperature: 0.2, stop: ["x"] }],
    [ModelProfile.gpt6, { ...hello, reasoningEffort: "max", maxCompletionTokens: 500_000 }],
    [ModelProfile.custom("anything"), { ...picture, reasoningEffort: "max", maxCompletionTokens: 1_000_000 }],
    [ModelProfile.custom("gpt-4.1"), {
      messages: [developer("x"), system("y"), user([filePart("https://e.x/a.pdf")])],
      reasoningEffort: "minimal",
      parallelToolCalls: true,
      temperature: 2,
      verbosity: "high",
      reasoningSummary: "auto",
      previousResponseId: "resp_1",
      extra: { max_tokens: 5, logprobs: true }
    }]
  ]
  for (const [profile, request] of allowed) {
    it(`${profile.name} allows ${JSON.stringify(request)}`, () => {
      assert.isUndefined(ModelProfile.check(profile, request))
    })
  }

  const served: ReadonlyArray<readonly [ModelProfile.ModelProfile, string, boolean]> = [
    [ModelProfile.o1, "o1-2024-12-17", true],
    [ModelProfile.o1, "o1-mini-2024-09-12", false],
    [ModelProfile.o1, "gpt-5.1-2025-11-13", false],
    [ModelProfile.o1, "", true],
    [ModelProfile.gpt51, "gpt-5.2", true],
    [ModelProfile.gpt51, "gpt-5.2-codex", false],
    [ModelProfile.gpt54, "gpt-5.6-sol", true],
    [ModelProfile.gpt5Pro, "gpt-5.4-pro", true],
    [ModelProfile.custom("mine", { models: ["gpt-5.6"] }), "gpt-5.6-sol", true],
    [ModelProfile.custom("router"), "gpt-5.1-2025-11-13", true],
    [ModelProfile.custom("mine", { models: ["mine"] }), "mine-2", true],
    [ModelProfile.custom("mine", { models: ["mine"] }), "other", false]
  ]
  for (const [profile, model, expected] of served) {
    it(`${model || "an unnamed model"} ${expected ? "serves" : "does not serve"} ${profile.name}`, () => {
      assert.strictEqual(ModelProfile.serves(profile, model), expected)
    })
  }

  const carried: ReadonlyArray<
    readonly [ModelProfile.ModelProfile, configured: ModelProfile.Api, O1Request, ModelProfile.Api]
  > = [
    [ModelProfile.gpt51, "chat", hello, "chat"],
    [ModelProfile.gpt51, "responses", hello, "responses"],
    [ModelProfile.gpt51, "chat", { ...hello, tools: [now], reasoningEffort: "high" }, "chat"],
    [ModelProfile.gpt54, "chat", { ...hello, tools: [now], reasoningEffort: "high" }, "responses"],
    [ModelProfile.gpt54, "chat", { ...hello, tools: [now] }, "responses"],
    [ModelProfile.gpt54, "chat", { ...hello, tools: [now], reasoningEffort: "none" }, "chat"],
    [ModelProfile.gpt54, "chat", { ...hello, tools: [], reasoningEffort: "high" }, "chat"],
    [ModelProfile.gpt51, "chat", { ...hello, previousResponseId: "resp_1" }, "responses"],
    [ModelProfile.gpt51, "chat", { messages: [user([filePart("https://e.x/a.pdf")])] }, "responses"],
    [ModelProfile.gpt51, "chat", document, "chat"],
    [ModelProfile.gpt51, "responses", { ...hello, stop: "x" }, "chat"],
    [ModelProfile.gpt51, "responses", { ...hello, frequencyPenalty: 0 }, "chat"],
    [ModelProfile.gpt51, "responses", { ...hello, seed: 1 }, "responses"],
    [ModelProfile.gpt5Codex, "responses", { ...hello, stop: "x" }, "responses"],
    [ModelProfile.o1Mini, "chat", { ...hello, previousResponseId: "resp_1" }, "chat"]
  ]
  for (const [profile, configured, request, expected] of carried) {
    it(`${profile.name} on ${configured} is asked ${JSON.stringify(request)} by ${expected}`, () => {
      assert.strictEqual(ModelProfile.apiFor(profile, request, configured), expected)
    })
  }

  const days: ReadonlyArray<readonly [model: string, date: string | undefined]> = [
    ["o1-2024-12-17", "2026-10-21"],
    ["gpt-5.6-sol", "2028-01-11"],
    ["gpt-5.4-2026-03-05", "2027-09-02"],
    ["gpt-5.4-pro", undefined],
    ["gpt-6", undefined],
    ["constructor", undefined]
  ]
  for (const [model, date] of days) {
    it(`${model} is retired on ${date ?? "a day that is not known"}`, () => {
      assert.strictEqual(ModelProfile.retirementOf(model)?.date, date)
    })
  }

  it("tells of each day when it was read", () => {
    const known: ReadonlyArray<ModelProfile.ModelProfile> = ModelProfile.known
    const told = known.flatMap(({ retirement }) => retirement === undefined ? [] : [retirement.told])
    assert.isNotEmpty(told)
    assert.isTrue(told.every((day) => /^20\d\d-\d\d-\d\d$/.test(day)))
  })
})
