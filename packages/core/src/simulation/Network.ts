/**
 * A network between a caller and a server: it takes time, loses messages, and fails.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { checkedOptions, duration, invalid, ratio } from "../internal/options.ts"
import type { Times } from "./Times.ts"

/**
 * A time in which nothing passes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outage {
  readonly from: Duration.Input
  readonly until: Duration.Input
  /**
   * What becomes of what is sent in that time: it is lost, or it all arrives at the end, as when packets are sent again.
   *
   * @default "lost"
   */
  readonly backlog?: "lost" | "released" | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The time each way.
   *
   * @default none
   */
  readonly delay?: Times | undefined
  /**
   * The share of messages that are lost, each way. A caller learns nothing of a loss.
   *
   * @default 0
   */
  readonly loss?: number | undefined
  /** @default none */
  readonly outages?: ReadonlyArray<Outage> | undefined
}

interface Closing {
  readonly from: number
  readonly until: number
  readonly released: boolean
}

/**
 * A network.
 *
 * @category models
 * @since 0.1.0
 */
export interface Network {
  readonly delay: Times | undefined
  readonly loss: number
  /** in milliseconds since the start */
  readonly outages: ReadonlyArray<Closing>
}

/**
 * Makes a network. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Network => {
  const where = "Network.make"
  const { delay, loss = 0, outages = [] } = checkedOptions(where, options)
  return {
    delay,
    loss: loss === 0 ? 0 : ratio(where, "loss", loss),
    outages: outages.map((outage, i) => {
      const option = `outages[${i}]`
      const from = duration(where, `${option}.from`, outage.from)
      const until = duration(where, `${option}.until`, outage.until)
      if (until <= from) throw invalid(where, `${option}.until`, until, `more than from (${from})`)
      return { from, until, released: outage.backlog === "released" }
    })
  }
}
