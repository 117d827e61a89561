/**
 * A server with a queue and so many requests at once, its bad days, its quota, and the servers behind it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { Balancer } from "../Balancer.ts"
import * as Fault from "../Fault.ts"
import { callable, checkedOptions, duration, finite, integer, invalid, oneOf, ratio } from "../internal/options.ts"
import { type Stack, stackOf, type Through } from "./internal/stack.ts"
import { type Target, targetOf } from "./internal/target.ts"
import type { Network } from "./Network.ts"
import type { Draws, Times } from "./Times.ts"

export { ServerFailed, type Usage } from "./internal/outcome.ts"

/**
 * A time in which a server is not as usual.
 *
 * @category models
 * @since 0.1.0
 */
export type Incident =
  & { readonly from: number; readonly until: number }
  & (
    | { readonly _tag: "Slow"; readonly factor: number }
    | { readonly _tag: "Crash"; readonly silent: boolean }
    | { readonly _tag: "Errors"; readonly ratio: number; readonly fault: Fault.Fault }
    | { readonly _tag: "Capacity"; readonly capacity: number }
  )

/**
 * From when until when, since the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface During {
  readonly from: Duration.Input
  readonly until: Duration.Input
}

const during = (where: string, options: During): { readonly from: number; readonly until: number } => {
  checkedOptions(where, options)
  const from = duration(where, "from", options.from)
  const until = duration(where, "until", options.until)
  if (until <= from) throw invalid(where, "until", until, `more than from (${from})`)
  return { from, until }
}

/**
 * What begins in that time takes `factor` times as long.
 *
 * @category incidents
 * @since 0.1.0
 */
export const slow = (options: During & { readonly factor: number }): Incident => ({
  _tag: "Slow",
  factor: finite("Server.slow", "factor", options.factor, 0),
  ...during("Server.slow", options)
})

/**
 * Everything that is there when it begins fails, and so does everything that comes. With `silent`, callers get no answer at all.
 *
 * @category incidents
 * @since 0.1.0
 */
export const crash = (options: During & { readonly silent?: boolean | undefined }): Incident => ({
  _tag: "Crash",
  silent: options.silent ?? false,
  ...during("Server.crash", options)
})

/**
 * A share of the answers in that time are failures.
 *
 * @category incidents
 * @since 0.1.0
 */
export const errors = (
  options: During & {
    readonly ratio: number
    /** @default Fault.transient() */
    readonly fault?: Fault.Fault | undefined
  }
): Incident => ({
  _tag: "Errors",
  ratio: ratio("Server.errors", "ratio", options.ratio),
  fault: options.fault ?? Fault.transient(),
  ...during("Server.errors", options)
})

/**
 * Another capacity in that time: half of the machines are gone.
 *
 * @category incidents
 * @since 0.1.0
 */
export const capacity = (options: During & { readonly capacity: number }): Incident => ({
  _tag: "Capacity",
  capacity: integer("Server.capacity", "capacity", options.capacity, 1),
  ...during("Server.capacity", options)
})

/**
 * What a minute has room for. The tokens of a request are charged when it comes, with its prompt and the most that it may answer;
 * what it really uses is not given back. Requests are counted in windows of 10 s, tokens in those of a minute. A request
 * without room is refused as `Throttled`, with the pause until the window ends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Quota {
  readonly requestsPerMinute?: number | undefined
  readonly tokensPerMinute?: number | undefined
}

/**
 * The tokens of a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tokens {
  /** Drawn for each request. */
  readonly prompt: Times
  /** Drawn for each answer. */
  readonly completion: Times
  /** The most that an answer may have, which the quota charges. */
  readonly maxCompletion: number
  /** Money for a million tokens. @default 0 */
  readonly price?: { readonly prompt: number; readonly completion: number } | undefined
}

/**
 * A request that has been served, to one who decides how it ends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Served {
  /** The how many-th request that came, from 1. */
  readonly number: number
  /** When its service began, in milliseconds since the start. */
  readonly startedAt: number
  readonly now: number
  readonly random: Draws
}

