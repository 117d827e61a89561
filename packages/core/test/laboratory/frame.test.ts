import { describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { find } from "../../../../tools/laboratory/src/find.ts"
import { help, type Options, parse } from "../../../../tools/laboratory/src/options.ts"
import { inTerminal, replaceTables } from "../../../../tools/laboratory/src/page.ts"
import { run } from "../../../../tools/laboratory/src/run.ts"
import { summary } from "../../../../tools/laboratory/src/Seeds.ts"

describe("the options", () => {
  const of = (...args: ReadonlyArray<string>) => Result.getOrThrow(parse(args, {}))

  it("have five seeds, and two with --quick", () => {
    expect(of()).toMatchObject({ only: [], seeds: [1, 2, 3, 4, 5], quick: false, help: false, json: undefined })
    expect(of("--quick").seeds).toEqual([1, 2])
    expect(of("--quick", "--seeds", "3").seeds).toEqual([1, 2, 3])
  })

  it("take several experiments", () => {
    expect(of("--only", "a,b", "--only", "c").only).toEqual(["a", "b", "c"])
  })

  it.each([
    [["--fast"], "Unknown option '--fast'."],
    [["jitter"], "Unexpected argument 'jitter'."],
    [["--seeds", "0"], "--seeds must be an integer from 1 to 100, got \"0\"."],
    [["--seeds", "few"], "--seeds must be an integer from 1 to 100, got \"few\"."],
    [["--seeds"], "Option '--seeds <value>' argument missing."],
    [["--json", "/no/such/folder/lab.json"], "--json /no/such/folder/lab.json cannot be written: ENOENT."]
  ])("%j are refused in one sentence", (args, sentence) => {
    expect(parse(args, {})).toEqual(Result.fail(sentence))
  })

  it("that npm has taken are pointed out", () => {
    expect(parse([], { npm_config_quick: "true" }))
      .toEqual(Result.fail("npm took --quick for its own. Put -- before it: npm run lab -- --quick"))
  })

  it("are all in the help, which fits a terminal", () => {
    for (const option of ["--only", "--seeds", "--json", "--quick", "--help"]) expect(help).toContain(option)
    expect(Math.max(...help.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80)
  })
})

describe("the program", () => {
  const root = join(import.meta.dirname, "..", "..", "..", "..")
  const lab = (...args: ReadonlyArray<string>) =>
    spawnSync(process.execPath, ["tools/laboratory/src/main.ts", ...args], { cwd: root, encoding: "utf8" })

  it("names the experiments instead of one that does not exist", () => {
    const { status, stderr, stdout } = lab("--only", "jitter,nothing", "--quick")
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" })
    expect(stderr).toMatch(/^lab: --only takes .*jitter.*, got "nothing"\.\n$/u)
  })

  it("tells what it does, or what is wrong with an option", () => {
    expect(lab("--help")).toMatchObject({ status: 0, stderr: "", stdout: `${help}\n` })
    expect(lab("--fast")).toMatchObject({ status: 1, stderr: "lab: Unknown option '--fast'.\n", stdout: "" })
  })
})

describe("the tables of a page", () => {
  const table = { columns: ["case", "calls"], rows: [["a", 1234.567], ["b", "-"]] }

  it("stand in their places, and nothing else changes", () => {
    const page = "before\n<!-- lab:a -->\nold\n<!-- /lab -->\nbetween\n<!-- lab:b -->\n<!-- /lab -->\nafter"
    const { complaints, text } = replaceTables(page, { a: table, b: { columns: ["x"], rows: [] } })
    expect(complaints).toEqual([])
    expect(text).toBe(`before
<!-- lab:a -->

| case |    calls |
| ---- | -------: |
| a    | 1,234.57 |
| b    |        - |

<!-- /lab -->
between
<!-- lab:b -->

|   x |
| --: |

<!-- /lab -->
after`)
    expect(replaceTables(text, { a: table, b: { columns: ["x"], rows: [] } }).text).toBe(text)
  })

  it("without a place, and places without a table, are told", () => {
    const page = "<!-- lab:gone -->\n<!-- /lab -->\n<!-- lab:open -->\n<!-- lab:toString -->\n<!-- /lab -->"
    const { complaints, text } = replaceTables(page, { new: table, open: table })
    expect(text).toBe(page)
    expect(complaints).toEqual([
      "has a place for a table \"gone\", which the experiment does not make",
      "has a place for a table \"toString\", which the experiment does not make",
      "has no place for the table \"new\": <!-- lab:new --> and <!-- /lab -->",
      "has no place for the table \"open\": <!-- lab:open --> and <!-- /lab -->"
    ])
  })

  it("are read in a terminal as well", () => {
    expect(inTerminal("calls", table, 80).split("\n").at(-1)).toBe("b            -")
  })
})

describe("several seeds", () => {
  it("have a mean, and its interval of 95 %", () => {
    // t(4) = 2.776, deviation sqrt(2.5), sqrt(5)
    expect(summary([1, 2, 3, 4, 5])).toEqual({ mean: 3, low: expect.closeTo(1.037, 3), high: expect.closeTo(4.963, 3) })
    expect(summary([7])).toEqual({ mean: 7, low: 7, high: 7 })
    expect(summary([2, 2])).toEqual({ mean: 2, low: 2, high: 2 })
  })
})

describe("a run", () => {
  const plan: Options = { only: [], seeds: [1, 2], quick: false, help: false, json: undefined }
  const page = "![](adds.svg) ![](adds-more.svg)\n\n<!-- lab:sums -->\n<!-- /lab -->\n"

  const runOf = async (name: string, options: Partial<Options> = {}, text: string | null = page) => {
    const pages = mkdtempSync(join(tmpdir(), "laboratory-"))
    try {
      if (text !== null) writeFileSync(join(pages, `${name}.md`), text)
      const located = (await find(import.meta.dirname, "experiments")).filter(({ experiment }) =>
        experiment.name === name
      )
      const printed: Array<string> = []
      const good = await run(located, { ...plan, json: join(pages, "lab.json"), ...options }, {
        pages,
        threads: 2,
        columns: 1000,
        print: (text) => printed.push(text),
        progress: () => {}
      })
      const files = Object.fromEntries(
        readdirSync(pages).map((file) => [file, readFileSync(join(pages, file), "utf8")])
      )
      return { good, printed: printed.join("\n"), files }
    } finally {
      rmSync(pages, { recursive: true })
    }
  }

  it("finds the experiments of a folder, and not what they are made of", async () => {
    const found = await find(import.meta.dirname, "experiments")
    expect(found.map(({ experiment }) => experiment.name)).toEqual(["adds", "breaks", "misses", "reports"])
  })

  it("writes tables, plots and JSON, and tells what holds", async () => {
    const { files, good, printed } = await runOf("adds")
    expect(good).toBe(true)
    expect(files["adds.md"]).toContain("| 1000 | by a thread | 500,501.5 |")
    expect(files["adds.svg"]).toBe("<svg/>\n")
    expect(files["adds-more.svg"]).toBe("<svg></svg>\n")
    expect(printed).toContain("holds    sums grow: 4 sums")
    expect(printed).toMatch(/lab: all 1 claims of 1 experiments hold \(\d+ s\)$/)
    const { experiments, ...rest } = JSON.parse(files["lab.json"]!)
    expect(rest).toEqual({ quick: false, seeds: [1, 2] })
    expect(experiments[0]).toMatchObject({
      name: "adds",
      problems: [],
      measured: [
        { job: { seed: 1, to: 10 }, found: 56 },
        { job: { seed: 1, to: 1000 }, found: 500_501 },
        { job: { seed: 2, to: 10 }, found: 57 },
        { job: { seed: 2, to: 1000 }, found: 500_502 }
      ]
    })
  })

  it("that is quick writes nothing into the pages", async () => {
    const { files, good } = await runOf("adds", { quick: true, json: undefined })
    expect(good).toBe(true)
    expect(files).toEqual({ "adds.md": page })
  })

  it("fails if a page is missing, or does not have what the experiment makes", async () => {
    const without = await runOf("adds", { quick: true }, "text")
    expect(without.good).toBe(false)
    expect(without.printed).toContain("FAILED   its page has no place for the table \"sums\"")
    expect(without.printed).toContain("FAILED   its page does not show adds-more.svg")
    const missing = await runOf("misses", {}, null)
    expect(missing.printed).toContain("FAILED   it has no page: ")
  })

  it("fails if a claim does not hold, which it names", async () => {
    const { files, good, printed } = await runOf("misses")
    expect(good).toBe(false)
    expect(printed).toContain("MISSED   one is two: one")
    expect(printed).toContain("holds    one is one: one")
    expect(printed).toMatch(/lab: misses misses "one is two"/)
    expect(JSON.parse(files["lab.json"]!).experiments[0].checks[0].holds).toBe(false)
  })

  it("goes on after jobs that fail, and tells each", async () => {
    const { good, printed } = await runOf("breaks")
    expect(good).toBe(false)
    expect(printed).toContain("the job \"throws\" has failed: it had to")
    expect(printed).toContain("the job \"ends its thread\" has failed: its thread has ended")
    expect(printed).toMatch(/the job "gives what no thread can send" has failed: .*could not be cloned/)
    expect(printed).not.toContain("goes well")
  })

  it("tells why a report could not be made", async () => {
    const { good, printed } = await runOf("reports")
    expect(good).toBe(false)
    expect(printed).toContain("FAILED   its report has failed: nothing to report")
  })
})
