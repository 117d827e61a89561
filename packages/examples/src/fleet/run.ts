/** A record of a run, from the first call to the last. */
import type { Outcome } from "./load.ts"
import type { Counted } from "./regions.ts"
import type { Phase, Region } from "./scenario.ts"
import type { Seen } from "./watch.ts"

/** One look at everything. */
export interface Look {
  /** In seconds since the load began. */
  readonly at: number
  readonly processes: ReadonlyArray<Seen>
  readonly regions: Readonly<Record<Region, Counted>>
}

export interface Run {
  readonly seconds: number
  readonly phases: ReadonlyArray<Phase>
  readonly outcomes: ReadonlyArray<Outcome>
  readonly looks: ReadonlyArray<Look>
  /** After the last call has ended. */
  readonly last: Look
  /** When the store went and came back, and when a process was killed and replaced, in seconds. */
  readonly moments: {
    readonly storeGone: number
    readonly storeBack: number
    readonly killed: number
    readonly replaced: number
  }
  /** The process that was killed. */
  readonly victim: number
  /** The files with answers at the end. */
  readonly written: number
}
