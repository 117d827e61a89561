import * as Duration from "effect/Duration"
import * as Formatter from "effect/Formatter"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ModelProfile from "../ModelProfile.ts"
import { isOwnHeader, isOwnQuery } from "./headers.ts"
import { memoryOf } from "./memory.ts"
import type { AzureO1Config, Problem } from "./model.ts"
import { pathsOf } from "./paths.ts"

/** What it was instead, as far as it can be shown. */
const got = (value: unknown): string => `, got ${Formatter.format(value).slice(0, 100)}`

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

export const isLoopback = (hostname: string): boolean => loopback.test(hostname)

/** The problem of an endpoint, if it has one. */
const endpointProblem = (value: string): string | undefined => {
  if (typeof value !== "string" || !URL.canParse(value)) {
    return "must be a URL, for example https://NAME.openai.azure.com"
  }
  const { hash, hostname, password, protocol, search, username } = new URL(value)
  if (username !== "" || password !== "") return "must not contain a user name or password"
  if (search !== "" || hash !== "") {
    return "must not contain a query or fragment: apiVersion and query are settings of their own"
  }
  if (protocol === "https:" || (protocol === "http:" && isLoopback(hostname))) return undefined
  return `must be an https:// URL (http:// only for a loopback address)${got(value)}`
}

const apiKeyProblem = (value: unknown): string | undefined =>
  typeof value === "string" && /^[\x21-\x7e]+$/.test(value)
    ? undefined
    : "must be the key itself: printable characters without spaces or line breaks"

const authProblem = ({ apiKey, credential }: AzureO1Config): string | undefined => {
  if (apiKey === undefined) return credential === undefined ? "or credential must be given" : undefined
  return credential === undefined
    ? apiKeyProblem(Redacted.value(apiKey))
    : "and credential are two ways to the same end: give one of them"
}

