import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { ratioOf, type Rules, Throttle } from "../../src/kernel/adaptiveThrottle.ts"
import { drawOf } from "../../src/kernel/chaos.ts"

const book: Rules = { factor: 2, within: 120_000, minCalls: 0, maxRatio: 1 }

describe("the share that is turned away", () => {
  // requests, accepts, success threshold (1 / factor), cap, share
  const table: Readonly<Record<string, ReadonlyArray<readonly [number, number, number, number, number]>>> = {
    "failsafe-go, adaptivethrottler_test.go": [
      [100, 95, 0.9, 0.8, 0],
      [120, 90, 0.9, 0.8, 20 / 121],
      [200, 50, 0.9, 0.8, 0.718629],
      [1000, 10, 0.9, 0.8, 0.8],
      [0, 0, 0.9, 0.8, 0],
      [100, 0, 0.9, 0.8, 0.8],
      [100, 90, 0.9, 0.8, 0],
      [100, 70, 0.9, 0.8, 0.220022],
      [100, 50, 0.9, 0.8, 0.440044],
      [1, 0, 0.9, 0.8, 0.5]
    ],
    "Envoy, admission control, success threshold .95": [
      [100, 95, 0.95, 0.8, 0],
      [100, 50, 0.95, 0.8, 0.468994],
      [100, 0, 0.95, 0.8, 0.8]
    ],
    "the book, K 2": [
      [100, 50, 0.5, 1, 0],
      [100, 49, 0.5, 1, 2 / 101],
      [100, 0, 0.5, 1, 100 / 101]
    ]
  }
  for (const [source, rows] of Object.entries(table)) {
    for (const [requests, accepts, threshold, maxRatio, expected] of rows) {
      it(`${source}: ${accepts} of ${requests} accepted`, () => {
        assert.closeTo(ratioOf(requests, accepts, { factor: 1 / threshold, maxRatio }), expected, 1e-6)
      })
    }
  }
})

describe("Throttle", () => {
  it("counts a call before it is sent, and those that it turns away", () => {
    const throttle = new Throttle(book)
    // a callee that hangs: nothing has ended yet
    const tickets = Array.from({ length: 4 }, () => throttle.enter(0, 0.99))
    assert.isTrue(tickets.every((ticket) => ticket !== undefined))
    assert.strictEqual(throttle.ratio(0), 4 / 5)
    assert.isUndefined(throttle.enter(0, 0.5))
    assert.strictEqual(throttle.ratio(0), 5 / 6)
  })

  it("forgets what is older than the window, and no sooner than a twentieth before", () => {
    const throttle = new Throttle(book)
    throttle.enter(5999, 0.99)
    assert.strictEqual(throttle.ratio(119_999), 0.5)
    assert.strictEqual(throttle.ratio(120_000), 0)
    throttle.enter(120_000, 0.99)
    assert.strictEqual(throttle.ratio(1e12), 0)
  })

  it("needs minCalls before it turns anybody away", () => {
    const throttle = new Throttle({ ...book, minCalls: 10 })
    const entered = Array.from({ length: 11 }, () => throttle.enter(0, 0))
    assert.deepStrictEqual(entered.map((ticket) => ticket !== undefined), [...Array(10).fill(true), false])
  })

  it("takes back a call that was not made, as long as it is remembered", () => {
    const throttle = new Throttle(book)
    const ticket = throttle.enter(0, 0.99)!
    const other = throttle.enter(0, 0.99)!
    throttle.withdraw(60_000, ticket)
    assert.strictEqual(throttle.requests, 1)
    throttle.withdraw(240_000, other)
    assert.strictEqual(throttle.requests, 0)
  })

  /** A callee that can serve `capacity` calls a second and refuses the others, for some virtual minutes. */
  const overload = (factor: number, load: number, capacity: number) => {
    const throttle = new Throttle({ ...book, factor })
    const seen = { served: 0, refused: 0 }
    let n = 0
    for (let second = 0; second < 600; second++) {
      let left = capacity
      for (let i = 0; i < load; i++) {
        const at = second * 1000 + i * 1000 / load
        if (throttle.enter(at, drawOf(1, n++)) === undefined) continue
        const counts = second >= 300 ? 1 : 0
        if (left-- > 0) {
          throttle.accept(at)
          seen.served += counts
        } else seen.refused += counts
      }
    }
    return seen.refused / seen.served
  }

  it("the book: with K 2 the callee refuses about one call for each that it serves, with 1.1 about one in ten", () => {
    assert.closeTo(overload(2, 500, 100), 1, 0.05)
    assert.closeTo(overload(1.1, 500, 100), 0.1, 0.02)
    assert.strictEqual(overload(2, 100, 100), 0)
  })

  const Step = Schema.Struct({
    after: Schema.Literals([0, 1, 700, 5000, 40_000, 300_000]),
    what: Schema.Literals(["enter", "accept", "withdraw", "refuse"])
  })

  it.prop("is a count of all that is in the window", [Schema.Array(Step)], ([steps]) => {
    const throttle = new Throttle(book)
    const span = book.within / 20
    let at = 0
    let entered: Array<number> = []
    let accepted: Array<number> = []
    const open: Array<number> = []
    for (const { after, what } of steps) {
      at += after
      const part = Math.floor(at / span)
      if (what === "enter" || what === "refuse") {
        const ticket = throttle.enter(at, what === "enter" ? 0.9999999 : 0)
        entered.push(part)
        if (ticket !== undefined) open.push(ticket)
      } else if (open.length > 0) {
        const ticket = open.shift()!
        if (what === "accept") {
          throttle.accept(at)
          accepted.push(part)
        } else {
          throttle.withdraw(at, ticket)
          const i = entered.indexOf(ticket)
          if (i >= 0) entered.splice(i, 1)
        }
      }
      entered = entered.filter((then) => part - then < 20)
      accepted = accepted.filter((then) => part - then < 20)
      throttle.ratio(at)
      if (throttle.requests !== entered.length || throttle.accepts !== accepted.length) return false
    }
    return true
  })
})
