import * as Experiment from "../../../../../tools/laboratory/src/Experiment.ts"
import { groupBy, summary } from "../../../../../tools/laboratory/src/Seeds.ts"

export default Experiment.make<{ readonly seed: number; readonly to: number }, number>({
  name: "adds",
  title: "Sums",
  source: "Gauss",
  jobs: ({ quick, seeds }) => seeds.flatMap((seed) => (quick ? [10] : [10, 1000]).map((to) => ({ seed, to }))),
  measure: ({ seed, to }) => seed + to * (to + 1) / 2,
  report: (measured) => ({
    tables: {
      sums: {
        columns: ["to", "how", "sum"],
        rows: [...groupBy(measured, ({ job }) => String(job.to))].map(([to, group]) => [
          to,
          "by a thread",
          summary(group.map(({ found }) => found)).mean
        ])
      }
    },
    plots: { "": "<svg/>", "more": "<svg></svg>\n" },
    checks: [{ claim: "sums grow", holds: true, found: `${measured.length} sums` }]
  })
})
