/** What the service tells of one limit, with what it does not tell left out; `reset` in milliseconds. */
export interface Told {
  readonly limit: number | undefined
  readonly remaining: number | undefined
  readonly reset: number | undefined
}

/** What this side has let through, in one dimension. */
export interface Own {
  /** Since that time, at most a minute ago. */
  readonly since: (from: number) => number
  /** Since that time, without what was answered. */
  readonly openSince: (from: number) => number
}

const minute = 60_000
/** A word counts so long that does not say for how long: the longest of Azure's short windows. */
const unsaid = 10_000
/** The service has counted a request so soon after it was let through, whether or not its answer is here. */
const onItsWay = 2_000
/** An answer that came so much later than its request tells what was left then, not what is left now. */
const outdated = 10_000
/** The service tells in whole seconds, rounded up, when it begins to count anew. */
const rounding = 1_000
/** The use of others in less time says little about a minute. */
const leastSeen = 10_000
/** That nothing is left is believed of a minute of which this side has had so much. */
const believable = 0.25
/** Beside others this side keeps as much as they do, if they would take it all. */
const mostForOthers = 0.5
/** A charge may come so much earlier than it would if all were spread evenly. */
const lead = 1_000
/** Where only refusals tell that others use the limit too, one takes the limit down to this share of it, once a minute ... */
const cut = 0.7
/** ... and it rises again by this share of the whole in a minute, in steps of a hundredth of it. */
const recovery = 0.05

/**
 * One limit of a deployment by the service's word: how much there is, how much is left of it, and how much of it others use. The
 * word can only take away from what this side counts, for a limit that is told to be whole again may be gone before a request
 * comes there.
 *
 * Times in milliseconds on a clock that does not go back.
 */
export class Line {
  /** Others, of whom nobody here knows, may use the limit as well. */
  private readonly keepsForOthers: boolean
  /** By the service. */
  limit: number | undefined = undefined
  private room = Infinity
  private until = -Infinity
  /** The part of the room that is kept for others until then. */
  private reserved = 0
  /** When what was charged beside others is paid for. */
  private pacedUntil = -Infinity
  /** The use of others in the minute that the service counts now, and in the one before. */
  private others = 0
  private othersBefore: number | undefined = undefined
  private startsAt = -Infinity
  /** The last word has said when the service counts anew. */
  private isCounted = false
  /** It has refused, and is left alone until then. */
  private heldUntil = -Infinity
  /** The service tells what is left. */
  private isTold = false
  private found: { readonly amount: number; readonly at: number } | undefined = undefined

  constructor(keepsForOthers: boolean) {
    this.keepsForOthers = keepsForOthers
  }

  /** The limit that holds: what the service tells, or less if it has refused what should have had room. */
  limitAt(now: number, configured: number | undefined): number | undefined {
    const whole = configured === undefined ? this.limit : Math.min(configured, this.limit ?? Infinity)
    if (this.found === undefined || whole === undefined) return whole
    const steps = Math.floor((now - this.found.at) / minute * recovery * 100)
    const amount = Math.max(1, Math.floor(this.found.amount + steps * whole / 100))
    if (amount < whole) return amount
    this.found = undefined
    return whole
  }

  /** How long a charge has to wait: until the service counts anew, if others leave too little until then. */
  wait(now: number, amount: number): number {
    this.goOn(now)
    const held = this.heldUntil - now
    if (held > 0 && held <= minute) return held
    if (!this.isSaid(now)) return 0
    if (amount > this.room - this.reserved) return this.until - now
    return this.reserved === 0 ? 0 : Math.max(0, this.pacedUntil - now - lead)
  }

  /** The rest of the limit, for those who look; infinite where the service has not said. */
  rest(now: number): number {
    return this.isSaid(now) ? Math.max(0, this.room) : Infinity
  }

  /** Others that use the limit too go on when the service counts anew, before it has said anything of that; but not for ever. */
  private goOn(now: number): void {
    const { limit } = this
    if (limit === undefined || !this.isCounted || this.until > now) return
    if (now - this.until >= minute || this.othersInAll === 0) {
      this.others = this.reserved = 0
      this.othersBefore = undefined
      this.startsAt = -Infinity
      this.isCounted = false
      return
    }
    this.othersBefore = this.othersInAll
    this.others = 0
    this.startsAt = this.until
    this.until += minute
    this.room = limit
    this.reserve(this.startsAt)
  }

  /** Whether the last word still counts. One that is further ahead than a minute is from before the clock jumped. */
  private isSaid(now: number): boolean {
    return this.until > now && this.until - now <= minute
  }

  /** By the end of the minute: what they are known to have used, and what was kept for them. */
  private get othersInAll(): number {
    return this.others + Math.max(0, Math.min(this.reserved, this.room))
  }

  /** What others are going to use between a word and the end of its minute, if they go on as they did. */
  private reserve(now: number): void {
    const elapsed = Math.max(0, now - this.startsAt)
    const rate = this.othersBefore === undefined
      ? this.others / Math.max(elapsed, leastSeen)
      : (this.others + this.othersBefore) / (minute + Math.min(elapsed, minute))
    const most = (this.limit ?? 0) * mostForOthers / minute
    this.reserved = Math.min(rate, most) * Math.max(0, this.until - now)
  }

  /** Takes from what is left. Beside others it is spread over their minute, so that every answer tells how much they use. */
  charge(now: number, amount: number): void {
    const spare = this.room - this.reserved
    if (this.reserved > 0 && this.isSaid(now) && spare > 0) {
      this.pacedUntil = Math.max(this.pacedUntil, now) + amount / spare * (this.until - now)
    }
    this.room -= amount
  }

  /** A charge was none. */
  refund(amount: number): void {
    this.room += amount
  }

  /** The word on an answer to a request that was let through at `sentAt`. */
  heard(now: number, sentAt: number, { limit, remaining, reset }: Told, own: Own): void {
    if (limit !== undefined) this.limit = limit
    if (remaining === undefined || now - sentAt > outdated) return
    // the Responses API says 0 at times where it does not know; where it is true, a refusal says so
    if (remaining === 0 && limit !== undefined && own.since(now - minute) < limit * believable) return
    const pending = own.openSince(now - onItsWay)
    this.isCounted = this.keepsForOthers && limit !== undefined && reset !== undefined && reset <= minute
    if (this.isCounted) this.count(now, limit! - remaining, reset!, own, pending)
    this.room = remaining - pending
    this.until = now + Math.min(reset ?? unsaid, minute)
    if (this.isCounted) this.reserve(now)
    else this.reserved = 0
    this.found = undefined
    this.isTold = true
  }

  /** What others have used of the minute: all that the service has counted, without this side's. */
  private count(now: number, used: number, reset: number, own: Own, pending: number): void {
    const startsAt = now + reset - minute
    if (startsAt - this.startsAt > minute / 2) {
      const isNext = startsAt - this.startsAt < 1.5 * minute
      this.othersBefore = this.startsAt === -Infinity ? undefined : isNext ? this.othersInAll : 0
      this.startsAt = startsAt
    }
    this.others = Math.max(0, used - (own.since(startsAt - rounding) - pending))
  }

  /**
   * The service has refused for this limit, and counts anew after `retryAfter`; `limit` is what this side went by.
   */
  refused(now: number, retryAfter: number | undefined, limit: number | undefined): void {
    const isNew = this.found === undefined || now - this.found.at >= minute
    // no header tells what is left, so that refusals have to
    if (!this.isTold && limit !== undefined && isNew) {
      this.found = { amount: cut * limit, at: now }
    }
    this.heldUntil = now + Math.min(retryAfter || unsaid, minute)
  }
}
