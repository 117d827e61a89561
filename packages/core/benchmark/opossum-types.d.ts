declare module "opossum" {
  interface Options {
    readonly timeout?: number | false
    readonly errorThresholdPercentage?: number
    readonly volumeThreshold?: number
    readonly rollingCountTimeout?: number
    readonly rollingCountBuckets?: number
    readonly resetTimeout?: number
    readonly enableSnapshots?: boolean
  }

  /** Works for actions that are not asynchronous as well. */
  class CircuitBreaker<Args extends ReadonlyArray<unknown>, A> {
    constructor(action: (...args: Args) => A | Promise<A>, options?: Options)
    fire(...args: Args): Promise<A>
  }

  export default CircuitBreaker
}
