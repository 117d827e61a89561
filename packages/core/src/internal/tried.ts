import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { AnyEffect, AnyFiber } from "./primitive.ts"

/** One use of an endpoint by one attempt. */
interface Try {
  readonly attempt: Attempt
  readonly key: string
  /** how many uses had been answered when it began, or when it was answered itself */
  wins: number
}

/**
 * What one call has tried of one set of endpoints. It avoids those that have failed since the last use that went well, and those
 * that another of its attempts is still waiting for. After a use that went well nothing is held against anybody: a call may go on
 * for a day.
 */
class Tries {
  private wins = 0
  private readonly failed = new Set<string>()
  private readonly running = new Set<Try>()

  begin(attempt: Attempt, key: string): Try {
    const one = { attempt, key, wins: this.wins }
    this.running.add(one)
    return one
  }

  avoid(attempt: Attempt): ((key: string) => boolean) | undefined {
    const keys = new Set(this.failed)
    for (const one of this.running) if (one.attempt !== attempt) keys.add(one.key)
    return keys.size === 0 ? undefined : (key) => keys.has(key)
  }

  /** It has answered; how it ends is not known yet. */
  answered(one: Try): void {
    one.wins = ++this.wins
  }

  end(one: Try, well: boolean): void {
    this.running.delete(one)
    if (well) {
      this.wins++
      this.failed.clear()
      // what ends badly after another one has answered is one that lost to it
    } else if (one.wins === this.wins) this.failed.add(one.key)
  }
}

/** An attempt of a call, which several policies may make: a retry one after the other, a hedge at the same time. */
export class Attempt {
  private readonly sets: WeakMap<object, Tries>

  constructor(sets = new WeakMap<object, Tries>()) {
    this.sets = sets
  }

  /** Another one of the same call. */
  another(): Attempt {
    return new Attempt(this.sets)
  }

  /** What the call has tried of a set. */
  of(set: object): Tries {
    let tries = this.sets.get(set)
    if (tries === undefined) this.sets.set(set, tries = new Tries())
    return tries
  }
}

export type { Tries, Try }

/** The attempt that a fiber is part of, if anything remembers what was tried. */
export const CurrentAttempt = Context.Reference<Attempt | undefined>(
  "@effect-resilience/core/Balancer/CurrentAttempt",
  { defaultValue: () => undefined }
)

let isRead = false

/** Somebody asks what a call has tried. Before that no retry and no hedge pays for remembering it. */
export const read = (): void => {
  isRead = true
}

/** What a policy with several attempts opens for its call: nothing, if nobody reads it or it is open already. */
export const opened = (fiber: AnyFiber): Attempt | undefined =>
  isRead && fiber.getRef(CurrentAttempt) === undefined ? new Attempt() : undefined

/** The first attempt of a call; nothing, if nobody reads it. */
export const firstOf = (fiber: AnyFiber): Attempt | undefined =>
  isRead ? fiber.getRef(CurrentAttempt) ?? new Attempt() : undefined

export const within = (self: AnyEffect, attempt: Attempt): AnyEffect =>
  Effect.provideService(self, CurrentAttempt, attempt)

/** A further attempt of a call, if that remembers. */
export const again = (self: AnyEffect): AnyEffect =>
  isRead
    ? Effect.withFiber((fiber) => {
      const attempt = fiber.getRef(CurrentAttempt)
      return attempt === undefined ? self : within(self, attempt.another())
    })
    : self
