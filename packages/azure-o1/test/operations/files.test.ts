import { assert, describe, it } from "@effect/vitest"
import { parser } from "@prometheus-io/lezer-promql"
import * as Effect from "effect/Effect"
import { PrometheusMetrics } from "effect/observability"
import { readFileSync } from "node:fs"
import { parse as parseYaml } from "yaml"
import { type Family, parse } from "../../../../tools/collector/src/prometheus.ts"
import { O1Metrics } from "../../src/metrics/index.ts"
import { everything } from "./everything.ts"

const read = (path: string): string => readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8")

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description: string
  readonly datasource: unknown
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig: { readonly defaults: { readonly unit: string } }
  readonly targets: ReadonlyArray<{ readonly refId: string; readonly expr: string; readonly legendFormat: string }>
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const dashboard = JSON.parse(read("operations/grafana-dashboard.json"))
const panels: ReadonlyArray<Panel> = dashboard.panels.filter(({ type }: Panel) => type !== "row")
const groups = (parseYaml(read("operations/prometheus-alerts.yml"), { strict: true, uniqueKeys: true }) as {
  readonly groups: ReadonlyArray<{ readonly name: string; readonly rules: ReadonlyArray<Rule> }>
}).groups
const rules = groups.flatMap(({ rules }) => rules)

/** What a query asks for: metrics with the labels that it selects, and the labels that it groups by. */
const readQuery = (text: string) => {
  const expr = text.replaceAll("$__rate_interval", "5m")
  const selected: Array<{ readonly metric: string; readonly matchers: Array<readonly [string, string, string]> }> = []
  const grouped: Array<string> = []
  parser.parse(expr).iterate({
    enter: ({ from, name, node, to, type }) => {
      assert.isFalse(type.isError, `${expr} cannot be read at ${from}: ${expr.slice(from, to)}`)
      if (name === "VectorSelector") {
        selected.push({ metric: expr.slice(node.firstChild!.from, node.firstChild!.to), matchers: [] })
      }
      if (name === "UnquotedLabelMatcher") {
        const [, label, operator, value] = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/su.exec(expr.slice(from, to))!
        selected.at(-1)!.matchers.push([label!, operator!, value!])
      }
      if (name === "GroupingLabels") {
        grouped.push(...expr.slice(from + 1, to - 1).split(",").map((label) => label.trim()))
      }
    }
  })
  return { selected, grouped }
}

/** What Prometheus adds to every series. */
const target = new Set(["job", "instance"])

const complaintsOf = (families: ReadonlyArray<Family>, expr: string): ReadonlyArray<string> => {
  const { grouped, selected } = readQuery(expr)
  const complaints: Array<string> = []
  assert.isNotEmpty(selected, expr)
  const labels = new Set(target)
  for (const { matchers, metric } of selected) {
    const samples = families.flatMap(({ samples }) => samples).filter(({ name }) => name === metric)
    if (samples.length === 0) complaints.push(`nothing exports ${metric}`)
    for (const label of samples.flatMap((sample) => Object.keys(sample.labels))) labels.add(label)
    for (const [label, operator, value] of matchers) {
      const values = new Set(samples.flatMap((sample) => label in sample.labels ? [sample.labels[label]!] : []))
      if (values.size === 0) complaints.push(`${metric} has no label ${label}`)
      // every word that is looked for has to be one that there is; what is a variable of the dashboard may be anything
      if (value.startsWith("$") || operator.startsWith("!")) continue
      for (const word of value.split("|")) {
        if (!values.has(word)) {
          complaints.push(`${metric} is never ${label}="${word}", but ${Array.from(values).join(", ")}`)
        }
      }
    }
  }
  return [...complaints, ...grouped.filter((label) => !labels.has(label)).map((label) => `no label ${label}: ${expr}`)]
}

const exported = everything(
  Effect.map(PrometheusMetrics.format({ metricNameMapper: O1Metrics.prometheusName }), parse)
)

describe("what is exported by a program that uses everything", () => {
  it.effect("is what the dashboard and the alerts ask for", () =>
    Effect.gen(function*() {
      const families = yield* exported
      const queries = [...panels.flatMap(({ targets }) => targets), ...rules]
      assert.isAbove(queries.length, 40)
      assert.deepStrictEqual(queries.flatMap(({ expr }) => complaintsOf(families, expr)), [])
    }))

  it.effect("is all of it on the dashboard, or named as what is not", () =>
    Effect.gen(function*() {
      const asked = new Set(
        panels.flatMap(({ targets }) => targets).flatMap(({ expr }) => readQuery(expr).selected).map(({ metric }) =>
          metric.replace(/_bucket$/u, "")
        )
      )
      const left = (yield* exported).map(({ name }) => name).filter((name) => !asked.has(name))
      assert.sameMembers(left, [
        "o1_quota_spent",
        "resilience_breaker_exceeded_total",
        "resilience_retry_delay_seconds"
      ])
    }))

  it("is complained of where it is not there", () => {
    const families = parse("# HELP a_total a\n# TYPE a_total counter\na_total{name=\"x\",outcome=\"success\"} 1\n")
    const table: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      ["sum by (name, job) (rate(a_total[5m]))", []],
      ["sum(b_total)", ["nothing exports b_total"]],
      ["a_total{kind=\"x\"}", ["a_total has no label kind", "a_total is never kind=\"x\", but "]],
      ["a_total{outcome=~\"success|sucess\"}", ["a_total is never outcome=\"sucess\", but success"]],
      ["sum by (nam) (a_total)", ["no label nam: sum by (nam) (a_total)"]],
      ["a_total{name=~\"$name\"}", []]
    ]
    for (const [expr, complaints] of table) assert.deepStrictEqual(complaintsOf(families, expr), complaints, expr)
    assert.throws(() => complaintsOf(families, "sum(rate(a_total[5m])"))
  })
})

