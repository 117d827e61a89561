import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ModelProfile, Prompt, TokenCounter } from "../../src/index.ts"
import { messageText, type O1Request } from "../../src/O1Request.ts"

const twelve = "one two three four five six seven eight nine ten eleven twelve"

/** What texts are made of: everything that a rule looks for, and what borders on it. */
const Piece = Schema.Literals([
  "Think step by step.",
  "Take a deep breath.",
  "Let's think step by step, and show your reasoning.",
  "Solve it.",
  "Answer in Markdown.",
  twelve,
  `${twelve}. Think step by step.`,
  JSON.stringify({ a: [1, 2, { b: twelve }], c: "d" }, null, 4),
  JSON.stringify({ a: [1, 2, { b: twelve }], c: "d" }),
  "{\n\n \n  \"a\": [\n    1,\n\n\n\n    2,\n    3\n  ]\n}",
  "```json\n{\n        \"a\": [\n                1\n        ]\n}\n```",
  "```\nx = 1   \n\n\n\n```",
  "```",
  "\"\"\"",
  "<data>",
  "</data>",
  "---",
  "- item",
  "x =",
  "6\" pipe.",
  "`tick",
  " , take a deep breath.",
  "[ 1   2   3   4   5   6   7   8   9  10  11  12  13  14 ]",
  "{\n        \"a\": \"Answer in Markdown.\",\n        \"b\": \"Think step by step.\"\n}",
  "été 😀",
  " ",
  "  \t \t ",
  "\n",
  "\n\n",
  "\n\n\n\n \t\n",
  "\r\n",
  "\r\n\r\n\r\n"
])

const Text = Schema.Array(Piece)

const requestOf = (
  instructions: ReadonlyArray<string>,
  question: ReadonlyArray<string>,
  role: "developer" | "system" | "user"
): O1Request => ({
  messages: [
    { role, content: instructions.join("") },
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: question.join("") }, { type: "text", text: "?" }] },
    { role: "tool", toolCallId: "1", content: question.join("\n") }
  ],
  reasoningEffort: "low",
  extra: { temperature: 0, seed: 1 }
})

const mechanical = (findings: ReadonlyArray<Prompt.Finding>) => findings.filter(({ fix }) => fix.edits.length > 0)

/** `PROPERTY_RUNS=5000` looks further. */
const runs = { arbitrary: { runs: Number(process.env.PROPERTY_RUNS ?? 300) }, timeout: 600_000 }

const pretty = JSON.stringify({ a: [1, 2, { b: twelve }], c: "d" }, null, 4)
const minified = JSON.stringify({ a: [1, 2, { b: twelve }], c: "d" })

/** One pass over the text of the user; a fix that another one brings about would be a second. */
const inOnePass: ReadonlyArray<readonly [name: string, before: string, after: string]> = [
  [
    "JSON between marks that are no fence, and a sentence in the last of its lines",
    `  \t \t \`\`\`${pretty}\`\`\`${twelve}. Think step by step.`,
    `  \t \t \`\`\`${minified}\`\`\`${twelve}.`
  ],
  [
    "JSON between triple quotes, and a sentence in the last of its lines",
    `"""${pretty}"""${twelve}. Think step by step.`,
    `"""${minified}"""${twelve}.`
  ],
  [
    "JSON that is not whole, of many levels",
    `${"[\n".repeat(12)}${pretty},\n${pretty},`,
    `${"[\n".repeat(12)}${minified},\n${minified},`
  ],
  [
    "a quotation that JSON divides into lines",
    `He said "${pretty} Think step by step.`,
    `He said "${minified} Think step by step.`
  ],
  [
    "a sentence between two lines, each with a mark",
    "A 6\" pipe\nThink step by step. A 5\" pipe. Take a deep breath.",
    "A 6\" pipe\nA 5\" pipe. Take a deep breath."
  ],
  [
    "a sentence before marks that go with the next sentence",
    "Solve it. Think step by step. , take a deep breath. Go on.",
    "Solve it. Go on."
  ],
  [
    "a sentence between code and what looks like a value of it",
    `x =\n\nThink step by step.\n\n{\n    "a": "Answer in Markdown."\n}\n\nSolve it.`,
    `x =\n\n{\n    "a": "Answer in Markdown."\n}\n\nSolve it.`
  ]
]

const withoutBlanks = (text: string): string => text.replaceAll(/\s+/g, "")

describe("applyFixes", () => {
  for (const profile of [ModelProfile.o1, ModelProfile.o1Mini]) {
    it.effect.prop(
      `${profile.name}: looking again finds nothing more to fix, and fixing again changes nothing`,
      { instructions: Text, question: Text, role: Schema.Literals(["developer", "system", "user"]) },
      ({ instructions, question, role }) =>
        Effect.sync(() => {
          const request = requestOf(instructions, question, role)
          const findings = Prompt.lintWith(request, TokenCounter.estimate, { profile })
          const once = Prompt.applyFixes(request, findings)
          const again = Prompt.lintWith(once, TokenCounter.estimate, { profile })
          assert.deepStrictEqual(mechanical(again), [])
          assert.deepStrictEqual(Prompt.applyFixes(once, again), once)
        }),
      runs
    )
  }

  for (const [name, before, after] of inOnePass) {
    it(`does it in one pass: ${name}`, () => {
      const request = requestOf([before], [], "user")
      const once = Prompt.applyFixes(request, Prompt.lintWith(request, TokenCounter.estimate))
      assert.strictEqual(messageText(once.messages.at(-4)!), after)
      assert.deepStrictEqual(mechanical(Prompt.lintWith(once, TokenCounter.estimate)), [])
    })
  }

  it.effect.prop(
    "blanks and JSON: every other character stays where it is",
    { question: Text },
    ({ question }) =>
      Effect.sync(() => {
        const request = requestOf([], question, "user")
        const findings = Prompt.lintWith(request, (text) => text.length).filter(({ rule }) =>
          rule === "excess-whitespace" || rule === "pretty-json"
        )
        const fixed = Prompt.applyFixes(request, findings)
        assert.deepStrictEqual(
          fixed.messages.map((message) => withoutBlanks(messageText(message))),
          request.messages.map((message) => withoutBlanks(messageText(message)))
        )
        assert.deepStrictEqual({ ...fixed, messages: request.messages }, request)
      }),
    runs
  )

  it.effect.prop(
    "no message becomes empty that was not",
    { instructions: Text, question: Text },
    ({ instructions, question }) =>
      Effect.sync(() => {
        const request = requestOf(instructions, question, "user")
        const fixed = Prompt.applyFixes(request, Prompt.lintWith(request, TokenCounter.estimate))
        const offset = fixed.messages.length - request.messages.length
        for (const [i, message] of request.messages.entries()) {
          const after = messageText(fixed.messages[i + offset]!)
          assert.strictEqual(after.trim() === "", messageText(message).trim() === "")
        }
      }),
    runs
  )

  it("gives a request back as it is where there is nothing to do", () => {
    const request = requestOf([], [], "user")
    assert.strictEqual(Prompt.applyFixes(request, []), request)
  })
})
