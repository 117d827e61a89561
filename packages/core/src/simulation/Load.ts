/**
 * When calls come. With an open loop they come whatever happens to the ones before; with a closed loop a user waits for an answer, thinks, and calls
 * again, so that a slow service is called less.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { callable, checkedOptions, duration, finite, integer, invalid, positiveMillis } from "../internal/options.ts"
import { exponential, type Random } from "./internal/random.ts"
import type { Draws, Times } from "./Times.ts"

/**
 * Calls that come by themselves: `open` gives, for one run, a function from the time of a call to that of the next, in milliseconds
 * since the start. It ends with `Infinity`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Open {
  readonly _tag: "Open"
  readonly open: (random: Draws) => (at: number) => number
}

/**
 * Users who call, wait for the answer and think.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed {
  readonly _tag: "Closed"
  readonly users: number
  readonly think: Times
  /** of each user; then the user leaves */
  readonly calls: number
  /** users begin one after the other in this time, in milliseconds */
  readonly ramp: number
}

/**
 * When calls come.
 *
 * @category models
 * @since 0.1.0
 */
export type Load = Open | Closed

const open = (make: (random: Random) => (at: number) => number): Open => ({
  _tag: "Open",
  open: (random) => make(random as Random) // a run hands its own generator to its own loads
})

/** Lewis and Shedler, 1979: candidates at the highest rate, of which those are kept that the rate at that time wants. */
const thinned = (most: number, rateAt: (at: number) => number): Open =>
  open((random) => (at) => {
    for (let next = at;;) {
      next += exponential(random) * 1000 / most
      if (next === Infinity || random.next() * most < rateAt(next)) return next
    }
  })

/**
 * Many independent callers: the time until the next call says nothing about the one after.
 *
 * @category constructors
 * @since 0.1.0
 */
export const poisson = (options: { readonly perSecond: number }): Load => {
  const rate = finite("Load.poisson", "perSecond", checkedOptions("Load.poisson", options).perSecond, 0)
  return open((random) => (at) => at + exponential(random) * 1000 / rate)
}

/**
 * The same, with a rate that changes: `perSecond` of the time in milliseconds since the start, never more than `most`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const varying = (
  options: { readonly perSecond: (at: number) => number; readonly most: number }
): Load => {
  const where = "Load.varying"
  const { most, perSecond } = checkedOptions(where, options)
  callable(where, "perSecond", perSecond)
  return thinned(finite(where, "most", most, 0), perSecond)
}

/**
 * A day: Poisson, with a rate that swings between two values as a sine does. It begins at the lowest.
 *
 * @category constructors
 * @since 0.1.0
 */
export const diurnal = (
  options: {
    /** The lowest rate. */
    readonly from: number
    /** The highest rate. */
    readonly to: number
    /** @default "1 day" */
    readonly period?: Duration.Input | undefined
  }
): Load => {
  const where = "Load.diurnal"
  checkedOptions(where, options)
  const from = finite(where, "from", options.from, 0, { inclusive: true })
  const to = finite(where, "to", options.to, 0)
  if (to < from) throw invalid(where, "to", to, `at least from (${from})`)
  const period = positiveMillis(where, "period", options.period ?? "1 day")
  return thinned(to, (at) => from + (to - from) * (1 - Math.cos(2 * Math.PI * at / period)) / 2)
}

/**
 * So many calls a second, evenly: a machine that samples.
 *
 * @category constructors
 * @since 0.1.0
 */
export const steady = (options: { readonly perSecond: number }): Load => {
  const gap = 1000 / finite("Load.steady", "perSecond", checkedOptions("Load.steady", options).perSecond, 0)
  return open(() => (at) => at + gap)
}

/**
 * So many calls at one instant, every so often: a job that starts.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bursts = (
  options: {
    /** Calls at once. */
    readonly calls: number
    /** The time from one burst to the next; an infinite one makes one burst. */
    readonly every: Duration.Input
    /** @default 0: the first burst is at the start */
    readonly after?: Duration.Input | undefined
  }
): Load => {
  const where = "Load.bursts"
  checkedOptions(where, options)
  const calls = integer(where, "calls", options.calls, 1)
  const every = positiveMillis(where, "every", options.every, { infinite: true })
  const after = duration(where, "after", options.after ?? 0)
  return open(() => {
    let made = 0
    return () => {
      const burst = Math.floor(made++ / calls)
      return burst === 0 ? after : after + burst * every
    }
  })
}

/**
 * The times at which calls came once, in milliseconds since the first: a log, played again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const trace = (times: ReadonlyArray<number>): Load => {
  times.forEach((time, i) => {
    if (!(time >= (times[i - 1] ?? 0))) throw invalid("Load.trace", `times[${i}]`, time, "times >= 0 that do not fall")
  })
  return open(() => {
    let next = 0
    return () => times[next++] ?? Infinity
  })
}

/**
 * Several open loads at once: a busy base, and bursts upon it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const together = (...loads: ReadonlyArray<Load>): Load => {
  const opens = loads.map((load) => {
    if (load._tag === "Open") return load
    throw invalid("Load.together", "loads", load._tag, "open loads")
  })
  return open((random) => {
    const nexts = opens.map((load) => load.open(random))
    const times = nexts.map((next) => next(0))
    return () => {
      let least = 0
      for (let i = 1; i < times.length; i++) if (times[i]! < times[least]!) least = i
      const at = times[least] ?? Infinity
      if (at < Infinity) times[least] = nexts[least]!(at)
      return at
    }
  })
}

/**
 * Users who wait for an answer and think before the next call.
 *
 * @category constructors
 * @since 0.1.0
 */
export const closed = (
  options: {
    readonly users: number
    /** The time between an answer and the next call. */
    readonly think: Times
    /** @default without end */
    readonly calls?: number | undefined
    /**
     * The time in which the users begin, one after the other.
     *
     * @default the mean of `think`, if that is finite
     */
    readonly ramp?: Duration.Input | undefined
  }
): Load => {
  const where = "Load.closed"
  const { calls = Infinity, ramp, think, users } = checkedOptions(where, options)
  return {
    _tag: "Closed",
    users: integer(where, "users", users, 1),
    think,
    calls: calls === Infinity ? calls : integer(where, "calls", calls, 1),
    ramp: ramp === undefined ? (think.mean < Infinity ? think.mean : 0) : duration(where, "ramp", ramp)
  }
}
