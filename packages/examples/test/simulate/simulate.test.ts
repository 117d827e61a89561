/** `npm run simulate`: its command line, the files that it reads, and what it prints. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { busiestHour, history, trace } from "../../src/simulate/files.ts"
import { example, loadOf } from "../../src/simulate/load.ts"
import { help, parse } from "../../src/simulate/options.ts"
import { wrap } from "../../src/simulate/report.ts"
import { run } from "../support.ts"

const given = (line: string) => parse(line.split(" ").filter((word) => word !== ""), {})

/** The options, where they can be followed. */
const options = (line: string) => {
  const parsed = given(line)
  return parsed._tag === "Success" ? parsed.success : assert.fail(parsed.failure)
}

const inFolder = async <A>(use: (path: (name: string, text?: string) => string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "simulate-"))
  try {
    return await use((name, text) => {
      const path = join(folder, name)
      if (text !== undefined) writeFileSync(path, text)
      return path
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const rejected = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return assert.fail("it was accepted")
}

describe("the command line of npm run simulate", () => {
  it("reads a load and a service", () => {
    const all = options(
      "--rate 90/min --p50 80ms --p99 2s --deployments 3 --capacity 10 --errors 2% --outage 5min --kind silent --hit 2 --rpm 60 --tpm 1000 --prompt 10 --answer 20 --max-answer 30 --price 1.5/6 --processes 2 --patience 10s --seeds 7 --plot a.svg --json a.json"
    )
    assert.deepStrictEqual(all, {
      help: false,
      history: undefined,
      trace: undefined,
      perSecond: 1.5,
      percentiles: [[50, 80], [99, 2000]],
      deployments: 3,
      capacity: 10,
      errors: 0.02,
      requestsPerMinute: 60,
      tokensPerMinute: 1000,
      prompt: 10,
      answer: 20,
      maxAnswer: 30,
      price: [1.5, 6],
      outage: 300_000,
      kind: "silent",
      hit: 2,
      processes: 2,
      patience: 10_000,
      seeds: 7,
      plot: "a.svg",
      json: "a.json"
    })
  })

  it("has an example that can be followed, and fits 80 columns", () => {
    assert.isDefined(options(example).perSecond)
    assert.isAtMost(Math.max(...help.split("\n").map(({ length }) => length)), 80)
    assert.strictEqual(wrap(`${"word ".repeat(14)}of 1000 % of it`, "  ").split("\n")[1], "  1000 % of it")
    assert.strictEqual(wrap(`${"word ".repeat(15)}+ quota`, "  ").split("\n")[1], "  + quota")
  })

  const refusals: ReadonlyArray<readonly [line: string, sentence: string]> = [
    [
      "--rate x --p50 1s",
      "--rate must be calls per time such as 20/s, 90/min or 500/h, at most a million a second, got \"x\"."
    ],
    [
      "--rate 2000000 --p50 1s",
      "--rate must be calls per time such as 20/s, 90/min or 500/h, at most a million a second, got \"2000000\"."
    ],
    [
      "--rate 0 --p50 1s",
      "--rate must be calls per time such as 20/s, 90/min or 500/h, at most a million a second, got \"0\"."
    ],
    ["--rate 1 --p50 1", "--p50 must be a time such as 80ms, 2s, 5min or 1h, at most a day, got \"1\"."],
    ["--rate 1 --p50 25h", "--p50 must be a time such as 80ms, 2s, 5min or 1h, at most a day, got \"25h\"."],
    ["--rate 1 --p50 0s", "--p50 must be a time such as 80ms, 2s, 5min or 1h, at most a day, got \"0s\"."],
    ["--rate 1 --p50 2s --p99 1s", "--p99 must be at least --p50, got 1s and 2s."],
    ["--rate 1 --p50 1s --errors 200%", "--errors must be a share such as 2% or 0.02, got \"200%\"."],
    ["--rate 1 --p50 1s --outage 1s --kind gone", "--kind must be down, silent or slow, got \"gone\"."],
    ["--rate 1 --p50 1s --price 5", "--price must be two prices of a million tokens, such as 15/60, got \"5\"."],
    ["--rate 1 --p50 1s --tpm 10", "--tpm needs --prompt and --answer: how many tokens has a request?"],
    ["--rate 1 --p50 1s --prompt 1 --answer 5 --max-answer 4", "--max-answer must be at least --answer, got 4 and 5."],
    ["--rate 1 --p50 1s --kind slow", "--kind needs --outage: how long does it last?"],
    ["--rate 1 --p50 1s --outage 1s --hit 2", "--hit must be at most --deployments, got 2 and 1."],
    ["--rate 1 --trace a", "Give --rate or --trace, not both."],
    ["--p50 1s", "Give the load: --rate, --trace or --history."],
    ["--rate 1", "Give the times: --p50 at least, how long does a request take?"],
    ["--rate 1 --p50 1s --seeds 1", "--seeds must be an integer from 2 to 100, got \"1\"."],
    ["--rate 1 --p50 1s --plot=", "--plot must be the name of a file."],
    ["--speed 1", "Unknown option '--speed'."]
  ]
  for (const [line, sentence] of refusals) {
    it(`refuses ${line}`, () => {
      const parsed = given(line)
      assert.strictEqual(parsed._tag === "Failure" ? parsed.failure : "", sentence)
    })
  }

  it("says what npm has taken for its own", () => {
    const parsed = parse([], { npm_config_rate: "5" })
    assert.strictEqual(
      parsed._tag === "Failure" ? parsed.failure : "",
      "npm took --rate for its own. Put -- before it: npm run simulate -- --rate"
    )
  })
})

/** A line of what the monitor keeps. */
const kept = (_tag: "Attempt" | "Call", at: number, outcome: string, total: number, more: object = {}): string =>
  JSON.stringify({ _tag, at, deployment: "o1", outcome, total, ...more })

const hourly = Array.from({ length: 100 }, (_, i) => [
  kept("Attempt", i * 10_000 + 20_000, "success", 20_000, { attempt: 1, transport: "plain" }),
  kept("Call", i * 10_000 + 20_000, "success", 20_000, {
    attempts: 1,
    usage: { input: 100, cachedInput: 0, output: 200 + i, reasoning: 0 }
  })
]).flat()

describe("the files of npm run simulate", () => {
  it("a trace has a time at the beginning of each line, in any order", () =>
    inFolder(async (path) => {
      assert.deepStrictEqual(trace(path("a", "1500 GET /\n500 GET /\n\n2500,POST\n")), [0, 1000, 2000])
      assert.deepStrictEqual(trace(path("b", "2026-11-26T21:00:00Z x\n2026-11-26T21:00:00.250Z\n")), [0, 250])
      assert.throws(
        () => trace(path("c", "1\n2\nGET /\n")),
        /^Line 3 of .*c begins with no time: give milliseconds, or a time such as/u
      )
      assert.throws(() => trace(path("d", "5\n")), /d must have the times of two calls or more\.$/u)
      assert.throws(() => trace(path("none")), /^.*none cannot be read: ENOENT.*\.$/u)
    }))

  it("of a long trace the busiest hour is played", () =>
    inFolder(async (path) => {
      const log = path("t", Array.from({ length: 200 }, (_, i) => i * 60_000).join("\n"))
      const { notes, options: { trace } } = await loadOf(options(`--trace ${log} --p50 1s`))
      assert.strictEqual(trace?.length, 61)
      assert.deepStrictEqual(notes, [
        "The log has 200 calls in 3.32h, of which those of the busiest hour are played: 61."
      ])
    }))

  it("the busiest hour is the one with most calls", () => {
    const minute = 60_000
    const quiet = [0, 30 * minute]
    const busy = [200, 201, 202, 259].map((at) => at * minute)
    assert.deepStrictEqual(busiestHour([...quiet, ...busy, 300 * minute]), [0, 1, 2, 59].map((at) => at * minute))
    assert.deepStrictEqual(busiestHour([5, 6]), [0, 1])
  })

  it("a history has times, errors, calls and tokens", () =>
    inFolder(async (path) => {
      const failed = Array.from({ length: 25 }, () => kept("Attempt", 0, "O1ServerError/internal", 10, { attempt: 1 }))
      const refused = kept("Attempt", 0, "O1RateLimitError/tokens", 10, { attempt: 1 })
      const found = await history(path("h", `${[...failed, refused, ...hourly].join("\n")}\n`))
      assert.strictEqual(found.answers, 100)
      assert.strictEqual(found.errors, 0.2)
      assert.strictEqual(found.deployments, 1)
      assert.isUndefined(found.knownTo)
      assert.approximately(found.percentiles[10]![1], 20_000, 400)
      assert.deepStrictEqual([found.calls.length, found.calls[1]], [100, 10_000])
      assert.deepStrictEqual(found.tokens, { prompt: 100, answer: 249.5, largest: 299 })

      const { notes, options: { errors, tokens, trace } } = await loadOf(options(`--history ${path("h")} --tpm 5000`))
      assert.deepStrictEqual([errors, trace?.length, tokens?.maxCompletion], [0.2, 100, 299])
      assert.deepStrictEqual(notes, [
        "The history has 100 answers. Their times are used as they are.",
        "The calls are those of its busiest hour: 100 in 16.5min.",
        "Of its requests 20 % failed, timeouts and refusals for the quota aside.",
        "A request is taken to ask for 299 tokens at most, the largest answer there was: --max-answer says otherwise."
      ])
      const own = await loadOf(options(`--history ${path("h")} --rate 5/s --errors 0 --deployments 2 --p50 1s`))
      assert.deepStrictEqual([own.options.perSecond, own.options.errors, own.options.deployments], [5, 0, 2])
      assert.deepStrictEqual(
        own.notes[0],
        "The history has 100 answers. Their times are not used, for some were given."
      )
    }))

  it("a history in which much was cut off says how far it is known", () =>
    inFolder(async (path) => {
      const cut = Array.from({ length: 20 }, () => kept("Attempt", 0, "O1TimeoutError/attempt", 60_000, { attempt: 1 }))
      const { knownTo, percentiles } = await history(path("h", `${[...hourly, ...cut].join("\n")}\n`))
      assert.strictEqual(knownTo, 80)
      assert.strictEqual(percentiles.at(-1)?.[0], 80)
    }))

  it("a file that is no history is refused in a sentence", () =>
    inFolder(async (path) => {
      assert.match(await rejected(history(path("none"))), /none cannot be read: ENOENT.*\.$/u)
      assert.match(
        await rejected(history(path("a", "hello\n"))),
        /a has 0 answers, and 20 are needed: is it what O1History keeps\?$/u
      )
      assert.match(
        await rejected(loadOf(options(`--history ${
          path(
            "b",
            hourly.filter((line) => line.includes("\"Attempt\"")).join("\n")
          )
        }`))),
        /^The history has 0 calls, too few for a load: give --rate\.$/u
      )
    }))
})

describe("npm run simulate", () => {
  it.live(
    "prints a table, sentences and the stack, and writes the picture and the figures",
    () =>
      Effect.promise(() =>
        inFolder(async (path) => {
          const args = [...example.split(" "), "--seeds", "2", "--plot", path("a.svg"), "--json", path("a.json")]
          const { code, stderr, stdout } = await Effect.runPromise(run("simulate/main.ts", { args }))
          assert.deepStrictEqual([code, stderr], [0, ""])
          assert.isAtMost(Math.max(...stdout.split("\n").map(({ length }) => length)), 80)
          assert.match(stdout, /^stack +success +p50 +p99 +sent +recovers$/mu)
          assert.match(stdout, /^- Do not retry without a budget and a breaker\. /mu)
          assert.match(stdout, /^const policy = /mu)
          assert.match(stdout, /\nsimulate: ".*" does best of the stacks with a budget and a breaker\n$/u)
          assert.include(readFileSync(path("a.svg"), "utf8"), "the service is slow")
          const { rows, setting } = JSON.parse(readFileSync(path("a.json"), "utf8"))
          assert.deepStrictEqual([rows[0].name, setting.seeds], ["no policy", 2])
        })
      ),
    60_000
  )

  it.live("refuses a load that is out of bounds in one sentence", () =>
    Effect.gen(function*() {
      const args = ["--rate", "100000", "--p50", "1s", "--capacity", "1"]
      const { code, stderr, stdout } = yield* run("simulate/main.ts", { args })
      assert.deepStrictEqual([code, stdout], [2, ""])
      assert.match(stderr, /^--rate must be so low.*, got 100000\.\n$/u)
    }), 60_000)

  it.live("knows that a file cannot be written before it begins", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* run("simulate/main.ts", {
        args: [...example.split(" "), "--json", "/none/a.json"]
      })
      assert.strictEqual(code, 2)
      assert.match(stderr, /^\/none\/a\.json cannot be written: ENOENT.*\.\n$/u)
    }), 60_000)
})
