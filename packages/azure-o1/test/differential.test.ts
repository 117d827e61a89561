import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import { AzureO1 } from "../src/AzureO1.ts"
import type { CallOptions } from "../src/O1Client.ts"
import {
  O1ConnectionError,
  O1ProtocolError,
  O1RateLimitError,
  O1RequestError,
  O1ServerError,
  O1TimeoutError
} from "../src/O1Error.ts"
import { O1Policy } from "../src/O1Policy.ts"
import type { O1Request } from "../src/O1Request.ts"
import { AzureO1Test, type Step } from "../src/testing/index.ts"
import { during, request, timed, value } from "./support/harness.ts"

/** What differs between the call as `O1Call` has it and the production policy, and why. This list is in docs/o1-policy.md. */
const documented = [
  "a timed-out attempt is followed by one with twice the limit",
  "high effort begins with 240 s",
  "delays have full jitter",
  "a pause that the service asks for is waited for",
  "a 429 without a pause waits at least 10 s",
  "a pause beyond two minutes fails at once",
  "the whole call has a limit",
  "the circuit opens after five failures in a row",
  "the options of a call count"
] as const

interface Script {
  readonly name: string
  readonly steps: ReadonlyArray<Step>
  /** how many calls are made, one after the other; 1 if absent */
  readonly calls?: number
  readonly request?: O1Request
  readonly options?: CallOptions
  /** what makes the two differ; nothing if absent */
  readonly differs?: ReadonlyArray<(typeof documented)[number]>
}

const fail = AzureO1Test.fail
const unavailable = fail(new O1ServerError({ kind: "unavailable" }))
const many = (step: Step, n = 50): ReadonlyArray<Step> => Array.from({ length: n }, () => step)
const limited = (retryAfter?: Duration.Input): Step =>
  fail(
    new O1RateLimitError({
      kind: "requests",
      retryAfter: retryAfter === undefined ? undefined : Duration.fromInputUnsafe(retryAfter)
    })
  )
const answer = AzureO1Test.answer("42")
const answerAfter = (after: Duration.Input): Step => AzureO1Test.answer("42", { after })

const jitter = "delays have full jitter"

const scripts: ReadonlyArray<Script> = [
  { name: "an answer", steps: [answer] },
  { name: "an answer after 59 s", steps: [answerAfter("59 seconds")] },
  { name: "a permanent failure", steps: [fail(new O1RequestError({ kind: "invalid" }))] },
  { name: "truncated after content", steps: [fail(new O1ProtocolError({ kind: "truncated", partialText: "so far" }))] },
  { name: "a quota", steps: [fail(new O1RateLimitError({ kind: "quota" }))] },
  { name: "x-should-retry: false", steps: [fail(new O1ServerError({ kind: "internal", shouldRetry: false }))] },
  { name: "a defect", steps: [{ complete: Effect.die("bug"), stream: answer.stream }] },
  { name: "unavailable once", steps: [unavailable, answer], differs: [jitter] },
  {
    name: "a connection that is reset twice",
    steps: [...many(fail(new O1ConnectionError({ kind: "reset" })), 2), answer],
    differs: [jitter]
  },
  { name: "408, then an answer", steps: [fail(new O1TimeoutError({ kind: "service" })), answer], differs: [jitter] },
  { name: "never available", steps: many(unavailable), differs: [jitter] },
  {
    name: "never answers",
    steps: many(AzureO1Test.hang),
    differs: [jitter, "a timed-out attempt is followed by one with twice the limit", "the whole call has a limit"]
  },
  {
    name: "an answer after 100 s",
    steps: many(answerAfter("100 seconds")),
    differs: [jitter, "a timed-out attempt is followed by one with twice the limit"]
  },
  {
    name: "an answer after 100 s with high effort",
    request: { ...request, reasoningEffort: "high" },
    steps: many(answerAfter("100 seconds")),
    differs: ["high effort begins with 240 s"]
  },
  {
    name: "429, wait 20 s",
    steps: [limited("20 seconds"), answer],
    differs: ["a pause that the service asks for is waited for"]
  },
  { name: "429 without a pause", steps: [limited(), answer], differs: ["a 429 without a pause waits at least 10 s"] },
  { name: "429, wait a day", steps: [limited("1 day"), answer], differs: ["a pause beyond two minutes fails at once"] },
  {
    name: "down for seven calls",
    calls: 7,
    steps: many(unavailable),
    differs: [jitter, "the circuit opens after five failures in a row"]
  },
  { name: "options", options: { retries: 0 }, steps: [unavailable, answer], differs: ["the options of a call count"] }
]

