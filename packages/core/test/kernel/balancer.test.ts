import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Endpoints, type Filter, type Lease, type Outcome, Refusal, type Rules } from "../../src/kernel/balancer.ts"
import type { Described } from "../../src/kernel/endpoint.ts"
import { lognormal, uniform } from "../support/random.ts"

const rules: Rules = {
  choose: "two-choices",
  decay: 10_000,
  overprovisioning: 1.4,
  panic: 0.5,
  ejection: { failures: 5, ratio: 0.5, minCalls: 20, within: 30_000, base: 30_000, max: 300_000, share: 1 },
  cooldown: 1000,
  maxCooldown: 300_000,
  slowStart: 0
}

const described = (key: string, more: Partial<Described<string>> = {}): Described<string> => ({
  endpoint: key,
  key,
  priority: 0,
  weight: 1,
  local: true,
  ...more
})

const make = (keys: string, changed: Partial<Rules> = {}) =>
  new Endpoints<string>({ ...rules, ...changed }, Array.from(keys, (key) => described(key)))

const first = () => 0

/** A call that is sent to an endpoint and ends at once. */
const call = (endpoints: Endpoints<string>, key: string, now: number, outcome: Outcome, hint = 0): void =>
  endpoints.end(lease(endpoints, now, { when: (endpoint) => endpoint === key }), now, outcome, hint)

const lease = (endpoints: Endpoints<string>, now: number, filter: Filter<string> | undefined = {}, random = first) => {
  const picked = endpoints.pick(now, random, filter)
  if (picked instanceof Refusal) throw new Error(picked.reason)
  return picked
}

const many = (n: number, f: () => void): void => {
  for (let i = 0; i < n; i++) f()
}

const statuses = (endpoints: Endpoints<string>, now: number): string =>
  endpoints.at(now).map((member) => `${member.described.key} ${member.statusAt(now, endpoints.rules)}`).join(", ")

const returnsAt = (endpoints: Endpoints<string>, key: string) => endpoints.get(key)!.ejectedUntil

/** How many of so many calls, each of which ends before the next one begins, each endpoint gets. */
const shares = (endpoints: Endpoints<string>, now: number, n: number, filter: Filter<string> = {}) => {
  const random = uniform(7)
  const counts: Record<string, number> = {}
  many(n, () => {
    const picked = lease(endpoints, now, filter, random)
    const { key } = picked.member.described
    counts[key] = (counts[key] ?? 0) + 1
    endpoints.end(picked, now, "ignored", 0)
  })
  return Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, Math.round((100 * count) / n)]))
}

