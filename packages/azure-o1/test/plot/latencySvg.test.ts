import { assert, describe, it } from "@effect/vitest"
import { parse } from "../../../core/test/support/svg.ts"
import { Registry } from "../../src/monitor/registry.ts"
import type { MonitorSnapshot } from "../../src/monitor/snapshot.ts"
import { latencySvg } from "../../src/plot/index.ts"
import { attempt, cut } from "../support/observations.ts"
import { lognormal } from "../support/random.ts"

const snapshotOf = (answers: number, cutOff = 0): MonitorSnapshot => {
  const registry = new Registry(3_600_000, 100)
  const sample = lognormal(1, 20, 0.5)
  for (let i = 0; i < answers; i++) registry.attempt(attempt(sample()), 0)
  for (let i = 0; i < cutOff; i++) registry.attempt(cut(120), 0)
  return { version: 1, at: 0, ...registry.snapshot(0) }
}

const count = (svg: string, pattern: RegExp): number => svg.match(pattern)?.length ?? 0

const rects = (svg: string, kind: string) =>
  [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" class="(bar s[01])"\/>/g)]
    .filter(([, , , , , each]) => each === kind)
    .map(([, x, y, width, height]) => ({ x: Number(x), y: Number(y), width: Number(width), height: Number(height) }))

interface Line {
  readonly x: number
  readonly y1: number
  readonly y2: number
}

const lines = (svg: string, kind: string): ReadonlyArray<Line> =>
  [...svg.matchAll(/<line x1="([\d.]+)" y1="([\d.]+)" x2="[\d.]+" y2="([\d.]+)" class="([\w-]+)"\/>/g)]
    .filter(([, , , , each]) => each === kind)
    .map(([, x, y1, y2]) => ({ x: Number(x), y1: Number(y1), y2: Number(y2) }))

/** The texts beside the lines of quantiles and limits, as boxes of letters that are no wider than those of common fonts. */
const marks = (svg: string) =>
  [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)"(?: class="limit-label")?>([^<]*)<\/text>/g)]
    .map(([, x, y, text]) => ({ x: Number(x), y: Number(y), text: text! }))
    .filter(({ x, y }) => y > 60 && x > 72)
    .map(({ text, x, y }) => ({ text, from: x, to: x + text.length * 7.2, top: y - 10, bottom: y + 3 }))

describe("latencySvg", () => {
  it("is XML, with the quantiles and the limits in it", () => {
    const svg = latencySvg(snapshotOf(500), { limits: { now: "60 seconds", recommended: "95 seconds" } })
    parse(svg)
    for (const text of ["p50 20s", "p95 ", "p99 ", "now 60s", "recommended 95s", "500 answers", "0 attempts cut off"]) {
      assert.include(svg, text)
    }
    assert.strictEqual(count(svg, /class="measured"/g), 3)
    assert.strictEqual(count(svg, /class="limit"/g), 2)
    assert.include(svg, "prefers-color-scheme: dark")
  })

  it("draws what was seen and cut off within the frame, the bars as high as their share", () => {
    const svg = latencySvg(snapshotOf(500, 50))
    const seen = rects(svg, "bar s0").filter(({ width }) => width > 10)
    const cutOff = rects(svg, "bar s1").filter(({ width }) => width > 10)
    const [{ y1: axis }] = lines(svg, "axis") as [Line]
    for (const { height, width, x, y } of [...seen, ...cutOff]) {
      assert.isTrue(x >= 72 && x + width <= 784 && y >= 64 && y + height <= axis + 0.1)
    }
    const sum = (bars: typeof seen): number => bars.reduce((all, { height }) => all + height, 0)
    assert.closeTo(sum(cutOff) / sum(seen), 0.1, 0.01)
    assert.include(svg, "50 attempts cut off")
  })

  it("does not draw a quantile that is not known", () => {
    const svg = latencySvg(snapshotOf(100, 20))
    assert.include(svg, "p50 ")
    assert.notInclude(svg, "p95 ")
  })

  it("only what was asked for", () => {
    assert.include(latencySvg(snapshotOf(10), { effort: "medium", deployment: "o1" }), "10 answers")
    assert.include(latencySvg(snapshotOf(10), { effort: "high" }), "Nothing was observed.")
    assert.include(latencySvg(snapshotOf(10), { model: "o3" }), "Nothing was observed.")
  })

  it("names are text, whatever is in them", () => {
    const svg = latencySvg(snapshotOf(10), { deployment: "o1", limits: { "<b>\"&\u0000'": "60 seconds" } })
    assert.include(svg, "&lt;b&gt;&quot;&amp;\uFFFD' 60s")
    parse(svg)
  })

  it("is a picture also of nothing, of one answer, and of a limit alone", () => {
    for (
      const svg of [
        latencySvg(snapshotOf(0)),
        latencySvg(snapshotOf(1)),
        latencySvg(snapshotOf(0, 1)),
        latencySvg(snapshotOf(0), { limits: { now: "60 seconds" } }),
        latencySvg(snapshotOf(5), { limits: { none: "Infinity", nothing: 0 } })
      ]
    ) {
      parse(svg)
      assert.notMatch(svg, /NaN|Infinity|undefined/)
    }
  })

  it("says what it shows: a title, and a word and numbers for each axis", () => {
    const svg = latencySvg(snapshotOf(500, 50), { effort: "medium" })
    for (
      const text of [
        "How long attempts take, medium",
        "time of an attempt (logarithmic scale)",
        "number of attempts",
        "20s"
      ]
    ) {
      assert.include(svg, `>${text}</text>`)
    }
    const numbers = [...svg.matchAll(/<text x="64" y="[\d.]+" text-anchor="end">(\d+)</g)].map(([, number]) =>
      Number(number)
    )
    const highest = Math.max(...numbers)
    assert.isTrue(numbers.length >= 3 && numbers.length <= 6)
    // the unit is that of the bars
    const bars = [...rects(svg, "bar s0"), ...rects(svg, "bar s1")].filter(({ width }) => width > 10)
    const unit = (Number(/<text x="64" y="([\d.]+)" text-anchor="end">0</.exec(svg)![1]) -
      Number(new RegExp(`<text x="64" y="([\\d.]+)" text-anchor="end">${highest}<`).exec(svg)![1])) / highest
    assert.closeTo(bars.reduce((sum, { height }) => sum + height, 0) / unit, 550, 1)
  })

  const manyAt = (seconds: ReadonlyArray<number>, name = "limit") =>
    Object.fromEntries(seconds.map((each, index) => [`${name} ${index}`, `${each} seconds` as const]))

  it.each(
    [
      ["none", {}],
      ["one above each quantile", manyAt([21, 47, 70])],
      ["as the monitor recommends", { now: "60 seconds", recommended: "149 seconds" }],
      ["close together", manyAt([60, 61, 62, 63, 64, 65])],
      ["at one time", manyAt([60, 60, 60])],
      ["upon the median", manyAt([20, 20])],
      ["far below and far above", manyAt([0.001, 90_000])],
      ["at the right end, with long names", manyAt([300, 320, 340], "the limit that is configured")],
      ["more than the picture was made for", manyAt(Array.from({ length: 25 }, (_, index) => 5 * 1.2 ** index))],
      ["a name that is too long", { ["a limit of the configuration ".repeat(9)]: "60 seconds" }]
    ] as const
  )("no label crosses a line, another label or the edge: limits %s", (_, limits) => {
    const svg = latencySvg(snapshotOf(500, 20), { limits })
    parse(svg)
    const labels = marks(svg)
    const drawn = [...lines(svg, "limit"), ...lines(svg, "measured"), ...lines(svg, "grid")]
    assert.strictEqual(labels.length, Object.keys(limits).length + lines(svg, "measured").length)
    for (const [index, each] of labels.entries()) {
      assert.isTrue(each.to <= 800, each.text)
      for (const { x, y1, y2 } of drawn) {
        assert.isFalse(x > each.from && x < each.to && y1 < each.bottom && y2 > each.top, `a line through ${each.text}`)
      }
      for (const other of labels.slice(index + 1)) {
        const apart = each.to <= other.from || other.to <= each.from || each.bottom <= other.top ||
          other.bottom <= each.top
        assert.isTrue(apart, `${each.text}, ${other.text}`)
      }
    }
    for (const { top } of labels) assert.isTrue(top > 50 && top < lines(svg, "axis")[0]!.y1 - 240)
  })

  it("no two times at the axis lie upon each other", () => {
    for (const limits of [{}, manyAt([0.001, 90_000]), manyAt([0.001]), manyAt([18_000])]) {
      const svg = latencySvg(snapshotOf(500), { limits })
      const shown = [...svg.matchAll(/<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">(\d+(?:ms|s|min))</g)]
        .map(([, x, text]) => ({ x: Number(x), half: text!.length * 3.6 }))
      assert.isTrue(shown.length >= 4)
      for (const [index, { half, x }] of shown.slice(1).entries()) {
        assert.isTrue(shown[index]!.x + shown[index]!.half < x - half)
      }
    }
  })
})
