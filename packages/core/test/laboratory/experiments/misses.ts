import * as Experiment from "../../../../../tools/laboratory/src/Experiment.ts"

export default Experiment.make<number, number>({
  name: "misses",
  title: "A claim that does not hold",
  source: "nobody",
  jobs: ({ seeds }) => seeds,
  measure: (seed) => seed,
  report: () => ({
    tables: {},
    plots: {},
    checks: [{ claim: "one is two", holds: false, found: "one" }, { claim: "one is one", holds: true, found: "one" }]
  })
})
