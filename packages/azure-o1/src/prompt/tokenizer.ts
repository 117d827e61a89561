import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Count } from "./countRequest.ts"

/**
 * The tokenizer that an exact count needs is not installed, or cannot be loaded.
 *
 * @category errors
 * @since 0.1.0
 */
export class TokenizerUnavailable extends Data.TaggedError("TokenizerUnavailable")<{
  /** The package to install. */
  readonly package: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.package} could not be loaded: add it to the dependencies ("npm install ${this.package}"), or leave it ` +
      "to the estimate, which needs nothing"
  }
}

/** The part of gpt-tokenizer that is used. */
export interface Tokenizer {
  readonly countTokens: (text: string, options: { readonly disallowedSpecial: Set<string> }) => number
}

// bundlers take an import within `try` for optional, and fail on any other whose package is missing
const load = async (): Promise<Tokenizer> => {
  try {
    return await import("gpt-tokenizer/encoding/o200k_base")
  } catch (cause) {
    throw new Error("gpt-tokenizer/encoding/o200k_base cannot be imported", { cause })
  }
}

// a tokenizer's time grows with the square of a piece's length, and a piece is a run of letters, of marks or of blanks
const longest = 512
const long = /[\p{L}\p{M}]{513,}|[^\s\p{L}\p{N}]{513,}|\s{513,}/gu

/** Counts, in time that grows with the length of the text only. A very long run is cut, which adds a token now and then. */
const bounded = (count: Count): Count => (text) => {
  let total = 0
  let from = 0
  for (const { 0: run, index } of text.matchAll(long)) {
    total += count(text.slice(from, index))
    for (let at = 0; at < run.length; at += longest) total += count(run.slice(at, at + longest))
    from = index + run.length
  }
  return from === 0 ? count(text) : total + count(text.slice(from))
}

/** The exact count; what looks like one of the tokenizer's control tokens in a prompt is text, as it is for the service. */
export const exact = (tokenizer: () => Promise<Tokenizer> = load): Effect.Effect<Count, TokenizerUnavailable> =>
  Effect.tryPromise({
    try: tokenizer,
    catch: (cause) => new TokenizerUnavailable({ package: "gpt-tokenizer", cause })
  }).pipe(
    Effect.map(({ countTokens }) => {
      const options = { disallowedSpecial: new Set<string>() }
      return bounded((text) => countTokens(text, options))
    })
  )
