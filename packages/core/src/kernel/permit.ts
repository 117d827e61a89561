import { Linked } from "./list.ts"

/** An admission. What a call reports counts only while the generation of its permit is the current one. */
export interface Permit {
  readonly generation: number
  /** holds one of the slots of a half-open circuit until then */
  readonly leasedUntil: number | undefined
  /** known where it matters: to a circuit with a rule about slow calls */
  readonly startedAt: number | undefined
}

/** The permit of one call. */
export class Held extends Linked implements Permit {
  readonly generation: number
  readonly leasedUntil: number | undefined
  /** later by what the call has waited for its turn since */
  startedAt: number
  /** it waits for its turn, and would otherwise be in time */
  suspended = false

  constructor(generation: number, startedAt: number, leasedUntil: number | undefined) {
    super()
    this.generation = generation
    this.startedAt = startedAt
    this.leasedUntil = leasedUntil
  }
}
