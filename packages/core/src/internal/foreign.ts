/**
 * A fiber is resumed, interrupted and ended on the stack of the one that does it, and what it then runs may be anybody's: what
 * the host does at the end of a call (`onExit` of `Effect.runCallback`) is not guarded by Effect. A throw there is the
 * host's and must reach it; it must not unwind a loop of ours, with other callers still to be served.
 */

/** The host hears of it as of any error that nobody catches, once those who are served on this stack have been. */
const throwLater = (bug: unknown): void =>
  queueMicrotask(() => {
    throw bug
  })

/** Resumes a caller, or does something else that runs foreign code. */
export const guarded = <A>(f: (value: A) => void, value: A): void => {
  try {
    f(value)
  } catch (bug) {
    throwLater(bug)
  }
}
