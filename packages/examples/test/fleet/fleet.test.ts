/** The fleet: its command line, its rules, and a short run with real processes and a real Redis. */
import { available } from "@effect-resilience/redis-server"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as answers from "../../src/fleet/answers.ts"
import { type Check, check } from "../../src/fleet/checks.ts"
import { parse } from "../../src/fleet/options.ts"
import { rowsOf, table } from "../../src/fleet/report.ts"
import type { Look, Run } from "../../src/fleet/run.ts"
import { phaseAt, phasesOf } from "../../src/fleet/scenario.ts"
import type { Seen } from "../../src/fleet/watch.ts"

const root = fileURLToPath(new URL("../../../..", import.meta.url))

const phases = phasesOf(60)
const moments = { storeGone: 33, storeBack: 36, killed: 42, replaced: 46 }
const victim = 2

const seen = (pid: number, status: Seen["status"], reasons: ReadonlyArray<string> = [], local = 0): Seen => ({
  pid,
  status,
  reasons,
  samples: new Map([
    ["resilience_calls_total{name=\"ask\",outcome=\"success\"}", pid === victim ? 9 : 2],
    ["resilience_limiter_mode{name=\"o1 east\",state=\"local\"}", local]
  ])
})

const away = ["rate-limiter o1 east: the store is away"]
const resting = ["balancer deployments: 1 of 3 endpoints rest: 1 ejected"]

const processesAt = (at: number): ReadonlyArray<Seen> => {
  const step = phaseAt(phases, at).step
  const pids = [1, at < moments.killed || at >= moments.replaced ? victim : 0, 3]
  return pids.map((pid) =>
    pid === 0
      ? seen(victim, "gone")
      : step === "outage"
      ? seen(pid, "degraded", resting)
      : at >= moments.storeGone && at <= moments.storeBack + 1
      ? seen(pid, "degraded", away, 1)
      : seen(pid, "up")
  )
}

const counted = { asked: 100, refused: 0 }
const lookAt = (at: number): Look => ({
  at,
  processes: processesAt(at),
  regions: { east: counted, west: counted, north: counted }
})

const outcome = (i: number, pid: number) => ({
  id: `call-${i}`,
  from: i * 9000,
  to: i * 9000 + 500,
  why: "",
  answer: { id: `call-${i}`, text: `You are call-${i}.`, deployment: "east", pid }
})

const good: Run = {
  seconds: 60,
  phases,
  outcomes: [outcome(1, 1), outcome(2, 1), outcome(3, 3), outcome(4, 3)],
  looks: Array.from({ length: 120 }, (_, i) => lookAt(i / 2)),
  last: lookAt(62),
  moments,
  victim,
  written: 4
}

const broken = (run: Run): ReadonlyArray<string> =>
  check(run).filter(({ holds }: Check) => !holds).map(({ promise }) => promise)

describe("what the fleet promises", () => {
  it("is kept by a good run", () => {
    assert.deepStrictEqual(broken(good), [])
    assert.strictEqual(check(good).length, 12)
  })

  const others = (run: Partial<Run>): Run => ({ ...good, ...run })
  const looksWith = (change: (look: Look) => Look): Run =>
    others({ looks: good.looks.map(change), last: change(good.last) })
  const where = (from: number, to: number, change: (each: Seen) => Seen) =>
    looksWith((look) => look.at >= from && look.at <= to ? { ...look, processes: look.processes.map(change) } : look)

  it.each(
    [
      [
        "a call is lost",
        others({ outcomes: [{ ...outcome(1, 1), answer: undefined, why: "late" }, ...good.outcomes.slice(1)] }),
        [
          "every call is answered within its deadline",
          "the metrics of each process count the answers that its callers got"
        ]
      ],
      [
        "an answer belongs to somebody else",
        others({
          outcomes: [{ ...outcome(1, 1), answer: outcome(2, 1).answer }, ...good.outcomes.slice(1)]
        }),
        ["every answer belongs to its call"]
      ],
      ["an answer is missing from the disk", others({ written: 3 }), ["no answer is written twice"]],
      [
        "the quota is exceeded",
        others({
          last: { ...good.last, regions: { east: { asked: 100, refused: 4 }, west: counted, north: counted } }
        }),
        ["at most 1 % of the requests are refused for the quota"]
      ],
      ["nobody notices the outage", where(9, 20.9, ({ pid }) => seen(pid, "up")), [
        "while east is down every process says so, and serves"
      ]],
      ["the outage takes a process down", where(12, 13, ({ pid }) => seen(pid, "down", resting)), [
        "while east is down every process says so, and serves"
      ]],
      ["nobody notices that the store is away", where(33, 37, ({ pid }) => seen(pid, "up")), [
        "without Redis each process limits itself, and says so"
      ]],
      [
        "the store is not found again",
        where(36, 45, (each) => each.status === "gone" ? each : seen(each.pid, "degraded", away, 1)),
        [
          "with Redis back they share again"
        ]
      ],
      ["the successor does not serve", where(46, 99, (each) => each.pid === victim ? seen(victim, "gone") : each), [
        "a killed process is gone, and its successor serves"
      ]],
      ["one is not well at the end", where(61, 99, (each) => each.pid === 1 ? seen(1, "degraded", resting) : each), [
        "all processes are up at the end"
      ]]
    ] satisfies ReadonlyArray<readonly [string, Run, ReadonlyArray<string>]>
  )("is broken where %s", (_, run, expected) => {
    assert.deepStrictEqual(broken(run), expected)
  })

  it("has a row for each step and one for all, within 80 columns", () => {
    const text = table(rowsOf(good))
    assert.strictEqual(text.split("\n").length, phases.length + 2)
    for (const line of text.split("\n")) assert.isAtMost(line.length, 80)
    assert.match(text, /all calls +4 +0 +500ms +500ms +4 +0 +0$/)
  })
})

