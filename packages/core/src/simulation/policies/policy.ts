import type { Layer, Process } from "../internal/frame.ts"

/** Makes a policy's layer in a process, around what is inside it. */
export type Maker = (inner: Layer, process: Process) => Layer

/** A policy that a simulation knows: how its implementation is told from others, and what stands for it. */
export interface SimulatedPolicy {
  readonly is: (implementation: unknown) => boolean
  readonly of: (implementation: unknown) => Maker
}

/** By the class of its implementation. */
export const ofClass = <I>(
  implementation: abstract new(...args: any) => I,
  of: (implementation: I) => Maker
): SimulatedPolicy => ({
  is: (u) => u instanceof implementation,
  of: (u) => of(u as I) // asked only after `is` has said yes
})
