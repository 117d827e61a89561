/** The parts of a forecast: plain data. Times in milliseconds. */

/** One stack in one run. */
export interface Seen {
  readonly seed: number
  readonly offered: number
  /** Calls that were answered well while the caller waited. */
  readonly succeeded: number
  /** Calls that were answered well when the caller had gone. */
  readonly late: number
  /** Requests that were sent. */
  readonly sent: number
  /** Of the calls that succeeded; 0 where none did. */
  readonly p50: number
  readonly p99: number
  readonly tokens: number
  readonly money: number
  /** Requests that the quota refused. */
  readonly refused: number
  /** The share of the places that was busy; `null` where there is no end of them. */
  readonly busy: number | null
  /** The most that were served at once, of all deployments. */
  readonly atOnce: number
  /** Calls that failed, by reason. */
  readonly failures: Readonly<Record<string, number>>
  /** What came during the outage, and the calls that came after it; `null` without one. */
  readonly outage: {
    readonly offered: number
    readonly succeeded: number
    readonly sent: number
    readonly after: number
  } | null
  /** The time from the end of the outage until calls succeed again; `null` if they do not, or without an outage. */
  readonly recovers: number | null
}

/** One stack over all runs. */
export interface Row {
  readonly name: string
  /** How the stack is written. */
  readonly code: string
  readonly seen: ReadonlyArray<Seen>
  /** Of all calls of all runs. */
  readonly success: number
  readonly p50: number
  readonly p99: number
  /** Requests for each call. */
  readonly sent: number
  /** Tokens for each call that succeeded. */
  readonly tokens: number
  /** Money for a thousand calls that succeeded. */
  readonly money: number
  /** The median over the runs with calls after the outage; `null` if more than half of these do not recover, or there is none. */
  readonly recovers: number | null
  /** With one number for each part of the run, over all runs; `null` where nothing was offered. */
  readonly series: {
    readonly success: ReadonlyArray<number | null>
    /** Requests per second. */
    readonly sent: ReadonlyArray<number>
    readonly p99: ReadonlyArray<number | null>
  }
}

/** The load and the service that were simulated. */
export interface Setting {
  /** Of the load that was asked for. */
  readonly perSecond: number
  /** The part of it that was simulated, with as much of the capacity and the quota. */
  readonly share: number
  /** The part of a process that each simulated one is: its calls at once are as many. */
  readonly part: number
  readonly duration: number
  readonly seeds: number
  /** Calls of one run, on average. */
  readonly calls: number
  /** How long a caller waits. */
  readonly patience: number
  /** How long one request takes. */
  readonly times: { readonly mean: number; readonly p50: number; readonly p99: number }
  /** The limit of an attempt that follows from that. */
  readonly attempt: number
  readonly deployments: number
  /** As many as are simulated. */
  readonly processes: number
  readonly errors: number
  /** Of each deployment. */
  readonly capacity: number | null
  /** Of each deployment. */
  readonly requestsPerMinute: number | null
  /** Of each deployment. */
  readonly tokensPerMinute: number | null
  /** The tokens that a request is charged, on average. */
  readonly charge: number
  readonly priced: boolean
  readonly outage:
    | {
      readonly kind: "down" | "silent" | "slow"
      readonly from: number
      readonly until: number
      readonly deployments: number
    }
    | null
}

/**
 * What some stacks would do with a load: plain data, which JSON keeps. Times in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Forecast {
  readonly setting: Setting
  /** The row to which the parts are put: the better one of `standard` and `fitted`. */
  readonly base: string
  readonly rows: ReadonlyArray<Row>
}
