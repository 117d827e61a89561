import { assert, describe, it } from "@effect/vitest"
import { Bulkhead, Retry } from "../../src/index.ts"
import { svg } from "../../src/plot/index.ts"
import { Forecast, Times } from "../../src/simulation/index.ts"

/** What a row of a table says. The runs differ by as much as `spread`. */
interface Figures {
  readonly name: string
  readonly success: number
  readonly p99?: number
  readonly sent?: number
  readonly sentInOutage?: number
  readonly refused?: number
  readonly recovers?: number | null
  readonly late?: number
  readonly tokens?: number
  readonly money?: number
  readonly failures?: Readonly<Record<string, number>>
  /** of each run, added to the success */
  readonly spread?: ReadonlyArray<number>
}

const offered = 10_000

const rowOf = (
  {
    failures = {},
    late = 0,
    tokens = 0,
    money = 0,
    name,
    p99 = 400,
    recovers = 0,
    refused = 0,
    sent = 1,
    sentInOutage = 1,
    spread = [0, 0, 0],
    success
  }: Figures
): Forecast.Row => ({
  name,
  code: name,
  seen: spread.map((more, i) => ({
    seed: i + 1,
    offered,
    succeeded: offered * (success + more),
    late,
    sent: offered * sent,
    p50: 100,
    p99,
    tokens,
    money,
    refused,
    busy: null,
    atOnce: 1,
    failures,
    outage: { offered: 1000, succeeded: 0, sent: 1000 * sentInOutage, after: 1000 },
    recovers
  })),
  success,
  p50: 100,
  p99,
  sent,
  tokens,
  money,
  recovers,
  series: { success: [], sent: [], p99: [] }
})

const setting: Forecast.Setting = {
  perSecond: 10,
  share: 1,
  part: 1,
  duration: 1_000_000,
  seeds: 3,
  calls: offered,
  patience: 30_000,
  times: { mean: 120, p50: 100, p99: 400 },
  attempt: 600,
  deployments: 1,
  processes: 1,
  errors: 0,
  capacity: null,
  requestsPerMinute: null,
  tokensPerMinute: null,
  charge: 0,
  priced: false,
  outage: null
}

const outage: Forecast.Setting["outage"] = { kind: "down", from: 30_000, until: 60_000, deployments: 1 }

const said = (
  rows: ReadonlyArray<Figures>,
  changed: Partial<Forecast.Setting> = {},
  base = "fitted"
): ReadonlyArray<string> => Forecast.advice({ setting: { ...setting, ...changed }, base, rows: rows.map(rowOf) })

const well = { name: "standard", success: 1 }

