import { assert, describe, it } from "@effect/vitest"
import { CircuitBreaker, type Policy, Retry } from "../../src/index.ts"
import * as Plot from "../../src/plot/index.ts"
import { Report, Server, Times } from "../../src/simulation/index.ts"
import { estimateOf, studentsT } from "../../src/simulation/internal/statistics.ts"
import { run } from "./support.ts"

const seeds = [1, 2, 3, 4, 5]

const reportsOf = (
  through: ReadonlyArray<Policy.Any>,
  tokens?: Server.Tokens
): ReadonlyArray<Report.Report> =>
  seeds.map((seed) =>
    run({
      seed,
      client: { through },
      server: {
        incidents: [Server.crash({ from: "20 seconds", until: "30 seconds" })],
        errors: 0.05,
        tokens
      }
    }).report
  )

const naive = reportsOf([])
const guarded = reportsOf([Retry.make({ times: 2 }), CircuitBreaker.makeUnsafe({ open: "2 seconds" })])
const compared = Report.compare({ naive, guarded }, { after: "30 seconds" })

describe("estimates", () => {
  // the table of Student's t that every textbook has
  for (
    const [degrees, t] of [[1, 12.706], [4, 2.776], [9, 2.262], [10, 2.228], [19, 2.093], [30, 2.042], [100, 1.984]]
  ) {
    it(`t with ${degrees} degrees of freedom is ${t}`, () => assert.closeTo(studentsT(degrees!), t!, 0.0006))
  }

  it("have the mean in their middle", () => {
    // a deviation of 1.5811 and a root of 5 values
    const { high, low, mean } = estimateOf([1, 2, 3, 4, 5])
    assert.strictEqual(mean, 3)
    assert.closeTo(high - mean, 2.776 * 1.5811 / Math.sqrt(5), 0.001)
    assert.closeTo(mean - low, high - mean, 1e-12)
  })

  it("of one value, be it that of all seeds, say no more than that", () => {
    assert.deepStrictEqual(Report.estimate([0.1, 0.1, 0.1]), { mean: 0.1, low: 0.1, high: 0.1 })
    assert.deepStrictEqual(Report.estimate([7]), { mean: 7, low: 7, high: 7 })
    assert.throws(() => Report.estimate([]), /values/)
  })
})

describe("a comparison", () => {
  it("has the means of the reports, in the order in which they were given", () => {
    const [first, second] = compared.stacks
    assert.strictEqual(first!.name, "naive")
    assert.deepStrictEqual(second!.seeds, seeds)
    assert.deepStrictEqual(second!.success, Report.estimate(guarded.map(({ clients }) => clients[0]!.success)))
    assert.deepStrictEqual(first!.requests, Report.estimate(naive.map(({ servers }) => servers[0]!.arrived)))
    assert.isAbove(second!.success.low, first!.success.high)
  })

  it("has when each seed was well again", () => {
    const expected = guarded.map((report) => Report.timeToRecover(report, { after: "30 seconds" }) ?? null)
    assert.deepStrictEqual(compared.stacks[1]!.recovery, expected)
    const never = Report.compare({ naive }, { after: "58 seconds" })
    assert.deepStrictEqual(never.stacks[0]!.recovery, seeds.map(() => null))
    assert.include(Report.table(never), "never")
    assert.notProperty(Report.compare({ naive }).stacks[0], "recovery")
    assert.notInclude(Report.table(Report.compare({ naive })), "recovers")
  })

  it("has the mean and the ends of the seeds at each time", () => {
    const { high, low, mean } = compared.stacks[0]!.series.succeeded
    const at = naive.map(({ clients }) => clients[0]!.series.succeeded[5]!)
    assert.strictEqual(low[5], Math.min(...at))
    assert.strictEqual(high[5], Math.max(...at))
    assert.closeTo(mean[5]!, at.reduce((sum, n) => sum + n, 0) / 5, 1e-9)
    // in the crash nothing succeeds, and nothing has a latency
    assert.strictEqual(mean[25], 0)
    assert.isNull(compared.stacks[0]!.series.p99.mean[25])
  })

  it("is kept by JSON", () => assert.deepStrictEqual(JSON.parse(JSON.stringify(compared)), compared))

  it("is a table that fits a terminal", () => {
    const table = Report.table(compared)
    assert.include(table, "naive")
    assert.include(table, "recovers")
    assert.match(table, /guarded +\d\d\.\d+ ±\d\.\d+ %/)
    assert.isAtMost(Math.max(...table.split("\n").map((line) => line.length)), 80)
    assert.notInclude(table, "tokens")
  })

  it("tells tokens and money where there are some", () => {
    const tokens = {
      prompt: Times.constant(100),
      completion: Times.constant(50),
      maxCompletion: 100,
      price: { prompt: 1, completion: 4 }
    }
    const table = Report.table(Report.compare({ one: reportsOf([], tokens)[0]! }))
    assert.include(table, "money")
    assert.notInclude(table, "±")
  })

  it("is a picture with a line for each stack, and a band where there are several seeds", () => {
    const picture = Report.picture(compared, { title: "Both" })
    const names = picture.panels.map(({ marks }) => marks.map(({ _tag, name }) => `${_tag} ${name}`))
    const stacks = ["Line naive", "Band naive", "Line guarded", "Band guarded"]
    assert.deepStrictEqual(names, [["Line offered", ...stacks], stacks])
    assert.include(Plot.svg(picture), "goodput, calls per second")
    const single = Report.picture(Report.compare({ naive: naive[0]! }), { title: "One" })
    assert.notInclude(single.panels[0]!.marks.map(({ _tag }) => _tag), "Band")
  })

  it("refuses what cannot be compared, and says what it is", () => {
    const longer = run({ duration: "61 seconds" }).report
    assert.throws(() => Report.compare({}), /reports.*at least one report/)
    assert.throws(() => Report.compare({ naive, other: [] }), /reports\["other"\].*at least one report/)
    assert.throws(() => Report.compare({ naive, longer }), /reports\["longer"\].*as long as the first.*61000 ms/)
    assert.throws(() => Report.compare({ naive }, { client: "nobody" }), /client.*nobody/)
    assert.throws(() => Report.compare({ naive }, { after: -1 }), /after/)
  })
})
