import type { O1Observation } from "../O1Observation.ts"

type Observer = (observation: O1Observation) => void

/** Each in turn, and none can hurt a call or the other one. */
export const both = (observers: ReadonlyArray<Observer>): Observer => (observation) => {
  for (const observe of observers) {
    try {
      observe(observation)
    } catch {
      // documented with the monitor: watching cannot change a call
    }
  }
}
