import type * as Duration from "effect/Duration"
import { Pause, type Refusal, type Times } from "../client/pause.ts"
import { O1Error } from "../O1Error.ts"
import type { Fact } from "../O1Fact.ts"
import { always, Learned, type Question } from "../transport/learned.ts"
import { isSlow } from "../transport/route.ts"
import { isUnfit, restFor, Slowness } from "./fitness.ts"

/** What all calls of one client know of its deployments, by their names. Times in milliseconds on a monotonic clock. */
export class Pool {
  private readonly pauses: ReadonlyMap<string, Pause>
  private readonly fitness = new Learned()
  private readonly slowness = new Slowness()
  private readonly names: ReadonlyArray<string>

  constructor(names: ReadonlyArray<string>) {
    this.names = names
    this.pauses = new Map(names.map((name) => [name, new Pause()]))
  }

  /** Its pause, if it has asked for one. */
  pause(name: string, now: number): Refusal | undefined {
    return this.pauses.get(name)!.at(now)
  }

  /** Why a call waits before it asks: another one was told to; `undefined` where it need not, or waiting would not help. */
  held(name: string, now: number): O1Error | undefined {
    return this.pauses.get(name)!.held(now)
  }

  /** Whether it is asked before the others: as always, or because it is time to see whether it works again. */
  stand(name: string, now: number): "open" | "shut" | "ask" {
    const stand = this.fitness.knows(name) ? this.fitness.stand(name, now) : "open"
    return stand === "wait" ? "shut" : stand
  }

  /** Whether one that is asked after the others is asked rather than they are waited for. */
  mayAnswer(name: string): boolean {
    return this.slowness.isSlow(name)
  }

  ask(name: string, now: number): Question {
    return this.fitness.ask(name, now)
  }

  release(question: Question): void {
    this.fitness.release(question)
  }

  answered(name: string, begun: number): void {
    this.pauses.get(name)!.answered(begun)
    this.slowness.answered(name, begun)
    if (this.fitness.knows(name)) this.fitness.works(name, begun)
  }

  /** It has asked for a pause. */
  paused(name: string, error: O1Error, pause: Duration.Duration, times: Times): void {
    this.pauses.get(name)!.refused(error, pause, times)
  }

  /** It has failed, and others can be asked. Gives what there is to tell of it. */
  failed(name: string, error: O1Error, times: Times): Fact | undefined {
    const slow = isSlow(error) ? this.slowness.timedOut(name, times.now) : this.slowness.failed(name)
    if (this.names.length === 1 || (!slow && !isUnfit(error))) return undefined
    const why = slow ? "timed out again and again while others answered" : `failed with ${O1Error.label(error)}`
    const news = this.fitness.refused(name, {
      ...times,
      lasting: always(restFor),
      saying: { about: "member", text: `"${name}" ${why}, so that the others are asked first.` }
    })
    return news ? this.fitness.fact(name, name, times.now) : undefined
  }

  /** Why it is not asked before the others. */
  fact(name: string, now: number): Fact | undefined {
    return this.fitness.fact(name, name, now)
  }

  facts(now: number): ReadonlyArray<Fact> {
    return this.names.flatMap((name) =>
      [this.fact(name, now), this.pauses.get(name)!.fact(name, now)].filter((fact) => fact !== undefined)
    )
  }
}
