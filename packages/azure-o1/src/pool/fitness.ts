import type { O1Error } from "../O1Error.ts"

/** How long a deployment that does not work, or is too slow, is asked after the others, in milliseconds. */
export const restFor = 60_000

/** Whether a deployment that answers like this does not work, whatever it is asked, until somebody repairs it. */
export const isUnfit = (error: O1Error): boolean => {
  switch (error._tag) {
    case "O1AuthError":
      // the credential failed, before the deployment was asked
      return error.kind !== "credential"
    case "O1DeploymentError":
      return true
    case "O1ConnectionError":
      return error.kind === "tls" || error.kind === "client-closed" || error.kind === "unusable"
    case "O1RateLimitError":
      return error.kind === "quota" && error.retryAfter === undefined
    case "O1ServerError":
      return error.kind === "not-implemented"
    case "O1ProtocolError":
      // the page of a proxy
      return error.kind === "unexpected-content-type" && error.partialText === ""
    default:
      return false
  }
}

/** Timeouts in a row after which a deployment counts as slow, if another one has answered meanwhile. */
const patience = 3

interface Row {
  readonly times: number
  /** When the first of them ended. */
  readonly since: number
}

/** Which deployments time out while others answer. Times in milliseconds on a monotonic clock. */
export class Slowness {
  private readonly rows = new Map<string, Row>()
  private readonly answers = new Map<string, number>()

  /** It has answered what was asked at that time. */
  answered(name: string, begun: number): void {
    this.rows.delete(name)
    this.answers.set(name, Math.max(begun, this.answers.get(name) ?? begun))
  }

  /** Another one has its name. */
  forget(name: string): void {
    this.rows.delete(name)
    this.answers.delete(name)
  }

  /** It has failed otherwise, and so has answered. */
  failed(name: string): false {
    this.rows.delete(name)
    return false
  }

  /** It has timed out again and again, and so may still answer somebody else. */
  isSlow(name: string): boolean {
    return (this.rows.get(name)?.times ?? 0) >= patience
  }

  /** Whether it is to be asked after the others. */
  timedOut(name: string, now: number): boolean {
    const known = this.rows.get(name)
    const row = { times: (known?.times ?? 0) + 1, since: known?.since ?? now }
    this.rows.set(name, row)
    return this.isSlow(name) &&
      Array.from(this.answers).some(([other, at]) => other !== name && at >= row.since)
  }
}
