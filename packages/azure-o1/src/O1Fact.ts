/**
 * What a client has learnt about its deployments from their answers.
 *
 * A fact changes how the client makes the next requests: which transport it uses, which parameter it leaves out, which
 * deployment it asks first. A fact is no reason to refuse a request, and it expires. Then one call asks again while the
 * others go on with the fact.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"

/**
 * One thing that a deployment was found to do, or not to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fact {
  /** The deployment, or the member of a pool by its name. */
  readonly deployment: string
  /**
   * - `streaming`: it refuses to stream.
   * - `background`: it makes no responses in the background.
   * - `parameter`: it refuses a parameter, or one value of it (with `heal`).
   * - `model`: another model answers than the one that is configured (with `heal`).
   * - `member`: it does not work, or is too slow, so that the others of a pool are asked first.
   * - `pause`: it has asked to be left alone.
   */
  readonly about: "streaming" | "background" | "parameter" | "model" | "member" | "pause"
  /** The name of the parameter, or of the model. */
  readonly parameter: string | undefined
  /** The value that is refused; `undefined` for all values. */
  readonly value: string | undefined
  /** All of it in one sentence. */
  readonly text: string
  /** The time until it is asked again; zero where the next call asks. */
  readonly expiresIn: Duration.Duration
}
