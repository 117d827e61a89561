/**
 * Quantiles of values in bounded memory, even if only a lower bound of some values is known: for example call times, when
 * some calls were cut off before they had answered.
 *
 * **Details**
 *
 * A histogram counts values in buckets that grow by a constant factor. Every quantile is therefore exact to within
 * {@link Options.accuracy} of itself, and histograms can be merged (DDSketch: Masson, Rim and Lee, PVLDB 12, 2019). A call that was
 * cut off after 60 s takes longer than that, and no more is known. Without it, or with 60 s as its answer, the quantiles
 * would drift. The estimator of Kaplan and Meier (JASA 53, 1958) uses exactly the lower bound. If the data ends before a
 * quantile, the answer is that the quantile lies above.
 *
 * The delay that a `Hedge` learns and the limit of an adaptive `Timeout` come from such histograms.
 *
 * **Gotchas**
 *
 * `add` and `merge` change a histogram. It knows neither units nor time: to forget old values, begin a new histogram now and
 * then, and merge the last few.
 *
 * **Example** (Ten calls that were given up after 100 ms)
 *
 * ```ts import.meta.vitest
 * import { Histogram } from "@effect-resilience/core"
 *
 * const latency = Histogram.empty()
 * for (let i = 0; i < 90; i++) latency.add(40)
 * for (let i = 0; i < 10; i++) latency.add(100, { censored: true })
 *
 * latency.quantile(0.9) // => { _tag: "Known", value: 40 }
 * latency.quantile(0.95) // => { _tag: "Above", value: 100 }
 * latency.exceeding(40) // => 0.09999999999999998
 * ```
 *
 * @since 0.1.0
 */
import { integer, invalid } from "./internal/options.ts"
import * as kernel from "./kernel/histogram.ts"

/**
 * How exact a histogram is, and how large it may become.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The relative error of a quantile; more than 0, less than 1.
   *
   * @default 0.02
   */
  readonly accuracy?: number | undefined
  /**
   * The most buckets that are kept: beyond that, the lowest become one. With the accuracy, this decides the range of values
   * that are counted exactly.
   *
   * @default 512, which at an accuracy of 0.02 is a factor of 7e8
   */
  readonly maxBuckets?: number | undefined
}

/**
 * The facts about a value beside its size.
 *
 * @category models
 * @since 0.1.0
 */
export type Observation = kernel.Observation

/**
 * A quantile: known, or somewhere above the value, because too much was cut off before it.
 *
 * @category models
 * @since 0.1.0
 */
export type Estimate = kernel.Estimate

/**
 * What a bucket holds: values of more than `from`, up to `to`.
 *
 * @category models
 * @since 0.1.0
 */
export type Bar = kernel.Bar

/**
 * A histogram as plain data, which JSON keeps.
 *
 * @category models
 * @since 0.1.0
 */
export type Data = kernel.Data

/**
 * A histogram.
 *
 * @category models
 * @since 0.1.0
 */
export interface Histogram {
  readonly accuracy: number
  /** The weight of the values that were seen. */
  readonly observed: number
  /** The weight of the values that were cut off. */
  readonly censored: number
  /** The smallest value that was seen; infinite without one. */
  readonly min: number
  /** The largest value that was seen; minus infinity without one. */
  readonly max: number
  /** The largest value, seen or cut off; 0 without one. */
  readonly longest: number
  /** Counts a value. It ignores a value that is negative or not finite, and a weight that is not positive. */
  readonly add: (value: number, observation?: Observation) => void
  /** Adds another histogram, as if its values had been added here. In any order and grouping the result is the same. */
  readonly merge: (other: Data) => void
  /** The smallest value that a share of at least `q` does not exceed; `undefined` without data. */
  readonly quantile: (q: number) => Estimate | undefined
  /** The same for the seen values alone, as if nothing had been cut off. */
  readonly observedQuantile: (q: number) => number | undefined
  /** The share that exceeds a value; `undefined` without data, or if everything was cut off before it. */
  readonly exceeding: (value: number) => number | undefined
  /** The counts of seen and cut-off values, bucket by bucket, without the empty ones. */
  readonly bars: () => ReadonlyArray<Bar>
  readonly toData: () => Data
}

/**
 * Makes a histogram without values. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty = ({ accuracy = 0.02, maxBuckets = 512 }: Options = {}): Histogram => {
  const where = "Histogram.empty"
  if (!(typeof accuracy === "number" && accuracy > 0 && accuracy < 1)) {
    throw invalid(where, "accuracy", accuracy, "a number > 0 and < 1")
  }
  return new kernel.Histogram(accuracy, integer(where, "maxBuckets", maxBuckets, 1))
}

/**
 * Makes a histogram from another one's {@link Data}, of this or another process.
 *
 * **Example** (What two processes have seen)
 *
 * ```ts import.meta.vitest
 * import { Histogram } from "@effect-resilience/core"
 *
 * const [here, there] = [Histogram.empty(), Histogram.empty()]
 * here.add(10)
 * there.add(30)
 * const both = Histogram.fromData(JSON.parse(JSON.stringify(here.toData())))
 * both.merge(there.toData())
 *
 * both.observed // => 2
 * both.quantile(1) // => { _tag: "Known", value: 30 }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromData = (data: Data): Histogram => kernel.Histogram.from(data)
