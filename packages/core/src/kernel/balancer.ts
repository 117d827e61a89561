import { among, type ChoiceRules, type Levels, oneOf } from "./choice.ts"
import { type Described, Member } from "./endpoint.ts"

/** When an endpoint that does worse than the others is left out, and for how long. Times in milliseconds. */
export interface Ejection {
  /** so many failures in a row */
  readonly failures: number
  /** or such a share of at least so many calls within this time */
  readonly ratio: number
  readonly minCalls: number
  readonly within: number
  /** for the first time; each further one is longer by as much */
  readonly base: number
  readonly max: number
  /** the largest share of the set that is left out at once */
  readonly share: number
}

export interface Rules extends ChoiceRules {
  /** of the measured latency, in milliseconds */
  readonly decay: number
  readonly ejection: Ejection | undefined
  /** how long an endpoint rests that asks for less and does not say for how long */
  readonly cooldown: number
  /** the longest rest that an endpoint may ask for */
  readonly maxCooldown: number
}

/** What came of a call. */
export type Outcome =
  /** it has answered */
  | "success"
  | "failure"
  /** it asks for less */
  | "throttled"
  /** nobody waits any more */
  | "interrupted"
  /** it was not asked */
  | "ignored"

/** Which endpoints a call may have. */
export interface Filter<in E> {
  readonly without?: ReadonlySet<string> | undefined
  readonly when?: ((endpoint: E) => boolean) | undefined
  /** rather not these */
  readonly avoid?: ((key: string) => boolean) | undefined
}

/** Why there is no endpoint for a call: there are none; the call may have none of them; those that it may have rest. */
export type Reason = "empty" | "excluded" | "cooling"

export class Refusal {
  readonly reason: Reason
  /** until one of them may be used, in milliseconds */
  readonly retryAfter: number

