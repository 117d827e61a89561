/** What becomes of a batch whose processes die at every point. */
import { FakeAzure, type FakeAzureOptions } from "@effect-resilience/azure-o1/testing"
import { start } from "@effect-resilience/redis-server"
import { describeWithRedis } from "@effect-resilience/redis-server/vitest"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { appendFileSync } from "node:fs"
import { type Bench, bench, idIn, random } from "./support.ts"

// a machine with other work is slow
const patience = 180_000

/** Where the state is kept, as options of the program. */
type Store = Effect.Effect<ReadonlyArray<string>, unknown, Scope.Scope>

const args = ({ file }: Bench, store: ReadonlyArray<string>): ReadonlyArray<string> => [
  file("prompts.jsonl"),
  file("answers.jsonl"),
  ...store
]

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** What a batch of six says when its worker was killed once. */
const verdict = (twice: number): string => `Done: 6 of 6 prompts answered, 0 failed, ${twice} possibly billed twice.`

const points: ReadonlyArray<{
  readonly name: string
  readonly kills: ReadonlyArray<string>
  readonly posts: number
  readonly twice: number
  readonly azure?: FakeAzureOptions
  readonly env?: Record<string, string>
}> = [
  { name: "after the request was written down, before it went out", kills: ["begun p3"], posts: 6, twice: 1 },
  { name: "after the id was stored", kills: ["accepted p3"], posts: 6, twice: 0 },
  {
    name: "while the answer is read",
    kills: ["reading p3"],
    posts: 6,
    twice: 0,
    azure: { streams: true, model: "o3-mini-2025-01-31" },
    env: { AZURE_OPENAI_MODEL: "o3-mini", AZURE_OPENAI_API: "responses" }
  },
  { name: "after the answer was stored, before the queue knew", kills: ["answered p3"], posts: 6, twice: 0 },
  {
    name: "at several points, one after the other",
    kills: ["answered p1", "begun p4", "accepted p4"],
    posts: 6,
    twice: 1
  }
]

const suite = (store: Store): void => {
  for (const { azure = {}, env = {}, kills, name, posts, twice } of points) {
    it.live(name, () =>
      Effect.gen(function*() {
        const batch = yield* bench(azure)
        const { code, stderr, stdout } = yield* batch.run([...args(batch, yield* store), "--concurrency", "1"], {
          kills,
          env
        })
        assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" }, stdout)
        batch.expectAnswers()
        assert.strictEqual(yield* batch.posts, posts)
        assert.include(stdout, verdict(twice))
        assert.include(stdout, `replaced: ${kills.length}`)
        // nothing is left that nobody reads
        for (const { status } of yield* batch.azure.responses) assert.strictEqual(status, "completed")
      }), patience)
  }

  it.live("between the request and the id", () =>
    Effect.gen(function*() {
      let killed = false
      const batch: Bench = yield* bench({
        reply: (body) => {
          const id = idIn(body)
          const answer = FakeAzure.answer(`This is ${id}.`)
          if (killed || id !== "p3") return answer
          killed = true
          process.kill(batch.pidsOf(id)[0]!, "SIGKILL")
          return FakeAzure.slowCreate("1 second", answer)
        }
      })
      const { code, stdout } = yield* batch.run([...args(batch, yield* store), "--concurrency", "1"])
      assert.strictEqual(code, 0, stdout)
      batch.expectAnswers()
      assert.strictEqual(yield* batch.posts, 7)
      assert.include(stdout, verdict(1))
    }), patience)

  it.live("a worker that sleeps for longer than it is waited for, and then goes on", () =>
    Effect.gen(function*() {
      let sleeps = false
      const batch: Bench = yield* bench({
        reply: (body) => {
          const id = idIn(body)
          if (!sleeps && id === "p3") {
            sleeps = true
            const [pid] = batch.pidsOf(id)
            process.kill(pid!, "SIGSTOP")
            setTimeout(() => isAlive(pid!) && process.kill(pid!, "SIGCONT"), 3000)
          }
          return FakeAzure.answer(`This is ${id}.`)
        }
      })
      const { code, stderr, stdout } = yield* batch.run([...args(batch, yield* store), "--concurrency", "1"])
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" }, stdout)
      batch.expectAnswers()
      const twice = Number(/(\d+) possibly/u.exec(stdout)?.[1])
      assert.strictEqual(yield* batch.posts, 6 + twice)
    }), patience)

  it.live("at times that nobody has chosen", () =>
    Effect.gen(function*() {
      const draw = random(1234)
      const batch: Bench = yield* bench({
        prompts: 9,
        reply: (body) => FakeAzure.answer(`This is ${idIn(body)}.`, { think: "300 millis", creating: "100 millis" })
      })
      let kills = 0
      const { code, stderr, stdout } = yield* batch.run([...args(batch, yield* store), "--concurrency", "3"], {
        started: (child) => {
          const killing = setInterval(() => {
            const pids = batch.ids.flatMap((id) => batch.pidsOf(id)).filter(isAlive)
            if (kills === 4 || pids.length === 0 || draw() < 0.9) return
            kills++
            process.kill(pids[Math.floor(draw() * pids.length)]!, "SIGKILL")
          }, 50)
          child.on("close", () => clearInterval(killing))
        }
      })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" }, stdout)
      batch.expectAnswers()
      const twice = Number(/(\d+) possibly/u.exec(stdout)?.[1])
      const posts = yield* batch.posts
      assert.isAtLeast(posts, 9)
      assert.isAtMost(posts, 9 + twice)
      assert.isAtMost(twice, kills * 3)
      assert.isAtLeast(kills, 1)
    }), patience)

  it.live(
    "the parent, with half a line in its files, while a worker waits for an answer",
    () =>
      Effect.gen(function*() {
        const batch = yield* bench({
          reply: (body) => FakeAzure.answer(`This is ${idIn(body)}.`, { think: "500 millis" })
        })
        const all = [...args(batch, yield* store), "--concurrency", "2"]
        const first = yield* batch.run(all, {
          kills: [],
          started: (child) => {
            const look = setInterval(() => {
              try {
                if (!batch.output().includes("\n")) return
              } catch {
                return
              }
              clearInterval(look)
              child.kill("SIGKILL")
            }, 10)
            child.on("close", () => clearInterval(look))
          }
        })
        assert.strictEqual(first.signal, "SIGKILL")
        appendFileSync(batch.file("answers.jsonl"), "{\"id\":\"p5\",\"ans")
        const { code, stderr, stdout } = yield* batch.run(all)
        assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" }, stdout)
        batch.expectAnswers()
        const twice = Number(/(\d+) possibly/u.exec(stdout)?.[1])
        const posts = yield* batch.posts
        assert.isAtLeast(posts, 6)
        assert.isAtMost(posts, 6 + twice)
        // its workers have ended with it, and what they had asked for by name was kept
        assert.isAtMost(twice, 2)
      }),
    patience
  )
}

describe("a killed batch with a journal", () => {
  suite(Effect.succeed([]))
})

describeWithRedis(
  "a killed batch with Redis",
  () => suite(Effect.map(start, ({ url }) => ["--redis", url, "--workers", "2", "--lease", "600 millis"]))
)
