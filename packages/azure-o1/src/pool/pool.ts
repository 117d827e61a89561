import { Fault } from "@effect-resilience/core"
import * as Duration from "effect/Duration"
import { O1Error } from "../O1Error.ts"
import type { Fact } from "../O1Fact.ts"
import { always, Learned, type Question } from "../transport/learned.ts"
import { isSlow } from "../transport/route.ts"
import { Cooldowns, type Refusal } from "./cooldowns.ts"
import { isUnfit, restFor, Slowness } from "./fitness.ts"
import { soonest, standingOf } from "./standing.ts"

/** A pause that is longer is no reason not to ask. */
const longestHold = Duration.toMillis(Duration.minutes(10))

/** What other calls may know of a failure of this one. */
const anonymous = (error: O1Error): O1Error => O1Error.with(error, { partialText: "", attempts: [], resume: undefined })

/** When something was asked, and when its answer came. */
interface Times {
  readonly begun: number
  readonly now: number
}

/** What all calls of one client know of its deployments, by their names. Times in milliseconds on a monotonic clock. */
export class Pool {
  private readonly cooldowns = new Cooldowns<string, O1Error>()
  private readonly fitness = new Learned()
  private readonly slowness = new Slowness()
  private readonly names: ReadonlyArray<string>

  constructor(names: ReadonlyArray<string>) {
    this.names = names
  }

  /** Its pause, if it has asked for one. */
  pause(name: string, now: number): Refusal<O1Error> | undefined {
    return this.cooldowns.of(name, now)
  }

  /** Why a call waits before it asks: another one was told to; `undefined` where it need not, or waiting would not help. */
  held(name: string, now: number): O1Error | undefined {
    const refusal = this.pause(name, now)
    return refusal === undefined || refusal.until - now > longestHold ||
        refusal.reason[Fault.TypeId]._tag === "Permanent"
      ? undefined
      : soonest([standingOf(undefined, refusal)!], now)
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
    this.cooldowns.succeeded(name, begun)
    this.slowness.answered(name, begun)
    if (this.fitness.knows(name)) this.fitness.works(name, begun)
  }

  /** It has asked for a pause. */
  paused(name: string, error: O1Error, pause: Duration.Duration, { begun, now }: Times): void {
    this.cooldowns.refused(name, { begun, until: now + Duration.toMillis(pause), reason: anonymous(error) })
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
    return this.names.flatMap((name) => {
      const pause = this.pause(name, now)
      return [this.fact(name, now), pause && pauseOf(name, pause, now)].filter((fact) => fact !== undefined)
    })
  }
}

const pauseOf = (name: string, { reason, until }: Refusal<O1Error>, now: number): Fact => ({
  deployment: name,
  about: "pause",
  parameter: undefined,
  value: undefined,
  text: `"${name}" has asked to be left alone: ${O1Error.label(reason)}.`,
  expiresIn: Duration.millis(until - now)
})
