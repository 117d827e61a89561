import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Budget, type Funding, type Grant, make } from "../../src/kernel/retryBudget.ts"

const traffic = (ratio: number, minPerSecond: number, millis = 1000): Budget =>
  make({ kind: "traffic", ratio, millis, minPerSecond })
const inFlight = (ratio: number, min: number): Budget => make({ kind: "in-flight", ratio, minAttempts: min })
const tokens = (max: number, ratio: number): Budget => make({ kind: "tokens", maxTokens: max, ratio })

const granted = (budget: Budget, now = 0): boolean => budget.grant(now, false) !== undefined

const times = (n: number, f: () => void): void => {
  for (let i = 0; i < n; i++) f()
}

describe("kernel/retryBudget", () => {
  // tower, tower/src/retry/budget/tps_budget.rs
  describe("a share of traffic", () => {
    it("without traffic there is nothing", () => {
      assert.isFalse(granted(traffic(1, 0)))
    })

    it("what was paid in before the window is gone", () => {
      const budget = traffic(1, 0)
      budget.begin(0)
      assert.isFalse(granted(budget, 3000))
    })

    it("half of two calls is one attempt, as long as both are in the window", () => {
      const budget = traffic(0.5, 0)
      budget.begin(0)
      budget.begin(0)
      assert.isTrue(granted(budget, 901))
      assert.isFalse(granted(budget, 901))
      budget.begin(2902)
      budget.begin(3203)
      budget.begin(4004)
      assert.isTrue(granted(budget, 4004), "the first of the three is forgotten, the others are not")
    })

    it("so many a second in any case", () => {
      const budget = traffic(1, 5)
      assert.deepStrictEqual([1, 2, 3, 4, 5, 6].map(() => granted(budget)), [true, true, true, true, true, false])
      assert.strictEqual(budget.available(1000), 5, "after the window they are there again")
    })

    it("calls fund attempts for as long as the window, whenever they began", () => {
      const budget = traffic(1, 0)
      budget.begin(5050)
      budget.begin(5950)
      assert.strictEqual(budget.available(5999), 2)
      assert.deepStrictEqual([6000, 6899, 6900].map((at) => budget.available(at)), [1, 1, 0])
    })

    it("what was refunded is not forgotten as well: the window has as much as ever after it", () => {
      const budget = traffic(1, 1)
      budget.refund(budget.grant(6050, false)!, 6500)
      assert.strictEqual(budget.available(6500), 1)
      assert.strictEqual(budget.available(8000), 1)
      budget.refund(budget.grant(8000, false)!, 9000)
      assert.strictEqual(budget.available(9000), 1, "forgotten at that instant")
    })

    it("a refund is worth nothing when the window has forgotten what it was for", () => {
      const budget = traffic(1, 1)
      const grant = budget.grant(0, false)!
      const late = traffic(1, 1)
      const lateGrant = late.grant(0, false)!
      budget.refund(grant, 500)
      late.refund(lateGrant, 5000)
      assert.deepStrictEqual([budget.available(500), late.available(5000)], [1, 1])
    })

    it("a clock that goes back, or far ahead, changes no rule", () => {
      const budget = traffic(1, 1, 1000)
      assert.isTrue(granted(budget, 10_000))
      assert.isFalse(granted(budget, 0))
      assert.isFalse(granted(budget, 10_000), "back where it was, nothing has been forgotten")
      assert.isTrue(granted(budget, 1e12))
    })
  })

  // failsafe-go, test/budget_test.go
  describe("a share of the calls in flight", () => {
    it("is compared with what is under way, the floor first", () => {
      const half = inFlight(0.5, 1)
      times(2, () => half.begin(0))
      assert.isTrue(granted(half))
      assert.isTrue(granted(half), "1 of 2")
      assert.isFalse(granted(half), "2 of 2")
      half.release()
      assert.isTrue(granted(half))
      assert.isFalse(granted(half))

      const two = inFlight(0.5, 2)
      two.begin(0)
      assert.isTrue(granted(two))
      assert.isTrue(granted(two), "the floor")
      assert.isFalse(granted(two))
    })

    it("envoy #30205: calls that wait for their next attempt are not in flight and fund nothing", () => {
      const budget = inFlight(0.2, 1)
      times(100, () => budget.begin(0))
      assert.strictEqual(budget.available(0), 21)
      times(99, () => budget.wait())
      assert.strictEqual(budget.available(0), 1)
      times(99, () => budget.goOn())
      times(100, () => budget.end())
      assert.strictEqual(budget.calls, 0)
    })
  })

  // gRFC A6
  describe("tokens", () => {
    const fail = (budget: Budget): boolean => {
      budget.fail()
      const grant = budget.grant(0, true)
      if (grant !== undefined) budget.release()
      return grant !== undefined
    }

    it("failures take them down to half", () => {
      const budget = tokens(10, 0.1)
      assert.deepStrictEqual(Array.from({ length: 12 }, () => fail(budget)), [
        ...Array.from({ length: 4 }, () => true),
        ...Array.from({ length: 8 }, () => false)
      ])
    })

    it("there are never fewer than none: 51 successes after any number of failures allow one again", () => {
      const budget = tokens(10, 0.1)
      times(1000, () => budget.fail())
      times(50, () => budget.succeed())
      assert.isUndefined(budget.grant(0, true), "5 of 10 is not more than half")
      budget.succeed()
      assert.isDefined(budget.grant(0, true), "5.1 of 10 is")
    })

    it("from half, one success is enough", () => {
      const budget = tokens(10, 0.1)
      times(5, () => budget.fail())
      assert.isUndefined(budget.grant(0, true))
      budget.succeed()
      assert.isDefined(budget.grant(0, true))
    })

    it("digits of the ratio after the third do not count", () => {
      const budget = tokens(2, 0.5466)
      budget.fail()
      budget.fail()
      budget.succeed()
      budget.succeed()
      assert.isDefined(budget.grant(0, true), "1.092 of 2")
      const less = tokens(2, 0.0009999)
      times(2, () => less.fail())
      times(5000, () => less.succeed())
      assert.isUndefined(less.grant(0, true))
    })

    it("successes never bring more than the maximum", () => {
      const budget = tokens(10, 1)
      times(100, () => budget.succeed())
      assert.strictEqual(budget.available(0), 4)
    })

    it("an attempt that no failure has paid for takes one itself, and gives it back", () => {
      const budget = tokens(10, 0.1)
      const grants = [1, 2, 3, 4, 5].map(() => budget.grant(0, false))
      assert.deepStrictEqual(grants.map((grant) => grant !== undefined), [true, true, true, true, false])
      budget.refund(grants[0]!, 0)
      assert.strictEqual(budget.available(0), 1)
    })
  })

  it("only a share of traffic has to be told when a call begins", () => {
    assert.deepStrictEqual([traffic(1, 1), inFlight(1, 1), tokens(2, 1)].map(({ timed }) => timed), [
      true,
      false,
      false
    ])
  })

  const Funding = Schema.Literals(["traffic", "traffic without floor", "in-flight", "tokens"])
  const Step = Schema.Struct({
    do: Schema.Literals(["begin", "end", "fail", "succeed", "paid", "unpaid", "refund", "release"]),
    after: Schema.Literals([0, 0, 1, 99, 100, 950, 5000, -300])
  })
  const fundings: { readonly [F in typeof Funding.Type]: Funding } = {
    traffic: { kind: "traffic", ratio: 0.3, millis: 1000, minPerSecond: 2 },
    "traffic without floor": { kind: "traffic", ratio: 0.3, millis: 1000, minPerSecond: 0 },
    "in-flight": { kind: "in-flight", ratio: 0.3, minAttempts: 2 },
    tokens: { kind: "tokens", maxTokens: 6, ratio: 0.4 }
  }

  it.prop(
    "whatever happens: never negative, and what is available is what is granted",
    [Funding, Schema.Array(Step)],
    ([funding, steps]) => {
      const budget = make(fundings[funding])
      const grants: Array<Grant> = []
      let calls = 0
      let now = 0
      for (const step of steps) {
        now = Math.max(0, now + step.after)
        const available = budget.available(now)
        assert.isTrue(Number.isInteger(available) && available >= 0, String(available))
        switch (step.do) {
          case "begin":
            calls++
            budget.begin(now)
            break
          case "end":
            if (calls > 0) {
              calls--
              budget.end()
            }
            break
          case "fail":
          case "succeed":
            budget[step.do]()
            break
          case "paid":
          case "unpaid": {
            if (step.do === "paid") budget.fail()
            const grant = budget.grant(now, step.do === "paid")
            assert.strictEqual(grant !== undefined, available > 0)
            if (grant !== undefined) grants.push(grant)
            break
          }
          case "refund":
          case "release": {
            const grant = grants.shift()
            if (grant === undefined) break
            if (step.do === "refund") budget.refund(grant, now)
            else budget.release()
            if (step.do === "refund") assert.isAtLeast(budget.available(now), available)
          }
        }
        assert.deepStrictEqual([budget.held, budget.calls], [grants.length, calls])
      }
    }
  )

  it.prop(
    "traffic: the attempts that begin within a window are no more than its share, against a list of everything",
    [Schema.Array(Step)],
    ([steps]) => {
      const budget = make(fundings.traffic)
      const begun: Array<number> = []
      const taken: Array<number> = []
      let now = 0
      for (const step of steps) {
        now += Math.abs(step.after)
        if (step.do === "begin") {
          begun.push(now)
          budget.begin(now)
        } else if (budget.grant(now, false) !== undefined) {
          // what is forgotten between 90 % and 100 % of the window may fund, and may be held against one
          const within = (span: number, list: ReadonlyArray<number>) => list.filter((at) => now - at < span).length
          assert.isAtMost(within(900, taken) + 1, 2 + 0.3 * within(1000, begun) + 1e-9)
          taken.push(now)
        }
      }
    }
  )
})
