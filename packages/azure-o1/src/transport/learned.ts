import * as Duration from "effect/Duration"
import type { Fact } from "../O1Fact.ts"

/** The words of a fact. */
export type Saying = Pick<Fact, "about" | "text"> & Partial<Pick<Fact, "parameter" | "value">>

/** How long an answer counts that came this many times in a row, in milliseconds. */
export type Lasting = (times: number) => number

/** Answers that may have been an accident count for so long, and this often. */
const tentative = { millis: 30_000, times: 2 }

/** The expiry, twice as long each time, up to the longest. */
export const doubling = (expiry: number, longest: number): Lasting => (times) =>
  Math.min(longest, expiry * 2 ** (times - 1))

/** Half a minute at first, and from the third time in a row on as the other says. */
export const cautious = (lasting: Lasting): Lasting => (times) =>
  times <= tentative.times ? tentative.millis : lasting(times - tentative.times)

/** Always the same. */
export const always = (millis: number): Lasting => () => millis

/** A question that one call asks, because nobody knows the answer, or knows it any more. */
export interface Question {
  readonly key: string
  readonly begun: number
  /** The calls that wait for the answer. */
  readonly waiting: Set<() => void>
  /** The answer has taken so long that nobody waits for it any more. */
  overdue: boolean
}

interface Entry {
  readonly saying: Saying
  /** When the answer came. */
  readonly since: number
  readonly until: number
  /** How often in a row it was the same. */
  readonly times: number
}

/**
 * How a call takes a thing:
 *
 * - `open`: it works.
 * - `shut`: it does not, or did not when it was asked last, and somebody is asking again.
 * - `ask`: nobody knows, or knows any more, and nobody is asking.
 * - `wait`: nobody has ever known, and somebody is asking.
 */
export type Standing = "open" | "shut" | "ask" | "wait"

/** The facts that the answers of deployments have taught. Times in milliseconds on a monotonic clock. */
export class Learned {
  private readonly entries = new Map<string, Entry>()
  private readonly proven = new Set<string>()
  private readonly questions = new Map<string, Question>()
  /** A fact that comes and goes is not told again before this time. */
  private readonly told = new Map<string, number>()

  /** Whether there was ever an answer against it, which was not taken back since. */
  knows(key: string): boolean {
    return this.entries.has(key)
  }

  stand(key: string, now: number): Standing {
    const entry = this.entries.get(key)
    if (entry === undefined) {
      if (this.proven.has(key)) return "open"
      return this.questions.has(key) ? "wait" : "ask"
    }
    return now < entry.until || this.questions.has(key) ? "shut" : "ask"
  }

  /** The question that somebody is asking. */
  asked(key: string): Question | undefined {
    return this.questions.get(key)
  }

  /** From now on it is asked, by one call. */
  ask(key: string, now: number): Question {
    const question = { key, begun: now, waiting: new Set<() => void>(), overdue: false }
    this.questions.set(key, question)
    return question
  }

  /** The calls that wait go on without the answer. */
  giveUp(question: Question): void {
    question.overdue = true
    question.waiting.forEach((wake) => wake())
  }

  /** It works. An answer to what was asked before it was refused says nothing. */
  works(key: string, begun: number): void {
    const entry = this.entries.get(key)
    if (entry !== undefined && begun <= entry.since) return
    this.entries.delete(key)
    this.proven.add(key)
    this.settle(key)
  }

  /**
   * It does not work. Gives whether that is worth telling. A request from before the last refusal, or while that one counts,
   * adds nothing to it.
   */
  refused(key: string, answer: {
    readonly begun: number
    readonly now: number
    readonly lasting: Lasting
    readonly saying: Saying
  }): boolean {
    const { begun, lasting, now, saying } = answer
    const known = this.entries.get(key)
    if (known !== undefined && (begun <= known.since || now < known.until)) return false
    const times = (known?.times ?? 0) + 1
    const until = now + lasting(times)
    this.entries.set(key, { saying, since: now, until, times })
    this.proven.delete(key)
    this.settle(key)
    const news = known === undefined && now >= (this.told.get(key) ?? -Infinity)
    this.told.set(key, until)
    return news
  }

  /** The call that asked has got no answer, so that another one may ask. */
  release({ key, waiting }: Question): void {
    if (this.questions.get(key)?.waiting === waiting) this.settle(key)
  }

  /** It is not so any more, by the word of the service. */
  forget(key: string): void {
    this.entries.delete(key)
  }

  /** Whether a fact about one thing counts now. */
  holds(key: string, now: number): boolean {
    const entry = this.entries.get(key)
    return entry !== undefined && now < entry.until
  }

  get isEmpty(): boolean {
    return this.entries.size === 0
  }

  /** One fact, as it is told. */
  fact(key: string, deployment: string, now: number): Fact | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    const { saying: { about, parameter, text, value }, until } = entry
    return { deployment, about, parameter, value, text, expiresIn: Duration.millis(Math.max(0, until - now)) }
  }

  /** All facts: those that count, and those that are to be asked again. */
  facts(deployment: string, now: number): ReadonlyArray<Fact> {
    return Array.from(this.entries.keys(), (key) => this.fact(key, deployment, now)!)
  }

  private settle(key: string): void {
    const question = this.questions.get(key)
    this.questions.delete(key)
    question?.waiting.forEach((wake) => wake())
  }
}