/**
 * A server that another one calls before it answers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dependency {
  /** That server, or a balancer whose endpoints are servers. */
  readonly to: Server | Balancer<Server>
  /** The policies around each call, outermost first. @default none */
  readonly through?: Through | undefined
  /** For a balancer: the policies between it and the call of one server. @default none */
  readonly perServer?: ((server: Server) => Through) | undefined
  /** @default none: no time passes */
  readonly network?: Network | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For the report. */
  readonly name: string
  /** How long a request is served. */
  readonly times: Times
  /**
   * How many requests are served at once.
   *
   * @default as many as come
   */
  readonly capacity?: number | undefined
  /** Where requests wait. */
  readonly queue?: {
    /**
     * Which one is next. With `"priority"` it is the highest `priority` of a client, and of one priority the oldest.
     *
     * @default "fifo"
     */
    readonly order?: "fifo" | "lifo" | "priority" | undefined
    /**
     * How many wait; another one is refused.
     *
     * @default without end
     */
    readonly limit?: number | undefined
    /**
     * A request whose caller's deadline has passed is dropped when its turn comes.
     *
     * @default false
     */
    readonly dropsExpired?: boolean | undefined
  } | undefined
  /**
   * What becomes of a request whose caller has gone: it is served nevertheless; it leaves the queue, if it is still there; or
   * its service is stopped as well.
   *
   * @default "served"
   */
  readonly abandoned?: "served" | "dropped" | "stopped" | undefined
  /**
   * What a request that brings the deadline of its caller does to the server. `"obeyed"` is what `http/ServerPolicy` does with the header that
   * `ResilientHttpClient` sends: the time that was left when the request was sent, in whole milliseconds, is a limit from the
   * moment in which it comes. Then it is refused as `expired`, wherever it is, and what it has begun is stopped; the servers
   * behind get what is left.
   *
   * @default "ignored"
   */
  readonly deadlines?: "ignored" | "obeyed" | undefined
  /**
   * The share of the answers that are failures, all the time.
   *
   * @default 0
   */
  readonly errors?: number | undefined
  /** @default none */
  readonly incidents?: ReadonlyArray<Incident> | undefined
  /**
   * Each request above `above` that is served or waits makes the service of what begins then longer by the share `factor`:
   * threads that fight for a lock, a heap that is full.
   *
   * @default none
   */
  readonly collapse?: { readonly above: number; readonly factor: number } | undefined
  /** @default none */
  readonly quota?: Quota | undefined
  /** @default none */
  readonly tokens?: Tokens | undefined
  /** What it calls, one after the other, when its own time is over; the request holds its place until then. @default none */
  readonly calls?: ReadonlyArray<Dependency> | undefined
  /** Policies in front of the server, outermost first: what sheds load. @default none */
  readonly through?: Through | undefined
  /**
   * How many processes it has: each has its own instances of the policies, and gets its share of the requests.
   *
   * @default 1
   */
  readonly processes?: number | undefined
  /**
   * Decides how a request ends that was served well; asked once for each run, so that it can keep a state.
   *
   * @default well
   */
  readonly answers?: (() => (served: Served) => Fault.Fault | undefined) | undefined
}

interface Behind {
  readonly to: Target<Server>
  readonly stack: Stack
  readonly network: Network | undefined
}

/**
 * A server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Server {
  readonly name: string
  readonly times: Times
  readonly capacity: number
  readonly order: "fifo" | "lifo" | "priority"
  readonly limit: number
  readonly dropsExpired: boolean
  readonly abandoned: "served" | "dropped" | "stopped"
  readonly deadlines: "ignored" | "obeyed"
  readonly errors: number
  readonly incidents: ReadonlyArray<Incident>
  readonly collapse: { readonly above: number; readonly factor: number } | undefined
  readonly quota: Quota | undefined
  readonly tokens: Tokens | undefined
  readonly calls: ReadonlyArray<Behind>
  /** nothing where no policy is in front */
  readonly stack: Stack | undefined
  readonly processes: number
  readonly answers: (() => (served: Served) => Fault.Fault | undefined) | undefined
}

/**
 * Makes a server. A bad option, and a policy that a simulation does not know, throw a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Server => {
  const where = "Server.make"
  const { answers, calls = [], capacity = Infinity, collapse, name, queue = {}, quota } = checkedOptions(where, options)
  if (typeof name !== "string" || name === "") throw invalid(where, "name", name, "a name for the report")
  checkedOptions(where, queue, "queue")
  return {
    name,
    times: options.times,
    capacity: capacity === Infinity ? capacity : integer(where, "capacity", capacity, 1),
    order: oneOf(where, "queue.order", queue.order ?? "fifo", ["fifo", "lifo", "priority"]),
    limit: queue.limit === undefined ? Infinity : integer(where, "queue.limit", queue.limit, 0),
    dropsExpired: queue.dropsExpired ?? false,
    abandoned: oneOf(where, "abandoned", options.abandoned ?? "served", ["served", "dropped", "stopped"]),
    deadlines: oneOf(where, "deadlines", options.deadlines ?? "ignored", ["ignored", "obeyed"]),
    errors: options.errors === undefined || options.errors === 0 ? 0 : ratio(where, "errors", options.errors),
    incidents: options.incidents ?? [],
    collapse: collapse && {
      above: integer(where, "collapse.above", collapse.above, 0),
      factor: finite(where, "collapse.factor", collapse.factor, 0)
    },
    quota: quota && {
      requestsPerMinute: quota.requestsPerMinute &&
        integer(where, "quota.requestsPerMinute", quota.requestsPerMinute, 1),
      tokensPerMinute: quota.tokensPerMinute && integer(where, "quota.tokensPerMinute", quota.tokensPerMinute, 1)
    },
    tokens: options.tokens,
    calls: calls.map((call) => ({
      to: targetOf(where, call),
      network: call.network,
      stack: stackOf(where, call.through)
    })),
    stack: options.through === undefined ? undefined : stackOf(where, options.through),
    processes: integer(where, "processes", options.processes ?? 1, 1),
    answers: callable(where, "answers", answers)
  }
}
