import { assert, describe, it } from "@effect/vitest"
import * as Plot from "../../src/plot/index.ts"
import { placed, roomOf } from "../../src/plot/internal/rules.ts"
import { across } from "../../src/plot/internal/scales.ts"
import { stacked } from "../../src/plot/internal/series.ts"
import { palette } from "../../src/plot/internal/style.ts"
import { coloursOf, contrast, parse } from "../support/svg.ts"

const count = (svg: string, pattern: RegExp): number => svg.match(pattern)?.length ?? 0

const line = (name: string, ...points: ReadonlyArray<Plot.Point>): Plot.Line => Plot.line({ name, points })

const picture = (
  marks: ReadonlyArray<Plot.Mark>,
  { x = { label: "x" }, y = { label: "y" } }: { readonly x?: Plot.Axis; readonly y?: Plot.Axis } = {}
): string => Plot.svg({ title: "A title", x, panels: [{ y, marks }] })

const numbersAt = (svg: string, anchor: "middle" | "end"): ReadonlyArray<string> =>
  [...svg.matchAll(new RegExp(`<text x="[\\d.]+" y="[\\d.]+" text-anchor="${anchor}">([^<]*)</text>`, "g"))].map(
    ([, text]) => text!
  )

const pathsOf = (svg: string, kind: string): ReadonlyArray<string> =>
  [...svg.matchAll(new RegExp(`<path d="([^"]+)" class="${kind}[^"]*"/>`, "g"))].map(([, d]) => d!)