describe("kernel/balancer: ejection (Envoy, test/common/upstream/outlier_detection_impl_test.cc)", () => {
  it("BasicFlow5xxViaHttpCodes: the fifth failure in a row ejects, a success between them begins anew", () => {
    const endpoints = make("ab")
    call(endpoints, "a", 0, "failure")
    call(endpoints, "a", 0, "success")
    many(4, () => call(endpoints, "a", 0, "failure"))
    assert.strictEqual(statuses(endpoints, 0), "a available, b available")
    call(endpoints, "a", 0, "failure")
    assert.strictEqual(statuses(endpoints, 0), "a ejected, b available")
    assert.strictEqual(statuses(endpoints, 9_999), "a ejected, b available")
    assert.strictEqual(statuses(endpoints, 30_001), "a available, b available")
    many(4, () => call(endpoints, "a", 30_001, "failure"))
    assert.strictEqual(statuses(endpoints, 40_000), "a available, b available")
    call(endpoints, "a", 40_000, "failure")
    assert.strictEqual(statuses(endpoints, 40_000), "a ejected, b available")
    endpoints.update([described("b")], 40_000)
    assert.strictEqual(endpoints.count("ejected", 40_000), 0)
  })

  it("Overflow, MaxEjectionPercentage, MaxEjectionPercentageSingleHost: never more than the share", () => {
    const rows: ReadonlyArray<readonly [keys: string, share: number, ejected: number]> = [
      ["ab", 0.6, 1],
      ["abc", 0.5, 1],
      ["a", 0.9, 0],
      ["ab", 0.5, 1],
      ["abcd", 0.5, 2],
      ["abcdefghij", 0.1, 1],
      ["abcdefghi", 0.1, 0],
      ["abc", 1, 3]
    ]
    for (const [keys, share, ejected] of rows) {
      const endpoints = make(keys, { ejection: { ...rules.ejection!, share } })
      for (const key of keys) many(5, () => call(endpoints, key, 0, "failure"))
      assert.strictEqual(endpoints.count("ejected", 0), ejected, `${keys} ${share}`)
    }
  })

  it("EjectTimeBackoff: longer each time, and shorter again for each interval without", () => {
    const endpoints = make("a", { ejection: { ...rules.ejection!, base: 10_000, max: 300_000 } })
    const eject = (now: number) => {
      many(5, () => call(endpoints, "a", now, "failure"))
      return returnsAt(endpoints, "a")
    }
    assert.strictEqual(eject(0), 10_000)
    endpoints.at(10_000)
    assert.strictEqual(eject(10_000), 30_000)
    endpoints.at(30_000)
    assert.strictEqual(eject(30_000), 60_000)
    endpoints.at(60_000)
    // two intervals in which it did well
    assert.strictEqual(eject(80_000), 100_000)
    // a long time
    endpoints.at(1_000_000)
    assert.strictEqual(eject(1_000_000), 1_010_000)
  })

  it("the longest time is kept, and it does not take for ever to forget", () => {
    const endpoints = make("a", { ejection: { ...rules.ejection!, failures: 1, base: 10_000, max: 25_000 } })
    let now = 0
    const times: Array<number> = []
    many(9, () => {
      call(endpoints, "a", now, "failure")
      times.push(returnsAt(endpoints, "a")! - now)
      now = returnsAt(endpoints, "a")!
      endpoints.at(now)
    })
    assert.deepStrictEqual(times, [10_000, 20_000, 25_000, 25_000, 25_000, 25_000, 25_000, 25_000, 25_000])
    call(endpoints, "a", now + 30_000, "failure")
    assert.strictEqual(returnsAt(endpoints, "a")! - now, 40_000)
  })

  it("an endpoint that fails every other call is ejected with the twentieth call, one that fails every third is not", () => {
    const ejectedAfter = (outcomes: ReadonlyArray<Outcome>, seconds: number): number => {
      const endpoints = make("ab")
      for (let n = 0; n < 100; n++) {
        call(endpoints, "a", n * seconds * 1000, outcomes[n % outcomes.length]!)
        if (endpoints.news.some(({ _tag }) => _tag === "Ejected")) return n + 1
      }
      return Infinity
    }
    assert.strictEqual(ejectedAfter(["success", "failure"], 1), 20)
    assert.strictEqual(ejectedAfter(["success", "success", "failure"], 1), Infinity)
    // too few calls within the time
    assert.strictEqual(ejectedAfter(["success", "failure"], 2), Infinity)
  })

  it("Consecutive_5xxAlreadyEjected: what is ejected is not ejected once more", () => {
    const endpoints = make("a")
    const before = Array.from({ length: 20 }, () => lease(endpoints, 0))
    for (const late of before) endpoints.end(late, 10, "failure", 0)
    assert.strictEqual(returnsAt(endpoints, "a"), 30_010)
    assert.strictEqual(endpoints.get("a")!.inFlight, 0)
    assert.strictEqual(endpoints.news.filter(({ _tag }) => _tag === "Ejected").length, 1)
  })

  it("an outcome of a call that began before an ejection, or before a return, frees its place and nothing else", () => {
    const endpoints = make("ab", { ejection: { ...rules.ejection!, failures: 2 } })
    const old = [1, 2, 3].map(() => lease(endpoints, 0, { without: new Set(["b"]) }))
    many(2, () => call(endpoints, "a", 0, "failure"))
    endpoints.end(old[0]!, 1, "success", 0)
    assert.strictEqual(statuses(endpoints, 1), "a ejected, b available")
    assert.strictEqual(statuses(endpoints, 30_000), "a available, b available")
    endpoints.end(old[1]!, 30_000, "failure", 0)
    endpoints.end(old[2]!, 30_000, "failure", 0)
    assert.strictEqual(statuses(endpoints, 30_000), "a available, b available")
    assert.strictEqual(endpoints.get("a")!.inFlight, 0)
  })
})

