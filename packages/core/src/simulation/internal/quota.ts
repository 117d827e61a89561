import { type Allowance, make } from "../../kernel/allowance.ts"
import type { Quota } from "../Server.ts"

const requestWindow = 10_000
const minute = 60_000

/** Charges requests as Azure does: tokens in windows of a minute, requests in windows of 10 s, refused ones too. */
export class Meter {
  private readonly requests: Allowance | undefined
  private readonly tokens: Allowance | undefined

  constructor({ requestsPerMinute, tokensPerMinute }: Quota) {
    this.requests = requestsPerMinute === undefined ? undefined : make({
      kind: "fixed-window",
      limit: Math.max(1, Math.round(requestsPerMinute * requestWindow / minute)),
      span: requestWindow
    })
    this.tokens = tokensPerMinute === undefined
      ? undefined
      : make({ kind: "fixed-window", limit: tokensPerMinute, span: minute })
  }

  /** The pause that a request without room is asked for; 0 if it is let in. A request that is larger than a minute's room never is. */
  charge(at: number, tokens: number): number {
    const forRequests = this.requests?.wait(at, 1) ?? 0
    this.requests?.take(at, 1)
    if (forRequests > 0) return forRequests
    const forTokens = this.tokens?.wait(at, tokens) ?? 0
    if (forTokens === 0) this.tokens?.take(at, tokens)
    return Math.min(forTokens, minute)
  }
}
