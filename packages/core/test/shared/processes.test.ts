import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"

const worker = new URL("support/worker.ts", import.meta.url).pathname

interface Ended {
  readonly code: number | null
  readonly output: string
}

/** A worker under way. */
class Worker {
  private readonly child: ChildProcess
  private output = ""
  readonly ready: Promise<void>
  readonly ended: Promise<Ended>

  constructor(...args: ReadonlyArray<string>) {
    this.child = spawn(process.execPath, [worker, ...args], { stdio: ["ignore", "pipe", "pipe"] })
    this.ended = new Promise((resolve) =>
      this.child.once("close", (code) => resolve({ code, output: this.output.replace("ready", "").trim() }))
    )
    this.ready = new Promise((resolve) => {
      for (const stream of [this.child.stdout!, this.child.stderr!]) {
        stream.on("data", (text) => {
          this.output += text
          if (this.output.includes("ready")) resolve()
        })
      }
    })
  }

  kill(): Promise<Ended> {
    this.child.kill("SIGKILL")
    return this.ended
  }
}

const begin = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(Effect.sync(() => new Worker(...args)), (worker) => Effect.promise(() => worker.kill()))

describeWithRedis("processes at one quota", () => {
  for (const ahead of [0, 5]) {
    it.live(`never exceed it, and use all of it (permits taken ahead for ${ahead} ms)`, () =>
      Effect.gen(function*() {
        const { url } = yield* start
        const workers = yield* Effect.all([begin(url, "20", `${ahead}`), begin(url, "20", `${ahead}`)])
        const results = yield* Effect.promise(() => Promise.all(workers.map(({ ended }) => ended)))
        assert.deepStrictEqual(results.map(({ code }) => code), [0, 0], JSON.stringify(results))
        const taken = results.map(({ output }) => Number(output))
        assert.isAtMost(taken[0]! + taken[1]!, 1000)
        // what a process takes ahead and does not need may come back after the other was told no
        assert.isAtLeast(taken[0]! + taken[1]!, ahead === 0 ? 1000 : 950)
        for (const each of taken) assert.isAbove(each, 50)
      }))
  }

  it.live("never exceed it when one of them is killed", () =>
    Effect.gen(function*() {
      const { url } = yield* start
      const [one, other] = yield* Effect.all([begin(url, "20"), begin(url, "20")])
      yield* Effect.promise(() => one.ready)
      yield* Effect.promise(() => one.kill())
      const { code, output } = yield* Effect.promise(() => other.ended)
      assert.strictEqual(code, 0, output)
      assert.isAtMost(Number(output), 1000)
    }))
})
