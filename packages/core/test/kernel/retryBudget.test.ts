import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { Budget, Funding, Grant } from "../../src/kernel/retryBudget.ts"
import * as kernel from "../../src/kernel/retryBudget.ts"

const traffic = (ratio: number, minPerSecond: number, millis = 1000): Budget =>
  kernel.traffic({ ratio, millis, minPerSecond }).open()
const inFlight = (ratio: number, min: number): Budget => kernel.inFlight({ ratio, minAttempts: min }).open()
const tokens = (max: number, ratio: number, minPerMinute = 0): Budget =>
  kernel.tokens({ maxTokens: max, ratio, minPerMinute }).open()

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

    describe("and time", () => {
      /** Its tokens have run out at time 0. */
      const drained = (minPerMinute: number): Budget => {
        const budget = tokens(10, 0.1, minPerMinute)
        times(1000, () => budget.fail())
        assert.isUndefined(budget.grant(0, true))
        return budget
      }
      const grants = (budget: Budget, now: number, paid = true): number =>
        Array.from({ length: 100 }, () => budget.grant(now, paid)).filter((grant) => grant !== undefined).length

      /** The share of failures that is not followed by another attempt in the two hours after an outage; one call in twenty fails. */
      const refused = (perMinute: number, minPerMinute: number): number => {
        const budget = tokens(100, 0.1, minPerMinute)
        times(100, () => budget.fail())
        budget.grant(0, true)
        let failures = 0
        let without = 0
        for (let i = 1; i <= 120 * perMinute; i++) {
          if (i % 20 === 0) {
            failures++
            budget.fail()
            if (budget.grant(i * 60_000 / perMinute, true) === undefined) without++
            else budget.release()
          }
          budget.succeed()
        }
        return without / failures
      }

      it.each([1, 3, 10, 30, 100, 300, 1000])(
        "does not let an outage starve who calls %i times a minute",
        (perMinute) => {
          assert.isBelow(refused(perMinute, 10), 0.02)
        }
      )

      it("which successes alone do, below a hundred calls a minute", () => {
        assert.strictEqual(refused(1, 0), 1)
        assert.isAbove(refused(10, 0), 0.8)
        assert.isAbove(refused(100, 0), 0.05)
      })

      it("brings so many a minute, whether a failure has paid or not", () => {
        const budget = drained(6)
        assert.deepStrictEqual([9999, 10_000, 10_000, 30_000].map((at) => grants(budget, at)), [0, 1, 0, 2])
        assert.strictEqual(grants(drained(6), 30_000, false), 3)
      })

      it("is saved up for a minute, and for one attempt where that takes longer", () => {
        assert.strictEqual(grants(drained(6), 86_400_000), 6)
        const seldom = drained(0.5)
        assert.deepStrictEqual([60_000, 120_000, 86_400_000].map((at) => grants(seldom, at)), [0, 1, 1])
      })

      it("brings nothing before the tokens have run out, and is forgotten when there are some again", () => {
        const budget = tokens(10, 0.1, 6)
        assert.strictEqual(budget.available(86_400_000), 4)
        times(5, () => budget.fail())
        assert.strictEqual(grants(budget, 86_400_000), 0)
        assert.strictEqual(budget.available(86_430_000), 3)
        times(20, () => budget.succeed())
        assert.strictEqual(budget.available(86_430_000), 1)
        assert.strictEqual(grants(budget, 86_430_000, false), 1)
      })

      it("is given back as time", () => {
        const budget = drained(6)
        const grant = budget.grant(10_000, true)!
        assert.strictEqual(budget.available(10_000), 0)
        budget.refund(grant, 10_000)
        assert.strictEqual(budget.available(10_000), 1)
        times(10, () => budget.fail())
        assert.strictEqual(budget.available(10_000), 1, "failures do not take what time has brought")
      })

      it("what was paid by time is not given back once there are tokens again", () => {
        const budget = drained(6)
        const grant = budget.grant(10_000, true)!
        times(60, () => budget.succeed())
        budget.grant(10_000, true)
        budget.refund(grant, 10_000)
        times(2, () => budget.fail())
        assert.strictEqual(budget.available(10_000), 0)
      })

      it("brings nothing when the clock goes back, and nothing of its own", () => {
        const budget = drained(6)
        assert.deepStrictEqual([20_000, 10_000, 20_000, 30_000].map((at) => grants(budget, at)), [2, 0, 0, 1])
        assert.strictEqual(grants(drained(0), 86_400_000), 0)
      })
    })

    it("an attempt that no failure has paid for takes one itself, and gives it back", () => {
      const budget = tokens(10, 0.1)
      const grants = [1, 2, 3, 4, 5].map(() => budget.grant(0, false))
      assert.deepStrictEqual(grants.map((grant) => grant !== undefined), [true, true, true, true, false])
      budget.refund(grants[0]!, 0)
      assert.strictEqual(budget.available(0), 1)
    })
  })

  // Bronson et al., Metastable Failures in Distributed Systems, HotOS 2021
  describe("a callee that does ten attempts in a tenth of a second, and answers nothing in time while others wait", () => {
    /** Whether it answers a minute after a second of twenty calls, with nine calls in each tenth of a second. */
    const recovers = (budget: Budget): boolean => {
      let retries = 0
      let waiting = 0
      let answers = false
      for (let now = 0; now < 80_000; now += 100) {
        const calls = now >= 10_000 && now < 11_000 ? 20 : 9
        times(calls, () => budget.begin(now))
        const attempts = calls + retries
        waiting = Math.max(0, waiting + attempts - 10)
        answers = waiting === 0
        retries = 0
        times(attempts, () => {
          if (answers) return budget.succeed()
          budget.fail()
          if (budget.grant(now, true) === undefined) return
          budget.release()
          retries++
        })
        times(calls, () => budget.end())
      }
      return answers
    }

    it("is kept down by a share of traffic, and is let recover by tokens, with the few that time brings", () => {
      assert.isFalse(recovers(traffic(0.2, 0.1, 10_000)))
      assert.isTrue(recovers(tokens(100, 0.1)))
      assert.isTrue(recovers(tokens(100, 0.1, 10)))
    })
  })

  it("only a share of traffic has to be told when a call begins", () => {
    assert.deepStrictEqual([traffic(1, 1), inFlight(1, 1), tokens(2, 1)].map(({ timed }) => timed), [
      true,
      false,
      false
    ])
  })

  const Funding = Schema.Literals(["traffic", "traffic without floor", "in-flight", "tokens", "tokens and time"])
  const Step = Schema.Struct({
    do: Schema.Literals(["begin", "end", "fail", "succeed", "paid", "unpaid", "refund", "release"]),
    after: Schema.Literals([0, 0, 1, 99, 100, 950, 5000, -300])
  })
  const fundings: { readonly [F in typeof Funding.Type]: Funding } = {
    traffic: kernel.traffic({ ratio: 0.3, millis: 1000, minPerSecond: 2 }),
    "traffic without floor": kernel.traffic({ ratio: 0.3, millis: 1000, minPerSecond: 0 }),
    "in-flight": kernel.inFlight({ ratio: 0.3, minAttempts: 2 }),
    tokens: kernel.tokens({ maxTokens: 6, ratio: 0.4 }),
    "tokens and time": kernel.tokens({ maxTokens: 6, ratio: 0.4, minPerMinute: 60 })
  }

  it.prop(
    "whatever happens: never negative, and what is available is what is granted",
    [Funding, Schema.Array(Step)],
    ([funding, steps]) => {
      const budget = fundings[funding].open()
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

  const spans = [0, 0, 1, 49, 50, 99, 100, 101, 450, 900, 999, 1000, 1001, 5000] as const
  const Run = Schema.Struct({
    after: Schema.Literals(spans),
    calls: Schema.Literals([0, 0, 1, 10, 100]),
    attempts: Schema.Literals([0, 1, 5, 100])
  })
  const Share = Schema.Literals([0.1, 0.2, 0.3, 1])
  const Floor = Schema.Literals([0, 1, 10])

  it.prop(
    "traffic: whenever one is granted, the window that ends there holds no more than its share, and any other no more than two",
    [Schema.Array(Run), Share, Floor],
    ([runs, ratio, floor]) => {
      const budget = kernel.traffic({ ratio, millis: 1000, minPerSecond: floor }).open()
      const begun: Array<number> = []
      const taken: Array<number> = []
      const count = (list: ReadonlyArray<number>, after: number, until: number) =>
        list.filter((at) => at > after && at <= until).length
      let now = 0
      for (const { after, attempts, calls } of runs) {
        now += after
        times(calls, () => {
          begun.push(now)
          budget.begin(now)
        })
        times(attempts, () => {
          if (granted(budget, now)) taken.push(now)
        })
        assert.isAtMost(
          taken.at(-1) === now ? count(taken, now - 1000, now) : 0,
          floor + ratio * count(begun, now - 1000, now) + 1e-6
        )
      }
      for (const at of [...begun, ...taken, ...taken.map((at) => at - 1)]) {
        assert.isAtMost(count(taken, at, at + 1000), floor + ratio * count(begun, at - 1000, at + 1000) + 1e-6)
      }
    }
  )

  it.prop(
    "traffic: what a window certainly holds is granted, to within a tenth of it",
    [Schema.Array(Run), Share, Floor],
    ([runs, ratio, floor]) => {
      const budget = kernel.traffic({ ratio, millis: 1000, minPerSecond: floor }).open()
      const begun: Array<number> = []
      const taken: Array<number> = []
      let now = 0
      for (const { after, attempts, calls } of runs) {
        now += after
        times(calls, () => {
          begun.push(now)
          budget.begin(now)
        })
        const funded = ratio * begun.filter((at) => at > now - 900).length
        const held = taken.filter((at) => at > now - 1100).length
        assert.isAtLeast(budget.available(now), Math.floor(floor + funded - held + 1e-6))
        times(attempts, () => {
          if (granted(budget, now)) taken.push(now)
        })
      }
    }
  )

  it("what was granted at the end of a bucket is held against the whole window after it", () => {
    const budget = traffic(0.2, 10, 10_000)
    times(1000, () => granted(budget, 990))
    times(1000, () => budget.begin(5000))
    const later = Array.from({ length: 1000 }, () => granted(budget, 10_000)).filter(Boolean).length
    assert.strictEqual(later, 200, "and the floor of 100 was used at 990")
  })
})