describe("the command line of the fleet", () => {
  it.each(
    [
      [["--seconds", "5"], /--seconds must be an integer from 20 to 600, got "5"/],
      [["--rate", "x"], /--rate must be an integer from 1 to 15, got "x"/],
      [["--seed", "-1"], /ambiguous|--seed must be/],
      [["--json", ""], /--json must be the name of a file/],
      [["--fast"], /Unknown option '--fast'/],
      [["--json"], /argument missing/],
      [["more"], /Unexpected argument 'more'/]
    ] as const
  )("refuses %j in one sentence", (args, message) => {
    const result = parse(args, {})
    assert.strictEqual(result._tag, "Failure")
    if (result._tag === "Failure") {
      assert.match(result.failure, message)
      assert.match(result.failure, /^[^\n]*[^.]\.$/u)
    }
  })

  it.skipIf(!available)("says before it begins that a file cannot be written", { timeout: 60_000 }, async () => {
    const args = ["packages/examples/src/fleet/main.ts", "--seconds", "600", "--plot", "no/such/folder/fleet.svg"]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => output += String(text))
    const code = await new Promise((resolve) => child.on("close", resolve))
    assert.strictEqual(code, 2, output)
    assert.match(output, /^no\/such\/folder\/fleet\.svg cannot be written: [^\n]*\.\n$/u)
  })

  it("notices what npm has taken for its own", () => {
    const result = parse([], { npm_config_seconds: "20" })
    assert.strictEqual(result._tag, "Failure")
  })
})

describe("the answers on disk", () => {
  it.effect("have one writer each, however many try", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "effect-resilience-answers-"))
      const write = (pid: number) => answers.write(folder, { id: "a", text: `by ${pid}`, deployment: "east", pid })
      const first = yield* Effect.all(Array.from({ length: 20 }, (_, pid) => write(pid)), { concurrency: 20 })
      assert.strictEqual(first.filter((won) => won).length, 1)
      assert.strictEqual((yield* answers.read(folder, "a"))?.pid, first.indexOf(true))
      assert.isUndefined(yield* answers.read(folder, "b"))
      assert.strictEqual(yield* answers.count(folder), 1)
      rmSync(folder, { recursive: true })
    }))
})

describe.skipIf(!available)("a fleet of processes on a real Redis", () => {
  it("keeps its promises for as long as a test may take", { timeout: 180_000 }, async ({ onTestFinished }) => {
    const folder = mkdtempSync(join(tmpdir(), "effect-resilience-fleet-test-"))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const json = join(folder, "report.json")
    const plot = join(folder, "report.svg")
    const args = [
      "packages/examples/src/fleet/main.ts",
      "--seconds",
      "30",
      // in the seconds of an outage each process has to meet it
      "--rate",
      "10",
      "--json",
      json,
      "--plot",
      plot
    ]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => output += String(text))
    const code = await new Promise((resolve) => child.on("close", resolve))
    assert.strictEqual(code, 0, output)
    assert.match(output.trimEnd(), /fleet: all 12 promises kept$/u)
    const report = JSON.parse(readFileSync(json, "utf8"))
    assert.isAbove(report.rows.at(-1).answered, 100)
    assert.include(readFileSync(plot, "utf8"), "a process is killed")
  })
})