describe("Plot", () => {
  it("draws lines, bands, bars, rules and spans as XML, each name once in the legend, each axis with its words", () => {
    const svg = Plot.svg({
      title: "A <fleet> & \"more\"",
      x: Plot.duration({ label: "time since the start" }),
      panels: [
        {
          y: { label: "calls per second" },
          marks: [
            line("answered", [0, 10], [60_000, 20]),
            Plot.band({ name: "answered", points: [[0, 5, 15], [60_000, 10, 25]] }),
            Plot.span({ name: "east is down", from: 10_000, to: 20_000 })
          ]
        },
        {
          y: { label: "attempts" },
          marks: [
            Plot.bars({ name: "tried", bars: [[0, 30_000, 4], [30_000, 60_000, 8]] }),
            line("answered", [0, 1], [60_000, 8]),
            Plot.rule({ name: "SIGKILL", at: 40_000, kind: "limit" })
          ]
        }
      ]
    })
    parse(svg)
    for (const text of ["calls per second", "attempts", "time since the start", "east is down", "SIGKILL", "tried"]) {
      assert.include(svg, `>${text}</text>`)
    }
    assert.strictEqual(count(svg, />answered<\/text>/g), 1)
    assert.strictEqual(pathsOf(svg, "line s0").length, 2)
    assert.strictEqual(pathsOf(svg, "band s0").length, 1)
    assert.strictEqual(count(svg, /class="bar s1"/g), 3)
    assert.strictEqual(count(svg, /class="span"/g), 1)
    assert.include(svg, "A &lt;fleet&gt; &amp; &quot;more&quot;")
    assert.deepStrictEqual(numbersAt(svg, "middle"), [
      "0",
      "10s",
      "20s",
      "30s",
      "40s",
      "50s",
      "60s",
      "time since the start"
    ])
  })

  it("a value that is not finite makes a gap", () => {
    const [d] = pathsOf(picture([line("a", [0, 1], [1, 2], [2, Number.NaN], [3, 1], [4, 2])]), "line")
    assert.strictEqual(count(d!, /M/g), 2)
    assert.notMatch(d!, /NaN/)
  })

  it("a logarithmic axis leaves out what it cannot show", () => {
    const y = { label: "y", scale: "logarithmic" } as const
    const svg = picture([line("a", [1, 0], [2, 10], [3, 1000]), line("b", [1, -5], [2, 1])], { y })
    assert.notMatch(svg, /NaN|Infinity|undefined/)
    assert.includeMembers([...numbersAt(svg, "end")], ["10", "100"])
  })

  it.each(
    [
      ["no mark", []],
      ["no point", [line("a")]],
      ["one point", [line("a", [5, 5])]],
      ["equal values", [line("a", [0, 7], [1, 7])]],
      ["zeros", [line("a", [0, 0], [1, 0])]],
      ["nothing finite", [line("a", [Number.NaN, Infinity])]],
      ["negative values", [line("a", [-5, -10], [5, -1])]],
      ["large values", [line("a", [0, 1e12], [1e12, 3e15])]],
      ["a rule alone", [Plot.rule({ name: "r", at: 3 })]],
      ["a rule that is nowhere", [Plot.rule({ name: "r", at: Infinity }), line("a", [0, 1], [1, 2])]],
      ["a span that is empty", [Plot.span({ name: "s", from: 3, to: 3 }), line("a", [0, 1], [5, 2])]]
    ] satisfies ReadonlyArray<readonly [string, ReadonlyArray<Plot.Mark>]>
  )("is a picture of %s, on axes of both kinds", (_, marks) => {
    for (const x of ["linear", "logarithmic"] as const) {
      for (const y of ["linear", "logarithmic"] as const) {
        const svg = picture(marks, { x: { label: "x", scale: x }, y: { label: "y", scale: y } })
        parse(svg)
        assert.notMatch(svg, /NaN|Infinity|undefined/)
      }
    }
  })

  it("marks end where their axes do, and those that fit are left alone", () => {
    const inner = (svg: string): number => count(svg, /<svg x="/g)
    const points = [[0, 10], [50, 20], [100, 30]] as const
    const band = Plot.band({ name: "b", points: points.map(([x, y]) => [x, y, y + 5]) })
    assert.strictEqual(inner(picture([line("a", ...points), band])), 0)
    assert.strictEqual(inner(picture([line("a", ...points)], { x: { label: "x", from: 0, to: 100 } })), 0)
    for (const x of [{ from: 20 }, { to: 80 }]) {
      const svg = picture([line("a", ...points)], { x: { label: "x", ...x } })
      parse(svg)
      assert.strictEqual(inner(svg), 1)
    }
    for (const y of [{ from: 15 }, { to: 25 }]) {
      assert.strictEqual(inner(picture([band], { y: { label: "y", ...y } })), 1)
    }
    // what is too low for a logarithmic axis lies at its end
    assert.strictEqual(inner(picture([line("a", ...points)], { y: { label: "y", from: 15, scale: "logarithmic" } })), 0)
  })

  it("says so where there is nothing", () => {
    assert.include(picture([line("a")]), "Nothing to show.")
    assert.include(
      Plot.svg({ title: "t", x: { label: "x" }, panels: [{ y: { label: "y" }, marks: [] }], empty: "Silence." }),
      "Silence."
    )
  })

  it("bars that begin at the same place stand upon each other", () => {
    const all = [
      Plot.bars({ name: "a", bars: [[0, 1, 3], [1, 2, 4]] }),
      Plot.bars({ name: "b", bars: [[0, 1, 2], [1, 2, 0]] }),
      Plot.bars({ name: "c", bars: [[0, 1, 1], [1, 2, 5]] })
    ]
    assert.deepStrictEqual(stacked(all), [
      [[0, 1, 0, 3], [1, 2, 0, 4]],
      [[0, 1, 3, 5]],
      [[0, 1, 5, 6], [1, 2, 4, 9]]
    ])
  })

  it.each(["linear", "logarithmic"] as const)("a %s axis is as long as the labels of its rules need", (scale) => {
    const axis = { label: "x", scale } as const
    const labels = [1, 40, 97, 98, 99].map((at) => ({ at, text: `a rule at ${at}`, kind: "limit" as const }))
    const needs = labels.map((each) => ({ at: each.at, width: roomOf(each) }))
    const x = across(axis, [1, 100], needs, 72, 784)
    for (const { at, width } of needs) assert.isAtMost(x.place(at) + width, 784.001)
    const rows = placed(labels, x)
    for (const one of rows) {
      for (const other of rows) {
        // a line that comes down through the row of a label would cross it
        if (other.x > one.x && other.x < one.x + roomOf(one)) assert.isBelow(one.row, other.row)
      }
    }
  })

  it.each(
    [
      [0, 60_000, ["0", "10s", "20s", "30s", "40s", "50s", "60s"]],
      [0, 7 * 60_000, ["0", "60s", "2min", "3min", "4min", "5min", "6min", "7min"]],
      [0, 800, ["0", "100ms", "200ms", "300ms", "400ms", "500ms", "600ms", "700ms", "800ms"]],
      [0, 2 * 86_400_000, ["0", "6h", "12h", "18h", "24h", "30h", "36h", "42h", "48h"]]
    ] as const
  )("times from %d to %d have the numbers that people say", (from, to, expected) => {
    const x = Plot.duration({ label: "x", from, to })
    assert.deepStrictEqual(x.ticks!(from, to).map(x.format!), [...expected])
  })

  it("writes durations with three digits at most", () => {
    assert.deepStrictEqual(
      [0, 1, 320.4, 4100, 75_000, 119_999, 120_000, 90 * 60_000, 3 * 3_600_000].map(Plot.showDuration),
      ["0", "1ms", "320ms", "4.1s", "75s", "120s", "2min", "90min", "3h"]
    )
  })

  it("a ninth line has a colour again, and other dashes", () => {
    const svg = picture(Array.from({ length: 17 }, (_, i) => line(`line ${i}`, [0, i], [1, i + 1])))
    const classes = [...svg.matchAll(/<path d="[^"]+" class="([^"]+)"/g)].map(([, kind]) => kind)
    assert.strictEqual(new Set(classes).size, 17)
  })

  it.each(["light", "dark"] as const)(
    "in %s all is seen against the ground, and neighbours by their lightness",
    (scheme) => {
      const colour = coloursOf(picture([]), scheme)
      for (let i = 0; i < palette.length; i++) {
        assert.isAtLeast(contrast(colour(`.s${i}`), colour(".ground")), 3, `.s${i}`)
      }
      assert.isAtLeast(contrast(colour(".s0"), colour(".s1")), 1.8)
      for (const kind of [".limit", ".measured", ".axis"]) {
        assert.isAtLeast(contrast(colour(kind), colour(".ground")), 3, kind)
      }
      for (const kind of ["text", ".limit-label"]) {
        assert.isAtLeast(
          contrast(colour(kind), colour(".ground")),
          4.5,
          kind
        )
      }
      assert.strictEqual(colour(".casing"), colour(".ground"))
    }
  )

  it("is printed as on a light ground", () => {
    assert.include(picture([]), "@media screen and (prefers-color-scheme: dark)")
  })

  const good: Plot.Options = { title: "t", x: { label: "x" }, panels: [{ y: { label: "y" }, marks: [] }] }
  it.each(
    [
      [{ title: "" }, /title must be/],
      [{ panels: [] }, /panels must be an array of at least one panel/],
      [{ width: 100 }, /width must be from 320 to 4000, got 100/],
      [{ x: { label: "" } }, /x\.label must be/],
      [{ x: { label: "x", scale: "log" as never } }, /x\.scale must be "linear" or "logarithmic", got "log"/],
      [{ x: { label: "x", from: 5, to: 5 } }, /x\.to must be greater than x\.from \(5\), got 5/],
      [{ x: { label: "x", scale: "logarithmic", from: 0 } }, /x\.from must be a finite number > 0, got 0/],
      [
        { panels: [{ y: { label: "y" }, marks: [], height: 10 }] },
        /panels\[0\]\.height must be a finite number >= 40, got 10/
      ],
      [{ panels: [{ y: { label: "y" }, marks: undefined as never }] }, /panels\[0\]\.marks must be an array of marks/]
    ] satisfies ReadonlyArray<readonly [Partial<Plot.Options>, RegExp]>
  )("refuses %j", (bad, message) => {
    assert.throws(() => Plot.svg({ ...good, ...bad }), RangeError, message)
  })
})
