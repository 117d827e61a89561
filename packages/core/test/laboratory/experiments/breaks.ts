import process from "node:process"
import * as Experiment from "../../../../../tools/laboratory/src/Experiment.ts"

type Job = "throws" | "ends its thread" | "gives what no thread can send" | "goes well"

export default Experiment.make<Job, unknown>({
  name: "breaks",
  title: "Jobs that fail",
  source: "nobody",
  jobs: () => ["throws", "ends its thread", "goes well", "gives what no thread can send", "goes well"],
  measure: (job) => {
    if (job === "throws") throw new Error("it had to")
    if (job === "ends its thread") process.exit(3)
    return job === "goes well" ? job : () => job
  },
  report: () => ({ tables: {}, plots: {}, checks: [] })
})
