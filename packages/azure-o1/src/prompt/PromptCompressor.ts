import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Role } from "../O1Request.ts"

/**
 * Makes a text shorter and keeps what it says, for example with a model of your own. `Prompt.fit` uses it if it is provided;
 * there is none here, for every good one needs the weights of a model.
 *
 * @category services
 * @since 0.1.0
 */
export class PromptCompressor extends Context.Service<PromptCompressor, {
  /**
   * The text in about `tokens` tokens. An answer that is not shorter is not used, so one that cannot do it gives the text
   * back.
   */
  readonly compress: (text: string, options: { readonly tokens: number; readonly role: Role }) => Effect.Effect<string>
}>()("@effect-resilience/azure-o1/PromptCompressor") {}
