import { assert, describe, it } from "@effect/vitest"
import { type Caller, Queue, type Waiting } from "../../src/quota/queue.ts"

const call = (caller: Caller, share: number): Waiting => ({
  caller,
  share,
  cost: { requests: 1, tokens: share * 1000 }
})

const drain = (queue: Queue<Waiting>, share = Infinity): ReadonlyArray<Waiting> => {
  const admitted: Array<Waiting> = []
  let left = share
  for (let first = queue.first(); first !== undefined && first.share <= left; first = queue.first()) {
    left -= first.share
    queue.admit(first)
    admitted.push(first)
  }
  return admitted
}

const shareOf = (calls: ReadonlyArray<Waiting>, key: string): number =>
  calls.reduce((sum, { caller, share }) => caller.key === key ? sum + share : sum, 0)

describe("the queue", () => {
  it("keeps the order of a caller's calls", () => {
    const queue = new Queue<Waiting>()
    const calls = [0.1, 0.5, 0.2].map((share) => call({ key: "a", weight: 1 }, share))
    for (const one of calls) queue.add(one)
    assert.deepStrictEqual(drain(queue), calls)
    assert.strictEqual(queue.size, 0)
  })

  // Goyal, Vin and Cheng 1996, theorem 1: shares by weight differ by one call of each at most
  it("gives callers that wait their shares by weight, however large their calls", () => {
    const random = (seed: number) => () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
    for (let seed = 1; seed <= 50; seed++) {
      const next = random(seed)
      const callers = ["a", "b", "c"].map((key) => ({
        key,
        weight: 1 + Math.floor(next() * 5),
        largest: 0.05 + next() / 4
      }))
      const queue = new Queue<Waiting>()
      for (let i = 0; i < 300; i++) {
        for (const { key, largest, weight } of callers) queue.add(call({ key, weight }, largest * (0.1 + 0.9 * next())))
      }
      const admitted = drain(queue, 8)
      for (const one of callers) {
        for (const other of callers) {
          const apart = Math.abs(shareOf(admitted, one.key) / one.weight - shareOf(admitted, other.key) / other.weight)
          assert.isAtMost(apart, one.largest / one.weight + other.largest / other.weight + 1e-9, `seed ${seed}`)
        }
      }
    }
  })

  it("counts calls that came before the limits were known as those that came after", () => {
    const queue = new Queue<Waiting>()
    const flood = { key: "flood", weight: 1 }
    const quiet = { key: "quiet", weight: 4 }
    // where nothing is known, a call counts as a whole minute
    for (let i = 0; i < 200; i++) queue.add(call(flood, 1))
    queue.admit(queue.first()!)
    queue.reprice(() => 0.01)
    for (let i = 0; i < 200; i++) queue.add(call(quiet, 0.01))
    const admitted = drain(queue, 1)
    assert.approximately(shareOf(admitted, "flood"), 0.2, 0.02)
    // and a limit that is lowered
    queue.reprice(() => 0.02)
    for (let i = 0; i < 200; i++) queue.add(call(quiet, 0.02))
    assert.approximately(shareOf(drain(queue, 1), "flood"), 0.2, 0.03)
  })

  it("owes nothing to a caller that was idle", () => {
    const queue = new Queue<Waiting>()
    const a = { key: "a", weight: 1 }
    const b = { key: "b", weight: 1 }
    for (let i = 0; i < 20; i++) queue.add(call(a, 0.1))
    drain(queue, 1.05)
    for (let i = 0; i < 20; i++) queue.add(call(b, 0.1))
    const next = drain(queue, 1.05)
    assert.approximately(shareOf(next, "a"), 0.5, 0.11)
  })

  it("charges nobody for a call that has gone away, or was never sent", () => {
    const queue = new Queue<Waiting>()
    const a = { key: "a", weight: 1 }
    const gone = [call(a, 0.9), call(a, 0.9)]
    const unsent = call(a, 0.9)
    queue.add(unsent)
    for (const one of gone) queue.add(one)
    for (let i = 0; i < 5; i++) queue.add(call(a, 0.1))
    for (let i = 0; i < 5; i++) queue.add(call({ key: "b", weight: 1 }, 0.1))
    queue.admit(unsent)
    queue.refund(unsent)
    for (const one of gone) queue.remove(one)
    const admitted = drain(queue, 0.65)
    assert.approximately(shareOf(admitted, "a"), 0.3, 1e-9)
    // leaving twice changes nothing
    queue.remove(gone[0]!)
    assert.strictEqual(queue.size, 4)
  })

  it("lets the largest that fits pass, and together no more than twice what the first takes", () => {
    const queue = new Queue<Waiting>()
    const a = { key: "a", weight: 1 }
    const large = call(a, 0.5)
    queue.add(large)
    for (let i = 0; i < 40; i++) queue.add(call(a, i % 2 === 0 ? 0.06 : 0.03))
    let passed = 0
    let first = true
    for (let next = queue.passing(() => true); next !== undefined; next = queue.passing(() => true)) {
      if (first) assert.strictEqual(next.share, 0.06)
      first = false
      passed += next.share
      queue.admit(next)
    }
    assert.approximately(passed, 1, 0.031)
    assert.strictEqual(queue.first(), large)
    // the next one begins anew
    queue.admit(large)
    queue.add(call(a, 0.01))
    assert.isDefined(queue.passing(() => true))
  })

  it.each([0.5, 0.6, 0.9])("lets no call pass one that takes less, or as much: %d", (share) => {
    const queue = new Queue<Waiting>()
    const first = call({ key: "light", weight: 1 }, 0.5)
    queue.add(first)
    for (const key of ["light", "heavy"]) queue.add(call({ key, weight: 3 }, share))
    // time has passed since there was no room for the first: all of them fit
    assert.isUndefined(queue.passing(() => true))
    queue.add(call({ key: "light", weight: 3 }, 0.49))
    assert.strictEqual(queue.passing(() => true)?.share, 0.49)
  })

  it("foresees what goes before a call", () => {
    const queue = new Queue<Waiting>()
    for (let i = 0; i < 10; i++) queue.add(call({ key: "a", weight: 1 }, 0.1))
    assert.deepStrictEqual(queue.ahead({ key: "a", weight: 1 }, 0.1).requests, 10)
    // another caller waits for as much of it as it takes itself
    assert.deepStrictEqual(queue.ahead({ key: "b", weight: 1 }, 0.1).requests, 1)
    assert.deepStrictEqual(queue.ahead({ key: "b", weight: 10 }, 0.1).requests, 1)
    assert.deepStrictEqual(queue.byCaller(), { a: 10 })
  })
})
