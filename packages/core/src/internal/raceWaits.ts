import { type Measuring, Waits } from "./waits.ts"

/** Whom a race tells that the call waits for its turn. */
interface Outer {
  begin(at: number): void
  end(at: number): void
}

/**
 * The waits of a call that makes several attempts at once: the call waits for its turn while all of them do. As long as the callee
 * has one of them, it owes an answer.
 */
export class RaceWaits {
  private readonly outerOf: () => Outer
  /** made when an attempt waits, which most never do */
  private outer: Outer | undefined = undefined
  private attempts = 0
  private waiting = 0
  private isWaiting = false

  constructor(outerOf: () => Outer) {
    this.outerOf = outerOf
  }

  began(at: number): void {
    this.attempts++
    this.look(at)
  }

  /** An attempt has ended. */
  ended(at: number): void {
    this.attempts--
    this.look(at)
  }

  paused(at: number): void {
    this.waiting++
    this.look(at)
  }

  resumed(at: number): void {
    this.waiting--
    this.look(at)
  }

  /** The race is over: its attempts that are still there are not looked at any more. */
  settled(at: number): void {
    this.attempts = -Infinity
    this.look(at)
  }

  private look(at: number): void {
    const isWaiting = this.waiting > 0 && this.waiting === this.attempts
    if (isWaiting === this.isWaiting) return
    this.isWaiting = isWaiting
    this.outer ??= this.outerOf()
    if (isWaiting) this.outer.begin(at)
    else this.outer.end(at)
  }
}

/** The waits of one of the attempts. */
class AttemptWaits extends Waits {
  private readonly race: RaceWaits

  constructor(race: RaceWaits) {
    super(undefined)
    this.race = race
  }

  protected override paused(at: number): void {
    this.race.paused(at)
  }

  protected override resumed(at: number): void {
    this.race.resumed(at)
  }
}

/** An attempt is asked for its waits when it waits. */
export class MeasuredAttempt implements Measuring {
  private readonly race: RaceWaits
  private made: Waits | undefined = undefined

  constructor(race: RaceWaits) {
    this.race = race
  }

  get waits(): Waits {
    return this.made ??= new AttemptWaits(this.race)
  }

  waited(at: number): number {
    return this.made === undefined ? 0 : this.made.waited(at)
  }
}
