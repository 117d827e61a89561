/** What is known of a prompt, decided by one kernel and kept in two places: the same sequence gives the same answers everywhere. */
import type { ResumeToken } from "@effect-resilience/azure-o1"
import { start } from "@effect-resilience/redis-server"
import { describeWithRedis } from "@effect-resilience/redis-server/vitest"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as journal from "../../src/batch/journal.ts"
import { after, type Entry, type Known, Ledger, next, type Reader, unknown } from "../../src/batch/Ledger.ts"
import * as redis from "../../src/batch/redis.ts"
import { failed, type Result } from "../../src/batch/Result.ts"
import { random } from "./support.ts"

const token = (n: number): ResumeToken => ({ responseId: `resp_${n}`, deployment: "o1", after: -1 })
const result = (n: number): Result => failed("test", `result ${n}`)

const known = (...entries: ReadonlyArray<Entry>): Known => entries.reduce(after, unknown)

const id = "a"
const asked: Entry = { _tag: "Asked", id }
const accepted = (n: number): Entry => ({ _tag: "Accepted", id, token: token(n) })

describe("what is known of a prompt", () => {
  const table: ReadonlyArray<readonly [string, ReadonlyArray<Entry>, then: string, twice: number]> = [
    ["nothing", [], "Ask", 0],
    ["a request went out", [asked], "Ask", 0],
    ["and nobody heard of it, so another one did", [asked, asked], "Ask", 1],
    ["it cost nothing", [asked, { _tag: "Withdrawn", id }, asked], "Ask", 0],
    ["the first of two cost nothing", [asked, asked, { _tag: "Withdrawn", id }, asked], "Ask", 2],
    ["its response is known", [asked, accepted(1)], "resp_1", 0],
    ["the first response stands", [asked, asked, accepted(1), accepted(2)], "resp_1", 1],
    ["the response failed", [asked, accepted(1), { _tag: "Ended", id, responseId: "resp_1" }, asked], "Ask", 0],
    ["the response is lost", [asked, accepted(1), { _tag: "Lost", id, responseId: "resp_1" }, asked], "Ask", 1],
    ["another response failed", [asked, accepted(1), { _tag: "Ended", id, responseId: "resp_2" }], "resp_1", 0],
    ["it is answered", [asked, { _tag: "Answered", id, result: result(1) }], "Nothing", 0],
    ["the answer stands", [{ _tag: "Answered", id, result: result(1) }, asked, accepted(1)], "Nothing", 0],
    ["withdrawn without a request", [{ _tag: "Withdrawn", id }, asked], "Ask", 0]
  ]
  for (const [name, entries, then, twice] of table) {
    it(name, () => {
      const now = known(...entries)
      const step = next(now)
      assert.deepStrictEqual([step._tag === "Continue" ? step.token.responseId : step._tag, now.twice], [then, twice])
    })
  }
})

type Move = readonly ["begin" | "withdraw"] | readonly ["accept" | "end" | "lose" | "answer", n: number]

const moves = (seed: number, length: number): ReadonlyArray<readonly [id: string, Move]> => {
  const draw = random(seed)
  const kinds = ["begin", "begin", "withdraw", "accept", "accept", "end", "lose", "answer"] as const
  return Array.from({ length }, () => {
    const kind = kinds[Math.floor(draw() * kinds.length)]!
    const n = Math.floor(draw() * 3)
    const id = `p"${Math.floor(draw() * 4)}`
    return [id, kind === "begin" || kind === "withdraw" ? [kind] : [kind, n]] as const
  })
}

/** What the kernel says to a move. */
const play = (all: Map<string, Known>, id: string, move: Move): string => {
  const now = all.get(id) ?? unknown
  const note = (entry: Entry): void => void all.set(id, after(now, entry))
  switch (move[0]) {
    case "begin": {
      const then = next(now)
      if (then._tag === "Ask") note({ _tag: "Asked", id })
      return then._tag === "Continue" ? then.token.responseId : then._tag
    }
    case "withdraw":
      note({ _tag: "Withdrawn", id })
      return ""
    case "accept":
      note({ _tag: "Accepted", id, token: token(move[1]) })
      return all.get(id)!.token!.responseId
    case "end":
    case "lose":
      note({ _tag: move[0] === "end" ? "Ended" : "Lost", id, responseId: `resp_${move[1]}` })
      return ""
    case "answer":
      note({ _tag: "Answered", id, result: result(move[1]) })
      return ""
  }
}

