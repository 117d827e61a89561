/** What a person sees of the batch: its words, its files, its exit codes. */
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { start } from "@effect-resilience/redis-server"
import { describeWithRedis } from "@effect-resilience/redis-server/vitest"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import type { ChildProcess } from "node:child_process"
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { help, parse } from "../../src/batch/options.ts"
import { makeScreen, type Standing } from "../../src/batch/progress.ts"
import { type Bench, bench, idIn } from "./support.ts"

// a machine with other work is slow
const patience = 180_000

interface Line {
  readonly id: string
  readonly prompt: string
  readonly answer?: string
  readonly error?: { readonly reason: string; readonly message: string }
}

const lines = ({ output }: Bench): ReadonlyArray<Line> =>
  output().trimEnd().split("\n").map((line) => JSON.parse(line) as Line)

const slow = (body: unknown) => FakeAzure.answer(`This is ${idIn(body)}.`, { think: "1 second" })

/** Does something once the output has a line. */
const onFirstLine = ({ output }: Bench, act: (child: ChildProcess) => void) => (child: ChildProcess): void => {
  const look = setInterval(() => {
    try {
      if (!output().includes("\n")) return
    } catch {
      return
    }
    clearInterval(look)
    act(child)
  }, 10)
  child.on("close", () => clearInterval(look))
}

