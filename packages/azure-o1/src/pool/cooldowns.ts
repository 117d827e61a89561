/** The members that are left alone, until when, and why. Times in milliseconds on a monotonic clock. */

/** Timers count whole milliseconds: a caller that was woken so little before the end has waited long enough. */
const resolution = 1

/** Somebody has asked to be left alone. */
export interface Refusal<Reason> {
  /** When it was asked, what it refused. */
  readonly begun: number
  readonly until: number
  readonly reason: Reason
}

/** What all calls of one client know of the members of its pool. */
export class Cooldowns<Member, Reason> {
  private readonly refusals = new Map<Member, Refusal<Reason>>()

  /** Of several refusals the one that lasts longest counts: each says the least wait. */
  refused(member: Member, refusal: Refusal<Reason>): void {
    const known = this.refusals.get(member)
    if (known === undefined) {
      this.refusals.set(member, refusal)
      return
    }
    const { reason, until } = refusal.until > known.until ? refusal : known
    this.refusals.set(member, { begun: Math.max(known.begun, refusal.begun), until, reason })
  }

  /** Only what was asked later than what was refused speaks against the refusal. */
  succeeded(member: Member, begun: number): void {
    const known = this.refusals.get(member)
    if (known !== undefined && begun > known.begun) this.refusals.delete(member)
  }

  /** The refusal that still counts; `undefined` where the member may be asked. */
  of(member: Member, now: number): Refusal<Reason> | undefined {
    const known = this.refusals.get(member)
    return known !== undefined && known.until - now >= resolution ? known : undefined
  }
}
