/** Azure's rate limits: charged at admission, with an estimate, and whatever becomes of the request. */

import type { FakeLimits } from "../FakeOptions.ts"

export interface Refused {
  readonly dimension: "requests" | "tokens"
  /** milliseconds */
  readonly retryAfter: number
}

const minute = 60_000
const tenSeconds = 10_000
/** What Azure names where a request can never be admitted. */
const day = 86_400_000

/** A counter that begins anew with each window of `length` milliseconds. */
class Window {
  private readonly length: number
  private start = 0
  private used = 0

  constructor(length: number) {
    this.length = length
  }

  /** The use in the window that `now` falls into. */
  at(now: number): number {
    const start = now - now % this.length
    if (start !== this.start) {
      this.start = start
      this.used = 0
    }
    return this.used
  }

  add(now: number, n: number): void {
    this.used = this.at(now) + n
  }

  left(now: number): number {
    return this.length - now % this.length
  }
}

/** The estimate that a request is charged: a token for four characters, and the whole output that it allows. */
export const estimate = (promptCharacters: number, maxTokens: number | undefined): number =>
  Math.ceil(promptCharacters / 4) + (maxTokens ?? 0)

/** Takes the time as milliseconds since the server was started. */
export class RateLimiter {
  private limits: FakeLimits = {}
  private readonly requests = new Window(minute)
  private readonly burst = new Window(tenSeconds)
  private readonly tokens = new Window(minute)

  constructor(limits: FakeLimits) {
    this.adopt(limits)
  }

  /** Other limits. They forget nothing of what was used. */
  adopt(limits: FakeLimits): void {
    for (const [name, value] of Object.entries(limits)) {
      if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
        throw new RangeError(`FakeAzure: limits.${name} must be an integer of 1 or more, got ${value}`)
      }
    }
    this.limits = limits
  }

  private refusal(now: number, cost: number): Refused | undefined {
    const { requestsPerMinute: rpm, tokensPerMinute: tpm } = this.limits
    if (tpm !== undefined && cost > tpm) return { dimension: "tokens", retryAfter: day }
    if (rpm !== undefined && this.requests.at(now) >= rpm) {
      return { dimension: "requests", retryAfter: this.requests.left(now) }
    }
    if (rpm !== undefined && this.burst.at(now) >= Math.ceil(rpm / 6)) {
      return { dimension: "requests", retryAfter: this.burst.left(now) }
    }
    if (tpm !== undefined && this.tokens.at(now) + cost > tpm) {
      return { dimension: "tokens", retryAfter: this.tokens.left(now) }
    }
    return undefined
  }

  /** What every answer tells of the limits. */
  headers(now: number): Readonly<Record<string, string>> {
    const of = (name: string, limit: number | undefined, window: Window): Record<string, string> =>
      limit === undefined ? {} : {
        [`x-ratelimit-limit-${name}`]: String(limit),
        [`x-ratelimit-remaining-${name}`]: String(Math.max(0, limit - window.at(now))),
        [`x-ratelimit-reset-${name}`]: String(Math.ceil(window.left(now) / 1000))
      }
    return {
      ...of("requests", this.limits.requestsPerMinute, this.requests),
      ...of("tokens", this.limits.tokensPerMinute, this.tokens)
    }
  }

  /** Charges a request. One that is refused has cost a request as well, but no tokens. */
  admit(now: number, cost: number): Refused | undefined {
    const refused = this.refusal(now, cost)
    this.requests.add(now, 1)
    this.burst.add(now, 1)
    if (refused === undefined) this.tokens.add(now, cost)
    return refused
  }
}