describe("the batch", () => {
  it.live("names bad lines, and goes on with the others", () =>
    Effect.gen(function*() {
      const batch = yield* bench({ prompts: 2 })
      const good = readFileSync(batch.file("prompts.jsonl"), "utf8")
      writeFileSync(
        batch.file("prompts.jsonl"),
        `\uFEFF${good.replaceAll("\n", "\r\n")}
not JSON
[1]
{"prompt":"no id"}
{"id":7,"prompt":"a number"}
{"id":"x"}
{"id":"x","prompt":"  "}
{"id":"p1","prompt":"again"}
{"id":"\\ud800","prompt":"half a character"}
`
      )
      const { code, stderr, stdout } = yield* batch.run()
      const file = batch.file("prompts.jsonl")
      assert.strictEqual(
        stderr,
        [
          "4: not JSON",
          "5: not an object",
          "6: \"id\" must be a text",
          "7: \"id\" must be a text",
          "8: \"prompt\" must be a text",
          "9: \"prompt\" must be a text",
          "10: the id \"p1\" is that of line 1",
          "11: \"id\" is not well-formed Unicode"
        ].map((line) => `${file}:${line}\n`).join("")
      )
      assert.include(stdout, "Done: 2 of 2 prompts answered, 0 failed, 0 possibly billed twice, 8 bad lines.")
      assert.strictEqual(code, 1)
      batch.expectAnswers()
    }), patience)

  it.live("writes down why a prompt failed, and asks again where that may help", () =>
    Effect.gen(function*() {
      const tries = new Map<string, number>()
      const busy = FakeAzure.status(429, { retryAfter: "10 millis" })
      const batch = yield* bench({
        prompts: 7,
        reply: (body) => {
          const id = idIn(body)
          const n = (tries.get(id) ?? 0) + 1
          tries.set(id, n)
          switch (id) {
            case "p1":
              return FakeAzure.promptFiltered()
            case "p2":
              return FakeAzure.refusal("I would rather not.")
            case "p3":
              return FakeAzure.reasoningExhausted()
            case "p4":
              return n < 8 ? busy : slow(body)
            case "p5":
              return n === 1 ? FakeAzure.status(503) : slow(body)
            case "p6":
              return n === 1 ? FakeAzure.failed() : slow(body)
            default:
              return n === 1 ? FakeAzure.broken("reset", "nothing") : slow(body)
          }
        }
      })
      const { code, stdout } = yield* batch.run([batch.file("prompts.jsonl"), batch.file("answers.jsonl")])
      const found = new Map(lines(batch).map(({ answer, error, id }) => [id, error?.reason ?? answer]))
      assert.deepStrictEqual(Array.from(found).toSorted(([a], [b]) => a.localeCompare(b)), [
        ["p1", "O1ContentFilterError/prompt"],
        ["p2", "refusal"],
        ["p3", "O1OutputLimitError/reasoning-exhausted"],
        ["p4", "This is p4."],
        ["p5", "This is p5."],
        ["p6", "This is p6."],
        ["p7", "This is p7."]
      ])
      // nobody knows whether the request that was cut off was billed
      assert.include(stdout, "Done: 4 of 7 prompts answered, 3 failed, 1 possibly billed twice.")
      assert.strictEqual(code, 1)
      assert.deepStrictEqual(Object.fromEntries(tries), { p1: 1, p2: 1, p3: 1, p4: 8, p5: 2, p6: 2, p7: 2 })
      const again = yield* batch.run()
      assert.include(again.stdout, "Done: 4 of 7 prompts answered, 3 failed")
      assert.strictEqual(Array.from(tries.values()).reduce((a, b) => a + b), 17)
    }), patience)

  it.live(
    "stops with one sentence where no prompt would be answered, and the same command goes on",
    () =>
      Effect.gen(function*() {
        const batch = yield* bench({ prompts: 3 })
        const wrong = yield* batch.run(undefined, { env: { AZURE_OPENAI_API_KEY: "wrong-SECRET" } })
        assert.strictEqual(wrong.code, 1)
        assert.match(wrong.stderr, /^The key or role was not accepted.*\n$/u)
        assert.notInclude(wrong.stderr + wrong.stdout, "SECRET")
        assert.strictEqual(batch.output(), "")
        const effort = yield* batch.run([batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--effort", "xhigh"])
        assert.strictEqual(effort.code, 1)
        assert.match(effort.stderr, /^[^\n]*reasoning[^\n]*\n$/iu)
        assert.strictEqual(batch.output(), "")
        const nobody = yield* batch.run(undefined, { env: { AZURE_OPENAI_ENDPOINT: "http://127.0.0.1:1" } })
        assert.strictEqual(nobody.code, 1)
        assert.match(nobody.stderr, /^The endpoint refused the connection\.[^\n]*\n$/u)
        assert.strictEqual(batch.output(), "")
        const right = yield* batch.run()
        assert.include(right.stdout, "Done: 3 of 3 prompts answered, 0 failed, 0 possibly billed twice.")
        assert.strictEqual(right.code, 0)
      }),
    patience
  )

  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    it.live(`ends well on ${signal}, and goes on`, () =>
      Effect.gen(function*() {
        const batch: Bench = yield* bench({ prompts: 8, reply: slow })
        const args = [batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--concurrency", "2"]
        const first = yield* batch.run(args, { started: onFirstLine(batch, (child) => child.kill(signal)) })
        assert.deepStrictEqual([first.code, first.stderr], [code, ""])
        assert.match(
          first.stdout,
          /Stopped: [1-7] of 8 prompts answered, 0 failed, 0 possibly billed twice\.\n$/u
        )
        for (const { cancelled } of yield* batch.azure.responses) assert.isFalse(cancelled)
        const second = yield* batch.run(args)
        assert.match(second.stdout, /^Going on: [1-7] of 8 prompts have a line already\.\n/u)
        assert.include(second.stdout, "Done: 8 of 8 prompts answered, 0 failed, 0 possibly billed twice.")
        batch.expectAnswers()
        assert.strictEqual(yield* batch.posts, 8)
        const third = yield* batch.run(args)
        assert.deepStrictEqual([third.code, third.stdout.split("\n").length], [0, 3])
        assert.strictEqual(yield* batch.posts, 8)
      }), patience)
  }

  it.live("asks again for a response that another deployment keeps, and says so", () =>
    Effect.gen(function*() {
      const here: Bench = yield* bench({ prompts: 2, reply: slow })
      const elsewhere = yield* bench({ prompts: 2, deployment: "o1-east" })
      const args = [here.file("prompts.jsonl"), here.file("answers.jsonl"), "--concurrency", "1"]
      yield* here.run(args, { kills: ["accepted p1"], started: onFirstLine(here, (child) => child.kill("SIGTERM")) })
      const { code, stdout } = yield* elsewhere.run(args)
      assert.strictEqual(code, 0)
      assert.include(stdout, "Done: 2 of 2 prompts answered, 0 failed, 1 possibly billed twice.")
      here.expectAnswers()
    }), patience)

  it.live("belongs to one process at a time", () =>
    Effect.gen(function*() {
      const batch: Bench = yield* bench({
        prompts: 2,
        reply: (body) => FakeAzure.answer(`This is ${idIn(body)}.`, { think: "9 seconds" })
      })
      const [first, second] = yield* Effect.all([
        batch.run(),
        Effect.delay(batch.run(), "1 second")
      ], { concurrency: 2 })
      assert.deepStrictEqual([first.code, second.code].toSorted((a, b) => a! - b!), [0, 1])
      const refused = first.code === 0 ? second : first
      assert.strictEqual(
        refused.stderr,
        `Another process is at work on ${batch.file("answers.jsonl")}. Wait for it, or stop it.\n`
      )
      assert.strictEqual(yield* batch.posts, 2)
    }), patience)

  it.live(
    "does not take an answer for that of another prompt, or another file for an output",
    () =>
      Effect.gen(function*() {
        const batch = yield* bench({ prompts: 2 })
        yield* batch.run()
        appendFileSync(batch.file("prompts.jsonl"), `${JSON.stringify({ id: "p3", prompt: "Repeat <p3>." })}\n`)
        const text = readFileSync(batch.file("prompts.jsonl"), "utf8")
        writeFileSync(batch.file("prompts.jsonl"), text.replace("<p2>", "<other>"))
        const changed = yield* batch.run()
        assert.strictEqual(
          changed.stderr,
          `${batch.file("prompts.jsonl")}:2: the output has "p2" with another prompt\n`
        )
        assert.include(changed.stdout, "Done: 2 of 2 prompts answered, 0 failed, 0 possibly billed twice, 1 bad line.")
        assert.deepStrictEqual(lines(batch).map(({ id }) => id).toSorted(), ["p1", "p2", "p3"])
        const swapped = yield* batch.run([batch.file("answers.jsonl"), batch.file("prompts.jsonl")])
        assert.deepStrictEqual(
          [swapped.code, swapped.stderr],
          [1, `${batch.file("prompts.jsonl")} is not an output of this program: see line 1.\n`]
        )
        assert.strictEqual(readFileSync(batch.file("prompts.jsonl"), "utf8"), text.replace("<p2>", "<other>"))
      }),
    patience
  )

  it.live("says what it cannot do, and does nothing", () =>
    Effect.gen(function*() {
      const batch = yield* bench()
      const refused = yield* Effect.forEach([
        [batch.file("missing.jsonl"), batch.file("answers.jsonl")],
        [batch.folder, batch.file("answers.jsonl")],
        [batch.file("prompts.jsonl"), batch.file("no/such/answers.jsonl")],
        [batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--journal", batch.file("prompts.jsonl")],
        [batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--redis", "redis://me:SECRET@127.0.0.1:1"],
        [batch.file("prompts.jsonl"), batch.file("prompts.jsonl")],
        [batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--journal", batch.file("answers.jsonl")],
        ["/dev/zero", batch.file("answers.jsonl")],
        [batch.file("prompts.jsonl"), "/dev/full"],
        [batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--journal", "/dev/full"],
        ["--nonsense"]
      ], (args) =>
        batch.run(args), { concurrency: 2 })
      for (const { code, stderr, stdout } of refused) {
        assert.strictEqual(code, 1)
        assert.strictEqual(stdout, "")
        assert.match(stderr, /^[^\n]+\.\n(npm run batch -- --help tells more\.\n)?$/u)
        assert.notInclude(stderr, "SECRET")
      }
      assert.strictEqual(yield* batch.posts, 0)
      const { code, stderr } = yield* batch.run(undefined, { env: { AZURE_OPENAI_ENDPOINT: "" } })
      assert.strictEqual(code, 1)
      assert.match(stderr, /AZURE_OPENAI_ENDPOINT.*--fake/su)
    }), patience)

  it.live("waits for its quota, so that no request is refused", () =>
    Effect.gen(function*() {
      const batch = yield* bench({ prompts: 24, limits: { requestsPerMinute: 120 } })
      const { code, stdout } = yield* batch.run()
      assert.strictEqual(code, 0, stdout)
      batch.expectAnswers()
      assert.strictEqual(yield* batch.posts, 24)
    }), patience)

  it.live("runs on a fake deployment", () =>
    Effect.gen(function*() {
      const batch = yield* bench({ prompts: 3 })
      const { code, stdout } = yield* batch.run([batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--fake"])
      assert.strictEqual(code, 0)
      assert.include(stdout, "Done: 3 of 3 prompts answered")
      assert.strictEqual(yield* batch.posts, 0)
    }), patience)
})

describeWithRedis("the batch on Redis", () => {
  it.live("is shared by two machines, each with all answers", () =>
    Effect.gen(function*() {
      const { url } = yield* start
      const batch = yield* bench({
        prompts: 8,
        reply: (body) => FakeAzure.answer(`This is ${idIn(body)}.`, { think: "300 millis" })
      })
      const run = (output: string) =>
        batch.run([
          batch.file("prompts.jsonl"),
          batch.file(output),
          "--redis",
          url,
          "--run",
          "both",
          "--concurrency",
          "1"
        ])
      const both = yield* Effect.all([run("answers.jsonl"), run("more.jsonl")], { concurrency: 2 })
      for (const { code, stdout } of both) {
        assert.strictEqual(code, 0, stdout)
        assert.include(stdout, "Done: 8 of 8 prompts answered, 0 failed, 0 possibly billed twice.")
      }
      batch.expectAnswers()
      const left = yield* Effect.gen(function*() {
        const { send } = yield* Redis.Redis
        const keys = yield* send<ReadonlyArray<string>>("KEYS", "batch:both:*")
        return yield* Effect.forEach(keys, (key) => send<number>("TTL", key))
      }).pipe(Effect.provide(NodeRedis.layer({ url })))
      assert.isAbove(left.length, 3)
      for (const seconds of left) assert.isAbove(seconds, 86_400)
      const sorted = (name: string) => readFileSync(batch.file(name), "utf8").trimEnd().split("\n").toSorted()
      assert.deepStrictEqual(sorted("more.jsonl"), sorted("answers.jsonl"))
      assert.strictEqual(yield* batch.posts, 8)
    }), patience)

  it.live("shares the quota among its workers, so that no request is refused", () =>
    Effect.gen(function*() {
      const { url } = yield* start
      const batch = yield* bench({ prompts: 24, limits: { requestsPerMinute: 120 } })
      const { code, stdout } = yield* batch.run(
        [batch.file("prompts.jsonl"), batch.file("answers.jsonl"), "--redis", url, "--workers", "2"]
      )
      assert.strictEqual(code, 0, stdout)
      batch.expectAnswers()
      assert.strictEqual(yield* batch.posts, 24)
    }), patience)

  it.live("outlives a Redis that comes back with an empty memory", () =>
    Effect.gen(function*() {
      const server = yield* start
      const batch: Bench = yield* bench({ prompts: 10, reply: slow })
      const { code, stderr, stdout } = yield* batch.run(
        [
          batch.file("prompts.jsonl"),
          batch.file("answers.jsonl"),
          "--redis",
          server.url,
          "--workers",
          "2",
          "--concurrency",
          "2"
        ],
        { started: onFirstLine(batch, () => void Effect.runPromise(server.restart)) }
      )
      assert.deepStrictEqual([code, stderr], [0, ""], stdout)
      batch.expectAnswers()
      const twice = Number(/(\d+) possibly/u.exec(stdout)?.[1])
      assert.isAtMost(yield* batch.posts, 10 + twice)
    }), patience)
})

describeWithRedis("the batch whose Redis dies", () => {
  it.live("says so, and goes on with a Redis that knows nothing", () =>
    Effect.gen(function*() {
      const server = yield* start
      const batch: Bench = yield* bench({ prompts: 8, reply: slow })
      const args = [
        batch.file("prompts.jsonl"),
        batch.file("answers.jsonl"),
        "--redis",
        server.url,
        "--concurrency",
        "2"
      ]
      const first = yield* batch.run(args, { started: onFirstLine(batch, () => void Effect.runPromise(server.kill)) })
      assert.strictEqual(first.code, 1, first.stdout)
      assert.match(first.stderr, /^redis:\/\/127\.0\.0\.1:\d+ cannot be used: .+\.\n$/u)
      yield* server.restart
      const second = yield* batch.run(args)
      assert.deepStrictEqual([second.code, second.stderr], [0, ""], second.stdout)
      batch.expectAnswers()
      const twice = Number(/(\d+) possibly/u.exec(second.stdout)?.[1])
      assert.isAtMost(yield* batch.posts, 8 + twice)
      assert.isFalse(existsSync(batch.file("answers.jsonl.rescued")))
    }), patience)
})

describe("the options of the batch", () => {
  const refused: ReadonlyArray<readonly [string, ReadonlyArray<string>, NodeJS.ProcessEnv?]> = [
    ["Which prompts? npm run batch -- PROMPTS ANSWERS", []],
    ["Where to? npm run batch -- PROMPTS ANSWERS", ["a"]],
    ["There are two files, PROMPTS and ANSWERS; \"c\" is one more.", ["a", "b", "c"]],
    ["Unknown option '--nonsense'.", ["a", "b", "--nonsense"]],
    ["Option '--fake' does not take an argument.", ["--fake=no"]],
    ["--workers must be an integer from 1 to 32, got \"0\".", ["a", "b", "--workers", "0"]],
    ["--workers must be an integer from 1 to 32, got \"2.5\".", ["a", "b", "--workers", "2.5"]],
    ["--workers must be an integer from 1 to 32, got \"1e1\".", ["a", "b", "--workers", "1e1"]],
    ["A journal belongs to one worker: raise --concurrency, or take --redis.", ["a", "b", "--workers", "2"]],
    ["--concurrency must be an integer from 1 to 64, got \"many\".", ["a", "b", "--concurrency", "many"]],
    ["--max-tokens must be an integer from 1 to 1000000, got \"0\".", ["a", "b", "--max-tokens", "0"]],
    ["--redis must be an address like redis://127.0.0.1:6379.", ["a", "b", "--redis", "127.0.0.1"]],
    ["--redis must be an address like redis://127.0.0.1:6379.", ["a", "b", "--redis", "http://me:SECRET@x"]],
    ["Either --redis or --journal keeps the state.", ["a", "b", "--redis", "redis://x", "--journal", "j"]],
    ["--run is a name in Redis: it needs --redis.", ["a", "b", "--run", "r"]],
    ["--lease must be a duration from \"300 millis\" to \"1 hour\", got \"soon\".", ["a", "b", "--lease", "soon"]],
    ["--lease must be a duration from \"300 millis\" to \"1 hour\", got \"1 milli\".", [
      "a",
      "b",
      "--lease",
      "1 milli"
    ]],
    [
      "--effort must be one of none, minimal, low, medium, high, xhigh, max, got \"huge\".",
      ["a", "b", "--effort", "huge"]
    ],
    ["npm took --max-tokens for its own. Put -- before it: npm run batch -- --max-tokens", ["a", "b"], {
      npm_config_max_tokens: "9"
    }]
  ]
  for (const [message, args, env = {}] of refused) {
    it(`refuses: ${message} (${args.join(" ")})`, () => assert.deepStrictEqual(parse(args, env), Result.fail(message)))
  }

  it("have help that fits a terminal, and names each of them", () => {
    for (const line of help.split("\n")) assert.isAtMost(line.length, 80, line)
    for (const name of ["redis", "run", "journal", "workers", "concurrency", "effort", "max-tokens", "lease", "fake"]) {
      assert.include(help, `\n  --${name} `)
    }
    assert.isTrue(Result.isSuccess(parse(["--help"], {})))
  })
})

describe("the progress of the batch", () => {
  const standing: Standing = {
    total: 1234,
    answered: 600,
    failed: 17,
    inFlight: 8,
    twice: 1,
    elapsedMillis: 61_000,
    before: 0
  }
  const screen = (isTTY: boolean, columns: number) => {
    const written: Array<string> = []
    // all that a screen needs of a stream
    const stream = { isTTY, columns, on: () => stream, write: (text: string) => written.push(text) }
    return { written, ...makeScreen(stream as unknown as NodeJS.WriteStream) }
  }

  it("is a bar that fits the terminal", () => {
    for (const columns of [20, 40, 60, 80, 200]) {
      const { clear, show, written } = screen(true, columns)
      show(standing)
      const [bar] = written
      assert.isBelow(bar!.replace("\r\u001b[K", "").length, columns)
      clear()
      assert.deepStrictEqual(written, [bar!, "\r\u001b[K"])
    }
    const { show, written } = screen(true, 90)
    show(standing)
    assert.strictEqual(
      written[0],
      "\r\u001b[K[###############---------------] 617/1,234  17 failed  1 twice  8 in flight  1m 1s left"
    )
  })

  it("is a line for each tenth, or after ten seconds, in a pipe", () => {
    const { show, written } = screen(false, 0)
    for (let answered = 0; answered <= 100; answered++) {
      show({ ...standing, total: 100, answered, failed: 0, twice: 0, inFlight: 1, elapsedMillis: answered * 10 })
    }
    show({ ...standing, elapsedMillis: 20_000 })
    assert.strictEqual(written.length, 11)
    assert.strictEqual(written[0], "10/100, 1 in flight, 1s left\n")
    assert.strictEqual(written[9], "100/100, 1 in flight\n")
  })
})