describe("kernel/balancer: rest", () => {
  it("a hint is kept exactly, the longest one counts, and it has a bound", () => {
    const endpoints = make("ab")
    call(endpoints, "a", 0, "throttled", 5000)
    call(endpoints, "b", 0, "failure", 2000)
    assert.strictEqual(statuses(endpoints, 1999), "a cooling, b cooling")
    assert.deepStrictEqual(endpoints.pick(1999, first, {}), new Refusal("cooling", 1))
    assert.strictEqual(statuses(endpoints, 2000), "a cooling, b available")
    assert.strictEqual(statuses(endpoints, 5000), "a available, b available")
    const [one, two] = [1, 2].map(() => lease(endpoints, 5000, { without: new Set("b") }))
    endpoints.end(one!, 5000, "throttled", 9000)
    endpoints.end(two!, 5001, "throttled", 10)
    assert.strictEqual(endpoints.get("a")!.coolUntil, 14_000)
    call(endpoints, "b", 5000, "throttled", 1e9)
    assert.strictEqual(endpoints.get("b")!.coolUntil, 305_000)
  })

  it("throttled without a hint rests for a while, and that is no failure", () => {
    const endpoints = make("ab")
    many(9, () => {
      const held = lease(endpoints, 0, { without: new Set(["b"]) })
      endpoints.end(held, 0, "throttled", 0)
      endpoints.cool("a", 0, 0)
    })
    assert.strictEqual(statuses(endpoints, 0), "a available, b available")
    call(endpoints, "a", 0, "throttled")
    assert.strictEqual(statuses(endpoints, 999), "a cooling, b available")
    assert.strictEqual(statuses(endpoints, 1000), "a available, b available")
  })

  it("one that is ejected and rests is back when both are over", () => {
    const endpoints = make("ab")
    many(5, () => call(endpoints, "a", 0, "failure"))
    endpoints.cool("a", 0, 40_000)
    assert.strictEqual(statuses(endpoints, 30_000), "a cooling, b available")
    assert.strictEqual(statuses(endpoints, 40_000), "a available, b available")
    assert.deepStrictEqual(endpoints.news.map(({ _tag }) => _tag), ["Ejected", "Cooling", "Returned"])
  })

  it("who is refused is told why, and for how long", () => {
    const endpoints = make("ab")
    assert.deepStrictEqual(make("").pick(0, first, {}), new Refusal("empty", Infinity))
    assert.deepStrictEqual(endpoints.pick(0, first, { when: () => false }), new Refusal("excluded", Infinity))
    assert.deepStrictEqual(endpoints.pick(0, first, { without: new Set("ab") }), new Refusal("excluded", Infinity))
    endpoints.cool("a", 0, 10)
    assert.deepStrictEqual(endpoints.pick(0, first, { without: new Set("b") }), new Refusal("cooling", 10))
  })
})

