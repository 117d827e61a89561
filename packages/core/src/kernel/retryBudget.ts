/** Where the right to make further attempts comes from. */
export type Funding =
  /** a share of the calls of the last while, and so many per second in any case */
  | { readonly kind: "traffic"; readonly ratio: number; readonly millis: number; readonly minPerSecond: number }
  /** a share of the calls in flight, and so many at once in any case */
  | { readonly kind: "in-flight"; readonly ratio: number; readonly minAttempts: number }
  /** what successes pay in and failures take out */
  | { readonly kind: "tokens"; readonly maxTokens: number; readonly ratio: number }

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
   * May there be a further attempt? What is granted is either refunded or released, once. An attempt that follows a failure
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

const buckets = 10

/**
 * A share of the calls of a window, as Finagle's and tower's retry budgets. The window has ten buckets and ages when it is
 * looked at: what happened is forgotten between 90 % and 100 % of the span after it.
 */
class Traffic extends Budget {
  override readonly timed = true
  private readonly ratio: number
  private readonly bucketSpan: number
  private readonly floor: number
  private readonly begunOf = new Float64Array(buckets)
  private readonly takenOf = new Float64Array(buckets)
  private begun = 0
  private taken = 0
  /** the number of the latest bucket since time 0 */
  private latest = 0

  constructor({ millis, minPerSecond, ratio }: Extract<Funding, { readonly kind: "traffic" }>) {
    super()
    this.ratio = ratio
    this.bucketSpan = millis / buckets
    this.floor = minPerSecond * millis / 1000
  }

  override begin(now: number): void {
    super.begin(now)
    this.age(now)
    this.begunOf[this.latest % buckets]!++
    this.begun++
  }

  available(now: number): number {
    this.age(now)
    return Math.max(0, Math.floor(this.floor + this.ratio * this.begun - this.taken + epsilon))
  }

  protected take(now: number): Grant | undefined {
    if (this.available(now) < 1) return undefined
    this.takenOf[this.latest % buckets]!++
    this.taken++
    return this.latest
  }

  protected giveBack(bucket: Grant, now: number): void {
    this.age(now)
    if (this.latest - bucket >= buckets) return // the window has forgotten that it was taken
    this.takenOf[bucket % buckets]!--
    this.taken--
  }

  private age(now: number): void {
    const current = Math.floor(now / this.bucketSpan)
    const passed = Math.min(current - this.latest, buckets)
    if (passed <= 0) return
    for (let i = 1; i <= passed; i++) {
      const bucket = (this.latest + i) % buckets
      this.begun -= this.begunOf[bucket]!
      this.taken -= this.takenOf[bucket]!
      this.begunOf[bucket] = this.takenOf[bucket] = 0
    }
    this.latest = current
  }
}

/**
 * A share of the calls in flight, as Envoy's and failsafe-go's budgets: another attempt is granted as long as those under
 * way are no more than the share.
 */
class InFlight extends Budget {
  private readonly ratio: number
  private readonly min: number

  constructor({ minAttempts: min, ratio }: Extract<Funding, { readonly kind: "in-flight" }>) {
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

/**
 * gRFC A6: a failure takes a token, a success brings a part of one, and there is another attempt only while more than half of
 * the tokens are there. What A6 leaves open: an attempt that no failure has paid for, as a hedge after a delay, takes a token
 * as well; for hedges whose losers are cancelled would otherwise cost nothing, however many there are.
 */
class Tokens extends Budget {
  private readonly max: number
  private readonly credit: number
  private tokens: number

  constructor({ maxTokens: max, ratio }: Extract<Funding, { readonly kind: "tokens" }>) {
    super()
    this.tokens = this.max = max * token
    this.credit = Math.floor(ratio * token + epsilon)
  }

  override succeed(): void {
    this.tokens = Math.min(this.max, this.tokens + this.credit)
  }

  override fail(): void {
    this.tokens = Math.max(0, this.tokens - token)
  }

  available(): number {
    return Math.max(0, Math.ceil((this.tokens - this.max / 2) / token) - 1)
  }

  protected take(_now: number, paid: boolean): Grant | undefined {
    const left = paid ? this.tokens : this.tokens - token
    if (left <= this.max / 2) return undefined
    this.tokens = left
    return token
  }

  protected giveBack(grant: Grant): void {
    this.tokens = Math.min(this.max, this.tokens + grant)
  }
}

export const make = (funding: Funding): Budget => {
  switch (funding.kind) {
    case "traffic":
      return new Traffic(funding)
    case "in-flight":
      return new InFlight(funding)
    case "tokens":
      return new Tokens(funding)
  }
}
