import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ModelProfile, Prompt, TokenCounter } from "../../src/index.ts"
import {
  assistant,
  developer,
  filePart,
  imagePart,
  messageText,
  type O1Request,
  system,
  textPart,
  toolResult,
  user
} from "../../src/O1Request.ts"
import { corpus } from "../fixtures/token-corpus.ts"

const { estimate } = TokenCounter

const only = (rule: Prompt.RuleId, request: O1Request, options?: Prompt.LintOptions): ReadonlyArray<Prompt.Finding> =>
  Prompt.lintWith(request, estimate, options).filter((finding) => finding.rule === rule)

/** What a finding points at. */
const pointed = (request: O1Request, { message, range }: Prompt.Finding): string =>
  messageText(request.messages[message!]!).slice(range!.start, range!.end)

const asked = (text: string): O1Request => ({ messages: [user(text)] })

/** The first message after the fixes of one rule. */
const fixed = (rule: Prompt.RuleId, text: string, options?: Prompt.LintOptions): string => {
  const request = asked(text)
  return messageText(Prompt.applyFixes(request, only(rule, request, options)).messages[0]!)
}

const paragraph =
  "The claimant lives in a house by the river, which was flooded twice in the spring of that year, and the " +
  "cellar has been dry since the pump was replaced by the owner of the house."
const other =
  "A train that leaves in the morning reaches the coast before noon, if the bridge at the border is open, and a " +
  "bus takes the rest of the way whenever the last ferry has already gone."
const long = (words: number): string =>
  Array.from(
    { length: words },
    (_, i) => ["every", "clause", "of", "policy", "number"][i % 5] + (i % 5 === 4 ? ` ${i}.` : "")
  )
    .join(" ")

describe("chain-of-thought", () => {
  const found: ReadonlyArray<readonly [string, string]> = [
    ["Solve it. Let's think step by step.", "think step by step"],
    ["Think step-by-step before answering.", "Think step-by-step"],
    ["Please think about the problem carefully, step by step.", "think about the problem carefully, step by step"],
    ["Reason through the problem step by step and answer.", "Reason through the problem step by step"],
    ["Work through the problem step by step.", "Work through the problem step by step"],
    ["Take a deep breath. How many are left?", "Take a deep breath"],
    ["Use chain-of-thought reasoning to decide.", "Use chain-of-thought reasoning"],
    ["Think out loud.", "Think out loud"]
  ]
  for (const [text, phrase] of found) {
    it(`is in: ${text}`, () => {
      const request = asked(text)
      const [finding, ...more] = only("chain-of-thought", request)
      assert.strictEqual(pointed(request, finding!), phrase)
      assert.deepStrictEqual(more, [])
      assert.isAbove(finding!.tokensSaved, 0)
    })
  }

  const fine: ReadonlyArray<string> = [
    "Write a step-by-step guide to changing a tyre.",
    "Explain step by step how the pump is replaced.",
    "Do not think step by step.",
    "You need not think out loud.",
    "Rewrite this prompt: \"Let's think step by step.\"",
    "Which prompts contain `think step by step`?",
    "Review it.\n```\nLet's think step by step.\n```\n",
    "<prompt>\nLet's think step by step.\n</prompt>\nImprove the prompt.",
    "What do you think? Step by step the river rose.",
    "I think about the river every day. He walked step by step."
  ]
  for (const text of fine) {
    it(`is not in: ${text}`, () => {
      assert.deepStrictEqual(only("chain-of-thought", asked(text)), [])
    })
  }

  it("is not what the model or a tool has said", () => {
    const messages: O1Request["messages"] = [
      user("?"),
      assistant("Let me think step by step."),
      toolResult("1", "Think step by step.")
    ]
    assert.deepStrictEqual(only("chain-of-thought", { messages }), [])
  })

  const fixes: ReadonlyArray<readonly [string, string]> = [
    ["Solve it. Let's think step by step.", "Solve it."],
    ["Let's think step by step. Solve it.", "Solve it."],
    ["Solve it.\n\nLet's think step by step.", "Solve it."],
    ["Let's think step by step.\n\nSolve it.", "Solve it."],
    ["First.\n\nThink step by step!\n\nSecond.", "First.\n\nSecond."],
    ["First line.\nThink step by step.\nThird line.", "First line.\nThird line."],
    ["First line.\n  Think step by step. Take a deep breath.\n  Third line.", "First line.\n  Third line."],
    ["First line.\nThink step by step.\nTake a deep breath.", "First line."],
    ["Rules:\nThink step by step. Answer in one word.", "Rules:\nAnswer in one word."],
    ["Rules:\r\nThink step by step.\r\nAnswer in one word.", "Rules:\r\nAnswer in one word."],
    ["Think step by step.\n    if it rains:\n        stay", "    if it rains:\n        stay"],
    ["Solve it. Think step by step. - First", "Solve it. Think step by step. - First"],
    ["Take a deep breath. Think step by step. Solve it.", "Solve it."],
    ["Solve it. Take a deep breath. Think step by step.", "Solve it."],
    ["Solve it. Take a deep breath and think step by step. Answer in one word.", "Solve it. Answer in one word."],
    ["Use chain-of-thought reasoning to decide.", "Use chain-of-thought reasoning to decide."],
    ["Think step by step.", "Think step by step."],
    ["Take a deep breath.\n\nThink step by step.", "Take a deep breath.\n\nThink step by step."]
  ]
  for (const [text, after] of fixes) {
    it(`${JSON.stringify(text)} becomes ${JSON.stringify(after)}`, () => {
      assert.strictEqual(fixed("chain-of-thought", text), after)
    })
  }
})

