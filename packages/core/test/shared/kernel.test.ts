import { assert, describe, it } from "@effect/vitest"
import { type Allowance, make, type Rule } from "../../src/kernel/allowance.ts"
import { Block } from "../../src/shared/kernel/block.ts"
import { Debt } from "../../src/shared/kernel/debt.ts"
import { Known } from "../../src/shared/kernel/known.ts"
import { Share, shareOf } from "../../src/shared/kernel/share.ts"
import { restore, shift, type Snapshot } from "../../src/shared/kernel/snapshot.ts"
import { uniform } from "../support/random.ts"

const rules: Readonly<Record<string, Rule>> = {
  spaced: { kind: "spaced", interval: 10, burst: 30 },
  "fixed window": { kind: "fixed-window", limit: 30, span: 300 },
  "sliding window": { kind: "sliding-window", limit: 30, span: 300 }
}

/** What a process is told of an allowance, as the script tells it. */
class Told {
  readonly allowance: Allowance
  private readonly rule: Rule
  private paidBy = 0
  private openedAt = 0
  private used = 0
  private slices: Array<{ to: number; used: number }> = []

  constructor(rule: Rule) {
    this.rule = rule
    this.allowance = make(rule)
  }

  take(at: number, cost: number): void {
    const mark = this.allowance.take(at, cost)
    this.paidBy = mark
    this.used = mark === this.openedAt ? this.used + cost : cost
    this.openedAt = mark
    this.slices.push({ to: at, used: cost })
  }

  get snapshot(): Snapshot {
    switch (this.rule.kind) {
      case "spaced":
        return { kind: "spaced", paidBy: this.paidBy }
      case "fixed-window":
        return { kind: "fixed-window", openedAt: this.openedAt, used: this.used }
      case "sliding-window":
        return { kind: "sliding-window", slices: this.slices }
    }
  }
}

describe("what a process is told of the store", () => {
  for (const [kind, rule] of Object.entries(rules)) {
    it(`becomes a ${kind} with as much room, also by a clock that is ahead`, () => {
      for (let seed = 1; seed <= 50; seed++) {
        const random = uniform(seed)
        const told = new Told(rule)
        let at = 1000
        for (let i = 0; i < 20; i++) told.take(at += random() * 40, Math.ceil(random() * 3))
        for (const ahead of [0, 5000]) {
          const restored = restore(rule, shift(told.snapshot, ahead))
          for (const later of [0, 7, 50, 250, 400]) {
            const now = at + later
            const known = told.allowance.copy()
            assert.closeTo(restored.available(now + ahead), known.available(now), 1e-6, `${seed} ${later}`)
            assert.closeTo(restored.wait(now + ahead, 5), known.wait(now, 5), 3.1, `${seed} ${later}`)
          }
        }
      }
    })

    it(`leaves all processes together the room of a ${kind}, and no more`, () => {
      for (const used of [0, 7, 30]) {
        const told = new Told(rule)
        told.take(1000, used)
        const known = new Known()
        known.learn(1000, [told.snapshot])
        const shares = Array.from({ length: 3 }, () => known.restore([shareOf(rule, 3)], 1 / 3)[0]!)
        for (const at of [1000, 1100, 1299]) {
          const together = shares.reduce((sum, share) => sum + share.available(at), 0)
          assert.closeTo(together, told.allowance.available(at), 1e-4, `${used} at ${at}`)
        }
      }
    })
  }

  it("counts what this process has taken since", () => {
    const rule = rules["sliding window"]!
    const known = new Known()
    assert.deepStrictEqual(known.restore([rule]), [undefined])
    known.learn(1000, [{ kind: "sliding-window", slices: [{ to: 1000, used: 4 }] }])
    known.note(1001, [2])
    known.note(1002, [3])
    known.note(1050, [1])
    assert.strictEqual(known.restore([rule])[0]!.available(1060), 20)
    known.learn(1000, [undefined])
    assert.strictEqual(known.restore([rule])[0]!.available(1060), 20)
    known.learn(1000, [{ kind: "sliding-window", slices: [] }])
    assert.strictEqual(known.restore([rule])[0]!.available(1060), 30)
    // limits that have another kind now have other calls in them
    assert.deepStrictEqual(known.restore([rules.spaced!]), [undefined])
  })
})

describe("the share of a limit", () => {
  for (const [kind, rule] of Object.entries(rules)) {
    it(`lets a call through that is larger than it, once all of it is there (${kind})`, () => {
      const share = new Share(make(shareOf(rule, 3)), rule, 3)
      assert.closeTo(share.capacity, 10, 1e-9)
      assert.strictEqual(share.wait(1000, 31), Infinity)
      assert.strictEqual(share.wait(1000, 25), 0)
      share.take(1000, 25)
      assert.isBelow(share.available(1000), -14)
      const wait = share.wait(1000, 25)
      assert.isAbove(wait, 290)
      assert.isBelow(share.copy().wait(1000 + wait, 25), 0.01)
    })
  }

  it("is never less than one call", () => {
    for (const rule of Object.values(rules)) assert.strictEqual(make(shareOf(rule, 1000)).capacity, 1)
    assert.strictEqual(make(shareOf({ kind: "spaced", interval: 10, burst: 0.5 }, 4)).capacity, 0.5)
  })

  const small: ReadonlyArray<Rule> = [
    ...Object.values(rules),
    { kind: "sliding-window", limit: 1, span: 125 },
    { kind: "sliding-window", limit: 2, span: 250 },
    { kind: "fixed-window", limit: 1, span: 125 },
    { kind: "spaced", interval: 125, burst: 1 }
  ]
  for (const rule of small) {
    for (const processes of [2, 3, 7, 50]) {
      it(`lets ${processes} processes together through what the limit does (${JSON.stringify(rule)})`, () => {
        const shares = Array.from(
          { length: processes },
          () => new Share(make(shareOf(rule, processes)), rule, processes)
        )
        const span = rule.kind === "spaced" ? rule.interval * rule.burst : rule.span
        const limit = rule.kind === "spaced" ? rule.burst : rule.limit
        const length = 50 * span * Math.max(1, processes / limit)
        let through = 0
        for (const share of shares) {
          for (let at = 0; at < length;) {
            const wait = share.wait(at, 1)
            at += wait
            if (at >= length) break
            share.take(at, 1)
            through++
          }
        }
        const allowed = limit * length / span
        // each may begin with all of its share, and no call is cut in two
        assert.isAtMost(through, allowed + limit + processes)
        assert.isAtLeast(through, allowed * 0.9 - processes)
      })
    }
  }

  it("follows a limit that changes", () => {
    const share = new Share(make(shareOf(rules.spaced!, 3)), rules.spaced!, 3)
    share.take(1000, 4)
    share.adopt(1000, { kind: "spaced", interval: 10, burst: 60 })
    assert.closeTo(share.available(1000), 16, 1e-6)
    assert.strictEqual(share.wait(1000, 61), Infinity)
  })
})