describe("kernel/balancer: panic", () => {
  const random = uniform(5)

  it("of three with one left all are used; of two with one left that one is", () => {
    const three = make("abc")
    for (const key of "ab") many(5, () => call(three, key, 0, "failure"))
    many(30, () => lease(three, 0, {}, random))
    // what has failed costs more, and is still used
    for (const { inFlight } of three.at(0)) assert.isAbove(inFlight, 0)
    const two = make("ab")
    many(5, () => call(two, "a", 0, "failure"))
    assert.deepStrictEqual(shares(two, 0, 1000), { b: 100 })
  })

  it("an endpoint that has asked for a rest gets it even then", () => {
    const endpoints = make("abc")
    for (const key of "ab") many(5, () => call(endpoints, key, 0, "failure"))
    endpoints.cool("a", 0, 10_000)
    many(100, () => lease(endpoints, 0, {}, random))
    const [a, b, c] = endpoints.at(0)
    assert.strictEqual(a!.inFlight, 0)
    assert.isAbove(b!.inFlight, 0)
    assert.isAbove(c!.inFlight, 0)
  })

  it("one that is ejected is used where a call may have no other", () => {
    const endpoints = make("abc", { panic: 0 })
    many(5, () => call(endpoints, "a", 0, "failure"))
    assert.deepStrictEqual(shares(endpoints, 0, 10, { when: (key) => key === "a" }), { a: 100 })
    assert.notProperty(shares(endpoints, 0, 1000), "a")
  })
})

describe("kernel/balancer: levels", () => {
  const levels = (changed: Partial<Rules> = {}) =>
    new Endpoints<string>({ ...rules, ...changed }, [
      described("c", { priority: 1 }),
      described("a"),
      described("b"),
      described("d", { priority: 1, local: false })
    ])

  it("the first level gets all, what it cannot take goes to the next, near before far", () => {
    const endpoints = levels()
    assert.hasAllKeys(shares(endpoints, 0, 1000), ["a", "b"])
    endpoints.cool("a", 0, 1e6)
    const half = shares(endpoints, 0, 10_000)
    assert.approximately(half["b"]!, 70, 2)
    assert.approximately(half["c"]!, 30, 2)
    endpoints.cool("b", 0, 1e6)
    assert.deepStrictEqual(shares(endpoints, 0, 1000), { c: 100 })
    endpoints.cool("c", 0, 1e6)
    assert.deepStrictEqual(shares(endpoints, 0, 1000), { d: 100 })
  })

  it("a level that may keep everything does so while it has one", () => {
    const endpoints = levels({ overprovisioning: Infinity })
    endpoints.cool("a", 0, 1e6)
    assert.deepStrictEqual(shares(endpoints, 0, 1000), { b: 100 })
  })

  it("whom a call may not have, or rather avoids, is no gap in its level", () => {
    const endpoints = levels()
    assert.deepStrictEqual(shares(endpoints, 0, 100, { without: new Set("a") }), { b: 100 })
    assert.deepStrictEqual(shares(endpoints, 0, 100, { avoid: (key) => key === "a" }), { b: 100 })
    assert.deepStrictEqual(shares(endpoints, 0, 100, { avoid: (key) => "abd".includes(key) }), { c: 100 })
    // all of them were tried: any
    assert.hasAllKeys(shares(endpoints, 0, 1000, { avoid: () => true }), ["a", "b"])
  })

  it("in order: the first that may be used", () => {
    const endpoints = make("abc", { choose: "in-order" })
    assert.deepStrictEqual(shares(endpoints, 0, 10), { a: 100 })
    endpoints.cool("a", 0, 10)
    assert.deepStrictEqual(shares(endpoints, 0, 10), { b: 100 })
  })
})