describe("show-reasoning", () => {
  const found: ReadonlyArray<readonly [string, string]> = [
    ["Show your reasoning.", "Show your reasoning"],
    ["Answer, and include your full chain of thought.", "include your full chain of thought"],
    ["Explain your reasoning in detail.", "Explain your reasoning"],
    ["Show your work.", "Show your work"],
    ["Please show me all of your thinking.", "show me all of your thinking"]
  ]
  for (const [text, phrase] of found) {
    it(`is in: ${text}`, () => {
      const request = asked(text)
      const [finding, ...more] = only("show-reasoning", request)
      assert.strictEqual(pointed(request, finding!), phrase)
      assert.deepStrictEqual(more, [])
    })
  }

  const fine = [
    "Show the calculation in at most five lines.",
    "Do not show your reasoning.",
    "Answer without showing anything. Never explain your reasoning.",
    "Explain the reasoning of the court.",
    "Give your answer and the clause that it rests on.",
    "Include your work email address.",
    "Is \"show your reasoning\" a good prompt?"
  ]
  for (const text of fine) {
    it(`is not in: ${text}`, () => {
      assert.deepStrictEqual(only("show-reasoning", asked(text)), [])
    })
  }
})

describe("few-shot-examples", () => {
  const repeat = (n: number, f: (i: number) => string): string =>
    Array.from({ length: n }, (_, i) => f(i + 1)).join("\n")
  const styles: ReadonlyArray<(i: number) => string> = [
    (i) => `Example ${i}: cats -> cat`,
    (i) => `### Example ${i}\ncats -> cat`,
    () => "<example>cats -> cat</example>",
    (i) => `Q: how many are ${i} cats?\nA: ${i}`,
    (i) => `Input: ${i} cats\nOutput: cat`,
    (i) => `**Input:** ${i} cats\n**Output:** cat`
  ]
  for (const style of styles) {
    it(`counts ${JSON.stringify(style(1))}`, () => {
      assert.lengthOf(only("few-shot-examples", asked(repeat(4, style))), 1)
      assert.lengthOf(only("few-shot-examples", asked(repeat(3, style))), 0)
      assert.lengthOf(
        only("few-shot-examples", asked(repeat(3, style)), { rules: { "few-shot-examples": { max: 2 } } }),
        1
      )
    })
  }

  for (const text of [repeat(6, (i) => `Q: what is ${i}?`), repeat(6, (i) => `For example, ${i} is a number.`)]) {
    it(`does not count ${text.slice(0, 30)}`, () => {
      assert.deepStrictEqual(only("few-shot-examples", asked(text)), [])
    })
  }
})