const isHeaderName = (name: string): boolean => /^[\w!#$%&'*+.^`|~-]+$/.test(name)

const apiKeyHeaderProblem = (name: string | undefined): string | undefined => {
  if (name === undefined || /^(api-key|authorization)$/i.test(name)) return undefined
  return isHeaderName(name) && !isOwnHeader(name)
    ? undefined
    : `must be the name of a header that the client does not send itself${got(name)}`
}

const deploymentProblem = (value: string): string | undefined =>
  typeof value === "string" && /^[^\s/?#]+$/.test(value)
    ? undefined
    : `must be the name of a deployment, without spaces or slashes${got(value)}`

const apiVersionProblem = (config: AzureO1Config): string | undefined => {
  const { apiVersion } = config
  if (apiVersion === undefined) return undefined
  if (pathsOf(config) === "openai") return "must be left out: only the paths of Azure have dated versions"
  return /^\d{4}-\d{2}-\d{2}(-preview)?$/.test(apiVersion)
    ? undefined
    : `must be a dated version, for example 2024-12-01-preview, or be left out for the v1 path${got(apiVersion)}`
}

/** The v1 path has all of it; of the dated versions, those from March 2025 on have the Responses API. */
export const hasResponses = (apiVersion: string | undefined): boolean =>
  apiVersion === undefined || apiVersion >= "2025-03-01-preview"

const apiProblem = ({ api, apiVersion, profile = ModelProfile.o1 }: AzureO1Config): string | undefined => {
  if (api !== undefined && !profile.apis.includes(api)) {
    return `must be ${profile.apis.join(" or ")}: ${profile.name} has no other${got(api)}`
  }
  return (api ?? profile.apis[0]) === "responses" && !hasResponses(apiVersion)
    ? "responses needs the v1 path or an apiVersion from 2025-03-01-preview on"
    : undefined
}

/** The problem of a duration that may be absent, if it has one. */
export const durationProblem = (value: Duration.Input | undefined): string | undefined => {
  if (value === undefined) return undefined
  const duration = Option.getOrUndefined(Duration.fromInput(value))
  return duration !== undefined && Duration.isPositive(duration) && Duration.isFinite(duration)
    ? undefined
    : `must be a finite duration > 0, for example "2 seconds"${got(value)}`
}

const longestProblem = (config: AzureO1Config): string | undefined => {
  const { memory } = config
  const problem = durationProblem(memory?.longest)
  if (problem !== undefined || durationProblem(memory?.expiry) !== undefined) return problem
  const { expiry, longest } = memoryOf(config)
  return longest >= expiry
    ? undefined
    : `must be at least memory.expiry, ${Duration.format(Duration.millis(expiry))}${got(memory?.longest)}`
}

const leastBody = 1024

const maxBodyBytesProblem = (value: number | undefined): string | undefined =>
  value === undefined || (Number.isSafeInteger(value) && value >= leastBody)
    ? undefined
    : `must be an integer >= ${leastBody}${got(value)}`

const cloudProblem = (value: unknown): string | undefined =>
  value === undefined || value === "public" || value === "us-government" || value === "china"
    ? undefined
    : `must be public, us-government or china${got(value)}`

const pathsProblem = (value: unknown): string | undefined =>
  value === undefined || value === "azure" || value === "openai" ? undefined : `must be azure or openai${got(value)}`

const flagProblem = (value: unknown): string | undefined =>
  value === undefined || typeof value === "boolean" ? undefined : `must be true or false${got(value)}`

type Found = ReadonlyArray<readonly [field: string, problem: string | undefined]>

const headerProblems = ({ apiKeyHeader, headers = {} }: AzureO1Config): Found =>
  Object.entries(headers).map(([name, value]) => {
    const text: unknown = Redacted.isRedacted(value) ? Redacted.value(value) : value
    const problem = !isHeaderName(name)
      ? "is no name of a header"
      : isOwnHeader(name) || name.toLowerCase() === apiKeyHeader?.toLowerCase()
      ? "is sent by the client itself, and cannot be replaced"
      : typeof text === "string" && /^[\t\x20-\x7e\x80-\xff]+$/.test(text)
      ? undefined
      : "must have a value without line breaks"
    return [`headers.${name}`, problem]
  })

const queryProblems = ({ apiVersion, query = {} }: AzureO1Config): Found =>
  Object.entries(query).map(([name, value]) => {
    const text: unknown = Redacted.isRedacted(value) ? Redacted.value(value) : value
    const problem = isOwnQuery(name) || (name === "api-version" && apiVersion !== undefined)
      ? "is sent by the client itself, and cannot be replaced"
      : typeof text === "string"
      ? undefined
      : "must be a text"
    return [`query.${name}`, problem]
  })

/** Everything that is wrong with a configuration, in the order of its fields. */
export const problems = (config: AzureO1Config): ReadonlyArray<Problem> => {
  const found: Found = [
    ["endpoint", endpointProblem(config.endpoint)],
    ["paths", pathsProblem(config.paths)],
    ["apiKey", authProblem(config)],
    ["apiKeyHeader", apiKeyHeaderProblem(config.apiKeyHeader)],
    ["tokenTimeout", durationProblem(config.tokenTimeout)],
    ["cloud", cloudProblem(config.cloud)],
    ["deployment", deploymentProblem(config.deployment)],
    ["apiVersion", apiVersionProblem(config)],
    ["api", apiProblem(config)],
    ["store", flagProblem(config.store)],
    ["heal", flagProblem(config.heal)],
    ["pollInterval", durationProblem(config.pollInterval)],
    ["memory.expiry", durationProblem(config.memory?.expiry)],
    ["memory.longest", longestProblem(config)],
    ["clocks.headers", durationProblem(config.clocks?.headers)],
    ["clocks.firstByte", durationProblem(config.clocks?.firstByte)],
    ["clocks.first", durationProblem(config.clocks?.first)],
    ["clocks.byteIdle", durationProblem(config.clocks?.byteIdle)],
    ...headerProblems(config),
    ...queryProblems(config),
    ["maxBodyBytes", maxBodyBytesProblem(config.maxBodyBytes)]
  ]
  return found.flatMap(([field, problem]) => problem === undefined ? [] : [{ field, problem }])
}