describe("kernel/balancer: two choices (Finagle, P2CLeastLoadedTest and P2CPeakEwmaTest)", () => {
  const N = 100
  const keys = Array.from({ length: N }, (_, i) => `host ${i}`)
  const fleet = (changed: Partial<Rules> = {}, extra: ReadonlyArray<string> = []) =>
    new Endpoints<string>({ ...rules, ...changed }, [...keys, ...extra].map((key) => described(key)))

  it("balances evenly, and again after one is gone and another one is new", () => {
    const endpoints = fleet()
    const random = uniform(12345)
    many(20_000, () => lease(endpoints, 0, {}, random))
    const spans = () => {
      const loads = endpoints.at(0).map(({ inFlight }) => inFlight)
      return Math.max(...loads) - Math.min(...loads)
    }
    assert.isAtMost(spans(), 6)
    endpoints.update([...keys.slice(1), "new"].map((key) => described(key)), 0)
    many(20_000, () => lease(endpoints, 0, {}, random))
    assert.isAtMost(spans(), 6)
  })

  /** Finagle's `run`: a call at each step of the clock, which ends when its latency is over. */
  const run = (endpoints: Endpoints<string>, latency: (key: string) => number, steps: number) => {
    const random = uniform(12345)
    const ends = new Map<number, Array<Lease<string>>>()
    const counts = new Map<string, number>()
    const sums = new Map<string, number>()
    for (let now = 0; now < steps; now++) {
      const picked = lease(endpoints, now, {}, random)
      const { key } = picked.member.described
      counts.set(key, (counts.get(key) ?? 0) + 1)
      sums.set(key, (sums.get(key) ?? 0) + picked.member.inFlight)
      const at = now + latency(key)
      ends.set(at, [...ends.get(at) ?? [], picked])
      for (const ended of ends.get(now + 1) ?? []) endpoints.end(ended, now + 1, "success", 0)
    }
    return counts
  }

  it("balances evenly across identical nodes", () => {
    const counts = Array.from(run(fleet({ decay: 150 }), () => 5, 100_000).values())
    assert.strictEqual(counts.length, N)
    for (const count of counts) assert.approximately(count / 1000, 1, 0.1)
  })

  it("probes a node without latency history at most once", () => {
    const counts = run(fleet({ decay: 150 }, ["silent"]), (key) => key === "silent" ? 1e9 : 1, 100_000)
    assert.strictEqual(counts.get("silent"), 1)
  })

  it("a node that is slower gets less", () => {
    const counts = run(fleet({ decay: 150 }, ["slow"]), (key) => key === "slow" ? 100 : 5, 100_000)
    assert.isBelow(counts.get("slow")!, counts.get("host 0")! / 2)
    assert.isAbove(counts.get("slow")!, 0)
  })

  it("failures that are quick attract nobody", () => {
    const endpoints = make("ab", { ejection: undefined })
    const random = uniform(1)
    let failed = 0
    for (let now = 0; now < 1000; now += 20) {
      const picked = lease(endpoints, now, {}, random)
      const isDown = picked.member.described.key === "a"
      if (isDown) failed++
      endpoints.end(picked, now + (isDown ? 0 : 10), isDown ? "failure" : "success", 0)
    }
    assert.isBelow(failed, 10)
  })
})

describe("kernel/balancer: an endpoint that has a bad minute", () => {
  /** 50 calls a second, with latencies around 100 ms; the shares of `a` in percent, by spans of ten seconds. */
  const sharesOf = (bad: (latency: number) => readonly [latency: number, outcome: Outcome]): ReadonlyArray<number> => {
    const endpoints = make("abc", { slowStart: 10_000, ejection: { ...rules.ejection!, share: 0.5 } })
    const random = uniform(1)
    const latencies = lognormal(2, 100, 0.4)
    const spans = Array.from({ length: 12 }, () => 0)
    let open: ReadonlyArray<readonly [at: number, lease: Lease<string>, outcome: Outcome]> = []
    for (let now = 0; now < 120_000; now += 20) {
      for (const [at, ended, outcome] of open) if (at <= now) endpoints.end(ended, at, outcome, 0)
      open = open.filter(([at]) => at > now)
      const picked = lease(endpoints, now, undefined, random)
      const isA = picked.member.described.key === "a"
      if (isA) spans[Math.floor(now / 10_000)]! += 100 / 500
      const isBad = isA && now >= 30_000 && now < 60_000
      const [latency, outcome] = isBad ? bad(latencies()) : [latencies(), "success" as const]
      open = [...open, [now + latency, picked, outcome]]
    }
    return spans.map(Math.round)
  }

  let n = 0
  const rows: Readonly<Record<string, Parameters<typeof sharesOf>[0]>> = {
    "ten times as slow": (latency) => [10 * latency, "success"],
    "failures that come at once": () => [5, n++ % 3 === 0 ? "success" : "failure"]
  }
  for (const [what, bad] of Object.entries(rows)) {
    it(`${what}: it gets hardly a call, and all of its calls again afterwards`, () => {
      const spans = sharesOf(bad)
      for (const share of spans.slice(0, 3)) assert.approximately(share, 33, 4)
      for (const share of spans.slice(3, 6)) assert.isAtMost(share, 3)
      assert.isAbove(spans[7]!, spans[6]!)
      for (const share of spans.slice(9)) assert.approximately(share, 33, 4)
    })
  }
})

