import * as Context from "effect/Context"

/** Here and not in `Deadline.ts`, for the timeouts read it and that module is made of them. */
export const Deadline = Context.Reference<number>("@effect-resilience/core/Deadline", {
  defaultValue: () => Infinity
})

/**
 * The deadline that a stream which is opened here may outlive, together with whoever enforces it: the body of a response
 * outlives that of the effect that gives the response, and every stream that of its establishment. Under this very deadline
 * a timeout keeps its own limits, earlier or not; one that a policy inside has published since is enforced for as long as
 * the stream lasts.
 */
export const OutlivedDeadline = Context.Reference<number>("@effect-resilience/core/OutlivedDeadline", {
  defaultValue: () => Infinity
})
