import { type Details, O1ConnectionError, type O1Error, O1TimeoutError } from "../O1Error.ts"
import * as json from "./json.ts"
import { clean } from "./words.ts"

const connectionKinds: ReadonlyArray<readonly [RegExp, O1ConnectionError["kind"]]> = [
  [/^(ECONNREFUSED|ConnectionRefused|E(NET|HOST)(UNREACH|DOWN)|EADDRNOTAVAIL)$/, "refused"],
  [/^(ECONNRESET|EPIPE|ECONNABORTED|ConnectionReset)$/, "reset"],
  [/^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/, "dns"],
  [/^(ERR_TLS|CERT_|ERR_SSL|EPROTO)|_CERT|_SIGNATURE$|^SELF_SIGNED|^UNABLE_TO_(GET|VERIFY)/, "tls"]
]

const timeoutKinds = new Map<string, O1TimeoutError["kind"]>([
  ["UND_ERR_CONNECT_TIMEOUT", "connect"],
  ["ETIMEDOUT", "connect"],
  ["UND_ERR_HEADERS_TIMEOUT", "headers"],
  ["UND_ERR_BODY_TIMEOUT", "idle"]
])

/** The platform's code, which may be some causes down. */
const codeOf = (cause: unknown, depth = 0): string | undefined => {
  if (depth > 5 || typeof cause !== "object" || cause === null) return undefined
  const code = json.string(json.at(cause, "code"))
  // UND_ERR_SOCKET stands for whatever happened to the socket, and its cause may say what
  if (code !== undefined && code !== "UND_ERR_SOCKET") return code
  return codeOf(json.at(cause, "cause"), depth + 1) ?? codeOf(json.at(cause, "errors", 0), depth + 1) ??
    codeOf(json.at(cause, "reason"), depth + 1) ?? code
}

/** What a client says that is closed, or that was asked for what it cannot do. */
const unusableCodes = /^(UND_ERR_(DESTROYED|CLOSED|INVALID_ARG|NOT_SUPPORTED)|ERR_INVALID_.*|ERR_HTTP_INVALID_.*)$/

/** What runtimes say of a network that fails, with an error of the kind that bugs have. */
const networkWords = /fetch|network|load failed|terminated|connection|sending request/i

/** An error that speaks of the program, and not of the network. */
const isBug = (cause: unknown): cause is Error =>
  (cause instanceof TypeError || cause instanceof ReferenceError || cause instanceof RangeError ||
    cause instanceof SyntaxError) && cause.cause === undefined && !networkWords.test(cause.message)

/** What did not come from the endpoint, but from the proxy on the way: a status, or a code of the platform. */
const proxy = /^PROXY_/

const fromProxy = (code: string, details: Details): O1ConnectionError => {
  const what = code.replace(proxy, "")
  const kind = /^4\d\d$/.test(what)
    ? "unusable"
    : connectionKinds.find(([pattern]) => pattern.test(what))?.[1] ?? "refused"
  const detail = /^\d+$/.test(what) ? `the proxy answered ${what} to the tunnel` : "the proxy could not be reached"
  return new O1ConnectionError({ kind, code, ...details, detail })
}

/** The error that a bug in the HTTP client stands for. */
export const fromBug = (cause: unknown, details: Details): O1Error => {
  const name = json.string(json.at(cause, "name"))
  return new O1ConnectionError({
    kind: "unusable",
    code: codeOf(cause),
    reason: name === undefined ? undefined : clean(name),
    ...details
  })
}

/**
 * The error that a failure of the connection stands for. Of the cause only the code, and the name of a bug, are kept: it holds the
 * request, and with it the key.
 */
export const fromCause = (cause: unknown, details: Details): O1Error => {
  const code = codeOf(cause)
  const timeout = code === undefined ? undefined : timeoutKinds.get(code)
  if (timeout !== undefined) return new O1TimeoutError({ kind: timeout, ...details })
  if (code !== undefined && proxy.test(code)) return fromProxy(code, details)
  if (code === undefined ? isBug(cause) : unusableCodes.test(code)) return fromBug(cause, details)
  const kind = connectionKinds.find(([pattern]) => code !== undefined && pattern.test(code))?.[1] ?? "closed"
  return new O1ConnectionError({ kind, code, ...details })
}
