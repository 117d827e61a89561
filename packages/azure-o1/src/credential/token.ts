import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import { O1AuthError } from "../O1Error.ts"
import * as errors from "../wire/errors.ts"

/** A token that can be sent, with the moments that matter. Milliseconds since the epoch. */
export interface Token {
  readonly value: string
  /** From then on it is renewed. */
  readonly renewAt: number
  /** From then on it is not sent any more. */
  readonly endsAt: number
}

/** Renewed this long before it expires, unless the token says when. */
const renewBefore = 5 * 60_000

/** No longer trusted this long before it expires: the clocks of two machines differ. */
const margin = 10_000

const longestDetail = 500

/** What looks like a secret, in the words of somebody who had one in hand. */
const secrets: ReadonlyArray<readonly [RegExp, string]> = [
  [/\beyJ[\w-]+(\.[\w-]*)*/g, "<redacted>"],
  [/\b(bearer)\s+[^\s"',;]+/gi, "$1 <redacted>"],
  [
    /\b((?:\w*_)?(?:secret|assertion|password|token|apikey|api_key|sig))(["']?\s*[=:]\s*["']?)[^\s"'&,;]+/gi,
    "$1$2<redacted>"
  ]
]

const guid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Whether a long word is neither one of a language nor one of the ids that support asks for. */
const isOpaque = (word: string): boolean => /\d/.test(word) && /[a-z]/i.test(word) && !guid.test(word)

/** The words of a credential without line breaks, without what it must not tell, and not too many of them. */
const shown = (words: string, known: Iterable<string>): string => {
  let text = words
  for (const secret of known) if (secret !== "") text = text.replaceAll(secret, "<redacted>")
  for (const [pattern, instead] of secrets) text = text.replace(pattern, instead)
  text = text.replace(/[\w+=-]{24,}/g, (word) => isOpaque(word) ? "<redacted>" : word)
  return text.replace(/[\p{Cc}\u2028\u2029\s]+/gu, " ").trim().slice(0, longestDetail)
}

const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && !Number.isNaN(value) ? value : undefined

/** What a credential gave: a token, or why it is none, without a letter of it. */
export const read = (given: unknown): Token | O1AuthError => {
  const value = Predicate.hasProperty(given, "token") ? given.token : undefined
  if (typeof value !== "string" || value === "") return gaveNone("it answered without one")
  if (!/^[\x21-\x7e]+$/.test(value)) {
    return gaveNone("what it gave has characters that no header can hold, such as a line break or a space")
  }
  const { expiresOnTimestamp, refreshAfterTimestamp } = given as { readonly [field: string]: unknown }
  // one that does not say how long it is good is good for the calls that wait for it
  const expires = numberOf(expiresOnTimestamp) ?? -Infinity
  return { value, endsAt: expires - margin, renewAt: numberOf(refreshAfterTimestamp) ?? expires - renewBefore }
}

const gaveNone = (detail: string): O1AuthError => new O1AuthError({ kind: "credential", detail })

/** The failure of a credential. A network that fails may pass, and so may the load of a login service. */
export const failure = (cause: unknown, known: Iterable<string>): O1AuthError => {
  const network = errors.fromCause(cause, {})
  const code = network._tag === "O1ConnectionError" ? network.code : network.kind
  const status = Predicate.hasProperty(cause, "statusCode") ? numberOf(cause.statusCode) : undefined
  const passes = status === undefined
    ? code !== undefined && /^(E[A-Z]|UND_ERR_|REQUEST_SEND_ERROR|connect$|headers$|idle$)/.test(code) &&
      !/^ERR_|^ENOENT$|^EACCES$/.test(code)
    : status === 408 || status === 429 || status >= 500
  // what is no error may be anything, a token as well
  const words = cause instanceof Error ? `${cause.name}: ${cause.message}` : "it failed without saying why"
  return new O1AuthError({
    kind: "credential",
    detail: shown(words, known),
    ...passes ? { shouldRetry: true } : {}
  })
}

const saidNothing = (limit: Duration.Duration, whose: string, passes: boolean): O1AuthError =>
  new O1AuthError({
    kind: "credential",
    detail: `it said nothing within ${Duration.format(limit)} (${whose})`,
    ...passes ? { shouldRetry: true } : {}
  })

/** The failure of a credential that says nothing at all. */
export const silent = (limit: Duration.Duration): O1AuthError => saidNothing(limit, "tokenTimeout", true)

/** The failure of one that says nothing while an attempt may wait. */
export const late = (limit: Duration.Duration): O1AuthError => saidNothing(limit, "the limit of the attempt", true)

/** The failure of one that says nothing until the call is over. */
export const tooLate = (limit: Duration.Duration): O1AuthError => saidNothing(limit, "the total of the call", false)