describe("roles and parameters", () => {
  it("developer and system together: system becomes developer", () => {
    const request: O1Request = { messages: [developer("A"), system("B"), user("C")] }
    const findings = only("developer-and-system", request)
    assert.deepStrictEqual(findings.map(({ message, severity }) => [message, severity]), [[1, "error"]])
    assert.deepStrictEqual(Prompt.applyFixes(request, findings).messages, [developer("A"), developer("B"), user("C")])
    assert.deepStrictEqual(only("developer-and-system", { messages: [system("A"), system("B"), user("C")] }), [])
    assert.deepStrictEqual(only("developer-and-system", { messages: [developer("A"), user("C")] }), [])
  })

  it("o1-mini takes no instructions but the user's", () => {
    const request: O1Request = { messages: [developer("A"), system("B"), user("C")] }
    const findings = Prompt.lintWith(request, estimate, { profile: ModelProfile.o1Mini })
    assert.deepStrictEqual(
      findings.map(({ message, rule }) => [rule, message]),
      [["developer-and-system", 1], ["unsupported-role", 0], ["unsupported-role", 1]]
    )
    assert.deepStrictEqual(Prompt.applyFixes(request, findings).messages, [user("A"), user("B"), user("C")])
    assert.deepStrictEqual(
      only("unsupported-role", { messages: [user("C"), assistant("D")] }, { profile: ModelProfile.o1Mini }),
      []
    )
    assert.lengthOf(
      only("unsupported-role", { messages: [user("C"), toolResult("1", "D")] }, { profile: ModelProfile.o1Mini }),
      1
    )
  })

  const allWrong: O1Request = {
    messages: [user("?")],
    reasoningEffort: "low",
    tools: [],
    toolChoice: "auto",
    parallelToolCalls: true,
    responseFormat: "json",
    reasoningSummary: "auto",
    maxCompletionTokens: 70_000,
    extra: { temperature: 0, seed: 1, top_p: 1 }
  }

  it("finds every parameter that the profile forbids, and takes it out", () => {
    const options = { profile: ModelProfile.o1Mini }
    const findings = only("unsupported-parameter", allWrong, options)
    assert.lengthOf(findings, 8)
    assert.deepStrictEqual(Prompt.applyFixes(allWrong, findings), {
      messages: [user("?")],
      maxCompletionTokens: 65_536,
      extra: { seed: 1 }
    })
    assert.isUndefined(ModelProfile.check(options.profile, Prompt.applyFixes(allWrong, findings)))
  })

  it("leaves alone what it could not take out", () => {
    const profile = ModelProfile.custom("strange", { roles: ["developer"] })
    assert.deepStrictEqual(only("unsupported-parameter", asked("?"), { profile }), [])
    assert.lengthOf(only("unsupported-role", asked("?"), { profile }), 1)
  })

  it("says nothing about what the profile allows", () => {
    const request: O1Request = {
      messages: [user("?")],
      reasoningEffort: "high",
      maxCompletionTokens: 50_000,
      extra: { seed: 1 }
    }
    assert.deepStrictEqual(only("unsupported-parameter", request), [])
  })

  it("takes out what a model that reasons does not take", () => {
    const request: O1Request = {
      messages: [user("?")],
      reasoningEffort: "high",
      temperature: 0.2,
      topP: 0.5,
      logitBias: { 1: 2 },
      verbosity: "low",
      seed: 1
    }
    const findings = only("unsupported-parameter", request)
    assert.lengthOf(findings, 4)
    assert.deepStrictEqual(Prompt.applyFixes(request, findings), {
      messages: [user("?")],
      reasoningEffort: "high",
      seed: 1
    })
  })

  it("finds files where the model does not read them", () => {
    const request: O1Request = { messages: [user([textPart("?"), filePart("data:application/pdf;base64,AAAA")])] }
    assert.lengthOf(only("unsupported-parameter", request, { profile: ModelProfile.o3Mini }), 1)
    assert.lengthOf(only("unsupported-parameter", request, { profile: ModelProfile.o1 }), 0)
  })

  it("finds images where the model does not see", () => {
    const request: O1Request = { messages: [user([textPart("?"), imagePart("https://example.com/x.png")])] }
    assert.lengthOf(only("unsupported-parameter", request, { profile: ModelProfile.o3Mini }), 1)
    assert.lengthOf(only("unsupported-parameter", request, { profile: ModelProfile.o1 }), 0)
  })
})

