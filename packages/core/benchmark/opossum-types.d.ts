declare module "opossum" {
  export interface Options {
    readonly timeout?: number | false
    readonly errorThresholdPercentage?: number
    readonly volumeThreshold?: number
    readonly rollingCountTimeout?: number
    readonly rollingCountBuckets?: number
    readonly rollingPercentilesEnabled?: boolean
    readonly resetTimeout?: number
    readonly enableSnapshots?: boolean
    readonly capacity?: number
    readonly coalesce?: boolean
    readonly coalesceTTL?: number
    readonly coalesceResetOn?: ReadonlyArray<"success" | "error" | "timeout">
    readonly cacheGetKey?: () => string
  }

  /** Works for actions that are not asynchronous as well. */
  class CircuitBreaker<Args extends ReadonlyArray<unknown>, A> {
    constructor(action: (...args: Args) => A | Promise<A>, options?: Options)
    fire(...args: Args): Promise<A>
  }

  export default CircuitBreaker
}
