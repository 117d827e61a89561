import type { By } from "./contender.ts"
import type { Subject } from "./subjects.ts"

/** What fills the heap of a process of its own. */
export interface Load {
  readonly subject: Subject | "bare" | "idle breaker" | "idle key" | "idle key with a breaker"
  readonly by: By
  readonly count: number
  /** Each call has a signal of its own. */
  readonly signals?: true
}

export interface Weight {
  /** Of heap, for each. */
  readonly bytes: number
  /** To make all of them. */
  readonly millis: number
}
