import type { Times } from "@effect-resilience/core/simulation"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** Numbers in [0, 1): the same ones for the same seed. It draws from the distributions of a simulation. */
export type Draw = Times.Draws

/** The generator of a part of a run, which draws the same whatever the others draw. */
export const randomOf = (seed: number, part: string): Random.Random =>
  Effect.runSync(Random.withSeed(Effect.service(Random.Random), `${seed}/${part}`))

export const drawOf = (seed: number, part: string): Draw => {
  const random = randomOf(seed, part)
  return { next: () => random.nextDoubleUnsafe() }
}
