import { assert, describe, it } from "@effect/vitest"
import { Registry } from "../../src/monitor/registry.ts"
import type { MonitorSnapshot } from "../../src/monitor/snapshot.ts"
import { latencySvg } from "../../src/monitor/svg.ts"
import { attempt, cut } from "../support/observations.ts"
import { lognormal } from "../support/random.ts"

const snapshotOf = (answers: number, cutOff = 0): MonitorSnapshot => {
  const registry = new Registry(3_600_000, 100)
  const sample = lognormal(1, 20, 0.5)
  for (let i = 0; i < answers; i++) registry.attempt(attempt(sample()), 0)
  for (let i = 0; i < cutOff; i++) registry.attempt(cut(120), 0)
  return { version: 1, at: 0, ...registry.snapshot(0) }
}

/** Throws where the text is no XML; gives the elements. */
const parse = (svg: string): ReadonlyArray<string> => {
  const open: Array<string> = []
  const elements: Array<string> = []
  let rest = svg.trim()
  while (rest !== "") {
    const tag = /^<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<>&]*(?:&(?:amp|lt|gt|quot);[^"<>&]*)*")*)(\/?)>/.exec(rest)
    const text = /^[^<>&]*(?:&(?:amp|lt|gt|quot);[^<>&]*)*/.exec(rest)![0]
    if (tag !== null) {
      const [all, closes, name, , empty] = tag
      if (closes === "/") assert.strictEqual(open.pop(), name)
      else elements.push(name!)
      if (closes === "" && empty === "") open.push(name!)
      rest = rest.slice(all.length)
    } else {
      assert.isNotEmpty(text, `no XML at: ${rest.slice(0, 60)}`)
      rest = rest.slice(text.length)
    }
  }
  assert.isEmpty(open)
  return elements
}

const count = (svg: string, pattern: RegExp): number => svg.match(pattern)?.length ?? 0

const rects = (svg: string, kind: string) =>
  [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" class="(\w+)"\/>/g)]
    .filter(([, , , , , each]) => each === kind)
    .map(([, x, y, width, height]) => ({ x: Number(x), y: Number(y), width: Number(width), height: Number(height) }))

describe("latencySvg", () => {
  it("is XML, with the quantiles and the limits in it", () => {
    const svg = latencySvg(snapshotOf(500), { limits: { now: "60 seconds", recommended: "95 seconds" } })
    parse(svg)
    for (const text of ["p50 20s", "p95 ", "p99 ", "now 60s", "recommended 95s", "500 answers", "0 attempts cut off"]) {
      assert.include(svg, text)
    }
    assert.strictEqual(count(svg, /class="quantile"/g), 3)
    assert.strictEqual(count(svg, /class="limit"/g), 2)
    assert.include(svg, "prefers-color-scheme: dark")
  })

  it("draws what was seen and cut off within the frame, the bars as high as their share", () => {
    const svg = latencySvg(snapshotOf(500, 50))
    const seen = rects(svg, "seen").filter(({ width }) => width > 10)
    const cutOff = rects(svg, "cut").filter(({ width }) => width > 10)
    for (const { height, width, x, y } of [...seen, ...cutOff]) {
      assert.isTrue(x >= 16 && x + width <= 784 && y >= 64 && y + height <= 356.1)
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

  it("labels do not lie upon each other", () => {
    const limits = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`limit ${i}`, `${60 + i} seconds` as const]))
    const svg = latencySvg(snapshotOf(100), { limits })
    const rows = [...svg.matchAll(/<text x="[\d.]+" y="([\d.]+)" class="mark limit-label"/g)].map(([, y]) => y)
    assert.strictEqual(new Set(rows).size, 6)
  })
})