  constructor(reason: Reason, retryAfter: number) {
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** What became of an endpoint. */
export interface Change<out E> {
  readonly _tag: "Added" | "Removed" | "Ejected" | "Cooling" | "Returned"
  readonly key: string
  readonly endpoint: E
  /** in milliseconds, for which it is left out */
  readonly millis: number
  /** for which it was ejected */
  readonly failures: number
}

/** A call in flight. */
export class Lease<in out E> {
  readonly member: Member<E>
  readonly generation: number
  readonly startedAt: number
  /** for its turn in queues of our own, of the time until the answer */
  waited = 0
  answered = false
  ended = false

  constructor(member: Member<E>, startedAt: number) {
    this.member = member
    this.generation = member.generation
    this.startedAt = startedAt
  }
}

/** the worst latency that failures make, in milliseconds */
const worst = 60_000

/** after so long without an ejection, one of those before is forgotten */
const forgetAfter = 10_000

/** Endpoints, and which one is next. Time and randomness are arguments; times in milliseconds on a monotonic clock. */
export class Endpoints<in out E> {
  readonly rules: Rules
  /** what has changed and was not told yet */
  readonly news: Array<Change<E>> = []
  private readonly members = new Map<string, Member<E>>()
  /** by priority, and the local ones of a priority before the others */
  private levels: Levels<E> = []
  /** how many of them are left out or rest, as far as somebody has looked */
  private out = 0

  constructor(rules: Rules, described: ReadonlyArray<Described<E>>) {
    this.rules = rules
    for (const one of described) this.members.set(one.key, this.newMember(one))
    this.order()
  }

  /** All of them, looked at. */
  at(now: number): ReadonlyArray<Member<E>> {
    const all = Array.from(this.members.values())
    for (const member of all) this.look(member, now)
    return all
  }

  /** The list as it was given. */
  get described(): ReadonlyArray<Described<E>> {
    return Array.from(this.members.values(), ({ described }) => described)
  }

  get(key: string): Member<E> | undefined {
    return this.members.get(key)
  }

  /** Other endpoints. One whose key stays keeps what is known of it. */
  update(described: ReadonlyArray<Described<E>>, now: number): void {
    const before = new Map(this.members)
    this.members.clear()
    for (const one of described) {
      const known = before.get(one.key)
      before.delete(one.key)
      if (known === undefined) {
        const member = this.newMember(one)
        member.backSince = now
        this.members.set(one.key, member)
        this.tell("Added", member)
      } else {
        known.described = one
        this.members.set(one.key, known)
      }
    }
    for (const member of before.values()) {
      member.gone = true
      this.tell("Removed", member)
    }
    this.order()
  }

  /** Whether there is an endpoint that a call may have, may be used, and is none to avoid. */
  isFree(now: number, filter: Filter<E>): boolean {
    return this.allowed(filter).some((level) =>
      level.some((member) => {
        this.look(member, now)
        return member.mayBeUsed && !(filter.avoid?.(member.described.key) ?? false)
      })
    )
  }

  /** The endpoint of a call, which {@link end} is told of. */
  pick(now: number, random: () => number, filter: Filter<E> | undefined): Lease<E> | Refusal {
    const member = this.choose(now, random, filter)
    if (member instanceof Refusal) return member
    member.inFlight++
    return new Lease(member, now)
  }

  /** The answer has begun: its latency is known, and the call is still in flight. */
  answered(lease: Lease<E>, now: number): void {
    if (lease.ended || lease.answered) return
    lease.answered = true
    lease.member.latency.add(now - lease.startedAt - lease.waited, now)
  }

  /** `hint` is the rest that the endpoint asks for, in milliseconds; 0 if it does not. */
  end(lease: Lease<E>, now: number, outcome: Outcome, hint: number): void {
    if (lease.ended) return
    lease.ended = true
    const { member } = lease
    member.inFlight--
    if (member.gone) return
    if (!lease.answered) this.measure(lease, now, outcome)
    const rest = Math.min(hint > 0 ? hint : outcome === "throttled" ? this.rules.cooldown : 0, this.rules.maxCooldown)
    if (rest > 0 && now + rest > (member.coolUntil ?? 0)) this.rest(member, now, rest)
    if (lease.generation !== member.generation) return
    if (outcome !== "success" && outcome !== "failure") return
    member.window?.record(now, outcome === "failure", false)
    if (outcome === "success") member.failures = 0
    else this.failed(member, now)
  }

  /** It rests for so long from now on; 0 ends a rest. */
  cool(key: string, now: number, millis: number): void {
    const member = this.members.get(key)
    if (member === undefined) return
    if (millis > 0) this.rest(member, now, millis)
    else if (member.coolUntil !== undefined) {
      member.coolUntil = now
      this.look(member, now)
    }
  }

  /** How many of them have a status. */
  count(status: string, now: number): number {
    return this.at(now).filter((member) => member.statusAt(now, this.rules) === status).length
  }

  private newMember(described: Described<E>): Member<E> {
    const { decay, ejection } = this.rules
    return new Member(described, { decay, within: ejection?.within })
  }

  private order(): void {
    const levels = new Map<number, Array<Member<E>>>()
    for (const member of this.members.values()) {
      const { local, priority } = member.described
      const level = priority * 2 + (local ? 0 : 1)
      const known = levels.get(level)
      if (known === undefined) levels.set(level, [member])
      else known.push(member)
    }
    this.out = Array.from(this.members.values()).filter(({ mayBeUsed }) => !mayBeUsed).length
    this.levels = Array.from(levels).toSorted(([a], [b]) => a - b).map(([, members]) => members)
  }

  /** What time has changed. */
  private look(member: Member<E>, now: number): void {
    const { coolUntil, ejectedUntil } = member
    if (ejectedUntil === undefined && coolUntil === undefined) return
    const back = Math.max(ejectedUntil ?? 0, coolUntil ?? 0)
    if (ejectedUntil !== undefined && now >= ejectedUntil) {
      member.ejectedUntil = undefined
      member.failures = 0
      member.generation++
    }
    if (coolUntil !== undefined && now >= coolUntil) member.coolUntil = undefined
    if (!member.mayBeUsed) return
    this.out--
    member.backSince = back
    this.tell("Returned", member)
  }

  /** Those that a call may have. */
  private allowed({ when, without }: Filter<E>): Levels<E> {
    if (without === undefined && when === undefined) return this.levels
    return this.levels.map((level) =>
      level.filter(({ described }) =>
        !(without?.has(described.key) ?? false) && (when === undefined || when(described.endpoint))
      )
    )
  }

  private choose(now: number, random: () => number, filter: Filter<E> | undefined): Member<E> | Refusal {
    const { levels, rules } = this
    if (levels.length === 0) return new Refusal("empty", Infinity)
    if (this.out > 0) { for (const member of this.members.values()) this.look(member, now) }
    if (filter === undefined) {
      return this.out === 0
        ? oneOf(levels[0]!, now, random, rules)
        : among(levels, now, random, rules) ?? this.refusal(levels, now)
    }
    const allowed = this.allowed(filter)
    const { avoid } = filter
    const rather = avoid === undefined
      ? allowed
      : allowed.map((level) => level.filter(({ described }) => !avoid(described.key)))
    const isFree = rather === allowed || rather.some((level) => level.some(({ mayBeUsed }) => mayBeUsed))
    return among(isFree ? rather : allowed, now, random, rules) ?? this.refusal(allowed, now)
  }

  private refusal(levels: Levels<E>, now: number): Refusal {
    const rests = levels.flat().map(({ coolUntil, ejectedUntil }) => Math.max(coolUntil ?? now, ejectedUntil ?? now))
    return rests.length === 0 ? new Refusal("excluded", Infinity) : new Refusal("cooling", Math.min(...rests) - now)
  }

  /**
   * A failure can only say that the endpoint is slow: that it is quick is often all that is wrong. Each one makes it look twice as
   * slow as it was, or as the others are, which time heals.
   */
  private measure({ member, startedAt, waited }: Lease<E>, now: number, outcome: Outcome): void {
    const { latency } = member
    const millis = now - startedAt - waited
    if (outcome === "success") latency.add(millis, now)
    else if (outcome === "interrupted") latency.atLeast(millis, now)
    else if (outcome !== "ignored") {
      const doubled = 2 * (1 + Math.max(latency.at(now), this.typical(now)))
      latency.atLeast(Math.max(millis, Math.min(doubled, worst)), now)
    }
  }

  private typical(now: number): number {
    const known = Array.from(this.members.values()).filter(({ latency }) => latency.known)
    return known.reduce((sum, { latency }) => sum + latency.at(now), 0) / Math.max(1, known.length)
  }

  private rest(member: Member<E>, now: number, millis: number): void {
    const begins = member.coolUntil === undefined
    if (member.mayBeUsed) this.out++
    member.coolUntil = now + millis
    if (begins) this.tell("Cooling", member, millis)
  }

  private failed(member: Member<E>, now: number): void {
    const { ejection } = this.rules
    member.failures++
    if (ejection === undefined || member.ejectedUntil !== undefined) return
    const { calls, failures } = member.window!
    const inARow = member.failures >= ejection.failures
    if (!inARow && (calls < ejection.minCalls || failures < ejection.ratio * calls)) return
    const ejected = this.at(now).filter(({ ejectedUntil }) => ejectedUntil !== undefined).length
    if (ejected + 1 > ejection.share * this.members.size) return
    const forgotten = Math.floor((now - member.returnedAt) / forgetAfter)
    member.ejections = Math.max(0, member.ejections - forgotten) + 1
    const millis = Math.min(ejection.base * member.ejections, ejection.max)
    if (millis === ejection.max) member.ejections = Math.ceil(ejection.max / ejection.base)
    if (member.mayBeUsed) this.out++
    member.ejectedUntil = now + millis
    member.returnedAt = member.ejectedUntil
    member.generation++
    this.tell("Ejected", member, millis, inARow ? member.failures : failures)
    member.window!.clear()
  }

  private tell(_tag: Change<E>["_tag"], { described }: Member<E>, millis = 0, failures = 0): void {
    this.news.push({ _tag, key: described.key, endpoint: described.endpoint, millis, failures })
  }
}