type Outcomes = ReadonlyArray<readonly [outcome: string, seconds: number]>

const play = ({ calls = 1, options, request: asked = request, steps }: Script, policy: Layer.Layer<O1Policy>) =>
  Effect.gen(function*() {
    const program = Effect.gen(function*() {
      const o1 = yield* AzureO1
      const outcomes: Array<Outcomes[number]> = []
      for (let i = 0; i < calls; i++) {
        outcomes.push(yield* timed(Effect.catchDefect(o1.complete(asked, options), () => Effect.succeed("defect"))))
      }
      return { outcomes, attempts: (yield* (yield* AzureO1Test).calls).length }
    })
    return value(yield* during("3 hours", Effect.provide(program, AzureO1Test.layerTransport(steps, { policy }))))
  }).pipe(Random.withSeed("differential"), Effect.provide(TestClock.layer()))

describe("the plain and the production policy", () => {
  for (const script of scripts) {
    const differs = script.differs ?? []
    it.effect(`${script.name}: ${differs.length === 0 ? "the same" : differs.join("; ")}`, () =>
      Effect.gen(function*() {
        const plain = yield* play(script, O1Policy.layerPlain)
        const production = yield* play(script, O1Policy.layer)
        if (differs.length === 0) return assert.deepStrictEqual(production, plain)
        assert.notDeepEqual(production, plain, "documented as different, and not")
        if (differs.length === 1 && differs[0] === jitter) {
          assert.strictEqual(production.attempts, plain.attempts)
          production.outcomes.forEach(([outcome, seconds], i) => {
            assert.strictEqual(outcome, plain.outcomes[i]![0])
            assert.isAtMost(seconds, plain.outcomes[i]![1], "jitter only shortens")
          })
        }
      }))
  }

  const seen: Record<string, readonly [Outcomes[number], number, Outcomes[number], number]> = {
    // plain: last outcome and attempts; production: the same
    "never answers": [["O1TimeoutError/attempt", 247], 4, ["O1TimeoutError/total", 900], 4],
    "an answer after 100 s": [["O1TimeoutError/attempt", 247], 4, ["success", 160], 2],
    "an answer after 100 s with high effort": [["O1TimeoutError/attempt", 247], 4, ["success", 100], 1],
    "429, wait 20 s": [["success", 1], 2, ["success", 20], 2],
    "429 without a pause": [["success", 1], 2, ["success", 10], 2],
    "429, wait a day": [["success", 1], 2, ["O1RateLimitError/requests", 0], 1],
    "down for seven calls": [["O1ServerError/unavailable", 7], 28, ["O1RejectedError/circuit-open", 0], 5],
    "options": [["success", 1], 2, ["O1ServerError/unavailable", 0], 1]
  }
  for (const [name, [plainLast, plainAttempts, productionLast, productionAttempts]] of Object.entries(seen)) {
    it.effect(`${name}: plain ${plainLast.join(" after ")} s, production ${productionLast.join(" after ")} s`, () =>
      Effect.gen(function*() {
        const script = scripts.find((script) => script.name === name)!
        const plain = yield* play(script, O1Policy.layerPlain)
        const production = yield* play(script, O1Policy.layer)
        assert.deepStrictEqual([plain.outcomes.at(-1), plain.attempts], [plainLast, plainAttempts])
        const [outcome, seconds] = production.outcomes.at(-1)!
        assert.deepStrictEqual([outcome, production.attempts], [productionLast[0], productionAttempts])
        assert.isTrue(seconds >= productionLast[1] && seconds <= productionLast[1] * 1.1 + 7, String(seconds))
      }))
  }

  it("the page lists these differences, and no others", () => {
    const page = readFileSync(new URL("../../../docs/o1-policy.md", import.meta.url), "utf8")
    const [, table] = /\n\| the production policy .*\n\|[-| ]+\n((?:\|.*\n)+)/.exec(page)!
    assert.deepStrictEqual(table!.trim().split("\n").map((row) => row.split("|")[1]!.trim()), [...documented])
  })

  it("every documented difference is shown by a script", () => {
    assert.sameMembers([...new Set(scripts.flatMap(({ differs }) => differs ?? []))], [...documented])
  })
})