describe("what follows from a forecast", () => {
  it("says nothing of policies where there is nothing to say", () => {
    const all = ["no policy", "retry, timeout", "standard", "fitted"].map((name) => ({ name, success: 1 }))
    assert.deepStrictEqual(said(all), [
      "A limit of an attempt of 600ms (p99, which is 400ms, and half of it) does as well as the default of 10s: the difference is no more than chance."
    ])
  })

  const table: ReadonlyArray<{
    readonly when: string
    readonly rows: ReadonlyArray<Figures>
    readonly setting?: Partial<Forecast.Setting>
    readonly base?: string
    readonly says: ReadonlyArray<string>
    readonly saysNot?: ReadonlyArray<string>
  }> = [
    {
      when: "the default limit is too short",
      rows: [{ name: "standard", success: 0.2, recovers: null }, {
        name: "fitted",
        success: 0.9,
        p99: 500,
        recovers: 12_000
      }],
      setting: { outage },
      says: [
        "Set the limit of an attempt to 600ms (p99, which is 400ms, and half of it). Compared with the default of 10s, 90 % of the calls succeed rather than 20 %, p99 is 500ms rather than 400ms. After the outage, calls succeed again in 12s; without this, not again within the run."
      ]
    },
    {
      when: "the limit that fits is too short",
      rows: [{ name: "standard", success: 0.9 }, { name: "fitted", success: 0.2 }],
      says: [
        "Keep the default of 10s for the limit of an attempt. Compared with 600ms (p99, which is 400ms, and half of it), 90 % of the calls succeed rather than 20 %."
      ]
    },
    {
      when: "a difference is within what the runs differ by",
      rows: [well, { name: "fitted", success: 0.95, spread: [0.05, 0, -0.05] }],
      says: ["does as well as the default of 10s"],
      saysNot: ["Set the limit", "Keep the default"]
    },
    {
      when: "a difference is sure, and too small for a word",
      rows: [well, { name: "fitted", success: 0.9995 }],
      says: ["does as well as the default of 10s"]
    },
    {
      when: "two shares look alike",
      rows: [{ name: "standard", success: 0.8201 }, { name: "fitted", success: 0.8243 }],
      says: ["82.43 % of the calls succeed rather than 82.01 %"]
    },
    {
      when: "retries make it worse",
      rows: [
        { name: "no policy", success: 0.8 },
        { name: "retry, timeout", success: 0.1, sent: 3.9, sentInOutage: 4, recovers: null },
        { name: "standard", success: 0.8 },
        { name: "fitted", success: 0.8 }
      ],
      setting: { outage, capacity: 10 },
      says: [
        "Do not retry without a budget and a breaker. Three retries and a limit send 3.90 requests for each call (4.0 during the outage), and 10 % of the calls succeed; without any policy it is 80 %. They keep the service down when the outage is over."
      ]
    },
    {
      when: "retries seem to be better, for nothing is hurt by them",
      rows: [
        { name: "no policy", success: 0.7 },
        { name: "retry, timeout", success: 0.9, sent: 1.5, sentInOutage: 4 },
        { name: "standard", success: 0.8, sent: 0.9, sentInOutage: 0.5 },
        { name: "fitted", success: 0.8 }
      ],
      setting: { outage },
      says: [
        "Retries without a budget and a breaker get 90 % of the calls through with 1.50 requests for each call (4.0 during the outage); \"standard\" gets 80 % through with 0.90 requests for each call (0.5 during the outage). Nothing is hurt by them here, for this service has no end of places: give its capacity to see what they do to it.",
        "70 % of the calls succeed without any policy, and 80 % with \"standard\"."
      ]
    },
    {
      when: "the same of a service with a capacity",
      rows: [{ name: "no policy", success: 0.7 }, { name: "retry, timeout", success: 0.9 }, {
        name: "standard",
        success: 0.8
      }],
      setting: { capacity: 10 },
      says: ["get 90 % of the calls through"],
      saysNot: ["no end of places"]
    },
    {
      when: "no policy gets more through, slowly",
      rows: [{ name: "no policy", success: 1, p99: 26_000 }, { name: "retry, timeout", success: 1 }, {
        name: "standard",
        success: 0.8,
        p99: 500
      }],
      says: [
        "100 % of the calls succeed without any policy, and 80 % with \"standard\", and the slowest take 26s (p99) rather than 500ms. What its breaker turns away is what it costs."
      ]
    },
    {
      when: "a part helps",
      rows: [
        { name: "fitted", success: 0.8, recovers: 12_000, refused: 5000, sent: 2 },
        { name: "+ probing", success: 0.85, recovers: 1000, sent: 2 },
        { name: "+ quota", success: 0.9, refused: 0, sent: 2 },
        { name: "+ hedging", success: 0.8, p99: 150, sent: 2.1 },
        { name: "+ adaptive limit", success: 0.95, sent: 2 }
      ],
      setting: { outage },
      says: [
        "Keep to the quota with a limiter of your own: 90 % of the calls succeed rather than 80 %. The service refuses 0 % of its requests; without this, 25 %.",
        "Let the breaker look every 2s whether the service is back, with breaker: { open: \"2 seconds\" }: 85 % of the calls succeed rather than 80 %. After the outage, calls succeed again in 1s; without this, again in 12s.",
        "Hedge: send a second request when p95 has passed: p99 is 150ms rather than 400ms, 2.10 requests are sent for each call rather than 2.00.",
        "Let the limit of calls at once follow what the service can bear, with AdaptiveLimit: 95.0 % of the calls succeed rather than 80 %."
      ]
    },
    {
      when: "a part does harm, or nothing",
      rows: [
        { name: "standard", success: 0.8 },
        { name: "fitted", success: 0.5 },
        { name: "+ hedging", success: 0.7, sent: 1.1 },
        { name: "+ adaptive limit", success: 0.8 }
      ],
      base: "standard",
      says: [
        "Hedging does not pay: 70 % of the calls succeed rather than 80 %, 1.10 requests are sent for each call rather than 1.00.",
        "An adaptive limit makes no difference to success and p99 beyond chance."
      ]
    },
    {
      when: "a stack was given",
      rows: [{ name: "standard", success: 0.8, tokens: 4000 }, { name: "ours", success: 0.6, p99: 900, tokens: 5000 }, {
        name: "theirs",
        success: 0.8
      }],
      says: [
        "Compared with \"ours\", \"standard\" does this: 80 % of the calls succeed rather than 60 %, p99 is 400ms rather than 900ms, an answer takes 4000 tokens rather than 5000.",
        "\"standard\" and \"theirs\" do alike: the difference is no more than chance."
      ]
    },
    {
      when: "money is saved",
      rows: [{ name: "fitted", success: 0.8, money: 10, tokens: 100 }, {
        name: "+ quota",
        success: 0.9,
        money: 8,
        tokens: 80
      }],
      says: ["90 % of the calls succeed rather than 80 %, a thousand answers cost 8 rather than 10."]
    },
    {
      when: "a shorter p99 may cost more than a little success",
      rows: [{ name: "fitted", success: 0.9, spread: [0, 0, 0] }, {
        name: "+ hedging",
        success: 0.88,
        spread: [0.03, 0, -0.03],
        p99: 300
      }],
      says: ["Hedging makes no difference to success and p99 beyond chance."]
    },
    {
      when: "half of the p99 costs a little success",
      rows: [{ name: "fitted", success: 0.993 }, { name: "+ hedging", success: 0.99, p99: 100 }],
      says: [
        "Hedge: send a second request when p95 has passed: p99 is 100ms rather than 400ms, 99.0 % of the calls succeed rather than 99.3 %."
      ]
    },
    {
      when: "calls fail",
      rows: [{
        name: "standard",
        success: 0.8,
        late: 300,
        failures: { CircuitOpen: 1000, crashed: 600, error: 100, Own: 5 }
      }],
      says: [
        "With \"standard\", 10 % of the calls fail because the circuit was open, 6.0 % because the service was down, 3.0 % because the answer came after the caller had gone."
      ]
    },
    {
      when: "there are too few places",
      rows: [well],
      setting: { perSecond: 200, capacity: 10, deployments: 2 },
      says: [
        "200 calls a second of 120ms on average keep 24 requests in service at once, and there are 20 places. No stack can answer them all: the most is 100 %, with \"standard\". Ask for more capacity."
      ]
    },
    {
      when: "most places are needed",
      rows: [well],
      setting: { perSecond: 200, capacity: 30 },
      says: ["keep 24 requests in service at once, and there are 30 places."],
      saysNot: ["No stack can"]
    },
    {
      when: "half of the places are needed",
      rows: [well],
      setting: { perSecond: 200, capacity: 48 },
      says: [],
      saysNot: ["in service at once"]
    },
    {
      when: "the quota is too small",
      rows: [well],
      setting: { tokensPerMinute: 150_000, charge: 500, requestsPerMinute: 700 },
      says: [
        "The calls are charged 300,000 tokens a minute, and the quota has 150,000: at most 50 % of them can be let in. Ask for more quota.",
        "The calls are charged 600 requests a minute, and the quota has 700."
      ]
    },
    {
      when: "one request is larger than the quota",
      rows: [well],
      setting: { tokensPerMinute: 4000, charge: 5000 },
      says: [
        "A request is charged 5,000 tokens, its prompt and the most that it may answer, and a minute has 4,000: none is ever let in. Lower the most that an answer may have, or ask for more quota."
      ],
      saysNot: ["can be let in"]
    },
    {
      when: "no call gets through",
      rows: ["no policy", "retry, timeout", "standard", "fitted"].map((name) => ({
        name,
        success: 0,
        failures: { error: offered }
      })),
      says: ["No stack gets a call through.", "100 % of the calls fail because the service answered with an error."],
      saysNot: ["limit of an attempt"]
    },
    {
      when: "more calls are made at once than a pipeline allows by default",
      rows: [{ name: "standard", success: 0.4 }, { name: "fitted", success: 1 }],
      setting: { perSecond: 30, times: { mean: 40_000, p50: 40_000, p99: 60_000 }, attempt: 90_000 },
      says: ["Let a process make 2,400 calls at once, which is twice as many as there are on average. Compared with"]
    },
    {
      when: "the load is quiet",
      rows: [well],
      setting: { calls: 20, perSecond: 1 / 60 },
      says: ["60 calls are few to know a p99 by."]
    },
    {
      when: "the load is large",
      rows: [well],
      setting: { perSecond: 12_000, share: 0.025 },
      says: [
        "12k calls a second are more than fits into this time: 2.5 % of them were simulated, with as much of the capacity, the quota and the processes."
      ]
    }
  ]
  for (const { base, rows, says, saysNot = [], setting, when } of table) {
    it(when, () => {
      const lines = said(rows, setting, base)
      for (const line of says) {
        assert.isTrue(lines.some((one) => one.includes(line)), `${line}\nis not in\n${lines.join("\n")}`)
      }
      for (const line of saysNot) assert.isFalse(lines.some((one) => one.includes(line)), lines.join("\n"))
    })
  }
})

