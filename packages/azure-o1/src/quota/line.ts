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

/** When a service counts anew. */
export interface Renewal {
  readonly before: number
  readonly next: number
}

/** Of a service of which that is not known. */
export const never: Renewal = { before: -Infinity, next: Infinity }

const minute = 60_000
/** A refusal that does not say how long it lasts: the longest of Azure's short windows. */
const unsaid = 10_000
/** So long a word counts where nobody knows when the service counts anew. */
const unsure = 500
/** How long a service whose count was seen to roll is taken for one that rolls. */
const rollsFor = 600_000
/** Two words on when a minute has begun that are no further apart mean the same one. */
const alike = 2_500
/** The service has counted a request so soon after it was let through, whether or not its answer is here. */
const onItsWay = 2_000
/** An answer that came so much later than its request tells what was left then, not what is left now. */
const outdated = 2_000
/** The service tells in whole seconds, rounded up, when it begins to count anew. */
const rounding = 1_000
/** The use of others in less time says little about a minute. */
const leastSeen = 10_000
/** That nothing is left is believed of a minute of which this side has had so much. */
const believable = 0.25
/** So much of a limit in the minute before tells whether the service counts anew. */
const telling = 0.1
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
  /** When the service's minute has begun by its first word on it, and when its words did not fit together. */
  private beganAt = -Infinity
  private rolledAt = -Infinity
  /** The last word has said when the service counts anew. */
  private isCounted = false
  /** Whether the service was seen to count anew when it had said so; `undefined` while too little was used to see it. */
  private renews: boolean | undefined = undefined
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
    const isFixed = limit !== undefined && reset !== undefined && reset <= minute &&
      this.isOfMinutes(now, reset, limit - remaining, own, pending)
    this.isCounted = this.keepsForOthers && isFixed
    if (this.isCounted) this.count(now, limit!, limit! - remaining, reset!, own, pending)
    this.room = remaining - pending
    this.until = now + (isFixed ? reset : Math.min(reset ?? unsure, unsure))
    if (this.isCounted) this.reserve(now)
    else this.reserved = 0
    this.isTold = isFixed
    if (isFixed) this.found = undefined
  }

  /**
   * Whether the service counts by minutes that begin when it says. One that says again and again that they have just begun counts
   * otherwise, and so does one that at the beginning of its minute still counts all that this side has used in the 60 seconds before.
   */
  private isOfMinutes(now: number, reset: number, used: number, own: Own, pending: number): boolean {
    const beganAt = now + reset - minute
    const apart = beganAt - this.beganAt
    if (apart >= minute - alike) {
      this.beganAt = beganAt
      const all = own.since(now - minute)
      const before = all - own.since(beganAt - rounding)
      const chance = telling / 2 * this.limit!
      if (before > 2 * chance && used >= all - pending - chance && used <= all + chance) this.rolledAt = now
    } else if (Math.abs(apart) > alike) {
      this.rolledAt = now
      this.beganAt = beganAt
    }
    return now - this.rolledAt >= rollsFor
  }

  /**
   * The service counts no more what was charged before `before`, and from `next` on nothing of what was charged until then. It is known
   * only where the service was seen to keep its word on when it counts anew, and nobody else uses the limit. `undefined` where too little
   * was used to see it.
   */
  renewal(now: number): Renewal | undefined {
    if (this.renews === undefined) return undefined
    if (!this.renews || !this.isCounted || this.others > 0 || this.othersBefore !== 0) return never
    return this.until <= now
      ? { before: this.until, next: Infinity }
      : { before: this.startsAt - rounding, next: this.until }
  }

  /** What others have used of the minute: all that the service has counted, without this side's. */
  private count(now: number, limit: number, used: number, reset: number, own: Own, pending: number): void {
    const startsAt = now + reset - minute
    if (startsAt - this.startsAt > minute / 2) {
      const isNext = startsAt - this.startsAt < 1.5 * minute
      const mine = own.since(startsAt - rounding)
      const before = own.since(now - minute) - mine
      if (before > limit * telling) this.renews = used <= mine
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
    this.renews = false
    this.heldUntil = now + Math.min(retryAfter || unsaid, minute)
  }
}
