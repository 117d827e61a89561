import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import type { Attempt } from "./tries.ts"

/** The attempt that a fiber is part of, if anything remembers what was tried. */
export const CurrentAttempt = Context.Reference<Attempt | undefined>(
  "@effect-resilience/core/Balancer/CurrentAttempt",
  { defaultValue: () => undefined }
)

let memory: (() => Attempt) | undefined

/**
 * Somebody asks what a call has tried, and brings what remembers it. Before that no retry and no hedge pays for remembering, and a
 * program in which nobody asks does not carry it.
 */
export const remember = (attempt: () => Attempt): void => {
  memory = attempt
}

/** What a policy with several attempts opens for its call: nothing, if nobody reads it or it is open already. */
export const opened = (fiber: AnyFiber): Attempt | undefined =>
  memory !== undefined && fiber.getRef(CurrentAttempt) === undefined ? memory() : undefined

/** The first attempt of a call; nothing, if nobody reads it. */
export const firstOf = (fiber: AnyFiber): Attempt | undefined =>
  memory === undefined ? undefined : fiber.getRef(CurrentAttempt) ?? memory()

export const within = (self: AnyEffect, attempt: Attempt): AnyEffect =>
  Effect.provideService(self, CurrentAttempt, attempt)

/** A further attempt of a call, if that remembers. */
export const again = (self: AnyEffect): AnyEffect =>
  memory === undefined ? self : Effect.withFiber((fiber) => {
    const attempt = fiber.getRef(CurrentAttempt)
    return attempt === undefined ? self : within(self, attempt.another())
  })