describe("undelimited-data", () => {
  const found = [
    `Summarize the following text:\n${long(150)}\n\n${long(50)}`,
    `Use the text below:\n\n${long(200)}`,
    `Who wrote it?\n\nEmail:\n${long(200)}`,
    `Answer the question about this email:\n\n${long(200)}\n\nWho wrote it?`
  ]
  for (const text of found) {
    it(`is in: ${text.slice(0, 40)}`, () => {
      const request = asked(text)
      const [finding] = only("undelimited-data", request)
      assert.isTrue(pointed(request, finding!).startsWith("every clause"))
    })
  }

  const fine = [
    `Summarize the following text:\n${long(30)}`,
    `Summarize the following text:\n"""\n${long(200)}\n"""`,
    `Summarize the following text:\n<document>\n${long(200)}\n</document>`,
    `Summarize the following text:\n---\n${long(200)}\n---`,
    `Summarize the following text:\n\`\`\`\n${long(200)}\n\`\`\``,
    `Summarize the following JSON data:\n${JSON.stringify({ text: long(200), more: [1] }, null, 2)}`,
    `Respect the following rules:\n${long(200)}`,
    `Policy:\n${long(200)}`,
    `## Output:\n${long(200)}`,
    `Notes on style:\n${long(200)}`,
    `Respect the following:\n- ${long(100)}\n- ${long(100)}`,
    `Respect the following:\n1. ${long(100)}\n2. ${long(100)}`,
    long(300)
  ]
  for (const text of fine) {
    it(`is not in: ${text.slice(0, 50)}`, () => {
      assert.deepStrictEqual(only("undelimited-data", asked(text)), [])
    })
  }
})

describe("duplicate-paragraph", () => {
  it("is found in one message and across messages, and taken out", () => {
    const request: O1Request = {
      messages: [developer(`Rules.\n\n${paragraph}`), user(`${paragraph}\n\n${other}\n\n${other}\n\nWhat now?`)]
    }
    const findings = only("duplicate-paragraph", request)
    assert.deepStrictEqual(findings.map((finding) => pointed(request, finding)), [paragraph, other])
    assert.strictEqual(findings[0]!.tokensSaved, estimate(paragraph))
    assert.deepStrictEqual(Prompt.applyFixes(request, findings).messages, [
      developer(`Rules.\n\n${paragraph}`),
      user(`${other}\n\nWhat now?`)
    ])
  })

  it("at the end leaves the end clean", () => {
    assert.strictEqual(
      fixed("duplicate-paragraph", `${paragraph}\n\n${other}\n\n${paragraph}\n\n${other}\n`),
      `${paragraph}\n\n${other}\n`
    )
  })

  it("is not taken out where nothing would be left, nor half of a pair of delimiters", () => {
    const whole: O1Request = { messages: [developer(paragraph), user(paragraph)] }
    assert.deepStrictEqual(only("duplicate-paragraph", whole).map(({ fix }) => fix.edits), [[]])
    const quoted = `"""\n${paragraph}`
    assert.deepStrictEqual(
      only("duplicate-paragraph", asked(`${quoted}\n\n"""\n\n${quoted}\n\n"""`)).map(({ fix }) => fix.edits),
      [[]]
    )
  })

  const fine = [
    `Yes.\n\nNo.\n\nYes.\n\nNo.`,
    `${paragraph}\n\n${other}`,
    "```\nif (a) { b() }\n```\n\nThen\n\n```\nif (a) { b() }\n```"
  ]
  for (const text of fine) {
    it(`is not in: ${text.slice(0, 40)}`, () => {
      assert.deepStrictEqual(only("duplicate-paragraph", asked(text)), [])
    })
  }

  it("is not what the model or a tool has said", () => {
    assert.deepStrictEqual(only("duplicate-paragraph", { messages: [user(paragraph), assistant(paragraph)] }), [])
  })
})

