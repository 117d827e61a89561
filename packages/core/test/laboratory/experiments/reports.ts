import * as Experiment from "../../../../../tools/laboratory/src/Experiment.ts"

export default Experiment.make<number, number>({
  name: "reports",
  title: "A report that fails",
  source: "nobody",
  jobs: () => [1],
  measure: (job) => job,
  report: () => {
    throw new Error("nothing to report")
  }
})