describe("the limit of an attempt that fits", () => {
  const limits: ReadonlyArray<readonly [p99: number, limit: number]> = [
    [1, 100],
    [80, 150],
    [400, 600],
    [1000, 1500],
    [4000, 6000],
    [9000, 15_000],
    [40_000, 60_000],
    [41_000, 90_000],
    [240_000, 360_000],
    [3_600_000, 5_400_000]
  ]
  for (const [p99, limit] of limits) {
    it(`for ${p99} ms it is ${limit} ms`, () => {
      const options = { perSecond: 0.001, times: Times.constant(p99), seeds: 2 }
      assert.strictEqual(Forecast.run(options).setting.attempt, limit)
    })
  }
})

const times = Times.fromPercentiles([[50, "80 millis"], [99, "400 millis"]])

const find = ({ rows }: Forecast.Forecast, name: string): Forecast.Row => rows.find((row) => row.name === name)!

describe("a forecast", () => {
  it("is the same for the same options, and its load is the same for all stacks", () => {
    const options = { perSecond: 2, times, errors: 0.05, seeds: 2 }
    const forecast = Forecast.run(options)
    assert.deepStrictEqual(Forecast.run(options), forecast)
    for (const { seen } of forecast.rows) {
      assert.deepStrictEqual(seen.map(({ offered }) => offered), forecast.rows[0]!.seen.map(({ offered }) => offered))
    }
    assert.deepStrictEqual(JSON.parse(JSON.stringify(forecast)), forecast)
  })

  it("shows retries that keep a service down, and a pipeline that does not", () => {
    const forecast = Forecast.run({
      perSecond: 20,
      times,
      capacity: 4,
      outage: { lasts: "30 seconds", kind: "slow" },
      seeds: 3
    })
    assert.isNull(find(forecast, "retry, timeout").recovers)
    assert.isAbove(find(forecast, "fitted").success, 3 * find(forecast, "retry, timeout").success)
    assert.isTrue(Forecast.advice(forecast).some((line) => line.startsWith("Do not retry without a budget")))
    assert.notInclude(["no policy", "retry, timeout"], Forecast.best(forecast).name)
  })

  it("knows that a limit of ten seconds is too short for a model that reasons for minutes, and keeps to its quota", () => {
    const forecast = Forecast.run({
      perSecond: 0.5,
      times: Times.fromPercentiles([[50, "40 seconds"], [99, "4 minutes"]]),
      quota: { requestsPerMinute: 60, tokensPerMinute: 160_000 },
      tokens: {
        prompt: Times.constant(1000),
        completion: Times.constant(2000),
        maxCompletion: 4000,
        price: { prompt: 10, completion: 40 }
      },
      seeds: 4
    })
    assert.isBelow(find(forecast, "standard").success, 0.05)
    assert.isAbove(find(forecast, "+ quota").success, find(forecast, "fitted").success)
    const { code, money, tokens } = find(forecast, "+ quota")
    assert.deepStrictEqual([tokens, Math.round(money)], [3000, 90])
    assert.strictEqual(
      code,
      `const quota = RateLimiter.makeUnsafe({
  limits: {
    requests: RateLimiter.slidingWindow({ limit: 10, within: "10 seconds" }),
    tokens: RateLimiter.slidingWindow({ limit: 160000, within: "1 minute" })
  },
  maxWait: "18 minutes"
})
const policy = Pipelines.makeStandardUnsafe({
  attempt: "6 minutes",
  limiter: quota.cost({ tokens: 5000 })
})`
    )
  })

  it("puts all that helps together, and compares stacks of one's own", () => {
    const forecast = Forecast.run({
      perSecond: 15,
      deployments: 3,
      times: Times.fromPercentiles([[50, "20 millis"], [95, "80 millis"], [99, "1 second"]]),
      outage: { lasts: "1 minute", kind: "silent" },
      stacks: { mine: [Bulkhead.makeUnsafe({ concurrency: 100 }), Retry.make({ times: 1 })] },
      seeds: 3
    })
    assert.deepStrictEqual(forecast.rows.map(({ name }) => name), [
      "no policy",
      "retry, timeout",
      "standard",
      "fitted",
      "+ balancer",
      "+ probing",
      "+ hedging",
      "+ all that help",
      "mine"
    ])
    assert.strictEqual(
      find(forecast, "+ all that help").code,
      `const budget = RetryBudget.makeUnsafe()
const policy = Policy.compose(
  Timeout.total("30 seconds"),
  Hedge.makeUnsafe({ after: { quantile: 0.95 }, budget })
)
const balancer = Balancer.makeUnsafe({ endpoints: deployments })
const answer = balancer.use((deployment) =>
  ask(deployment).pipe(Timeout.attempt("1.5 seconds"))
).pipe(policy)`
    )
    assert.isBelow(Math.max(...Forecast.table(forecast).split("\n").map(({ length }) => length)), 81)
    const picture = svg(Forecast.picture(forecast, { title: "three deployments" }))
    for (const text of ["1 of 3 is silent", "calls that succeed (%)", "mine"]) assert.include(picture, text)
  })

  it("plays a trace", () => {
    const trace = Array.from({ length: 600 }, (_, i) => i * 200)
    const { rows, setting } = Forecast.run({ trace, times, seeds: 2, outage: { lasts: "10 seconds" } })
    assert.strictEqual(Math.round(setting.perSecond), 5)
    for (const { offered, outage } of rows[0]!.seen) {
      assert.strictEqual(offered, 600)
      assert.approximately(outage!.offered, 50, 1)
    }
  })

  it("simulates a part of a load that is too large, and has more runs of one that is quiet", () => {
    const large = Forecast.run({ perSecond: 10_000, times, capacity: 4000, maxCalls: 100_000, seeds: 2 })
    assert.isBelow(large.setting.share, 0.01)
    assert.isBelow(
      large.rows.reduce((sum, { seen }) => sum + seen.reduce((all, { offered }) => all + offered, 0), 0),
      110_000
    )
    const quiet = Forecast.run({ perSecond: 1 / 60, times, outage: { lasts: "5 minutes" } })
    assert.strictEqual(quiet.setting.seeds, 50)
  })

  const refusals: ReadonlyArray<readonly [options: Partial<Forecast.Options>, message: RegExp]> = [
    [
      { perSecond: undefined },
      /^Forecast\.run: perSecond must be given where trace is not, and not beside it, got undefined$/
    ],
    [{ trace: [0, 1] }, /perSecond must be given where trace is not, and not beside it, got 5$/],
    [{ perSecond: 0 }, /perSecond must be a finite number > 0, got 0$/],
    [{ perSecond: undefined, trace: [0] }, /trace must be the times of two calls or more, got 1$/],
    [{ times: Times.constant(Infinity) }, /times must be times whose p99 is more than 0 and finite, got Infinity$/],
    [{ deployments: 0 }, /deployments must be an integer from 1 to 100, got 0$/],
    [{ processes: 1.5 }, /processes must be an integer from 1 to 1000, got 1.5$/],
    [{ capacity: 0 }, /capacity must be an integer >= 1, got 0$/],
    [{ errors: 1.5 }, /errors must be .*, got 1.5$/],
    [{ quota: { tokensPerMinute: 0 } }, /quota\.tokensPerMinute must be an integer >= 1, got 0$/],
    [{ quota: { requestsPerMinute: -1 } }, /quota\.requestsPerMinute must be an integer >= 1, got -1$/],
    [{ outage: { lasts: 0 } }, /outage\.lasts must be a finite duration > 0, got 0$/],
    [
      { outage: { lasts: "1 second", kind: "gone" as "down" } },
      /outage\.kind must be "down", "silent" or "slow", got "gone"$/
    ],
    [
      { outage: { lasts: "1 second", deployments: 2 } },
      /outage\.deployments must be at most deployments \(1\), got 2$/
    ],
    [
      { perSecond: undefined, trace: [0, 1000], outage: { lasts: "1 second" } },
      /outage\.lasts must be at most half of the trace \(500 ms\), got 1000$/
    ],
    [{ patience: Infinity }, /patience must be a finite duration > 0, got Infinity$/],
    [{ seeds: 1 }, /seeds must be an integer from 2 to 1000, got 1$/],
    [{ maxCalls: 10 }, /maxCalls must be an integer >= 1000, got 10$/],
    [
      { perSecond: 10_000, capacity: 4, maxCalls: 10_000 },
      /perSecond must be so low that 10,000 calls of all runs are enough \(the smallest part that is like the whole has .*\), got 10000$/
    ]
  ]
  for (const [options, message] of refusals) {
    it(`refuses: ${message.source}`, () => {
      assert.throws(() => Forecast.run({ perSecond: 5, times, ...options }), message)
    })
  }
})
