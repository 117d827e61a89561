import type { Told } from "./told.ts"

const named = (status: number, ...codes: ReadonlyArray<string>): ReadonlyArray<readonly [string, number]> =>
  codes.map((code) => [code, status])

/**
 * What a code means where no status tells: in a failed response, in the middle of a stream, in a 200. Those of OpenAI's
 * failed responses and agents, and Azure's; without underscores, for both ways of writing are in use.
 */
const statuses = new Map<string, number>([
  ...named(
    400,
    "contentfilter",
    "invalidprompt",
    "invalidrequesterror",
    "contextlengthexceeded",
    "stringabovemaxlength",
    "operationnotsupported",
    "dataresidencymismatch",
    "emptyimagefile",
    "failedtodownloadimage",
    "unknownparameter",
    "maxoutputtokens",
    "activeturnnotsteerable",
    "executorversionincompatible",
    "badrequest"
  ),
  ...named(401, "unauthorized", "invalidapikey", "permissiondenied", "authenticationerror"),
  ...named(403, "forbidden", "authenticationtypedisabled"),
  ...named(404, "deploymentnotfound", "modelnotfound", "resourcenotfound", "notfound"),
  ...named(408, "timeout", "requesttimeout", "vectorstoretimeout"),
  ...named(
    429,
    "ratelimitexceeded",
    "ratelimitreached",
    "ratelimiterror",
    "toomanyrequests",
    "flexunavailable",
    "insufficientquota",
    "billingnotactive",
    "creditbalanceexhausted",
    "sessionbudgetexceeded",
    "usagelimitexceeded",
    "projectspendlimitexceeded",
    "organizationspendlimitexceeded",
    "organizationusagelimitexceeded"
  ),
  ...named(500, "servererror", "internalerror", "internalservererror", "sandboxerror"),
  ...named(503, "serviceunavailable", "overloaded", "serveroverloaded", "connectionfailed")
])

/** Used up for longer than a minute: no pause of seconds helps. */
export const quotaCodes = new Set([
  "insufficient_quota",
  "billing_not_active",
  "credit_balance_exhausted",
  "session_budget_exceeded",
  "usage_limit_exceeded",
  "project_spend_limit_exceeded",
  "organization_spend_limit_exceeded",
  "organization_usage_limit_exceeded"
])

/** A prompt, or what is in it, offends a policy of the service. */
export const isPolicy = (code: string): boolean => code === "invalid_prompt" || /policy/.test(code)

const ofTheRequest = /^(invalid|image|unsupported)/

/** The status that the words of an error stand for. What nobody knows is the service's failure, unless it points at the request. */
export const statusOfTold = ({ code, param, status, type }: Told): number => {
  if (status !== undefined) return status
  const numeric = Number(code)
  if (numeric >= 400 && numeric < 600) return numeric
  const word = code.replaceAll("_", "")
  const known = statuses.get(word)
  if (known !== undefined) return known
  if (ofTheRequest.test(word) || isPolicy(code) || (word !== "" && param !== undefined)) return 400
  const kind = type.replaceAll("_", "")
  return statuses.get(kind) ?? (ofTheRequest.test(kind) || param !== undefined ? 400 : 500)
}
