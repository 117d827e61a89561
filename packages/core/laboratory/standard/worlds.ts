/** The workloads, and what goes wrong in them. Times in milliseconds. */
import { Server, Times } from "../../src/simulation/index.ts"

/** One incident, and all of a cycle that a run repeats: before it, it, and after it. */
export interface Cycle {
  readonly before: number
  readonly length: number
  readonly cycle: number
  readonly cycles: number
}

export interface World extends Cycle {
  readonly perSecond: number
  /** how many requests the callee serves at once, 70 % busy */
  readonly capacity: number
  /** what a recovery is counted in */
  readonly step: number
}

export const second = 1000
export const minute = 60 * second
export const hour = 60 * minute

/** Half of the answers within 40 ms, one in a hundred later than 300 ms. */
export const usual = Times.logNormal({ median: 40, p99: 300 })

/** One answer in a hundred is a report that takes seconds. */
const heavy = Times.mix([[0.99, usual], [0.01, Times.uniform({ from: second, to: 8 * second })]])

const placesFor = (perSecond: number): number => Math.ceil(perSecond * usual.mean / second / 0.7)

export const worlds = {
  quiet: {
    perSecond: 1 / 60,
    capacity: Infinity,
    step: minute,
    before: 8 * hour,
    length: 10 * minute,
    cycle: 12 * hour,
    cycles: 10
  },
  busy: {
    perSecond: 100,
    capacity: placesFor(100),
    step: second,
    before: 40 * second,
    length: 20 * second,
    cycle: 120 * second,
    cycles: 2
  },
  // one of twenty processes, with a twentieth of the callee: the policies of each see no more than that
  peak: {
    perSecond: 500,
    capacity: placesFor(500),
    step: second,
    before: 32 * second,
    length: 20 * second,
    cycle: 80 * second,
    cycles: 1
  },
  // one of ten thousand processes: hardly enough calls for the breaker to open
  thin: {
    perSecond: 1,
    capacity: Infinity,
    step: second,
    before: 40 * second,
    length: 20 * second,
    cycle: 120 * second,
    cycles: 20
  }
} as const satisfies Readonly<Record<string, World>>

export type WorldName = keyof typeof worlds

export interface Event {
  readonly incident: (during: { readonly from: number; readonly until: number }, world: WorldName) =>
    | Server.Incident
    | undefined
  /** the share of answers that are failures all the time */
  readonly errors?: number
  readonly times?: Times.Times
  /** what differs from the cycle of the world */
  readonly cycle?: Readonly<Partial<Record<WorldName, Partial<Cycle>>>>
  /** only calls that begin after the incident count */
  readonly afterwards?: boolean
  /** how long each caller waits */
  readonly patience?: number
  /** the callee has places for as many as come */
  readonly roomy?: boolean
  /** a call a minute knows no difference to another event */
  readonly notQuiet?: boolean
}

const long: Partial<Cycle> = { before: 32 * second, length: 2 * minute, cycle: 5 * minute, cycles: 1 }

export const events = {
  "a blip": {
    incident: Server.crash,
    cycle: {
      quiet: { before: 10 * minute, length: 2 * second, cycle: 20 * minute, cycles: 100 },
      busy: { length: 2 * second },
      peak: { length: 2 * second }
    }
  },
  "an outage": { incident: Server.crash },
  "a long outage": {
    incident: Server.crash,
    notQuiet: true,
    cycle: { busy: long, peak: long, thin: { ...long, cycles: 10 } }
  },
  "an outage of eight minutes": {
    incident: Server.crash,
    notQuiet: true,
    cycle: {
      busy: { ...long, length: 8 * minute, cycle: 15 * minute },
      thin: { ...long, length: 8 * minute, cycle: 15 * minute, cycles: 10 }
    }
  },
  "a hang": { incident: (during) => Server.crash({ ...during, silent: true }) },
  "a long hang": {
    incident: (during) => Server.crash({ ...during, silent: true }),
    notQuiet: true,
    cycle: { busy: long, peak: long, thin: { ...long, cycles: 10 } }
  },
  // twice as much as the places can do, where there is an end of them
  "a slow phase": { incident: (during, world) => Server.slow({ ...during, factor: world === "quiet" ? 30 : 3 }) },
  "5 % errors": { incident: (during) => Server.errors({ ...during, ratio: 0.05 }) },
  "30 % errors": {
    incident: (during) => Server.errors({ ...during, ratio: 0.3 }),
    cycle: { thin: { ...long, cycles: 20 } }
  },
  "a burst of errors": {
    incident: (during) => Server.errors({ ...during, ratio: 0.3 }),
    notQuiet: true,
    cycle: { busy: { length: 2 * second }, peak: { length: second } }
  },
  "after an outage": {
    incident: Server.crash,
    errors: 0.05,
    afterwards: true,
    cycle: { quiet: { before: 12 * hour, length: hour, cycle: 24 * hour } }
  },
  "slow answers": { incident: () => undefined, times: heavy },
  "a hang, callers wait 1.5 s": { incident: (during) => Server.crash({ ...during, silent: true }), patience: 1500 },
  // somewhat more than half of the answers come too late for them
  "a slow phase, callers wait 0.3 s": {
    incident: (during) => Server.slow({ ...during, factor: 9 }),
    patience: 300,
    roomy: true,
    cycle: { busy: { length: minute, cycle: 2 * minute }, peak: { length: minute, cycle: 2 * minute } }
  }
} as const satisfies Readonly<Record<string, Event>>

export type EventName = keyof typeof events

/** Whether there is such a thing in this workload. */
export const isMet = (world: WorldName, name: EventName): boolean => {
  const event: Event = events[name]
  return world !== "quiet" || event.notQuiet !== true
}