const ask = (ledger: Ledger["Service"], id: string, move: Move) => {
  switch (move[0]) {
    case "begin":
      return Effect.map(ledger.begin(id), (then) => then._tag === "Continue" ? then.token.responseId : then._tag)
    case "withdraw":
      return Effect.as(ledger.withdraw(id), "")
    case "accept":
      return Effect.map(ledger.accept(id, token(move[1])), ({ responseId }) => responseId)
    case "end":
    case "lose":
      return Effect.as(ledger[move[0]](id, `resp_${move[1]}`), "")
    case "answer":
      return Effect.as(ledger.answer(id, result(move[1])), "")
  }
}

/** Plays random moves to the kernel and to a ledger, and compares every reply, and what a parent reads at the end. */
const agree = (seed: number, reader: Reader) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger
    const all = new Map<string, Known>()
    for (const [i, [id, move]] of moves(seed, 120).entries()) {
      const seen = next(all.get(id) ?? unknown)._tag
      assert.strictEqual(yield* ledger.look(id), seen, `seed ${seed}, before move ${i}`)
      const expected = play(all, id, move)
      assert.strictEqual(yield* ask(ledger, id, move), expected, `seed ${seed}, move ${i}: ${move.join(" ")} ${id}`)
    }
    const { results, twice } = yield* reader.news
    const kept = Array.from(all).filter(([, { result }]) => result !== undefined)
    assert.deepStrictEqual(
      new Map(results.map(([id, result]) => [id, result])),
      new Map(kept.map(([id, { result }]) => [id, result!]))
    )
    assert.strictEqual(results.length, kept.length)
    assert.strictEqual(twice, Array.from(all.values()).reduce((sum, { twice }) => sum + twice, 0))
    assert.deepStrictEqual((yield* reader.news).results, [])
  })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ledger-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const seeds = [1, 2, 3, 4, 5, 6, 7, 8]

describe("the journal", () => {
  it.live("says what the kernel says, also after each restart", () =>
    Effect.gen(function*() {
      for (const seed of seeds) {
        const file = join(yield* folder, "journal")
        const reader = yield* journal.reader(file)
        yield* Effect.provide(agree(seed, reader), journal.layer(file))
        const all = new Map<string, Known>()
        for (const [id, move] of moves(seed, 120)) play(all, id, move)
        const again = Effect.gen(function*() {
          const ledger = yield* Ledger
          for (const id of all.keys()) assert.strictEqual(yield* ask(ledger, id, ["begin"]), play(all, id, ["begin"]))
        })
        yield* Effect.provide(again, Layer.fresh(journal.layer(file)))
      }
    }))

  const begin = Effect.flatMap(Ledger, (ledger) => ledger.begin("a"))

  it.live("forgets half an entry at its end, which nobody has relied upon", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "journal")
      yield* Effect.provide(begin, journal.layer(file))
      const whole = readFileSync(file, "utf8")
      for (let cut = 1; cut < 30; cut++) {
        writeFileSync(file, whole + "{\"_tag\":\"Answered\",\"id\":\"a\",\"result\":{".slice(0, cut))
        yield* Effect.scoped(Layer.build(Layer.fresh(journal.layer(file))))
        assert.strictEqual(readFileSync(file, "utf8"), whole)
      }
      for (let cut = 0; cut < whole.indexOf("\n"); cut++) {
        writeFileSync(file, whole.slice(0, cut))
        assert.strictEqual((yield* Effect.provide(begin, Layer.fresh(journal.layer(file))))._tag, "Ask")
        assert.strictEqual(readFileSync(file, "utf8"), whole)
      }
    }))

  const strange: ReadonlyArray<readonly [string, string, line: number]> = [
    ["the prompts", "{\"id\":\"a\",\"prompt\":\"hi\"}\n", 1],
    ["a note without an end", "dear diary", 1],
    ["a journal of a later version", "{\"journal\":\"effect-resilience batch\",\"version\":2}\n", 1],
    ["a damaged journal", "{\"journal\":\"effect-resilience batch\",\"version\":1}\n{\"_tag\":\"As\n", 2],
    [
      "an unknown entry",
      "{\"journal\":\"effect-resilience batch\",\"version\":1}\n{\"_tag\":\"Eaten\",\"id\":\"a\"}\n",
      2
    ]
  ]
  for (const [name, text, line] of strange) {
    it.live(`leaves ${name} alone`, () =>
      Effect.gen(function*() {
        const file = join(yield* folder, "journal")
        writeFileSync(file, text)
        const error = yield* Effect.flip(Effect.scoped(Layer.build(journal.layer(file))))
        assert.include(error.message, `line ${line} is something else`)
        assert.strictEqual(readFileSync(file, "utf8"), text)
      }))
  }

  it.live("belongs to one worker at a time", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "journal")
      const error = yield* Effect.gen(function*() {
        yield* Layer.build(journal.layer(file))
        return yield* Effect.flip(Effect.scoped(Layer.build(Layer.fresh(journal.layer(file)))))
      }).pipe(Effect.scoped)
      assert.include(error.message, "Another process is at work")
      yield* Effect.scoped(Layer.build(Layer.fresh(journal.layer(file))))
    }))

  it.live("is read line by line, while it is written", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "journal")
      const reader = yield* journal.reader(file)
      yield* Effect.provide(begin, journal.layer(file))
      const line = JSON.stringify({ _tag: "Answered", id: "ü", result: result(1) })
      const seen: Array<number> = []
      for (const byte of Buffer.from(`${line}\n`)) {
        appendFileSync(file, Buffer.of(byte))
        seen.push((yield* reader.news).results.length)
      }
      assert.deepStrictEqual(seen.filter((n) => n > 0), [1])
      assert.strictEqual(seen.at(-1), 1)
    }))
})

