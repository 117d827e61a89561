/** What runs have counted: plain data. */

/**
 * Times in milliseconds, exact to within 2 %; 0 where there are none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Latency {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/**
 * What a client has offered, and what it got. A row of `series` has one number for each interval.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientReport {
  readonly name: string
  /** Calls that have begun. Each of them succeeds, fails or is unfinished. */
  readonly offered: number
  readonly succeeded: number
  readonly failed: number
  /** Calls that had not ended when the run did: nobody ever answered them. */
  readonly unfinished: number
  /** Requests that were sent, of all attempts. */
  readonly attempts: number
  /** Requests for each call. */
  readonly amplification: number
  /** The share of the calls that succeeded. */
  readonly success: number
  /** The calls that failed, by the tag of the error, or by the reason that the server gave. */
  readonly failures: Readonly<Record<string, number>>
  /** Of the calls that succeeded, waits and all attempts included. */
  readonly latency: Latency
  /** When the last call ended, in milliseconds since the start. */
  readonly finishedAt: number
  readonly series: {
    readonly offered: ReadonlyArray<number>
    readonly attempts: ReadonlyArray<number>
    /** Goodput: calls that succeeded in the interval. */
    readonly succeeded: ReadonlyArray<number>
    readonly failed: ReadonlyArray<number>
    /** Latencies of what succeeded in the interval, `null` where nothing did. */
    readonly p50: ReadonlyArray<number | null>
    readonly p95: ReadonlyArray<number | null>
    readonly p99: ReadonlyArray<number | null>
  }
}

/**
 * What a server has had to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerReport {
  readonly name: string
  /** Requests that came. */
  readonly arrived: number
  /** Requests that were answered after they were served, failures included. */
  readonly served: number
  /** Requests that were served, or begun, and whose caller had gone. */
  readonly wasted: number
  /** Of the requests that were served or wasted, those that failed. */
  readonly failed: number
  /** Requests that were not served, by reason: `full`, `expired`, `crashed`, `quota`, `abandoned`. */
  readonly refused: Readonly<Record<string, number>>
  /** Requests for each call of all clients. */
  readonly amplification: number
  /** The share of its places that was busy; `null` where there is no end of them. */
  readonly utilization: number | null
  /** The time in the queue, of all requests that were served. */
  readonly waited: Latency
  readonly tokens: { readonly prompt: number; readonly completion: number }
  /** What the tokens cost. */
  readonly money: number
  readonly series: {
    readonly arrived: ReadonlyArray<number>
    readonly served: ReadonlyArray<number>
    readonly wasted: ReadonlyArray<number>
    readonly refused: ReadonlyArray<number>
    /** The longest that the queue was. */
    readonly queue: ReadonlyArray<number>
    /** The most that were served at once. */
    readonly inService: ReadonlyArray<number>
  }
}

/**
 * The report of a run. Times in milliseconds since the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly seed: number
  readonly duration: number
  /** What the series count together. */
  readonly interval: number
  /** How many events the run had: a measure of its work, and of its being the same. */
  readonly events: number
  /** In the order in which they were given. */
  readonly clients: ReadonlyArray<ClientReport>
  /** In the order in which they were found. */
  readonly servers: ReadonlyArray<ServerReport>
}

/**
 * The mean of several seeds, and the interval that holds the true mean with 95 % confidence (Student's t). Of one seed, all three are
 * the same.
 *
 * @category models
 * @since 0.1.0
 */
export interface Estimate {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/**
 * One number for each interval of the run: the mean of the seeds, the lowest and the highest of them. `null` where none has one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Spread {
  readonly mean: ReadonlyArray<number | null>
  readonly low: ReadonlyArray<number | null>
  readonly high: ReadonlyArray<number | null>
}

/**
 * What one of several stacks has come to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Compared {
  readonly name: string
  readonly seeds: ReadonlyArray<number>
  /** Calls that have begun. */
  readonly offered: Estimate
  /** The share of them that succeeded. */
  readonly success: Estimate
  /** Calls that succeeded, per second. */
  readonly goodput: Estimate
  /** Requests that the client has sent for each call. */
  readonly amplification: Estimate
  /** Latencies of what succeeded. */
  readonly p50: Estimate
  readonly p95: Estimate
  readonly p99: Estimate
  /** The milliseconds until the client was well again, for each seed; `null` if it never was. Only where `after` was given. */
  readonly recovery?: ReadonlyArray<number | null> | undefined
  /** Of all servers together, as all that follows. Requests that came. */
  readonly requests: Estimate
  /** Those that were served for nobody. */
  readonly wasted: Estimate
  /** Those that were not served. */
  readonly refused: Estimate
  readonly tokens: Estimate
  readonly money: Estimate
  readonly series: {
    readonly offered: Spread
    readonly succeeded: Spread
    readonly p50: Spread
    readonly p95: Spread
    readonly p99: Spread
  }
}

/**
 * Several stacks side by side: plain data, which JSON keeps.
 *
 * @category models
 * @since 0.1.0
 */
export interface Comparison {
  readonly duration: number
  /** What the series count together. */
  readonly interval: number
  /** In the order in which they were given. */
  readonly stacks: ReadonlyArray<Compared>
}
