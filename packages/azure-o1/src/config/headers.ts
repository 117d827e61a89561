import * as Redacted from "effect/Redacted"
import type { AzureO1Config } from "./model.ts"

/** What the client sends itself, or what the connection is made of. */
const own = new Set([
  "accept",
  "accept-encoding",
  "api-key",
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-ms-client-request-id"
])

/** Whether a header may not be given by the configuration. */
export const isOwnHeader = (name: string): boolean => own.has(name.toLowerCase())

const ownQuery = new Set(["stream", "starting_after"])

/** Whether a parameter of the query may not be given by the configuration. */
export const isOwnQuery = (name: string): boolean => ownQuery.has(name)

/** Whether the name of a header or parameter speaks of something that is not to be shown. */
const isSecretName = (name: string): boolean =>
  /key|token|secret|auth|passw|credential|cookie|signature|^sig$|session/i.test(name)

type Values = AzureO1Config["headers"]

export const textOf = (value: string | Redacted.Redacted): string =>
  Redacted.isRedacted(value) ? Redacted.value(value) : value

/** A shorter value is found in texts that tell no secret. */
const shortestGuess = 8

const isSecret = (name: string, value: string | Redacted.Redacted): boolean =>
  Redacted.isRedacted(value)
    ? Redacted.value(value) !== ""
    : isSecretName(name) && value.length >= shortestGuess

const secretsIn = (values: Values = {}): ReadonlyArray<readonly [name: string, value: string]> =>
  Object.entries(values).flatMap(([name, value]) => isSecret(name, value) ? [[name.toLowerCase(), textOf(value)]] : [])

/** The names of headers that hold a secret, by the type of its value or by the name. */
export const secretHeaders = ({ headers }: AzureO1Config): ReadonlyArray<string> =>
  secretsIn(headers).map(([name]) => name)

/** The secrets that every request carries besides the key, in all forms in which they go out. */
export const secretsOf = ({ headers, query }: AzureO1Config): ReadonlyArray<string> => [
  ...secretsIn(headers).map(([, value]) => value),
  ...secretsIn(query).flatMap((
    [, value]
  ) => [value, encodeURIComponent(value), `${new URLSearchParams({ value })}`.slice(6)])
]
