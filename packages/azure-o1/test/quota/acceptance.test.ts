/** At 1.5 times the quota: at most 1 % of the requests are refused by the service, and at least 97 % of the quota is used. */
import { AzureO1, O1Error, O1Transport, user } from "@effect-resilience/azure-o1"
import { O1Quota, type QuotaOptions } from "@effect-resilience/azure-o1/quota"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Service } from "./virtual.ts"

const layerOf = (service: Service, options: QuotaOptions) =>
  Layer.mergeAll(AzureO1.layerServices).pipe(
    Layer.provideMerge(O1Quota.layer(options)),
    Layer.provide(Layer.succeed(O1Transport, service.transport))
  )

interface Load {
  readonly service: Service
  readonly quota: QuotaOptions
  readonly minutes: number
  readonly perMinute: number
  /** What the service charges for a call. */
  readonly tokens: (i: number) => number
  /** Who calls; the service counts by this name as well. */
  readonly caller?: (i: number) => { readonly key: string; readonly weight?: number }
  /** Processes that know nothing of each other, and which of them makes a call. */
  readonly processes?: number
  readonly process?: (i: number) => number
  /** Happens with each call. */
  readonly meanwhile?: (i: number) => Effect.Effect<unknown>
}

/** Calls come evenly for some minutes, whatever becomes of those before. */
const load = (
  {
    caller = () => ({ key: "all" }),
    meanwhile,
    minutes,
    perMinute,
    process = () => 0,
    processes = 1,
    quota,
    service,
    tokens
  }: Load
) =>
  Effect.gen(function*() {
    const clients = yield* Effect.replicateEffect(Layer.build(Layer.fresh(layerOf(service, quota))), processes)
    const failures: Array<string> = []
    for (let i = 0; i < Math.ceil(perMinute * minutes); i++) {
      const { key, weight } = caller(i)
      const o1 = Context.get(clients[process(i)]!, AzureO1)
      const request = { messages: [user("x".repeat(400))], maxCompletionTokens: tokens(i) - 100, user: key }
      yield* o1.complete(request, { total: "2 hours" }).pipe(
        Effect.catch((error) => Effect.sync(() => failures.push(O1Error.label(error)))),
        O1Quota.as(key, { weight }),
        Effect.forkChild
      )
      if (meanwhile !== undefined) yield* meanwhile(i)
      yield* TestClock.adjust(60_000 / perMinute)
    }
    assert.deepStrictEqual(failures, [])
    return service.seen
  }).pipe(Effect.scoped)

/** The words. */
const holds = (seen: Service["seen"], used: number, quota: number) => {
  const figures = `${seen.refused} of ${seen.requests} refused, ${used} of ${quota} used`
  assert.isAtMost(seen.refused / seen.requests, 0.01, figures)
  assert.isAtLeast(used / quota, 0.97, figures)
}

const sizes = [700, 2900, 1200, 600, 2400, 3600, 900, 1800]
const mean = sizes.reduce((a, b) => a + b) / sizes.length
const mixed = (i: number) => sizes[i % sizes.length]!

const limits = (requestsPerMinute: number, tokensPerMinute: number) => ({ requestsPerMinute, tokensPerMinute })

