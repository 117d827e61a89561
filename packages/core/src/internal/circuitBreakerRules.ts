import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type * as Fault from "../Fault.ts"
import type { Rules, State } from "../kernel/circuitBreaker.ts"
import { slowOf, type Trip, tripsOf } from "../kernel/trip.ts"
import { lastMillis } from "../kernel/window.ts"
import { callable, checkedOptions, duration, integer, invalid, positiveMillis, ratio } from "./options.ts"

export interface HalfOpen {
  readonly probes?: number | undefined
  readonly ratio?: number | undefined
  readonly lease?: Duration.Input | undefined
}

/** As in `CircuitBreaker.ts`, where it is explained. */
export interface Options {
  readonly name?: string | undefined
  readonly trip?: Trip | ReadonlyArray<Trip> | undefined
  readonly open?: Duration.Input | Schedule.Schedule<unknown, number> | undefined
  readonly retryAfter?: { readonly maxDelay?: Duration.Input | undefined } | undefined
  readonly halfOpen?: HalfOpen | undefined
  readonly hangsAfter?: Duration.Input | undefined
  readonly classify?: Fault.Classify<any> | undefined
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
  readonly initial?: State | undefined
}

const where = "CircuitBreaker.make"

/** The default of a rule about failures, over a time. */
export const failuresWithin = (millis: number): Trip => ({
  kind: "failure-rate",
  ratio: 0.5,
  minCalls: 20,
  over: lastMillis(millis)
})

const defaultTrip = failuresWithin(30_000)
const defaultOpen = Schedule.min([Schedule.exponential("10 seconds"), Schedule.spaced("30 seconds")])

export const states: ReadonlyArray<State> = ["Closed", "Open", "HalfOpen", "Isolated", "MetricsOnly", "Disabled"]

/** The least number of probes that is the ratio of them; a product may be rounded up beyond it. */
const requiredOf = (ratio: number, probes: number): number => {
  const required = Math.ceil(ratio * probes)
  return (required - 1) / probes >= ratio ? required - 1 : required
}

const kinds: ReadonlyArray<string> = ["consecutive", "failure-rate", "slow-rate"] satisfies ReadonlyArray<Trip["kind"]>
const isTrip = (trip: unknown): boolean => Predicate.hasProperty(trip, "kind") && kinds.includes(String(trip.kind))

/** In milliseconds, where nothing else is said. */
export const defaultHangsAfter = 1000

/** How long a call has to have been under way for a deadline that ends it to speak against the callee, in milliseconds. */
export const hangsAfterOf = ({ classify, hangsAfter }: Options): number => {
  if (hangsAfter !== undefined && classify !== undefined) {
    throw invalid(
      where,
      "hangsAfter",
      hangsAfter,
      "left out where there is a classify, which replaces the rule about deadlines"
    )
  }
  return duration(where, "hangsAfter", hangsAfter ?? defaultHangsAfter)
}

export const rulesOf = (options: Options): Rules => {
  checkedOptions(where, options)
  const { initial = "Closed" } = options
  if (!states.includes(initial)) throw invalid(where, "initial", initial, `one of ${states.join(", ")}`)
  callable(where, "classify", options.classify)
  callable(where, "result", options.result)
  const trips = options.trip ?? defaultTrip
  for (const trip of tripsOf(trips)) {
    if (!isTrip(trip)) throw invalid(where, "trip", trip, "a rule: consecutive, failureRate or slowRate")
  }
  if (tripsOf(trips).length === 0) throw invalid(where, "trip", "none", "at least one rule")
  if (tripsOf(trips).filter(({ kind }) => kind === "slow-rate").length > 1) {
    throw invalid(where, "trip", "several", "rules with at most one slowRate among them")
  }
  const { halfOpen = {} } = options
  checkedOptions(where, halfOpen, "halfOpen")
  if (options.retryAfter !== undefined) checkedOptions(where, options.retryAfter, "retryAfter")
  const probes = integer(where, "halfOpen.probes", halfOpen.probes ?? 1, 1)
  return {
    trips,
    openFor: options.open === undefined ? defaultOpenFor : openForOf(options.open),
    hintCap: options.retryAfter === undefined
      ? 0
      : positiveMillis(where, "retryAfter.maxDelay", options.retryAfter.maxDelay ?? "5 minutes"),
    probes,
    required: requiredOf(ratio(where, "halfOpen.ratio", halfOpen.ratio ?? 1), probes),
    lease: positiveMillis(where, "halfOpen.lease", halfOpen.lease ?? "30 seconds", { infinite: true })
  }
}