describe("kernel/balancer: weights", () => {
  const weights: Record<string, number> = { a: 5, b: 3, c: 2 }
  const weighted = () =>
    new Endpoints<string>(rules, Object.entries(weights).map(([key, weight]) => described(key, { weight })))

  it("a lighter endpoint that is a little quicker does not take the calls of a heavier one, and one that is as much quicker does", () => {
    const light = (weight: number, latency: number) => {
      const endpoints = new Endpoints<string>(rules, [described("light"), described("heavy", { weight })])
      const took = (key: string, millis: number) =>
        endpoints.end(lease(endpoints, 0, { when: (endpoint) => endpoint === key }), millis, "success", 0)
      took("light", 10)
      took("heavy", latency)
      return (shares(endpoints, latency, 1000)["light"] ?? 0) / 100
    }
    assert.strictEqual(light(1e6, 20), 0)
    assert.approximately(light(4, 20), 0.2, 0.04)
    assert.strictEqual(light(4, 60), 1)
    assert.strictEqual(light(1, 20), 1)
  })

  it("calls one after the other are shared by weight, with latencies that are about the same", () => {
    const endpoints = weighted()
    const random = uniform(3)
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 }
    let now = 0
    many(20_000, () => {
      const picked = lease(endpoints, now, {}, random)
      counts[picked.member.described.key]!++
      now += 50 + 5 * random()
      endpoints.end(picked, now, "success", 0)
    })
    for (const key of "abc") assert.approximately(counts[key]! / 2000, weights[key]!, 0.4)
  })

  it("so are calls at the same time", () => {
    const endpoints = weighted()
    const random = uniform(4)
    many(10_000, () => lease(endpoints, 0, {}, random))
    for (const key of "abc") assert.approximately(endpoints.get(key)!.inFlight / 1000, weights[key]!, 0.1)
  })

  it("SlowStart (Envoy, LeastRequestLoadBalancerTest): a tenth at first, then by time", () => {
    const endpoints = make("a", { slowStart: 60_000 })
    endpoints.update([described("a"), described("b")], 0)
    const weightOfB = (seconds: number) => endpoints.get("b")!.weightAt(seconds * 1000, endpoints.rules)
    // max(5/60, 0.1), 10/60, 40/60
    assert.strictEqual(weightOfB(5), 0.1)
    assert.approximately(weightOfB(10), 0.166, 0.001)
    assert.approximately(weightOfB(40), 0.666, 0.001)
    assert.strictEqual(weightOfB(60), 1)
    assert.strictEqual(endpoints.get("a")!.weightAt(0, endpoints.rules), 1)
    assert.approximately(shares(endpoints, 30_000, 20_000)["b"]!, 33, 1)
  })

  it("an endpoint that comes back does so slowly as well, and is warming until then", () => {
    const endpoints = make("ab", { slowStart: 10_000 })
    endpoints.cool("a", 0, 5000)
    assert.strictEqual(statuses(endpoints, 5000), "a warming, b available")
    assert.approximately(shares(endpoints, 5000, 20_000)["a"]!, 9, 1)
    assert.strictEqual(statuses(endpoints, 15_000), "a available, b available")
    // nobody has looked in between: the ramp began when it was back
    endpoints.cool("b", 15_000, 5000)
    assert.strictEqual(statuses(endpoints, 60_000), "a available, b available")
  })
})