describe("operations/grafana-dashboard.json", () => {
  it("is one that Grafana imports: a data source that can be chosen, units, places of their own", () => {
    assert.isAtLeast(dashboard.schemaVersion, 39)
    assert.isString(dashboard.title)
    assert.isString(dashboard.uid)
    assert.isUndefined(dashboard.id)
    const variables = dashboard.templating.list as ReadonlyArray<{ readonly name: string; readonly type: string }>
    assert.deepStrictEqual(variables.map(({ name, type }) => [name, type]), [
      ["datasource", "datasource"],
      ["name", "query"],
      ["deployment", "query"]
    ])
    const known = new Set([...variables.map(({ name }) => name), "__rate_interval"])
    const ids = new Set<number>()
    const taken = new Set<string>()
    for (const { datasource, description, fieldConfig, gridPos, id, targets, title } of panels) {
      assert.deepStrictEqual(datasource, { type: "prometheus", uid: "${datasource}" })
      assert.isAbove(description.length, 5, title)
      assert.include(["s", "short", "percentunit", "reqps", "cps"], fieldConfig.defaults.unit, title)
      assert.isFalse(ids.has(id))
      ids.add(id)
      assert.isAtMost(gridPos.x + gridPos.w, 24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        const place = `${x} ${gridPos.y}`
        assert.isFalse(taken.has(place), `${title} covers another panel`)
        taken.add(place)
      }
      assert.strictEqual(new Set(targets.map(({ refId }) => refId)).size, targets.length)
      for (const { expr, legendFormat } of targets) {
        for (const [, name] of expr.matchAll(/\$(\w+)/gu)) assert.isTrue(known.has(name!), `${title}: $${name}`)
        const { grouped } = readQuery(expr)
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/gu)) {
          assert.include(grouped, label, `${title}: the legend names a label that the query drops`)
        }
        // a time is in seconds where its metric is
        if (expr.includes("_seconds_bucket")) assert.strictEqual(fieldConfig.defaults.unit, "s", title)
      }
    }
  })
})

describe("operations/prometheus-alerts.yml", () => {
  it("is played to by series of metrics that there are, in the file for promtool", () => {
    const { rule_files, tests } = parseYaml(read("operations/prometheus-alerts.test.yml")) as {
      readonly rule_files: ReadonlyArray<string>
      readonly tests: ReadonlyArray<{
        readonly input_series: ReadonlyArray<{ readonly series: string }>
        readonly alert_rule_test: ReadonlyArray<{ readonly alertname: string }>
      }>
    }
    assert.deepStrictEqual(rule_files, ["prometheus-alerts.yml"])
    const asked = new Set(rules.flatMap(({ expr }) => readQuery(expr).selected).map(({ metric }) => metric))
    const names = new Set(rules.map(({ alert }) => alert))
    for (const { alert_rule_test, input_series } of tests) {
      for (const { series } of input_series) assert.isTrue(asked.has(series.split("{")[0]!), series)
      for (const { alertname } of alert_rule_test) assert.isTrue(names.has(alertname), alertname)
    }
  })

  it("has alerts, each with a name of its own, a severity, a summary and a section in docs/operations.md", () => {
    const page = read("docs/operations.md")
    const sections = Array.from(page.matchAll(/^### `?(\w+)`?$/gmu), ([, name]) => name!)
    assert.deepStrictEqual(rules.map(({ alert }) => alert).toSorted(), sections.toSorted())
    assert.strictEqual(new Set(rules.map(({ alert }) => alert)).size, rules.length)
    for (const { alert, annotations, expr, labels } of rules) {
      assert.include(["page", "ticket"], labels["severity"], alert)
      assert.isAbove(annotations["summary"]!.length, 10)
      assert.strictEqual(annotations["runbook"], `docs/operations.md#${alert.toLowerCase()}`)
      const { grouped } = readQuery(expr)
      for (const [, label] of annotations["summary"]!.matchAll(/\$labels\.(\w+)/gu)) {
        assert.include(grouped, label, alert)
      }
    }
  })
})
