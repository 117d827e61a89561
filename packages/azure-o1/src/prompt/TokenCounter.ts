/**
 * How many tokens a prompt is: an estimate that needs nothing, the exact count of gpt-tokenizer, or an estimate that learns
 * from what the service charges.
 *
 * **Example** (The estimate, and the exact count)
 *
 * ```ts import.meta.vitest
 * import { TokenCounter } from "@effect-resilience/azure-o1"
 * import { Effect } from "effect"
 *
 * const count = TokenCounter.count("A good prompt is short, clear and complete.")
 *
 * await Effect.runPromise(count) // => 11
 * await Effect.runPromise(Effect.provide(count, TokenCounter.layerExact)) // => 10
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Usage } from "../O1Completion.ts"
import type { O1Request } from "../O1Request.ts"
import * as Calibration from "./calibration.ts"
import { type Count, countRequestWith, type RequestTokens } from "./countRequest.ts"
import { estimate } from "./estimate.ts"
import { exact, type TokenizerUnavailable } from "./tokenizer.ts"

/**
 * What counts tokens.
 *
 * @category services
 * @since 0.1.0
 */
export interface TokenCounter {
  /** For example `estimate` or `o200k_base`. */
  readonly name: string
  readonly count: Count
  /** Tells what the service has charged for a request. Most counters have nothing to learn. */
  readonly observe: (request: O1Request, usage: Pick<Usage, "input">) => Effect.Effect<void>
}

const make = (name: string, count: Count): TokenCounter => ({ name, count, observe: () => Effect.void })

const reference = Context.Reference<TokenCounter>("@effect-resilience/azure-o1/TokenCounter", {
  defaultValue: () => make("estimate", estimate)
})

const hasPictures = ({ messages }: O1Request): boolean =>
  messages.some(({ content }) => typeof content !== "string" && content.some(({ type }) => type !== "text"))

const calibrated = (
  options?: Calibration.CalibrationOptions & { readonly base?: TokenCounter | undefined }
): TokenCounter => {
  const settings = Calibration.resolve(options)
  const base = options?.base ?? make("estimate", estimate)
  let state = Calibration.initial
  return {
    name: `calibrated ${base.name}`,
    count: (text) => Math.ceil(base.count(text) * Calibration.factor(state, settings)),
    observe: (request, { input }) =>
      Effect.sync(() => {
        // nobody knows which part of the charge was the pictures'
        if (hasPictures(request)) return
        const fixed = countRequestWith(request, () => 0).total
        const estimated = countRequestWith(request, base.count).total
        state = Calibration.observe(state, { estimated: estimated - fixed, actual: input - fixed }, settings)
      })
  }
}

/**
 * The counter that `Prompt.lint`, `Prompt.fit` and other callers use: the estimate, unless a layer says otherwise.
 *
 * @category services
 * @since 0.1.0
 */
export const TokenCounter: Context.Reference<TokenCounter> & {
  /**
   * The estimate as a plain function: pure, linear, without a vocabulary. How far it is off by kind of text is in the
   * guide on prompts.
   */
  readonly estimate: Count
  /** A counter of your own. */
  readonly make: (name: string, count: Count) => TokenCounter
  /**
   * The exact count of o200k_base, the vocabulary of the reasoning models. Needs the package `gpt-tokenizer`, which is loaded
   * when the layer is built, and not before.
   */
  readonly layerExact: Layer.Layer<never, TokenizerUnavailable>
  /**
   * A counter that corrects another one, the estimate by default, by the share that the service charged more or less. It has
   * a memory of its own; throws a `RangeError` if an option is out of range.
   */
  readonly calibrated: typeof calibrated
  /** `calibrated` as a layer. */
  readonly layerCalibrated: (options?: Parameters<typeof calibrated>[0]) => Layer.Layer<never>
  /** Counts a text. */
  readonly count: (text: string) => Effect.Effect<number>
  /** Counts a request, by message. */
  readonly countRequest: (request: O1Request) => Effect.Effect<RequestTokens>
  /** Tells the counter what the service has charged; nothing if there is no usage. */
  readonly observe: (request: O1Request, usage: Pick<Usage, "input"> | undefined) => Effect.Effect<void>
} = Object.assign(reference, {
  estimate,
  make,
  calibrated,
  layerExact: Layer.effect(reference, Effect.map(exact(), (count) => make("o200k_base", count))),
  layerCalibrated: (options?: Parameters<typeof calibrated>[0]) => Layer.sync(reference, () => calibrated(options)),
  count: (text: string) => Effect.map(reference, ({ count }) => count(text)),
  countRequest: (request: O1Request) => Effect.map(reference, ({ count }) => countRequestWith(request, count)),
  observe: (request: O1Request, usage: Pick<Usage, "input"> | undefined) =>
    usage === undefined ? Effect.void : Effect.flatMap(reference, (counter) => counter.observe(request, usage))
})