describeWithRedis("the ledger in Redis", () => {
  it.live("says what the kernel says", () =>
    Effect.gen(function*() {
      const { url } = yield* start
      for (const seed of seeds) {
        const place = { url, run: `seed ${seed}` }
        yield* Effect.flatMap(redis.reader(place), (reader) => agree(seed, reader)).pipe(
          Effect.provide(Layer.provideMerge(redis.layer(place), redis.connection(place)))
        )
      }
    }))

  it.live("says that it has lost its memory, once, and takes back what is still known", () =>
    Effect.gen(function*() {
      const server = yield* start
      const place = { url: server.url, run: "r" }
      yield* Effect.gen(function*() {
        const reader = yield* redis.reader(place)
        const ledger = yield* Ledger
        yield* ledger.begin("a")
        yield* ledger.begin("b")
        yield* ledger.accept("b", token(1))
        yield* ledger.answer("c", result(1))
        assert.deepStrictEqual([(yield* reader.news).emptied, (yield* reader.news).emptied], [false, false])
        yield* server.restart
        assert.isTrue((yield* reader.news).emptied)
        yield* reader.restore(new Map([["a", undefined], ["b", token(1)]]))
        yield* ledger.answer("d", result(2))
        const { emptied, results } = yield* reader.news
        assert.deepStrictEqual([emptied, results], [false, [["d", result(2)]]])
        assert.deepStrictEqual(yield* ledger.begin("b"), { _tag: "Continue", token: token(1) })
        assert.deepStrictEqual(yield* ledger.begin("a"), { _tag: "Ask" })
        assert.strictEqual((yield* reader.news).twice, 1)
      }).pipe(Effect.provide(Layer.provideMerge(redis.layer(place), redis.connection(place))))
    }))

  it.live("says in one sentence that there is no server, without the password", () =>
    Effect.gen(function*() {
      const url = yield* Effect.scoped(Effect.map(start, ({ port }) => `redis://user:SECRET@127.0.0.1:${port}`))
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(redis.connection({ url, run: "r" }))))
      assert.isTrue(Exit.isFailure(exit))
      const text = String(exit)
      assert.match(text, /redis:\/\/127\.0\.0\.1:\d+ cannot be used: .*ECONNREFUSED/u)
      assert.notInclude(text, "SECRET")
    }))
})