const openForOf = (open: Duration.Input | Schedule.Schedule<unknown, number>): Rules["openFor"] => {
  if (!Schedule.isSchedule(open)) return positiveMillis(where, "open", open)
  // beside the circuits: of thousands that share the default few are ever open
  const all = new WeakMap<object, Played>()
  return (opening, circuit) => {
    let played = all.get(circuit)
    // from the beginning also where the last row had one opening only: a delay with jitter is drawn anew
    if (played === undefined || opening === 1) all.set(circuit, played = new Played(open))
    return Effect.runSyncWith(Fiber.getCurrent()?.context ?? Context.empty())(played.delay(opening))
  }
}

type Step = Effect.Success<ReturnType<typeof Schedule.toStep<unknown, number, never, never>>>

/**
 * Plays a schedule on a time that only its own delays advance, as `effect/persistence`'s circuit breaker does. Each opening
 * goes on from the one before it: a callee may be away for thousands of them.
 */
class Played {
  opening = 0
  private readonly schedule: Schedule.Schedule<unknown, number>
  private step: Step | undefined = undefined
  private time = 0
  private last = 0
  private done = false

  constructor(schedule: Schedule.Schedule<unknown, number>) {
    this.schedule = schedule
  }

  delay(opening: number): Effect.Effect<number> {
    return Effect.gen({ self: this }, function*() {
      const step = this.step ??= yield* Schedule.toStep(this.schedule)
      for (; this.opening < opening; this.opening++) {
        if (this.done) continue
        const delay = yield* step(this.time, this.opening + 1).pipe(
          Effect.map(([, delay]) => Duration.toMillis(delay)),
          Pull.catchDone(() => Effect.undefined)
        )
        if (delay === undefined) this.done = true
        else {
          this.last = delay
          this.time += delay
        }
      }
      return this.last
    })
  }
}

const defaultOpenFor = openForOf(defaultOpen)

/** The rules, to be compared with other times. `Policy.explain` puts them into words. */
export class ShownTrips {
  readonly all: ReadonlyArray<Trip>

  constructor(trips: ReadonlyArray<Trip>) {
    this.all = trips
  }

  /** The span of the shortest window of time, in milliseconds. */
  get shortestWindow(): number {
    return Math.min(...this.all.map((trip) => "over" in trip ? trip.over.millis ?? Infinity : Infinity))
  }

  /** How long a call takes that is slow, in milliseconds. */
  get slowAfter(): number | undefined {
    return slowOf(this.all)?.after
  }
}

export interface Settings extends Readonly<Record<string, unknown>> {
  readonly trip: ShownTrips
  readonly retryAfter: Duration.Duration | undefined
  readonly halfOpen: HalfOpen | undefined
}

export const settingsOf = (options: Options): Settings => {
  const { halfOpen, hangsAfter, initial, open, retryAfter } = options
  return {
    trip: new ShownTrips(tripsOf(options.trip ?? defaultTrip)),
    open: open === undefined
      ? "10s doubling to 30s"
      : Schedule.isSchedule(open)
      ? "custom"
      : Duration.fromInputUnsafe(open),
    retryAfter: retryAfter && Duration.fromInputUnsafe(retryAfter.maxDelay ?? "5 minutes"),
    halfOpen,
    hangsAfter: hangsAfter === undefined ? undefined : Duration.fromInputUnsafe(hangsAfter),
    initial
  }
}
