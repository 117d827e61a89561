import { assert, describe, it } from "@effect/vitest"
import * as ModelProfile from "../src/ModelProfile.ts"
import { assistant, developer, imagePart, type O1Request, system, textPart, user } from "../src/O1Request.ts"

const hello = { messages: [user("hello")] } as const
const picture = { messages: [user([textPart("what?"), imagePart("https://example.com/x.png")])] } as const

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
    ["gpt-5.6-sol", "gpt-5.1"],
    ["gpt-5.1-codex-max", "gpt-5-codex"],
    ["o1x", undefined],
    ["gpt-4o-2024-11-20", undefined],
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
    [ModelProfile.custom("anything"), { ...picture, reasoningEffort: "max", maxCompletionTokens: 1_000_000 }]
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
    [ModelProfile.custom("router"), "gpt-5.1-2025-11-13", true],
    [ModelProfile.custom("mine", { models: ["mine"] }), "mine-2", true],
    [ModelProfile.custom("mine", { models: ["mine"] }), "other", false]
  ]
  for (const [profile, model, expected] of served) {
    it(`${model || "an unnamed model"} ${expected ? "serves" : "does not serve"} ${profile.name}`, () => {
      assert.strictEqual(ModelProfile.serves(profile, model), expected)
    })
  }
})