describe("near-duplicate-paragraph", () => {
  it("is found where a few words differ", () => {
    const near = paragraph.replace("twice", "once")
    const request = asked(`${paragraph}\n\n${other}\n\n${near}`)
    const findings = only("near-duplicate-paragraph", request)
    assert.deepStrictEqual(findings.map((finding) => pointed(request, finding)), [near])
    assert.deepStrictEqual(findings[0]!.fix.edits, [])
    assert.lengthOf(
      only("near-duplicate-paragraph", request, { rules: { "near-duplicate-paragraph": { similarity: 1 } } }),
      0
    )
  })

  for (const text of [`${paragraph}\n\n${other}`, `${paragraph}\n\n${paragraph}`, corpus["English prose"]!]) {
    it(`is not in: ${text.slice(-30)}`, () => {
      assert.deepStrictEqual(only("near-duplicate-paragraph", asked(text)), [])
    })
  }
})

describe("excess-whitespace", () => {
  const clean = `First line.\nSecond line.\n\n${paragraph}\n\nList:\n  - one\n    - two`
  const messy =
    `\n\nFirst line.   \t \t\nSecond line. \t  \n\n \t \n\n\n${paragraph}  \t  \n \t\n\nList: \t \n  - one\n    - two \t\n\n\n`

  it("is taken out, and indentation stays", () => {
    assert.strictEqual(fixed("excess-whitespace", messy), clean)
    assert.isAbove(only("excess-whitespace", asked(messy))[0]!.tokensSaved, 4)
  })

  it("keeps the line ends of Windows", () => {
    const text = "First. \t \t \t\r\nSecond. \t \t \t\r\n\r\n\r\n \t\r\n\r\nThird. \t\t \t\r\nFourth."
    const findings = Prompt.lintWith(asked(text), (text) => text.length)
    assert.strictEqual(
      messageText(Prompt.applyFixes(asked(text), findings).messages[0]!),
      "First.\r\nSecond.\r\n\r\nThird.\r\nFourth."
    )
  })

  const code = "Code:\n```\na = 1   \n\n\n\n\nb = 2  \t \t \n\n\n\n```"
  for (const text of [clean, `${clean}\n`, "One.  \nTwo.", code, ""]) {
    it(`is not in: ${JSON.stringify(text).slice(-40)}`, () => {
      assert.deepStrictEqual(only("excess-whitespace", asked(text)), [])
    })
  }
})

