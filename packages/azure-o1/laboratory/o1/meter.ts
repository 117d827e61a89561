/** A quota as Azure charges it. */

export interface Quota {
  readonly requestsPerMinute: number
  readonly tokensPerMinute: number
}

const minute = 60_000
const tenSeconds = 10_000

/** A count that begins anew with each span. */
class Count {
  private readonly span: number
  private began = 0
  private used = 0

  constructor(span: number) {
    this.span = span
  }

  at(now: number): number {
    const began = now - now % this.span
    if (began !== this.began) {
      this.began = began
      this.used = 0
    }
    return this.used
  }

  add(now: number, n: number): void {
    this.used = this.at(now) + n
  }

  left(now: number): number {
    return this.span - now % this.span
  }
}

/**
 * Charges a request when it is let in, with its prompt and the most that it may answer; what it really uses is not given back. Requests
 * are counted by the minute and in spans of 10 seconds with a sixth of it, refused ones too.
 */
export class Meter {
  private readonly quota: Quota
  private readonly requests = new Count(minute)
  private readonly burst = new Count(tenSeconds)
  private readonly tokens = new Count(minute)

  constructor(quota: Quota) {
    this.quota = quota
  }

  /** The pause that a request without room is asked for, in milliseconds; `undefined` if it is let in. */
  admit(now: number, tokens: number): number | undefined {
    const { requestsPerMinute, tokensPerMinute } = this.quota
    const refused = this.requests.at(now) >= requestsPerMinute
      ? this.requests.left(now)
      : this.burst.at(now) >= Math.ceil(requestsPerMinute / 6)
      ? this.burst.left(now)
      : this.tokens.at(now) + tokens > tokensPerMinute
      ? this.tokens.left(now)
      : undefined
    this.requests.add(now, 1)
    this.burst.add(now, 1)
    if (refused === undefined) this.tokens.add(now, tokens)
    return refused
  }

  /** What an answer tells of it. */
  headers(now: number): Record<string, string> {
    const { requestsPerMinute, tokensPerMinute } = this.quota
    const reset = String(Math.ceil(this.tokens.left(now) / 1000))
    return {
      "x-ratelimit-limit-requests": String(requestsPerMinute),
      "x-ratelimit-remaining-requests": String(Math.max(0, requestsPerMinute - this.requests.at(now))),
      "x-ratelimit-reset-requests": reset,
      "x-ratelimit-limit-tokens": String(tokensPerMinute),
      "x-ratelimit-remaining-tokens": String(Math.max(0, tokensPerMinute - this.tokens.at(now))),
      "x-ratelimit-reset-tokens": reset
    }
  }
}
