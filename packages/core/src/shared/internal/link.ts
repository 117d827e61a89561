import type { AnyFiber } from "../../internal/primitive.ts"
import { type Limit, ruleOf } from "../../internal/rateLimiterRules.ts"
import type { Allowance } from "../../kernel/allowance.ts"
import { make } from "../../kernel/allowance.ts"
import type { Costs } from "../../kernel/rateLimiter.ts"
import { Debt } from "../kernel/debt.ts"
import { Known } from "../kernel/known.ts"
import { Share, shareOf } from "../kernel/share.ts"
import { shift } from "../kernel/snapshot.ts"
import { type Answer, type Op, type Reply, replyOf, wireOf } from "./protocol.ts"
import type { Store } from "./store.ts"

/** A process that says nothing for so long is gone. */
const gone = 15_000

/** A store that was lost is not used before it has heard of all, or so many milliseconds are over. */
const gathering = 1500

/** Told once of each exchange; of one that failed, perhaps later what came of it after all. */
export interface Exchange {
  readonly answered: (answers: ReadonlyArray<Answer>) => void
  readonly late: (answers: ReadonlyArray<Answer>) => void
  readonly failed: () => void
}

const same = (some: ReadonlyArray<Limit>, others: ReadonlyArray<Limit>): boolean =>
  some.every((limit, i) => {
    const wire = wireOf(limit)
    return wireOf(others[i]!).every((value, k) => value === wire[k])
  })

/**
 * What a limiter goes by: its store, or the share of its process.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mode {
  readonly mode: "shared" | "local"
  /** How many processes share the limit, as far as this one knows. */
  readonly processes: number
}

/** What a process knows of a store that was born then. */
interface Testimony {
  readonly born: number
  readonly used: ReadonlyArray<ReadonlyArray<number>>
}

export interface Watcher {
  /** in whose context the store is asked */
  readonly fiber: AnyFiber
  /** the local time now */
  readonly time: () => number
  /** The store is back, and so is its say. */
  readonly found: () => void
  /** The store is lost for now. `pause` is the time until it may be asked again. */
  readonly lost: (error: unknown, pause: number) => void
  /** The store has lost its memory, and was there all the time. */
  readonly forgotten: () => void
  /** Others have changed the limits. */
  readonly changed: (limits: ReadonlyArray<Limit>) => void
}

/**
 * What a process knows of its store, and what it goes by without it. All exchanges go one after the other. A link is lost until
 * the first of them has succeeded.
 */
export class Link {
  shared = false
  busy = false
  /** How many processes share the limits, as far as this one knows. */
  processes: number
  /** the most that there have lately been: a store that has lost its memory knows of those only that are back already */
  private sharers: number
  private testimony: Testimony | undefined = undefined
  private sharersAt = -Infinity
  /** when the store has answered again */
  private backSince: number | undefined = undefined
  /** the same by the clock of the store, or 0 */
  private since = 0
  /** How often the store has been lost. */
  losses = 0
  /** The store has to be told the limits. */
  news = true
  private readonly store: Store
  private readonly id: string
  private readonly empty: boolean
  private readonly watcher: Watcher
  private readonly known = new Known()
  private limits: ReadonlyArray<Limit>
  private version = 0
  private born = 0
  private readonly debt = new Debt()
  private owedTo = 0
  private idle: (() => void) | undefined = undefined

  constructor(
    store: Store,
    watcher: Watcher,
    { empty, id, limits, processes }: {
      readonly id: string
      readonly limits: ReadonlyArray<Limit>
      readonly processes: number
      readonly empty: boolean
    }
  ) {
    this.store = store
    this.watcher = watcher
    this.id = id
    this.limits = limits
    this.processes = this.sharers = processes
    this.empty = empty
  }