describe("at 1.5 times the quota", () => {
  for (
    const [requests, offset, minutes] of [[60, 17_311, 3], [10, 3_001, 4], [100, 59_990, 3], [330, 30_000, 2]] as const
  ) {
    it.effect(`${requests} requests a minute`, () =>
      Effect.gen(function*() {
        const quota = limits(requests, 10_000_000)
        const service = new Service(quota, { offset })
        const seen = yield* load({ service, quota, minutes, perMinute: 1.5 * requests, tokens: () => 600 })
        holds(seen, seen.admittedRequests, requests * minutes)
      }))
  }

  for (const [tokens, offset] of [[60_000, 17_311], [150_000, 42]] as const) {
    it.effect(`${tokens} tokens a minute, in mixed sizes`, () =>
      Effect.gen(function*() {
        const quota = limits(600, tokens)
        const service = new Service(quota, { offset })
        const seen = yield* load({ service, quota, minutes: 3, perMinute: 1.5 * tokens / mean, tokens: mixed })
        holds(seen, seen.admittedTokens, tokens * 3)
      }))
  }

  for (const offset of [0, 17_311, 45_000]) {
    it.effect(`tokens, in sizes of up to a fifth of the minute (the service begins to count at ${offset})`, () =>
      Effect.gen(function*() {
        const quota = limits(600, 60_000)
        const service = new Service(quota, { offset })
        const large = [600, 11_500, 4_200, 1_100, 7_700, 2_600, 900, 9_800]
        const mean = large.reduce((a, b) => a + b) / large.length
        const seen = yield* load({
          service,
          quota,
          minutes: 5,
          perMinute: 1.5 * 60_000 / mean,
          tokens: (i) => large[i % large.length]!
        })
        holds(seen, seen.admittedTokens, 60_000 * 5)
      }))
  }

  for (const reset of [60, 30, 10, 1, "minute"] as const) {
    it.effect(`tokens, of a service whose count rolls, though it says that it begins anew: ${reset}`, () =>
      Effect.gen(function*() {
        const service = new Service(limits(600, 60_000), { rolling: reset })
        const quota = limits(600, 60_000)
        const seen = yield* load({ service, quota, minutes: 5, perMinute: 1.5 * 60_000 / mean, tokens: mixed })
        holds(seen, seen.admittedTokens, 60_000 * 5)
      }))
  }

  it.effect("a limit is learnt that nobody has configured", () =>
    Effect.gen(function*() {
      const quota = limits(600, 60_000)
      const service = new Service(quota, { offset: 5_000 })
      const seen = yield* load({ service, quota: {}, minutes: 5, perMinute: 1.5 * 60_000 / mean, tokens: mixed })
      holds(seen, seen.admittedTokens, 60_000 * 5)
    }))

  it.effect("a limit that only the service knows, and a configured one", () =>
    Effect.gen(function*() {
      const service = new Service(limits(60, 10_000_000))
      const quota = { tokensPerMinute: 10_000_000 }
      const seen = yield* load({ service, quota, minutes: 5, perMinute: 90, tokens: () => 600 })
      holds(seen, seen.admittedRequests, 60 * 5)
    }))

  it.effect("callers get their shares by weight", () =>
    Effect.gen(function*() {
      const quota = limits(600, 120_000)
      const service = new Service(quota)
      let first: ReadonlyMap<string, number> = new Map()
      const callers = [{ key: "a", weight: 1 }, { key: "b", weight: 2 }, { key: "c", weight: 3 }]
      const seen = yield* load({
        service,
        quota,
        minutes: 6,
        // each asks for as much as there is for all
        perMinute: 3 * 120_000 / mean,
        // one has large calls, one small ones
        tokens: (i) => i % 3 === 0 ? 3_600 : i % 3 === 1 ? 900 : mixed(i),
        caller: (i) => callers[i % 3]!,
        meanwhile: (i) =>
          Effect.sync(() => {
            if (i === Math.floor(3 * 120_000 / mean)) first = new Map(service.seen.by)
          })
      })
      holds(seen, seen.admittedTokens, 120_000 * 6)
      // nobody waits in the first minute, so that there is nothing to be fair about
      const later = seen.admittedTokens - Array.from(first.values()).reduce((a, b) => a + b)
      const share = (key: string) => (seen.by.get(key)! - first.get(key)!) / later
      assert.approximately(share("a"), 1 / 6, 0.02)
      assert.approximately(share("b"), 2 / 6, 0.03)
      assert.approximately(share("c"), 3 / 6, 0.03)
    }))

  it.effect("the service lowers its limit, and raises it again", () =>
    Effect.gen(function*() {
      const service = new Service(limits(600, 120_000))
      const perMinute = 1.5 * 120_000 / mean
      const seen = yield* load({
        service,
        quota: limits(600, 120_000),
        minutes: 9,
        perMinute,
        tokens: mixed,
        meanwhile: (i) =>
          Effect.sync(() => {
            if (i === Math.floor(3 * perMinute)) service.change(limits(600, 60_000))
            if (i === Math.floor(6 * perMinute)) service.change(limits(600, 120_000))
          })
      })
      holds(seen, seen.admittedTokens, 120_000 * 6 + 60_000 * 3)
    }))

  it.effect("another process uses half of it, and then stops", () =>
    Effect.gen(function*() {
      const service = new Service(limits(600, 60_000))
      let theirs = 0
      let refused = 0
      let middle = 0
      const perMinute = 1.5 * 60_000 / 1_200
      const seen = yield* load({
        service,
        quota: limits(600, 60_000),
        minutes: 8,
        perMinute,
        tokens: () => 1_200,
        meanwhile: (i) =>
          i >= 5 * perMinute ?
            Effect.sync(() => middle ||= service.seen.admittedTokens) :
            Effect.map(service.other(400), (admitted) => {
              if (admitted) theirs += 400
              else refused++
            })
      })
      holds(seen, middle + theirs, 60_000 * 5)
      // the other keeps its half
      assert.isAtMost(refused / (5 * perMinute), 0.02)
      // and then this side has all of it again
      holds(seen, seen.admittedTokens - middle, 60_000 * 3)
    }))

  it.effect("another process uses half of it, and nothing but refusals tells so", () =>
    Effect.gen(function*() {
      const service = new Service(limits(600, 60_000), { headers: false })
      let theirs = 0
      const perMinute = 1.5 * 60_000 / 1_200
      const seen = yield* load({
        service,
        quota: limits(600, 60_000),
        minutes: 10,
        perMinute,
        tokens: () => 1_200,
        meanwhile: () => Effect.map(service.other(400), (admitted) => admitted && (theirs += 400))
      })
      // once in a while it looks whether the other has gone, which costs a refusal
      assert.isAtMost(seen.refused / seen.requests, 0.025)
      assert.isAtLeast((seen.admittedTokens + theirs) / (60_000 * 10), 0.95)
    }))

  it.effect("two processes that know nothing of each other, and each could use it all", () =>
    Effect.gen(function*() {
      const quota = limits(600, 60_000)
      const service = new Service(quota)
      const perMinute = 3 * 60_000 / mean
      const seen = yield* load({
        service,
        quota,
        minutes: 8,
        perMinute,
        tokens: mixed,
        processes: 2,
        // the second begins when the first has used the minute up
        caller: (i) => ({ key: i % 2 === 0 || i < perMinute / 2 ? "a" : "b" }),
        process: (i) => i % 2 === 0 || i < perMinute / 2 ? 0 : 1
      })
      // neither knows how much the other wants, and each leaves it a little more than it takes
      assert.isAtMost(seen.refused / seen.requests, 0.02)
      assert.isAtLeast(seen.admittedTokens / (60_000 * 8), 0.9)
      assert.approximately(seen.by.get("b")! / seen.admittedTokens, 0.5, 0.1)
    }))
})
