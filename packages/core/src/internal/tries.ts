/** The use of an endpoint. */
interface Used {
  readonly key: string
  /** Whether a call that was there may have another endpoint now. */
  readonly mayGoElsewhere: (at: number) => boolean
}

/** One use of an endpoint by one attempt. */
export interface Try {
  readonly attempt: Attempt
  readonly used: Used
  /** how many uses had been answered when it began, or when it was answered itself */
  wins: number
}

/**
 * What one call has tried of one set of endpoints. It avoids those that have failed since the last use that went well, and those
 * that another of its attempts is still waiting for. After a use that went well nothing is held against anybody: a call may go on
 * for a day.
 */
export class Tries {
  readonly set: object
  /** where the attempt under way has failed */
  lostAt: Used | undefined = undefined
  private wins = 0
  private failed: Set<string> | undefined = undefined
  private readonly running: Array<Try> = []

  constructor(set: object) {
    this.set = set
  }

  begin(attempt: Attempt, used: Used): Try {
    const one = { attempt, used, wins: this.wins }
    this.running.push(one)
    return one
  }

  /** Those that an attempt rather does not use; none, if it has a free choice. */
  avoid(attempt: Attempt | undefined): ((key: string) => boolean) | undefined {
    const { failed, running } = this
    if (failed === undefined && running.every((one) => one.attempt === attempt)) return undefined
    const keys = new Set(failed)
    for (const one of running) if (one.attempt !== attempt) keys.add(one.used.key)
    return (key) => keys.has(key)
  }

  /** It has answered; how it ends is not known yet. */
  answered(one: Try): void {
    one.wins = ++this.wins
  }

  end(one: Try, well: boolean): void {
    const { used, wins } = one
    this.running.splice(this.running.indexOf(one), 1)
    if (well) {
      this.wins++
      this.failed = undefined
      this.lostAt = undefined
      // what ends badly after another one has answered is one that lost to it
    } else if (wins === this.wins) {
      this.failed ??= new Set()
      this.failed.add(used.key)
      this.lostAt = used
    }
  }
}

/** What all attempts of a call share. */
class Call {
  /** by set of endpoints, of which there is one as a rule */
  readonly tries: Array<Tries> = []

  of(set: object): Tries {
    let tries = this.tries.find((tries) => tries.set === set)
    if (tries === undefined) this.tries.push(tries = new Tries(set))
    return tries
  }
}

/** An attempt of a call, which several policies may make: a retry one after the other, a hedge at the same time. */
export class Attempt {
  readonly call: Call

  constructor(call = new Call()) {
    this.call = call
  }

  another(): Attempt {
    for (const tries of this.call.tries) tries.lostAt = undefined
    return new Attempt(this.call)
  }

  /** It has failed at an endpoint, and there is another one that has nothing to do with that. */
  mayGoElsewhere(at: number): boolean {
    return this.call.tries.some(({ lostAt }) => lostAt !== undefined && lostAt.mayGoElsewhere(at))
  }
}
