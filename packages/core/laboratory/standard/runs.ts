/** Lets an incident happen to the calls of a workload. Times in milliseconds. */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import { Pipelines, Retry, type RetryBudget, Timeout } from "../../src/index.ts"
import { Client, Load, Network, Report, Server, Simulation, Times } from "../../src/simulation/index.ts"
import {
  type Cycle,
  type Event,
  type EventName,
  events,
  hour,
  minute,
  second,
  usual,
  type World,
  type WorldName,
  worlds
} from "./worlds.ts"

/** The measures of an incident. Less is better of each. */
export interface Found {
  /** calls that failed, for each call that came in the incident */
  readonly lost: number
  /** requests sent in the incident, for each call that came in it */
  readonly load: number
  /** until a call that came in the incident knew its end, on average */
  readonly wait: number
  /** from the end of the incident until nine of ten calls succeed again, for five steps */
  readonly recovery: number
}

/** A call a minute is met by a short incident at another moment each time. */
const placesOf = ({ before, cycle, cycles, length }: Cycle, step: number, seed: number) =>
  Array.from({ length: cycles }, (_, i) => {
    const from = i * cycle + before - (length < step ? length * ((i * 0.618 + seed * 0.377) % 1) : 0)
    return { from, until: from + length }
  })

/** The first of five steps in a row in which nine of ten calls succeed. */
const wellAgain = (came: ReadonlyArray<number>, failed: ReadonlyArray<number>, from: number): number => {
  for (let i = from, row = 0; i < came.length; i++) {
    row = failed[i]! <= 0.1 * came[i]! ? row + 1 : 0
    if (row === 5) return i - 4 - from
  }
  return came.length - from
}

/** Lets the incident happen to calls through this stack. `fleet` times as many calls come, from so many processes. */
export const meet = (
  name: WorldName,
  eventName: EventName,
  stack: Pipelines.Pipeline,
  seed: number,
  fleet = 1
): Found => {
  const { capacity, perSecond, step, ...usually }: World = worlds[name]
  const { afterwards = false, errors = 0, incident, patience, roomy = false, times = usual, ...event }: Event =
    events[eventName]
  const cycle: Cycle = { ...usually, ...event.cycle?.[name] }
  const places = placesOf(cycle, step, seed)
  const steps = cycle.cycle / step
  const came = Array.from({ length: steps }, () => 0)
  const failed = Array.from({ length: steps }, () => 0)
  const inside = { came: 0, failed: 0, waited: 0 }
  // the calls that came in the incident, or because of whom it was not over
  let lost = 0
  const load = { perSecond: perSecond * fleet }
  const report = Simulation.run({
    clients: [Client.make({
      load: name === "quiet" ? Load.steady(load) : Load.poisson(load),
      to: Server.make({
        name: "callee",
        times,
        // as busy with answers that take longer
        capacity: capacity === Infinity || roomy ? Infinity : Math.ceil(fleet * capacity * times.mean / usual.mean),
        errors,
        incidents: places.flatMap((during) => incident(during, name) ?? [])
      }),
      through: patience === undefined ? stack : [Timeout.total(patience), stack],
      processes: fleet
    })],
    duration: cycle.cycle * cycle.cycles,
    interval: step,
    seed,
    listener: (event, now) => {
      if (event._tag !== "CallEnded") return
      const millis = Duration.toMillis(event.duration)
      const began = now - millis
      const { from, until } = places[Math.floor(began / cycle.cycle)]!
      const at = Math.floor(began / step) % steps
      const fails = Exit.isFailure(event.exit)
      came[at]!++
      if (fails) failed[at]!++
      if (afterwards ? began >= until : began >= from && began < until) {
        inside.came++
        inside.waited += millis
      }
      if (fails && began >= (afterwards ? until : from)) lost++
    }
  })
  const { attempts, offered } = report.clients[0]!.series
  const first = Math.round(cycle.before / step)
  const last = Math.max(first + 1, Math.round((cycle.before + cycle.length) / step))
  const during = (series: ReadonlyArray<number>): number =>
    series.reduce((sum, n, i) => i % steps >= first && i % steps < last ? sum + n : sum, 0)
  return {
    lost: lost / inside.came,
    load: during(attempts) / during(offered),
    wait: inside.waited / inside.came,
    recovery: step * wellAgain(came, failed, last)
  }
}

/**
 * The metastable failure of Bronson and others (HotOS 2021): a database for 300 requests a second, 280 offered, an outage of 10 s whose
 * messages arrive together at its end, one retry after a limit of a second, and no breaker. So many processes make the calls, each with
 * a budget of its own. Gives the time to recover, up to the end of the run.
 */
export const backlog = (budget: RetryBudget.RetryBudget | undefined, seed: number, processes = 1): number => {
  const seconds = 240
  const report = Simulation.run({
    clients: [Client.make({
      load: Load.poisson({ perSecond: 280 }),
      to: Server.make({ name: "database", capacity: 1, times: Times.constant(second / 300) }),
      network: Network.make({ outages: [{ from: "20 seconds", until: "30 seconds", backlog: "released" }] }),
      through: [Retry.make({ times: 1, budget }), Timeout.attempt("1 second")],
      processes
    })],
    duration: seconds * second,
    seed
  })
  return Report.timeToRecover(report, { after: "30 seconds" }) ?? (seconds - 30) * second
}

/** The share of calls that fail in the hour after an outage that used up the tokens, while one answer in twenty is a failure. */
export const starved = (perMinute: number, budget: RetryBudget.RetryBudget, seed: number): number => {
  const outage = Math.max(minute, 100 * minute / perMinute)
  const report = Simulation.run({
    clients: [Client.make({
      load: Load.steady({ perSecond: perMinute / 60 }),
      to: Server.make({
        name: "callee",
        times: usual,
        errors: 0.05,
        incidents: [Server.crash({ from: 0, until: outage })]
      }),
      // a breaker would have opened for the busy
      through: Pipelines.makeStandardUnsafe({ budget, breaker: { initial: "Disabled" } })
    })],
    duration: outage + hour,
    interval: minute,
    seed
  })
  const { failed, offered } = report.clients[0]!.series
  const after = (series: ReadonlyArray<number>): number =>
    series.reduce((sum, n, i) => i * minute >= outage ? sum + n : sum, 0)
  return after(failed) / after(offered)
}
