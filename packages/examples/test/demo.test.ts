import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { parse } from "../src/demo/options.ts"
import { coloured } from "../src/demo/Screen.ts"
import { wrap } from "../src/demo/wrap.ts"
import { run } from "./support.ts"

const demo = "demo/main.ts"
// a machine with other work is slow
const patience = 180_000
// eslint-disable-next-line no-control-regex
const escape = /\u001b/

/** What a text shows, however it is wrapped. */
const unwrapped = (text: string): string => text.replaceAll(/\s+/gu, " ")

const inOrder = (text: string, lines: ReadonlyArray<RegExp>): void => {
  let rest = text
  for (const line of lines) {
    const found = line.exec(rest)
    assert.isNotNull(found, `${line} is missing after:\n${text.slice(0, text.length - rest.length)}`)
    rest = rest.slice(found.index)
  }
}

describe("the demo", () => {
  it.live("shows what is claimed: every fault, who acted, what came of it", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(demo)
      assert.notInclude(stdout, "NOT as it should be")
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      assert.notInclude(stdout, "INFO")
      assert.notMatch(stdout, escape, "no colour where there is no terminal")
      for (const line of stdout.split("\n")) assert.isAtMost(line.length, 80, line)
      inOrder(unwrapped(stdout), [
        /60 times shorter/,
        /Act 1: A call through a bad day/,
        /attempt 1 429: Too many requests for the deployment, "come back in 0.80 s"/,
        /retry waits 0\.8\d s/,
        /attempt 2 503: The service is not available/,
        /attempt 3 No answer within 1s/,
        /then tries again with twice the time/,
        /attempt 4 answered after/,
        /Sunlight holds all colours/,
        /=> 4 requests for one answer/,
        /Act 2: A stream that breaks in mid-sentence/,
        /nearly all \d/,
        /network The connection was reset after token 18/,
        /reads on after token 18/,
        / of the blue is scattered aside/,
        /=> The model wrote 36 tokens and 36 arrived, in order: none lost, none twice. The answer was paid for once/,
        /Act 3: A circuit that opens and closes again/,
        /call 4 503/,
        /breaker closed → open/,
        /rejects the next 1,000 calls, each in \d+\.\d microseconds/,
        /open → half-open/,
        /call 1005 answered/,
        /half-open → closed/,
        /none waited and none reached the service/,
        /Act 4: A second deployment that takes over/,
        /call 1 East answers/,
        /call 2 east: 429: .*; west takes over/,
        /call 3 West answers/,
        /call 4 East answers again/,
        /=> 4 calls, 4 answers/,
        /4 acts in \d+\.\d\d s/
      ])
    }), patience)

  it.live(
    "answers a question of one's own honestly, and shows the acts that are asked for",
    () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run(demo, {
          args: ["--fast", "--act", "2", "What is", "a monad?"],
          env: { AZURE_OPENAI_API_TYPE: "azure", AZURE_OPENAI_DEPLOYMENT: "" }
        })
        assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
        inOrder(unwrapped(stdout), [
          /The fake cannot think about your question/,
          /Act 2: .* "What is a monad\?"/,
          /You asked: "What is a monad\?" I am a fake on your own machine and cannot think about it/,
          /none lost, none twice/,
          /1 act in/
        ])
        assert.notMatch(stdout, /Act [134]/)
      }),
    patience
  )

  it.live("ends without a word where nobody reads on", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* run(demo, { args: ["--fast", "--act", "4"], beginning: true })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    }), patience)

  it.live("sends nothing where an option is unknown or help is asked for", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const env = {
        AZURE_OPENAI_ENDPOINT: azure.url,
        AZURE_OPENAI_API_KEY: "fake-key",
        AZURE_OPENAI_DEPLOYMENT: "o1"
      }
      const [help, unknown, fake] = yield* Effect.all([
        run(demo, { args: ["--help"], env }),
        run(demo, { args: ["hello", "--nonsense"], env }),
        run(demo, { args: ["--fake", "--fast", "--act", "4"], env: { ...env, FORCE_COLOR: "1" } })
      ], { concurrency: "unbounded" })
      assert.deepStrictEqual([help.code, help.stderr], [0, ""])
      assert.include(help.stdout, "--fake")
      assert.deepStrictEqual([unknown.code, unknown.stdout], [2, ""])
      assert.include(unknown.stderr, "Unknown option '--nonsense'.")
      assert.strictEqual(fake.code, 0)
      assert.include(unwrapped(fake.stdout), "4 calls, 4 answers")
      assert.match(fake.stdout, escape)
      assert.deepStrictEqual(yield* azure.requests, [])
    }).pipe(Effect.provide(FakeAzure.layer())), patience)

  const colours: ReadonlyArray<readonly [string, NodeJS.ProcessEnv, terminal: boolean, coloured: boolean]> = [
    ["a terminal", {}, true, true],
    ["a pipe", {}, false, false],
    ["NO_COLOR", { NO_COLOR: "1" }, true, false],
    ["NO_COLOR, empty", { NO_COLOR: "" }, true, true],
    ["a dumb terminal", { TERM: "dumb" }, true, false],
    ["FORCE_COLOR in a pipe", { FORCE_COLOR: "1" }, false, true],
    ["FORCE_COLOR, empty", { FORCE_COLOR: "" }, false, true],
    ["FORCE_COLOR=0", { FORCE_COLOR: "0" }, true, false],
    ["FORCE_COLOR over NO_COLOR", { FORCE_COLOR: "1", NO_COLOR: "1" }, false, true]
  ]
  for (const [name, env, terminal, expected] of colours) {
    it(`colours: ${name}`, () => assert.strictEqual(coloured(env, terminal), expected))
  }

  const refused: ReadonlyArray<readonly [string, ReadonlyArray<string>, NodeJS.ProcessEnv]> = [
    ["There is no act \"9\": they are 1 to 4.", ["--act", "9"], {}],
    ["There is no act \"one\": they are 1 to 4.", ["--act", "one"], {}],
    ["Act 3 and 4 asks no question, so yours would not be asked.", ["--act", "3", "--act", "4", "why?"], {}],
    ["Unknown option '-x'.", ["-x"], {}],
    ["Option '--fake' does not take an argument", ["--fake=no"], {}],
    ["npm took --act for its own. Put -- before it: npm start -- --act", ["2"], { npm_config_act: "true" }]
  ]
  for (const [message, args, env] of refused) {
    it(`refuses: ${message}`, () => assert.deepStrictEqual(parse(args, env), Result.fail(message)))
  }

  it("takes a question that begins with a dash after --", () => {
    const options = Result.getOrThrow(parse(["--act", "1", "--", "-5", "degrees?"], {}))
    assert.deepStrictEqual(options.prompt, Option.some("-5 degrees?"))
    assert.deepStrictEqual(options.chosen, [1])
  })

  it("wraps words, long ones too", () => {
    assert.deepStrictEqual(wrap("one two three", 8), ["one two", "three"])
    assert.deepStrictEqual(wrap("one two three", 8, 5), ["one", "two", "three"])
    assert.deepStrictEqual(wrap("a https://example.org/x", 10), ["a", "https://ex", "ample.org/", "x"])
    assert.deepStrictEqual(wrap("", 8), [""])
  })

  it.live("talks to the deployment of the environment, with the prompt that it is given", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const prompt = "what is \"love\"?  100% 'sure'"
      yield* azure.enqueue(FakeAzure.answer("first answer"), FakeAzure.answer("second answer"))
      const { code, stderr, stdout } = yield* run(demo, {
        args: [prompt],
        env: { AZURE_OPENAI_ENDPOINT: azure.url, AZURE_OPENAI_API_KEY: "fake-key", AZURE_OPENAI_DEPLOYMENT: "o1" }
      })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      assert.include(stdout, "first answer")
      assert.include(stdout, "second answer")
      assert.notInclude(stdout, "fake deployment")
      assert.include(stdout, "npm start -- --fake --act 3")
      const asked = (yield* azure.requests).filter(({ method }) => method === "POST")
      assert.strictEqual(asked.length, 2)
      for (const { body } of asked) assert.include(JSON.stringify(body), JSON.stringify(prompt).slice(1, -1))
    }).pipe(Effect.provide(FakeAzure.layer())), patience)

  const good = {
    AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com",
    AZURE_OPENAI_API_KEY: "SECRETKEY",
    AZURE_OPENAI_DEPLOYMENT: "o1"
  }
  const bad: ReadonlyArray<readonly [string, Record<string, string>]> = [
    ["AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_DEPLOYMENT are not set", { AZURE_OPENAI_API_KEY: "SECRETKEY" }],
    ["AZURE_OPENAI_API_KEY is not set", { ...good, AZURE_OPENAI_API_KEY: "" }],
    ["AZURE_OPENAI_ENDPOINT must be a URL", { ...good, AZURE_OPENAI_ENDPOINT: "nowhere" }],
    ["AZURE_OPENAI_API_KEY must be the key itself", { ...good, AZURE_OPENAI_API_KEY: "SECRETKEY SECRETKEY" }],
    ["AZURE_OPENAI_API_VERSION must be a dated version", { ...good, AZURE_OPENAI_API_VERSION: "newest" }]
  ]
  for (const [message, env] of bad) {
    it.live(`says so: ${message}`, () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run(demo, { env })
        assert.strictEqual(code, 1)
        assert.include(stderr, message)
        for (const line of stderr.trim().split("\n")) assert.match(line, /AZURE_OPENAI_\w+ .*\.$/, "no stack")
        assert.notInclude(stdout + stderr, "SECRETKEY")
      }), patience)
  }

  it.live("says what went wrong with a call, and what to do", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const { code, stderr } = yield* run(demo, {
        env: { AZURE_OPENAI_ENDPOINT: azure.url, AZURE_OPENAI_API_KEY: "SECRETKEY", AZURE_OPENAI_DEPLOYMENT: "o1" }
      })
      assert.strictEqual(code, 1)
      assert.include(stderr, "The key or role was not accepted.")
      assert.notInclude(stderr, "SECRETKEY")
    }).pipe(Effect.provide(FakeAzure.layer())), patience)
})
