import * as Histogram from "@effect-resilience/core/Histogram"
import * as Duration from "effect/Duration"
import type { AttemptObservation, CallObservation, ConnectionObservation, Subject } from "../O1Observation.ts"
import type { ReasoningEffort } from "../O1Request.ts"
import { Generations } from "./generations.ts"
import { isAttemptLimit } from "./outcomes.ts"
import type { MonitorSnapshot, OriginSnapshot, SeriesSnapshot } from "./snapshot.ts"
import { Connections, isEmpty, Tally } from "./tally.ts"

const generations = 2

/** The series that was not used for longest is evicted first. */
class Recent<A> {
  private readonly entries = new Map<string, A>()
  private readonly capacity: number

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get(key: string): A | undefined {
    const found = this.entries.get(key)
    if (found !== undefined) this.set(key, found)
    return found
  }

  /** Gives what had to go. */
  set(key: string, value: A): A | undefined {
    this.entries.delete(key)
    this.entries.set(key, value)
    if (this.entries.size <= this.capacity) return undefined
    const [oldest, evicted] = this.entries.entries().next().value!
    this.entries.delete(oldest)
    return evicted
  }

  delete(key: string): void {
    this.entries.delete(key)
  }

  values(): ReadonlyArray<A> {
    return [...this.entries.values()]
  }

  clear(): void {
    this.entries.clear()
  }
}

interface Series {
  readonly deployment: string
  readonly model: string | undefined
  readonly effort: ReasoningEffort | undefined
  readonly tallies: Generations<Tally>
  /** The limit that last ended an attempt, by the number of the attempt. */
  readonly limits: Array<number>
  /** When the first call was observed here. */
  since: number | undefined
}

interface Origin {
  readonly origin: string
  readonly connections: Generations<Connections>
}

/** Attempts with higher numbers share a limit. */
const maxAttempts = 16

const groupOf = ({ deployment, effort }: Omit<Subject, "model">): string => JSON.stringify([deployment, effort])

const keyOf = (subject: Subject): string => JSON.stringify([subject.deployment, subject.effort, subject.model])

/**
 * Observations, by deployment, model and effort, and by origin. Times in milliseconds on a monotonic clock.
 *
 * An attempt that was cut off does not know its model: it counts for the model that answered last with that effort, or for
 * the first one that answers.
 */
export class Registry {
  private readonly window: number
  private readonly series: Recent<Series>
  private readonly origins: Recent<Origin>
  /** By deployment and effort, the one that answered last. */
  private readonly latest = new Map<string, Series>()

  constructor(window: number, capacity: number) {
    this.window = window
    this.series = new Recent(capacity)
    this.origins = new Recent(capacity)
  }

  attempt(observation: AttemptObservation, now: number): void {
    const { limits, tallies } = this.seriesOf(observation)
    const number = Math.min(observation.attempt, maxAttempts)
    tallies.current(now).attempt(observation, Math.max(0, ...limits.slice(0, number - 1)))
    if (!isAttemptLimit(observation.outcome)) return
    while (limits.length < number) limits.push(0)
    limits[number - 1] = Duration.toMillis(observation.total)
  }

  call(observation: CallObservation, now: number): void {
    const series = this.seriesOf(observation)
    series.since ??= now
    series.tallies.current(now).call(observation)
  }

  connection(observation: ConnectionObservation, now: number): void {
    this.originOf(observation.origin).connections.current(now).add(observation)
  }

  /**
   * How long attempts are waited for, of the model that answered last: to the first output where most of its answers stream, to the
   * end where they do not.
   */
  waitOf(subject: Omit<Subject, "model">, now: number): Histogram.Histogram | undefined {
    const series = this.latest.get(groupOf(subject))
    if (series === undefined) return undefined
    const whole = Histogram.empty()
    const first = Histogram.empty()
    for (const tally of series.tallies.all(now)) {
      const { attempts } = tally.toData()
      whole.merge(attempts.total)
      first.merge(attempts.firstOutput)
    }
    return first.observed * 2 >= whole.observed && first.observed > 0 ? first : whole
  }

  merge({ origins, series }: MonitorSnapshot, now: number): void {
    for (const { attempts, calls, deployment, effort, model } of series) {
      this.seriesOf({ deployment, effort, model }).tallies.current(now).merge({ attempts, calls })
    }
    for (const snapshot of origins) this.originOf(snapshot.origin).connections.current(now).merge(snapshot)
  }

  /** Without what is forgotten. */
  snapshot(now: number): Pick<MonitorSnapshot, "series" | "origins"> {
    return {
      series: this.series.values().map((series) => seriesSnapshot(series, now)).filter((series) => !isEmpty(series)),
      origins: this.origins.values().map((origin) => originSnapshot(origin, now)).filter(({ connect, failed }) =>
        failed + connect.buckets.length > 0
      )
    }
  }

  clear(): void {
    this.series.clear()
    this.origins.clear()
    this.latest.clear()
  }

  private seriesOf(subject: Subject): Series {
    const group = groupOf(subject)
    const latest = this.latest.get(group)
    const known = subject.model === undefined && latest !== undefined ? keyOf(latest) : keyOf(subject)
    const series = this.series.get(known) ?? this.adopt(subject, latest)
    this.latest.set(group, series)
    return series
  }

  /** A new series; or, if so far nobody knew the model, that one under the name it has now. */
  private adopt({ deployment, effort, model }: Subject, latest: Series | undefined): Series {
    const nameless = latest !== undefined && latest.model === undefined ? latest : undefined
    if (nameless !== undefined) this.series.delete(keyOf(nameless))
    const series: Series = {
      deployment,
      model,
      effort,
      tallies: nameless?.tallies ?? new Generations(this.window, generations, () => new Tally()),
      limits: nameless?.limits ?? [],
      since: nameless?.since
    }
    const evicted = this.series.set(keyOf(series), series)
    if (evicted !== undefined && this.latest.get(groupOf(evicted)) === evicted) this.latest.delete(groupOf(evicted))
    return series
  }

  private originOf(name: string): Origin {
    const known = this.origins.get(name)
    if (known !== undefined) return known
    const origin: Origin = {
      origin: name,
      connections: new Generations(this.window, generations, () => new Connections())
    }
    this.origins.set(name, origin)
    return origin
  }
}

/** A rate from less time than this says nothing. */
const shortest = 1000

const rateOf = ({ since, tallies }: Series, now: number): number | undefined => {
  if (since === undefined) return undefined
  const watched = now - Math.max(since, tallies.since(now))
  const calls = tallies.all(now).reduce((sum, { observed }) => sum + observed, 0)
  return watched < shortest || calls < 2 ? undefined : calls * 1000 / watched
}

const seriesSnapshot = (series: Series, now: number): SeriesSnapshot => {
  const { deployment, effort, model, tallies } = series
  const sum = new Tally()
  for (const tally of tallies.all(now)) sum.merge(tally.toData())
  const { attempts, calls } = sum.toData()
  const perSecond = rateOf(series, now)
  return {
    deployment,
    ...model === undefined ? {} : { model },
    ...effort === undefined ? {} : { effort },
    attempts,
    calls: { ...calls, ...perSecond === undefined ? {} : { perSecond } }
  }
}

const originSnapshot = ({ connections, origin }: Origin, now: number): OriginSnapshot => {
  const sum = new Connections()
  for (const part of connections.all(now)) sum.merge({ origin, ...part.toData() })
  return { origin, ...sum.toData() }
}
