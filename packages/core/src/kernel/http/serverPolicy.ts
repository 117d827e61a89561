/** What a server answers for work that a policy has refused or cut off. */

/** A rejection by the limit of a rate is the caller's affair, any other that of the server (RFC 6585 section 4, RFC 9110 section 15.6.4). */
export const rejectedStatus = (rate: boolean): 429 | 503 => rate ? 429 : 503

/** `Retry-After` in whole seconds, rounded up so that nobody comes too early; nothing where nobody knows (RFC 9110 section 10.2.3). */
export const retryAfter = (millis: number | undefined): string | undefined =>
  millis !== undefined && millis > 0 && millis < Infinity ? String(Math.ceil(millis / 1000)) : undefined
