import * as Duration from "effect/Duration"
import { type Order, type Overload, usualOverload } from "../kernel/queue.ts"
import { checkedOptions, integer, invalid, oneOf, positiveMillis } from "./options.ts"

interface Options {
  readonly maxQueue?: number | undefined
  readonly maxWait?: Duration.Input | undefined
  readonly order?: Order | undefined
  readonly overload?:
    | { readonly target?: Duration.Input | undefined; readonly interval?: Duration.Input | undefined }
    | undefined
}

/** How calls wait for a permit. */
export interface Queueing {
  readonly maxQueue: number
  /** in milliseconds */
  readonly maxWait: number
  /** as it was given */
  readonly order: Order | undefined
  readonly overload: Overload | undefined
}

const overloadOf = (where: string, { order, overload }: Options): Overload | undefined => {
  if (overload !== undefined && order !== "adaptive") {
    throw invalid(where, "overload", overload, "left out beside an order that is not \"adaptive\"")
  }
  if (order !== "adaptive") return undefined
  const { interval = usualOverload.interval, target = usualOverload.target } = checkedOptions(
    where,
    overload ?? {},
    "overload"
  )
  return {
    target: positiveMillis(where, "overload.target", target),
    interval: positiveMillis(where, "overload.interval", interval)
  }
}

/** The options that policies with a queue in front have in common. */
export const queueOptions = (where: string, options: Options): Queueing => {
  const { maxWait, order } = options
  if (order !== undefined) oneOf(where, "order", order, ["fifo", "lifo", "adaptive"])
  const maxQueue = integer(where, "maxQueue", options.maxQueue ?? (maxWait === undefined ? 0 : 1000), 0)
  if (maxQueue === 0 && maxWait !== undefined) throw invalid(where, "maxQueue", 0, "an integer >= 1 beside maxWait")
  if (maxQueue === 0 && order !== undefined && order !== "fifo") {
    throw invalid(where, "maxQueue", 0, `an integer >= 1 beside order "${order}"`)
  }
  return {
    maxQueue,
    maxWait: maxWait === undefined ? Infinity : positiveMillis(where, "maxWait", maxWait, { infinite: true }),
    order,
    overload: overloadOf(where, options)
  }
}

/** As a policy's information shows it. */
export const shownOverload = (overload: Overload | undefined): unknown =>
  overload && { target: Duration.millis(overload.target), interval: Duration.millis(overload.interval) }