describe("permits taken ahead", () => {
  const lot = (amount: number) => ({ amounts: [amount], marks: [7] })

  it("are as many as were needed lately, and of all processes a twentieth of the limit", () => {
    const block = new Block(5)
    assert.isUndefined(block.wanted([10_000], 1))
    for (let i = 0; i < 10_000; i++) block.need(1000 + i / 10, [1])
    const [wanted] = block.wanted([10_000], 1)!
    assert.isAtLeast(wanted!, 45)
    assert.isAtMost(wanted!, 55)
    for (const processes of [1, 2, 7]) {
      const [few] = block.wanted([600], processes) ?? [0]
      assert.isAtMost(few! * processes, 30)
    }
    assert.isUndefined(block.wanted([100], 6))
    // nobody has needed any for a while
    block.need(2100, [1])
    assert.isAtMost(block.wanted([10_000], 1)![0]!, 1)
  })

  it("must be enough for a call in every dimension", () => {
    const block = new Block(5)
    for (let i = 0; i < 100; i++) block.need(1000, [1, 500])
    assert.isUndefined(block.wanted([10_000, 6000], 1))
    assert.deepStrictEqual(block.wanted([10_000, 60_000], 1), [100, 3000])
  })

  it("are taken for so long, and what is left has to be given back", () => {
    const block = new Block(5)
    assert.isUndefined(block.put(1000, lot(3)))
    assert.deepStrictEqual(block.take(1001, [2]), [7])
    assert.isUndefined(block.take(1001, [2]))
    assert.isUndefined(block.take(1005, [1]))
    assert.deepStrictEqual(block.put(1006, lot(2))?.amounts, [1])
    assert.deepStrictEqual(block.take(1006, [2]), [7])
    assert.isUndefined(block.drop())
    assert.isUndefined(block.drop())
  })
})

describe("what a process has used and its store has not charged", () => {
  const spent = (debt: Debt, at: number, cost: number) => void debt.own[0]!.take(at, cost)

  it("is what it has let through by itself, as far as time has not paid for it", () => {
    const debt = new Debt()
    assert.isUndefined(debt.bill(1000))
    debt.begin([make(rules.spaced!)])
    assert.isUndefined(debt.bill(1000))
    spent(debt, 1000, 8)
    assert.deepStrictEqual(debt.bill(1000)!.amounts, [8])
    assert.deepStrictEqual(debt.bill(1030)!.amounts, [5])
    assert.isUndefined(debt.bill(1080))
  })

  it("does not grow by bills that nobody pays, and is paid once", () => {
    const debt = new Debt()
    debt.begin([make(rules["fixed window"]!)])
    spent(debt, 1000, 4)
    debt.bill(1010)
    const bill = debt.bill(1020)!
    assert.deepStrictEqual(bill.amounts, [4])
    spent(debt, 1030, 2)
    bill.paid()
    assert.deepStrictEqual(debt.bill(1040)!.amounts, [2])
    debt.end(1050)
    const last = debt.bill(1060)!
    assert.deepStrictEqual(last.amounts, [2])
    last.paid()
    assert.isFalse(debt.isOpen)
    assert.isUndefined(debt.bill(1070))
  })

  it("has in it what is owed beside, also what comes while a bill is under way", () => {
    const debt = new Debt()
    debt.begin([make(rules["fixed window"]!)])
    debt.owe([3])
    spent(debt, 1000, 4)
    const bill = debt.bill(1000)!
    assert.deepStrictEqual(bill.amounts, [7])
    debt.owe([5])
    bill.paid()
    assert.deepStrictEqual(debt.bill(1000)!.amounts, [5])
    debt.end(1000)
    assert.deepStrictEqual(debt.bill(1000)!.amounts, [5])
  })

  it("is that of the time since the store was lost last", () => {
    const debt = new Debt()
    debt.begin([make(rules["fixed window"]!)])
    spent(debt, 1000, 4)
    const late = debt.bill(1000)!
    debt.begin([make(rules["fixed window"]!)])
    spent(debt, 1100, 2)
    late.paid()
    assert.deepStrictEqual(debt.bill(1100)!.amounts, [2])
    debt.adopt(1100, [{ kind: "fixed-window", limit: 60, span: 300 }])
    assert.deepStrictEqual(debt.bill(1100)!.amounts, [2])
  })
})