describe("pretty-json", () => {
  const value = {
    name: "a \"b\" \\ c\n",
    list: [1, 2.50, -3e7, { deep: [] }],
    none: null,
    yes: true,
    text: "{ not: json }"
  }
  const pretty = JSON.stringify(value, null, 4)

  it("is written without blanks between its tokens", () => {
    assert.strictEqual(
      fixed("pretty-json", `Data:\n${pretty}\nWhat is it?`),
      `Data:\n${JSON.stringify(value)}\nWhat is it?`
    )
    assert.strictEqual(
      fixed("pretty-json", `\`\`\`json\n${pretty}\n\`\`\``),
      `\`\`\`json\n${JSON.stringify(value)}\n\`\`\``
    )
  })

  it("is found in the results of tools", () => {
    const request: O1Request = { messages: [user("?"), toolResult("1", pretty)] }
    const [finding] = only("pretty-json", request)
    assert.strictEqual(finding!.tokensSaved, estimate(pretty) - estimate(JSON.stringify(value)))
    assert.strictEqual(messageText(Prompt.applyFixes(request, [finding!]).messages[1]!), JSON.stringify(value))
  })

  it("loses nothing that another reader could see: big numbers, doubled keys, escapes", () => {
    const text =
      "{\n    \"id\": 12345678901234567890,\n    \"id\": 1.10,\n    \"e\": \"\\u00e9 \\/\",\n    \"xs\": [\n        1,\n        2\n    ]\n}"
    assert.strictEqual(
      fixed("pretty-json", text),
      "{\"id\":12345678901234567890,\"id\":1.10,\"e\":\"\\u00e9 \\/\",\"xs\":[1,2]}"
    )
  })

  const fine = [
    JSON.stringify(value),
    "{\n  \"a\": 1\n}",
    `\`\`\`ts\n${pretty}\n\`\`\``,
    `{\n    a: 1,\n    b: 2,\n    c: [\n        1,\n        2,\n        3\n    ]\n}`,
    "[1] first source\n[2] second source",
    "[ 1   2   3   4   5   6   7   8   9  10  11  12  13  14  15  16 ]",
    `let x = ${pretty}`,
    pretty.slice(0, -2),
    "{\n{\n{\n[\n[\n"
  ]
  for (const text of fine) {
    it(`is not in: ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.deepStrictEqual(only("pretty-json", asked(text)), [])
    })
  }
})

describe("context-share", () => {
  const rules = { "context-share": { minTokens: 500 } } as const
  const pasted = `<document>\n${long(600)}\n</document>`

  it("is found where nearly everything is pasted", () => {
    assert.lengthOf(only("context-share", asked(`Summarize.\n${pasted}`), { rules }), 1)
    assert.lengthOf(only("context-share", { messages: [user("?"), toolResult("1", long(600))] }, { rules }), 1)
  })

  it("is not found where it is not, or is little", () => {
    assert.lengthOf(only("context-share", asked(`Summarize.\n${pasted}`)), 0)
    assert.lengthOf(only("context-share", asked(`${long(600)}\n${pasted}`), { rules }), 0)
    assert.lengthOf(only("context-share", asked(long(900)), { rules }), 0)
  })
})

describe("volatile-prefix", () => {
  const instructions = long(1200)
  const found: ReadonlyArray<readonly [string, string]> = [
    ["Today is 2026-11-22.", "Today is 2026-11-22"],
    ["Current date: Sunday, November 22, 2026.", "Current date: Sunday, November 22, 2026"],
    ["Current time: 14:05.", "Current time: 14:05"],
    ["The current date is 22 November 2026.", "The current date is 22 November 2026"],
    ["It began at 2026-11-22T14:05:31Z here.", "2026-11-22T14:05:31Z"],
    ["Trace 550e8400-e29b-41d4-a716-446655440000.", "550e8400-e29b-41d4-a716-446655440000"],
    ["Session ID: a81f0c77.", "Session ID: a81f0c77"]
  ]
  for (const [text, place] of found) {
    it(`is in: ${text}`, () => {
      const request: O1Request = { messages: [developer(`${text}\n${instructions}`), user("?")] }
      const [finding] = only("volatile-prefix", request)
      assert.strictEqual(pointed(request, finding!), place)
    })
  }

  it("is found before instructions in another message", () => {
    assert.lengthOf(
      only("volatile-prefix", { messages: [developer("Today is 2026-11-22."), developer(instructions), user("?")] }),
      1
    )
  })

  const fine: ReadonlyArray<readonly [string, O1Request]> = [
    ["a short prompt", { messages: [developer("Today is 2026-11-22."), user("?")] }],
    ["at the end of the instructions", { messages: [developer(`${instructions}\nToday is 2026-11-22.`), user("?")] }],
    ["in the user's message", { messages: [developer(instructions), user(`Today is 2026-11-22.\n${instructions}`)] }],
    ["a date that does not change", {
      messages: [developer(`The law of 2019-03-01 holds.\n${instructions}`), user("?")]
    }],
    ["instructions that are too short", {
      messages: [developer(long(300)), developer(`Today is 2026-11-22.\n${long(200)}`), user(long(900))]
    }],
    ["a date in data", { messages: [developer(`"""Today is 2026-11-22."""\n${instructions}`), user("?")] }]
  ]
  for (const [name, request] of fine) {
    it(`is not: ${name}`, () => {
      assert.deepStrictEqual(only("volatile-prefix", request), [])
    })
  }
})

describe("markdown-not-enabled", () => {
  for (
    const text of [
      "Answer in Markdown.",
      "Format the answer as GitHub markdown.",
      "Give me a markdown table of the results.",
      "Use proper markdown."
    ]
  ) {
    it(`is found in: ${text}`, () => {
      const request = asked(text)
      const findings = only("markdown-not-enabled", request)
      assert.lengthOf(findings, 1)
      assert.deepStrictEqual(Prompt.applyFixes(request, findings).messages, [
        developer("Formatting re-enabled"),
        user(text)
      ])
      const withDeveloper: O1Request = { messages: [developer("Be brief."), user(text)] }
      assert.deepStrictEqual(Prompt.applyFixes(withDeveloper, only("markdown-not-enabled", withDeveloper)).messages, [
        developer("Formatting re-enabled\nBe brief."),
        user(text)
      ])
    })
  }

  const fine: ReadonlyArray<readonly [string, O1Request, ModelProfile.ModelProfile?]> = [
    ["not wanted", asked("Do not use markdown.")],
    ["not wanted", asked("Answer in plain text, without any markdown.")],
    ["what the question is about", asked("Who invented Markdown?")],
    ["said already", { messages: [developer("Formatting re-enabled\nBe brief."), user("Answer in Markdown.")] }],
    ["a model that writes it", asked("Answer in Markdown."), ModelProfile.gpt5],
    ["JSON is asked for", { ...asked("Answer in Markdown."), responseFormat: "json" }],
    ["pasted", asked("Translate:\n\"\"\"\nAnswer in Markdown.\n\"\"\"")],
    ["an earlier turn", { messages: [user("Answer in Markdown."), assistant("#"), user("Now in prose.")] }]
  ]
  for (const [name, request, profile] of fine) {
    it(`is not: ${name}`, () => {
      assert.deepStrictEqual(only("markdown-not-enabled", request, { profile }), [])
    })
  }
})

describe("output-budget", () => {
  it("is found with little room at a high effort, and only then", () => {
    const at = (reasoningEffort: O1Request["reasoningEffort"], maxCompletionTokens: number | undefined) =>
      only("output-budget", { ...asked("?"), reasoningEffort, maxCompletionTokens }).length
    assert.strictEqual(at("high", 24_999), 1)
    assert.strictEqual(at("high", 25_000), 0)
    assert.strictEqual(at("high", undefined), 0)
    assert.strictEqual(at("medium", 4000), 0)
    assert.strictEqual(at(undefined, 4000), 0)
  })
})

describe("limits", () => {
  const request: O1Request = { ...asked(long(1000)), maxCompletionTokens: 20_000 }

  it("tokens per minute: of the deployment, where it is known", () => {
    const rule = "tokens-per-minute"
    assert.lengthOf(only(rule, request), 0)
    assert.lengthOf(only(rule, request, { capacity: 3 }), 1)
    assert.lengthOf(only(rule, request, { capacity: 4 }), 0)
    assert.lengthOf(only(rule, request, { tokensPerMinute: 20_000 }), 1)
    assert.lengthOf(only(rule, request, { tokensPerMinute: 30_000, capacity: 1 }), 0)
    assert.lengthOf(only(rule, request, { profile: ModelProfile.custom("x"), capacity: 1 }), 0)
  })

  it("the context window", () => {
    const large: O1Request = { ...request, maxCompletionTokens: 100_000 }
    const profile = { ...ModelProfile.o1, contextTokens: 101_000 }
    assert.lengthOf(only("context-window", large, { profile }), 1)
    assert.lengthOf(only("context-window", request, { profile }), 0)
    assert.lengthOf(only("context-window", large, { profile: ModelProfile.custom("x") }), 0)
  })
})

describe("lint", () => {
  it("says nothing about a good prompt", () => {
    const good: O1Request = {
      messages: [
        developer(corpus["English instructions"]!),
        user(`<policy>\n${corpus["English prose"]}\n</policy>\n\nIs the ferry covered?`)
      ],
      reasoningEffort: "high",
      maxCompletionTokens: 40_000
    }
    assert.deepStrictEqual(Prompt.lintWith(good, estimate), [])
  })

  for (const [kind, text] of Object.entries(corpus)) {
    it(`says nothing about instructions in: ${kind}, except what is there`, () => {
      const rules = Prompt.lintWith({ messages: [user(text)] }, estimate).map(({ rule }) => rule)
      assert.deepStrictEqual(rules, kind === "JSON, pretty-printed" ? ["pretty-json"] : [])
    })
  }

  it("can be told which rules there are, and how much they matter", () => {
    const request = asked("Think step by step. Show your reasoning.")
    const findings = Prompt.lintWith(request, estimate, {
      rules: { "chain-of-thought": false, "show-reasoning": { severity: "error" } }
    })
    assert.deepStrictEqual(findings.map(({ rule, severity }) => [rule, severity]), [["show-reasoning", "error"]])
  })

  it("points into the text of a message of several parts", () => {
    const request: O1Request = {
      messages: [
        user([
          textPart("Look at this. "),
          imagePart("https://example.com/x.png"),
          textPart("Solve it. Think step by step.")
        ])
      ]
    }
    const findings = Prompt.lintWith(request, estimate)
    assert.deepStrictEqual(findings.map((finding) => pointed(request, finding)), ["Think step by step"])
    assert.deepStrictEqual(Prompt.applyFixes(request, findings).messages, [
      user([textPart("Look at this. "), imagePart("https://example.com/x.png"), textPart("Solve it.")])
    ])
  })

  it("has rules with stable names", () => {
    for (const id of Prompt.ruleIds) assert.match(id, /^[a-z]+(-[a-z]+)*$/)
    assert.lengthOf(Prompt.ruleIds, 17)
  })

  const refused: ReadonlyArray<readonly [Prompt.LintOptions, string]> = [
    [{ capacity: 0 }, "Prompt.lint: capacity must be at least 1, got 0"],
    [{ tokensPerMinute: NaN }, "Prompt.lint: tokensPerMinute must be at least 1, got NaN"],
    [{ rules: { "context-share": { share: 2 } } }, "Prompt.lint: context-share.share must be from 0 to 1, got 2"],
    [
      { rules: { "near-duplicate-paragraph": { similarity: 0.2 } } },
      "Prompt.lint: near-duplicate-paragraph.similarity must be from 0.5 to 1, got 0.2"
    ]
  ]
  for (const [options, message] of refused) {
    it(`refuses: ${message}`, () => {
      assert.throws(() => Prompt.lintWith(asked("?"), estimate, options), RangeError, message)
    })
  }

  it.effect("uses the counter that is provided", () =>
    Effect.gen(function*() {
      const request = { ...asked("hello"), maxCompletionTokens: 10 }
      const options = { tokensPerMinute: 100 }
      assert.lengthOf(yield* Prompt.lint(request, options), 0)
      const counter = TokenCounter.make("dear", () => 1000)
      assert.lengthOf(yield* Prompt.lint(request, options).pipe(Effect.provideService(TokenCounter, counter)), 1)
    }))
})
