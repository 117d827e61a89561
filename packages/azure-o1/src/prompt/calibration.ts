/**
 * What an estimate is to be multiplied by, learnt from what the service has charged. Pure: the state goes in and out.
 *
 * @since 0.1.0
 */

/**
 * How an estimate is corrected.
 *
 * @category models
 * @since 0.1.0
 */
export interface CalibrationOptions {
  /**
   * The least and the most that an estimate is multiplied by, from 0.1 to 10.
   *
   * @default 0.5 and 2
   */
  readonly min?: number | undefined
  readonly max?: number | undefined
  /**
   * After so many further observations one has half its weight, at least 1.
   *
   * @default 20
   */
  readonly halfLife?: number | undefined
  /**
   * The estimate itself weighs as much as an observation of so many tokens, at least 1: a few short prompts change little.
   *
   * @default 2000
   */
  readonly prior?: number | undefined
}

export interface Calibration {
  /** Tokens so far, the older ones weighted less. */
  readonly estimated: number
  readonly actual: number
}

export const initial: Calibration = { estimated: 0, actual: 0 }

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value))

/** Throws a `RangeError` that names the option and what is allowed. */
export const resolve = (options: CalibrationOptions = {}): Required<{ [K in keyof CalibrationOptions]: number }> => {
  const resolved = {
    min: options.min ?? 0.5,
    max: options.max ?? 2,
    halfLife: options.halfLife ?? 20,
    prior: options.prior ?? 2000
  }
  const problem = (name: keyof CalibrationOptions, allowed: string): RangeError =>
    new RangeError(`TokenCounter.calibrated: ${name} must be ${allowed}, got ${resolved[name]}`)
  if (!(resolved.min >= 0.1 && resolved.min <= 1)) throw problem("min", "from 0.1 to 1")
  if (!(resolved.max >= 1 && resolved.max <= 10)) throw problem("max", "from 1 to 10")
  if (!(resolved.halfLife >= 1)) throw problem("halfLife", "at least 1")
  if (!(resolved.prior >= 1)) throw problem("prior", "at least 1")
  return resolved
}

type Resolved = ReturnType<typeof resolve>

/** One prompt more: what was estimated, and what it was. One that lies beyond the bounds counts as if it lay on them. */
export const observe = (
  { actual, estimated }: Calibration,
  prompt: Calibration,
  { halfLife, max, min }: Resolved
): Calibration => {
  if (!(prompt.estimated > 0 && prompt.actual > 0)) return { actual, estimated }
  const weight = 2 ** (-1 / halfLife)
  return {
    estimated: estimated * weight + prompt.estimated,
    actual: actual * weight + clamp(prompt.actual, min * prompt.estimated, max * prompt.estimated)
  }
}

export const factor = ({ actual, estimated }: Calibration, { max, min, prior }: Resolved): number =>
  clamp((actual + prior) / (estimated + prior), min, max)
