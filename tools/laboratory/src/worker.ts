import { parentPort } from "node:worker_threads"
import type { AnyExperiment } from "./Experiment.ts"
import type { Answer, Task } from "./pool.ts"

const port = parentPort!

/** The processor's time of this thread in milliseconds; that of a clock where Node cannot tell. */
const spent = (): number => {
  // eslint-disable-next-line typescript/no-unnecessary-condition -- Node 22 does not have it
  const usage = process.threadCpuUsage?.()
  return usage === undefined ? performance.now() : (usage.user + usage.system) / 1000
}

const answerOf = async ({ file, job }: Task): Promise<Answer> => {
  const { default: experiment } = await import(file) as { readonly default: AnyExperiment }
  const begun = spent()
  return { found: experiment.measure(job) as unknown, millis: spent() - begun }
}

port.on("message", async (task: Task) => {
  try {
    // what a job has found may be something that cannot be sent
    port.postMessage(await answerOf(task))
  } catch (error) {
    port.postMessage({ failed: error instanceof Error ? error.message : String(error) } satisfies Answer)
  }
})
