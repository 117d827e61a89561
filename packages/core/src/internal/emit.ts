import type { Event, Listener } from "./events.ts"

/** Tells a listener. Most callers are inside a timer or between two states of a machine, where a throw would break the call. */
export const emit = (listener: Listener, event: Event): void => {
  try {
    listener(event)
  } catch {
    // documented with `Listener`: watching a call cannot change its outcome
  }
}
