import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import { type O1Request, user } from "../../src/O1Request.ts"
import { Knowledge, teaches } from "../../src/transport/knowledge.ts"
import type { Abilities } from "../../src/transport/ladder.ts"
import { unknown } from "../../src/transport/route.ts"

const request: O1Request = { messages: [user("x")] }
const minutes = (n: number): number => n * 60_000
const profile = ModelProfile.custom("any", { apis: ["chat", "responses"] })

const knowledgeOf = (config: Partial<AzureO1Config> = {}) =>
  new Knowledge({
    endpoint: "https://a.openai.azure.com",
    apiKey: Redacted.make("k"),
    deployment: "d",
    profile,
    ...config
  })

/** What was learnt before, in order. */
type Step =
  | readonly ["refuses", keyof Abilities, number]
  | readonly ["seems to refuse", keyof Abilities, number]
  | readonly ["works", keyof Abilities, number]
  | readonly ["asked" | "asked in vain", keyof Abilities, number]

const play = (knowledge: Knowledge, steps: ReadonlyArray<Step>): Knowledge => {
  for (const [what, ability, at] of steps) {
    if (what === "asked") knowledge.learned.ask(ability, at)
    else if (what === "asked in vain") knowledge.learned.giveUp(knowledge.learned.ask(ability, at))
    else if (what === "works") knowledge.learned.works(ability, at)
    else knowledge.lacks({ ability, tentative: what === "seems to refuse" }, { begun: at, now: at })
  }
  return knowledge
}

interface Case {
  readonly name: string
  readonly config?: Partial<AzureO1Config>
  readonly steps?: ReadonlyArray<Step>
  readonly request?: Partial<O1Request>
  readonly lacking?: ReadonlyArray<keyof Abilities>
  readonly slow?: boolean
  readonly brief?: boolean
  readonly since?: number
  readonly now?: number
  /** The way, what it asks, and how many facts have led there; or that somebody else's question is waited for. */
  readonly expected: readonly [rung: string, asks?: string, facts?: number] | "wait"
}

const yes = { profile: { ...profile, streaming: "yes" } } as const
const no = { profile: { ...profile, streaming: "no" } } as const

describe("transport/knowledge: how an attempt is made", () => {
  const table: ReadonlyArray<Case> = [
    { name: "nobody knows", expected: ["stream", "streams"] },
    { name: "it streams", steps: [["works", "streams", 0]], expected: ["stream"] },
    { name: "a profile that promises streams is asked as well", config: yes, expected: ["stream", "streams"] },
    { name: "a profile without streams is not", config: no, expected: ["background", "background"] },
    { name: "o1", config: { profile: ModelProfile.o1 }, expected: ["background", "background"] },
    { name: "no background where nothing is stored", config: { ...no, store: false }, expected: ["plain"] },
    { name: "none on a dated path", config: { ...no, apiVersion: "2025-04-01-preview" }, expected: ["plain"] },
    { name: "somebody is asking", steps: [["asked", "streams", 0]], expected: "wait" },
    { name: "for a while", steps: [["asked", "streams", 0]], since: 1000, now: 3000, expected: "wait" },
    { name: "in vain", steps: [["asked in vain", "streams", 0]], expected: ["background", "background"] },
    {
      name: "we have waited for long, for others before",
      steps: [["asked", "streams", 4000]],
      now: 5000,
      expected: ["background", "background"]
    },
    { name: "a likely answer is waited for as well", config: yes, steps: [["asked", "streams", 0]], expected: "wait" },
    { name: "and then taken for granted", config: yes, steps: [["asked in vain", "streams", 0]], expected: ["stream"] },
    {
      name: "it refuses to stream",
      steps: [["refuses", "streams", 0]],
      now: 1,
      expected: ["background", "background", 1]
    },
    {
      name: "and is asked for the background",
      steps: [["refuses", "streams", 0], ["asked", "background", 1]],
      since: 1,
      now: 1,
      expected: "wait"
    },
    {
      name: "it refuses both",
      steps: [["refuses", "streams", 0], ["refuses", "background", 0]],
      now: 1,
      expected: ["plain", "", 2]
    },
    { name: "the time is up", steps: [["refuses", "streams", 0]], now: minutes(10), expected: ["stream", "streams"] },
    {
      name: "the time is up, and somebody is asking",
      steps: [["refuses", "streams", 0], ["works", "background", 0], ["asked", "streams", minutes(10)]],
      now: minutes(10) + 1,
      expected: ["background", "", 1]
    },
    {
      name: "perhaps it has no background, for half a minute",
      config: no,
      steps: [["seems to refuse", "background", 0]],
      now: 29_999,
      expected: ["plain", "", 1]
    },
    {
      name: "and no longer",
      config: no,
      steps: [["seems to refuse", "background", 0]],
      now: 30_000,
      expected: ["background", "background"]
    },
    {
      name: "what this attempt was refused",
      lacking: ["streams"],
      expected: ["background", "background", 0]
    },
    {
      name: "what this attempt was refused, and is known now",
      steps: [["refuses", "streams", 0]],
      lacking: ["streams"],
      expected: ["background", "background", 1]
    },
    { name: "takes long", config: yes, steps: [["works", "background", 0]], slow: true, expected: ["background"] },
    { name: "kept: asks for both", config: { ...yes, api: "responses" }, expected: ["kept", "streams background"] },
    {
      name: "kept: not in the background",
      config: { ...yes, api: "responses" },
      steps: [["refuses", "background", 0]],
      now: 1,
      expected: ["stream", "streams", 1]
    },
    { name: "with extra: asks for nobody", request: { extra: { a: 1 } }, expected: ["stream"] },
    {
      name: "with extra: goes by what is known, even if its time is up",
      steps: [["refuses", "streams", 0], ["works", "background", 0]],
      request: { extra: { a: 1 } },
      now: minutes(11),
      expected: ["background", "", 1]
    },
    {
      name: "only one API has it",
      request: { previousResponseId: "resp_0" },
      config: yes,
      expected: ["kept", "streams background"]
    },
    { name: "only the other one has it", request: { stop: "x" }, config: no, expected: ["plain"] },
    { name: "a brief answer as a whole asks nothing", brief: true, config: yes, expected: ["plain"] },
    {
      name: "a brief answer that took long is made in the background",
      brief: true,
      slow: true,
      config: yes,
      expected: ["background", "background"]
    }
  ]
  for (
    const {
      brief = false,
      config,
      expected,
      lacking = [],
      name,
      now = 0,
      request: more,
      since = 0,
      slow = false,
      steps = []
    } of table
  ) {
    it(name, () => {
      const knowledge = play(knowledgeOf(config), steps)
      const plan = knowledge.plan({ ...request, ...more }, {
        brief,
        since,
        lacking,
        route: slow ? { slow: 1 } : unknown
      }, now)
      if (!("rung" in plan)) return assert.strictEqual<unknown>(expected, "wait")
      const [rung, asks = "", facts = 0] = expected as readonly [string, string?, number?]
      assert.deepStrictEqual([plan.rung, plan.asks.join(" "), plan.learned.length], [rung, asks, facts])
    })
  }

  it("what has begun is gone on with, whatever is known, and asks nothing", () => {
    const knowledge = play(knowledgeOf(), [["refuses", "background", 0]])
    assert.deepInclude(knowledge.continuing(request, "background", minutes(20)), { rung: "background", asks: [] })
  })

  it("extra teaches nothing, unless it is empty", () => {
    assert.deepStrictEqual([undefined, {}, { a: 1 }, { a: undefined }].map((extra) => teaches({ ...request, extra })), [
      true,
      true,
      false,
      false
    ])
  })
})

