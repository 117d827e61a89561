import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import type { Attempt } from "./tries.ts"

/** The attempt that a fiber is part of, if anything remembers what was tried. */
export const CurrentAttempt = Context.Reference<Attempt | undefined>(
  "@effect-resilience/core/Balancer/CurrentAttempt",
  { defaultValue: () => undefined }
)

/** What remembers the endpoints of a call. */
interface Memory {
  readonly first: () => Attempt
  /** See {@link open}. */
  readonly open: (fiber: AnyFiber, self: AnyEffect) => AnyEffect | undefined
}

let memory: Memory | undefined

/**
 * Somebody asks what a call has tried, and brings what remembers it. Before that no retry and no hedge pays for remembering, and a
 * program in which nobody asks does not carry it.
 */
export const remember = (given: Memory): void => {
  memory = given
}

/**
 * A policy with several attempts opens the memory of its call: from now on the fiber is in the first attempt. Nothing is done if
 * nobody reads it, or it is open already. Gives the effect to go on with where that is not the policy's own.
 */
export const open = (fiber: AnyFiber, self: AnyEffect): AnyEffect | undefined =>
  memory !== undefined && fiber.getRef(CurrentAttempt) === undefined ? memory.open(fiber, self) : undefined

/** The first attempt of a call; nothing, if nobody reads it. */
export const firstOf = (fiber: AnyFiber): Attempt | undefined =>
  memory === undefined ? undefined : fiber.getRef(CurrentAttempt) ?? memory.first()

/** A further attempt of a call, if that remembers. */
export const again = (self: AnyEffect): AnyEffect =>
  memory === undefined ? self : Effect.withFiber((fiber) => {
    const attempt = fiber.getRef(CurrentAttempt)
    return attempt === undefined ? self : Effect.provideService(self, CurrentAttempt, attempt.another())
  })