  exchange(asked: ReadonlyArray<Op>, { answered, failed, late }: Exchange): void {
    this.busy = true
    const { empty, id, limits, news, version } = this
    const bill = this.debt.bill(this.watcher.time())
    const ops: ReadonlyArray<Op> = bill === undefined
      ? asked
      : [["C", bill.amounts, this.owedTo, 1 / this.sharers], ...asked]
    const skipped = ops.length - asked.length
    // first: the limits of this process are news to the store, and hold from now on
    // empty: a young store has forgotten what it does not know, so that counts as used up
    // known: what it has forgotten, if this process knows; said once, for after that it knows it from the store
    const known = this.shared || this.backSince !== undefined ? this.testimony : this.whatIsKnown()
    this.testimony = undefined
    const request = { id, limits: limits.map(wireOf), first: news, empty, version, gone, ops, known, since: this.since }
    this.news = false
    this.store.ask(this.watcher.fiber, JSON.stringify(request), (text) => replyOf(text, limits), {
      answered: (reply) => {
        this.rest()
        bill?.paid()
        const answers = reply.answers.slice(skipped)
        const forgot = this.shared && this.born !== 0 && reply.born !== this.born
        // its server was away so briefly that nobody has noticed
        if (forgot) this.testimony = this.whatIsKnown()
        this.learn(asked, answers, reply)
        if (!this.shared) this.gather(reply)
        answered(answers)
        if (forgot) this.watcher.forgotten()
      },
      late: ({ answers }) => {
        bill?.paid()
        late(answers.slice(skipped))
      },
      failed: (error, pause) => {
        this.rest()
        this.news ||= news
        this.lose()
        this.watcher.lost(error, pause)
        failed()
      }
    })
  }

  get mode(): Mode {
    return this.shared ? { mode: "shared", processes: this.processes } : { mode: "local", processes: this.sharers }
  }

  private whatIsKnown(): Testimony | undefined {
    const used = this.born === 0 ? undefined : this.known.tell(this.watcher.time(), this.limits.length)
    return used && { born: this.born, used }
  }

  private rest(): void {
    this.busy = false
    const { idle } = this
    this.idle = undefined
    if (idle !== undefined) queueMicrotask(idle)
  }

  /** As soon as no exchange is under way. */
  whenIdle(then: () => void): void {
    if (this.busy) this.idle = then
    else then()
  }

  private learn(ops: ReadonlyArray<Op>, answers: ReadonlyArray<Answer>, reply: Reply): void {
    const at = this.watcher.time()
    answers.forEach((answer, i) => {
      const op = ops[i]!
      if (answer._tag !== "Granted") return
      this.known.note(at, op[0] === "T" ? op[1] : answer.amounts)
    })
    this.known.learn(at, reply.used.map((used) => used && shift(used, at - reply.at)))
    this.processes = reply.processes
    if (reply.processes >= this.sharers || at - this.sharersAt > gone) {
      this.sharers = reply.processes
      this.sharersAt = at
    }
    this.version = reply.version
    this.born = reply.born
    if (reply.limits === undefined || this.news || same(reply.limits, this.limits)) return
    this.follow(at, reply.limits)
    this.watcher.changed(reply.limits)
  }

  /** The limits of this process have changed: the store is told, or will be. */
  adopt(at: number, limits: ReadonlyArray<Limit>): void {
    this.news = true
    this.follow(at, limits)
  }

  private follow(at: number, limits: ReadonlyArray<Limit>): void {
    this.limits = limits
    this.debt.adopt(at, limits.map(ruleOf))
  }

  /** The store is asked no more. */
  leave(): void {
    this.lose()
  }

  private lose(): void {
    this.backSince = undefined
    if (!this.shared) return
    this.shared = false
    this.losses++
  }

  /**
   * A process that has lost the store goes by its share until the store has heard all others since, for what they have used by their
   * shares is known there only then. One that is new has nothing to wait for.
   */
  private gather({ clock, heard, processes }: Reply): void {
    const at = this.watcher.time()
    const isBack = this.backSince === undefined
    this.backSince ??= at
    if (isBack && this.losses > 0) this.since = clock
    const there = this.losses === 0 ? processes : isBack ? 1 : heard
    if (there >= this.sharers || at - this.backSince > gathering) this.find(at)
  }

  private find(at: number): void {
    this.shared = true
    this.debt.end(at)
    this.watcher.found()
  }

  /** Has to be charged, whatever room there is. */
  owe(costs: Costs): void {
    this.debt.owe(costs)
  }

  get owes(): boolean {
    return this.debt.isOpen
  }

  /** What there was room for when the store said so last, and how that has gone on since. */
  mirror(): ReadonlyArray<Allowance> {
    const rules = this.limits.map(ruleOf)
    return this.known.restore(rules).map((allowance, i) => allowance ?? make(rules[i]!))
  }

  /** What this process goes by without a store: its share of that. */
  share(): ReadonlyArray<Allowance> {
    const { sharers } = this
    const rules = this.limits.map(ruleOf)
    const shares = rules.map((rule) => shareOf(rule, sharers))
    const restored = this.known.restore(shares, 1 / sharers)
    this.debt.begin(rules.map((rule, i) => new Share(restored[i] ?? make(shares[i]!), rule, sharers)))
    this.owedTo = this.born
    return this.debt.own
  }
}