describe("transport/knowledge: which model answers", () => {
  const gpt = "gpt-5.1-2025-11-13"
  const mini = "o3-mini-2025-01-31"
  const none: O1Request = { ...request, reasoningEffort: "none" }
  const taken = /from now on it is taken for o3-mini, not gpt-5\.1/
  const told = /set the profile/

  /** The answers of these models to these requests, at these times, and what the last one is told. */
  const table: ReadonlyArray<
    readonly [string, ReadonlyArray<readonly [string, O1Request, number]>, RegExp | undefined, string, string]
  > = [
    ["the one that is configured", [[gpt, request, 0]], undefined, "gpt-5.1", "gpt-5.1"],
    ["another one", [[mini, request, 0]], taken, "o3-mini", "gpt-5.1"],
    ["the same again", [[mini, request, 0], [mini, request, 1]], undefined, "o3-mini", "gpt-5.1"],
    ["one that does not take what was asked", [[mini, none, 0]], told, "gpt-5.1", "gpt-5.1"],
    ["one that nobody knows", [["surprise-1", request, 0]], told, "gpt-5.1", "gpt-5.1"],
    ["to a request with extra", [[mini, { ...request, extra: { a: 1 } }, 0]], told, "gpt-5.1", "gpt-5.1"],
    ["the right one again", [[mini, request, 0], [gpt, request, 1]], undefined, "gpt-5.1", "gpt-5.1"],
    ["after the time is up, until the next answer", [[mini, request, -minutes(10)]], taken, "gpt-5.1", "gpt-5.1"],
    ["with which it is so again", [[mini, request, -minutes(10)], [mini, request, 0]], undefined, "o3-mini", "gpt-5.1"]
  ]
  for (const [name, answers, expected, plainly, forNone] of table) {
    it(name, () => {
      const knowledge = knowledgeOf({ profile: ModelProfile.gpt51, heal: true })
      let warning: string | undefined
      for (const [model, asked, at] of answers) {
        warning = knowledge.answered(model, asked, { begun: at, now: at }).warning
      }
      if (expected === undefined) assert.isUndefined(warning)
      else assert.match(warning ?? "", expected)
      assert.strictEqual(knowledge.profileFor(request, 2).name, plainly)
      assert.strictEqual(knowledge.profileFor(none, 2).name, forNone)
    })
  }
})

it("a request is carried by the API that the model which really answers needs", () => {
  const asked = { messages: [user("hi")], tools: [{ name: "now" }], reasoningEffort: "high" } as const
  const apiAfter = (answered: string, config: Partial<AzureO1Config>) => {
    const knowledge = knowledgeOf({ profile: ModelProfile.gpt51, api: "chat", heal: true, ...config })
    const before = knowledge.apiFor(asked)
    knowledge.answered(answered, { messages: [user("hi")] }, { begun: 0, now: 1 })
    return [before, knowledge.apiFor(asked)]
  }
  assert.deepStrictEqual(apiAfter("gpt-5.1-2025-11-13", {}), ["chat", "chat"])
  assert.deepStrictEqual(apiAfter("gpt-5.6-sol", {}), ["chat", "responses"])
  assert.deepStrictEqual(apiAfter("gpt-5.6-sol", { apiVersion: "2024-12-01-preview" }), ["chat", "chat"])
})