describe("kernel/balancer: whatever happens", () => {
  const Key = Schema.Literals(["a", "b", "c", "d", "e"])
  const Step = Schema.Union([
    Schema.Struct({ do: Schema.Literal("pick"), without: Schema.Array(Key), avoid: Schema.Array(Key) }),
    Schema.Struct({ do: Schema.Literal("pick"), without: Schema.Tuple([]), avoid: Schema.Tuple([]) }),
    Schema.Struct({
      do: Schema.Literal("end"),
      which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })),
      outcome: Schema.Literals(["success", "failure", "failure", "failure", "throttled", "interrupted", "ignored"]),
      hint: Schema.Literals([0, 0, 50, 5000])
    }),
    Schema.Struct({
      do: Schema.Literal("answer"),
      which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
    }),
    Schema.Struct({ do: Schema.Literal("update"), to: Schema.Array(Key) }),
    Schema.Struct({ do: Schema.Literal("cool"), key: Key, millis: Schema.Literals([0, 30, 3000]) }),
    Schema.Struct({ do: Schema.Literal("wait"), millis: Schema.Literals([1, 40, 700, 40_000]) })
  ])

  it.prop(
    "no endpoint outside of the set or of what the call may have, never one that rests, and every place is free in the end",
    [Schema.Array(Step).check(Schema.isMinLength(5)), Schema.Int],
    ([steps, seed]) => {
      const random = uniform(seed)
      const share = 0.5
      const endpoints = make("abc", {
        slowStart: 500,
        ejection: { ...rules.ejection!, failures: 2, base: 300, max: 900, share }
      })
      let set = new Set("abc")
      let now = 0
      const open: Array<Lease<string>> = []
      const all: Array<Lease<string>> = []
      for (const step of steps) {
        switch (step.do) {
          case "pick": {
            const without = new Set<string>(step.without)
            const avoid = new Set<string>(step.avoid)
            const picked = endpoints.pick(now, random, { without, avoid: (key) => avoid.has(key) })
            const free = endpoints.at(now).filter(({ described: { key }, mayBeUsed }) => mayBeUsed && !without.has(key))
            if (picked instanceof Refusal) {
              assert.strictEqual(free.length, 0)
              assert.strictEqual(picked.reason === "empty", set.size === 0)
              if (picked.reason === "cooling") assert.isAbove(picked.retryAfter, 0)
            } else {
              const { coolUntil, described: { key } } = picked.member
              assert.isTrue(set.has(key) && !without.has(key))
              assert.isUndefined(coolUntil)
              if (free.some((member) => !avoid.has(member.described.key))) assert.isFalse(avoid.has(key))
              open.push(picked)
              all.push(picked)
            }
            break
          }
          case "answer":
            if (open.length > 0) endpoints.answered(open[step.which % open.length]!, now)
            break
          case "end":
            if (open.length > 0) {
              const [ended] = open.splice(step.which % open.length, 1)
              endpoints.end(ended!, now, step.outcome, step.hint)
              endpoints.end(ended!, now, "failure", 9000)
            }
            break
          case "update":
            set = new Set(step.to)
            endpoints.update(Array.from(set, (key) => described(key)), now)
            break
          case "cool":
            endpoints.cool(step.key, now, step.millis)
            break
          case "wait":
            now += step.millis
        }
        const members = endpoints.at(now)
        assert.deepStrictEqual(members.map(({ described: { key } }) => key), Array.from(set))
        for (const member of members) {
          assert.strictEqual(member.inFlight, open.filter((one) => one.member === member).length)
          assert.isAtLeast(member.latency.at(now), 0)
        }
      }
      for (const one of open) endpoints.end(one, now, "interrupted", 0)
      for (const { member } of all) assert.strictEqual(member.inFlight, 0)
      const ejected = endpoints.count("ejected", now)
      if (!steps.some((step) => step.do === "update")) assert.isAtMost(ejected, share * set.size)
    },
    { arbitrary: { runs: Number(process.env.PROPERTY_RUNS ?? 300) } }
  )
})
