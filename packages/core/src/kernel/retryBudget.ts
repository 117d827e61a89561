import { Rolling, RollingAtLeast } from "./window.ts"

/** Where the right to make further attempts comes from. Each brings the budget that it makes, so that the others can be left out. */
export interface Funding {
  readonly kind: "traffic" | "in-flight" | "tokens"
  readonly open: () => Budget
}

/** What a further attempt was paid with; given back whole, by {@link Budget.refund}, if the attempt is never made. */
export type Grant = number

/** Sums of shares are wrong by this much at most. */
const epsilon = 1e-9

/** What all calls to one callee may spend on further attempts. Times in milliseconds on a monotonic clock. */
export abstract class Budget {
  /** Calls in flight, without those that wait for their next attempt. */
  calls = 0
  /** Further attempts that were granted and have not ended. */
  held = 0
  /** Whether the beginning of a call has to be told with its time. */
  readonly timed: boolean = false

  /** A call begins. Every call that has begun, and does not {@link wait}, {@link end}s. */
  begin(_now: number): void {
    this.calls++
  }

  end(): void {
    this.calls--
  }

  /** A call waits for its next attempt: until it goes on, the callee has no work with it. */
  wait(): void {
    this.calls--
  }

  goOn(): void {
    this.calls++
  }

  /** An attempt has succeeded. */
  succeed(): void {}

  /** An attempt has failed in a way that speaks against the callee. */
  fail(): void {}

  /**
   * May there be a further attempt? A grant is either refunded or released, once. An attempt that follows a failure
   * told to {@link fail} has been paid for by that.
   */
  grant(now: number, paid: boolean): Grant | undefined {
    const grant = this.take(now, paid)
    if (grant !== undefined) this.held++
    return grant
  }

  /** The attempt will not be made. */
  refund(grant: Grant, now: number): void {
    this.held--
    this.giveBack(grant, now)
  }

  /** The attempt has ended. */
  release(): void {
    this.held--
  }

  /** How many further attempts would be granted now. */
  abstract available(now: number): number

  protected abstract take(now: number, paid: boolean): Grant | undefined
  protected abstract giveBack(grant: Grant, now: number): void
}

interface Share {
  readonly ratio: number
  readonly millis: number
  readonly minPerSecond: number
}

interface ShareInFlight {
  readonly ratio: number
  readonly minAttempts: number
}

interface PaidIn {
  readonly maxTokens: number
  readonly ratio: number
  readonly minPerMinute?: number
}

/**
 * A share of the calls of a window, as Finagle's and tower's retry budgets. Whenever an attempt is granted, the window that
 * ends there holds no more attempts than the share of the calls in it, and the floor. An attempt is remembered for at least
 * as long as the calls that have funded it, so that none of them funds twice.
 */
class Traffic extends Budget {
  override readonly timed = true
  private readonly ratio: number
  private readonly floor: number
  private readonly begun: Rolling
  private readonly taken: Rolling

  constructor({ millis, minPerSecond, ratio }: Share) {
    super()
    this.ratio = ratio
    this.floor = minPerSecond * millis / 1000
    this.begun = new Rolling(millis, 1)
    this.taken = new RollingAtLeast(millis, 1)
  }

  override begin(now: number): void {
    super.begin(now)
    this.begun.add(0, now)
  }

  available(now: number): number {
    this.begun.age(now)
    this.taken.age(now)
    return Math.max(0, Math.floor(this.floor + this.ratio * this.begun.total(0) - this.taken.total(0) + epsilon))
  }

  protected take(now: number): Grant | undefined {
    return this.available(now) < 1 ? undefined : this.taken.add(0, now)
  }

  protected giveBack(mark: Grant, now: number): void {
    this.taken.takeBack(0, mark, now)
  }
}

/**
 * A share of the calls in flight, as Envoy's and failsafe-go's budgets: another attempt is granted as long as those under
 * way are no more than the share.
 */
class InFlight extends Budget {
  private readonly ratio: number
  private readonly min: number

  constructor({ minAttempts: min, ratio }: ShareInFlight) {
    super()
    this.ratio = ratio
    this.min = min
  }

  available(): number {
    return Math.max(0, Math.max(this.min, Math.floor(this.ratio * this.calls + epsilon) + 1) - this.held)
  }

  protected take(): Grant | undefined {
    return this.available() > 0 ? 0 : undefined
  }

  protected giveBack(): void {}
}

/** Tokens are counted in thousandths, the precision that gRFC A6 gives to the ratio, so that sums are exact. */
const token = 1000

const minute = 60_000

/** marks a grant that time has paid for */
const byTime = 0

/**
 * gRFC A6: a failure takes a token, a success brings a part of one, and there is another attempt only while more than half of
 * the tokens are there. What A6 leaves open: an attempt that no failure has paid for, as a hedge after a delay, takes a token
 * as well; for hedges whose losers are cancelled would otherwise cost nothing, however many there are.
 *
 * Beside A6, time brings a few attempts once the tokens have run out, so that a callee with little traffic does not wait for
 * hundreds of successes.
 */
class Tokens extends Budget {
  private readonly max: number
  private readonly credit: number
  private readonly perMinute: number
  private readonly mostSaved: number
  private tokens: number
  /** attempts that time has brought until then */
  private saved = 0
  /** nothing is saved before the tokens have run out */
  private savedAt: number | undefined = undefined

  constructor({ maxTokens: max, minPerMinute = 0, ratio }: PaidIn) {
    super()
    this.tokens = this.max = max * token
    this.credit = Math.floor(ratio * token + epsilon)
    this.perMinute = minPerMinute
    this.mostSaved = minPerMinute === 0 ? 0 : Math.max(1, minPerMinute)
  }

  override succeed(): void {
    this.tokens = Math.min(this.max, this.tokens + this.credit)
  }

  override fail(): void {
    this.tokens = Math.max(0, this.tokens - token)
  }

  available(now: number): number {
    const byTokens = Math.ceil((this.tokens - this.max / 2) / token) - 1
    return byTokens > 0 ? byTokens : Math.floor(this.savedBy(now) + epsilon)
  }

  protected take(now: number, paid: boolean): Grant | undefined {
    const left = paid ? this.tokens : this.tokens - token
    if (left > this.max / 2) {
      this.tokens = left
      this.saved = 0
      this.savedAt = undefined
      return token
    }
    const saved = this.savedBy(now)
    this.savedAt = Math.max(now, this.savedAt ?? now)
    this.saved = saved + epsilon < 1 ? saved : Math.max(0, saved - 1)
    return this.saved === saved ? undefined : byTime
  }

  protected giveBack(grant: Grant): void {
    if (grant === token) this.tokens = Math.min(this.max, this.tokens + token)
    else if (this.savedAt !== undefined) this.saved = Math.min(this.mostSaved, this.saved + 1)
  }

  private savedBy(now: number): number {
    if (this.savedAt === undefined) return 0
    return Math.min(this.mostSaved, this.saved + this.perMinute * Math.max(0, now - this.savedAt) / minute)
  }
}

/** A share of the calls of the last while, and so many per second in any case. */
export const traffic = (share: Share): Funding => ({ kind: "traffic", open: () => new Traffic(share) })

/** A share of the calls in flight, and so many at once in any case. */
export const inFlight = (share: ShareInFlight): Funding => ({ kind: "in-flight", open: () => new InFlight(share) })

/** What successes pay in and failures take out, and so many a minute in any case. */
export const tokens = (paidIn: PaidIn): Funding => ({ kind: "tokens", open: () => new Tokens(paidIn) })
