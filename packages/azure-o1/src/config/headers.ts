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
export const isSecretName = (name: string): boolean =>
  /key|token|secret|auth|passw|credential|cookie|signature|^sig$|session/i.test(name)
