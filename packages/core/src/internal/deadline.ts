import * as Context from "effect/Context"

/** Here and not in `Deadline.ts`, for the timeouts read it and that module is made of them. */
export const Deadline = Context.Reference<number>("@effect-resilience/core/Deadline", {
  defaultValue: () => Infinity
})

/**
 * Whether a stream that is opened here may outlive whoever enforces the deadline: the body of a response does, when the
 * deadline is that of the effect that gives the response. A timeout then keeps its own limits, earlier or not.
 */
export const MayOutliveDeadline = Context.Reference<boolean>("@effect-resilience/core/MayOutliveDeadline", {
  defaultValue: () => false
})
