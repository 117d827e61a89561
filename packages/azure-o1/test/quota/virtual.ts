/** A deployment in virtual time: the limits of `FakeAzure` behind a transport that counts as the real one does. */
import { noMetadata, O1RateLimitError, type O1Request, O1Transport } from "@effect-resilience/azure-o1"
import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { RateLimit } from "../../src/O1Completion.ts"
import type { FakeLimits } from "../../src/testing/FakeOptions.ts"
import { estimate, RateLimiter } from "../../src/testing/internal/fakeLimits.ts"
import { CurrentMeter } from "../../src/transport/progress.ts"
import { emulate } from "../../src/wire/answer.ts"

const charactersOf = ({ messages }: O1Request): number =>
  messages.reduce((sum, { content }) => sum + (typeof content === "string" ? content.length : 0), 0)

/** What the service has seen. */
class Seen {
  requests = 0
  refused = 0
  admittedRequests = 0
  admittedTokens = 0
  readonly by = new Map<string, number>()
}

const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Math.floor(Number(nanos) / 1_000_000))

/** A service whose count rolls, whatever it says of when it begins anew. */
class Rolling {
  private readonly tokensPerMinute: number
  private readonly reset: number | "minute"
  private admitted: Array<{ readonly at: number; readonly cost: number }> = []

  constructor(limits: FakeLimits, reset: number | "minute") {
    this.tokensPerMinute = limits.tokensPerMinute!
    this.reset = reset
  }

  private used(now: number): number {
    this.admitted = this.admitted.filter(({ at }) => now - at < 60_000)
    return this.admitted.reduce((sum, { cost }) => sum + cost, 0)
  }

  admit(now: number, cost: number) {
    const left = this.tokensPerMinute - this.used(now)
    if (cost > left) return { dimension: "tokens" as const, retryAfter: 10_000 }
    this.admitted.push({ at: now, cost })
    return undefined
  }

  headers(now: number): Readonly<Record<string, string>> {
    return {
      "x-ratelimit-limit-tokens": String(this.tokensPerMinute),
      "x-ratelimit-remaining-tokens": String(this.tokensPerMinute - this.used(now)),
      "x-ratelimit-reset-tokens": String(this.reset === "minute" ? Math.ceil(60 - now % 60_000 / 1000) : this.reset)
    }
  }
}

interface Options {
  readonly headers: boolean
  readonly after: Duration.Input
  readonly offset: number
  /** Its count rolls, and it says that it begins anew after so many seconds, or with the next minute. */
  readonly rolling: number | "minute" | undefined
}

export class Service {
  readonly seen = new Seen()
  private limiter: Pick<RateLimiter, "admit" | "headers">
  private readonly options: Options

  constructor(
    limits: FakeLimits,
    options: Partial<Options> = {}
  ) {
    this.options = { headers: true, after: "5 seconds", offset: 0, rolling: undefined, ...options }
    const { rolling } = this.options
    this.limiter = rolling === undefined ? new RateLimiter(limits) : new Rolling(limits, rolling)
  }

  /** The service lowers or raises its limits. */
  change(limits: FakeLimits): void {
    this.limiter = new RateLimiter(limits)
  }

  /** Somebody else's request. */
  readonly other = (tokens: number) =>
    Effect.map(now, (at) => this.limiter.admit(at + this.options.offset, tokens) === undefined)

  private headers(at: number): { readonly requests: RateLimit; readonly tokens: RateLimit } {
    const told = this.options.headers ? this.limiter.headers(at) : {}
    const of = (name: "requests" | "tokens"): RateLimit => {
      const limit = told[`x-ratelimit-limit-${name}`]
      return limit === undefined ? { limit: undefined, remaining: undefined, reset: undefined } : {
        limit: Number(limit),
        remaining: Number(told[`x-ratelimit-remaining-${name}`]),
        reset: Duration.seconds(Number(told[`x-ratelimit-reset-${name}`]))
      }
    }
    return { requests: of("requests"), tokens: of("tokens") }
  }

  private readonly answer = Effect.fnUntraced(function*(this: Service, request: O1Request) {
    const meter = yield* CurrentMeter
    if (meter !== undefined) yield* meter.sent
    // the way to the service
    yield* Effect.sleep("20 millis")
    const at = (yield* now) + this.options.offset
    const cost = estimate(charactersOf(request), request.maxCompletionTokens)
    this.seen.requests++
    const refused = this.limiter.admit(at, cost)
    if (refused === undefined) {
      this.seen.admittedRequests++
      this.seen.admittedTokens += cost
      const { user = "" } = request
      this.seen.by.set(user, (this.seen.by.get(user) ?? 0) + cost)
    } else this.seen.refused++
    const rateLimits = this.headers(at)
    if (meter !== undefined) yield* meter.heard(rateLimits)
    if (refused !== undefined) {
      const day = refused.retryAfter > 60_000
      return yield* new O1RateLimitError({
        kind: day ? "request-exceeds-limit" : refused.dimension,
        status: 429,
        retryAfter: Duration.millis(refused.retryAfter)
      })
    }
    yield* Effect.sleep(this.options.after)
    const { complete } = AzureO1Test.answer("42", {
      completion: {
        usage: { input: Math.ceil(charactersOf(request) / 4), cachedInput: 0, output: 100, reasoning: 50 },
        metadata: { ...noMetadata, headers: { ...noMetadata.headers, rateLimits } }
      }
    })
    return yield* complete
  }).bind(this)

  readonly transport: O1Transport["Service"] = O1Transport.of({
    ...AzureO1Test.transport([]),
    complete: (request) => this.answer(request),
    stream: (request) => Stream.fromIterableEffect(Effect.map(this.answer(request), emulate))
  })
}
