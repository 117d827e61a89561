/** Jobs on several threads. */
import { Worker } from "node:worker_threads"

export interface Task {
  /** The URL of the experiment. */
  readonly file: string
  readonly job: unknown
}

export type Answer = { readonly found: unknown; readonly millis: number } | { readonly failed: string }

/** A thread, and another one after a job that has ended it. */
class Thread {
  private worker: Worker | undefined

  run(task: Task): Promise<Answer> {
    const worker = this.worker ??= new Worker(new URL("worker.ts", import.meta.url))
    return new Promise((resolve) => {
      let failed = "its thread has ended"
      const ended = (answer: Answer) => {
        worker.off("message", ended).off("error", broken).off("exit", gone)
        resolve(answer)
      }
      const broken = (error: unknown) => {
        failed = error instanceof Error ? error.message : String(error)
      }
      const gone = () => {
        this.worker = undefined
        ended({ failed })
      }
      worker.on("message", ended).on("error", broken).on("exit", gone)
      // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage(task)
    })
  }

  async end(): Promise<void> {
    await this.worker?.terminate()
  }
}

/** Runs the tasks in their order, on so many threads. `ended` hears each as soon as it has ended. */
export const runAll = async (
  tasks: ReadonlyArray<Task>,
  threads: number,
  ended: (index: number, answer: Answer) => void
): Promise<void> => {
  let next = 0
  const work = async () => {
    const thread = new Thread()
    while (next < tasks.length) {
      const index = next++
      // eslint-disable-next-line no-await-in-loop -- a thread has one job at a time
      ended(index, await thread.run(tasks[index]!))
    }
    await thread.end()
  }
  await Promise.all(Array.from({ length: Math.min(threads, tasks.length) }, work))
}
