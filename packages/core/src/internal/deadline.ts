import * as Context from "effect/Context"

/** Here and not in `Deadline.ts`, for the timeouts read it and that module is made of them. */
export const Deadline = Context.Reference<number>("@effect-resilience/core/Deadline", {
  defaultValue: () => Infinity
})
