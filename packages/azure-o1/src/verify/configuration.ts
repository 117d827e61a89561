import * as AzureO1Config from "../AzureO1Config.ts"
import { baseOf, deploymentIn, pathsOf } from "../config/paths.ts"
import { durationProblem, isLoopback } from "../config/problems.ts"
import type { Cloud } from "../Credential.ts"
import * as ModelProfile from "../ModelProfile.ts"
import { fail, pass, warn } from "./finding.ts"
import type { Finding, Options } from "./model.ts"

const tokensProblem = (value: number | undefined): string | undefined =>
  value === undefined || (Number.isSafeInteger(value) && value >= 0)
    ? undefined
    : `must be an integer >= 0, got ${value}`

const probes: ReadonlySet<unknown> = new Set([undefined, "none", "cheap", "real"])

const optionProblems = ({ probe, retirementWarning, timeout, typicalRequest }: Options) => ({
  "options.probe": probes.has(probe) ? undefined : "must be none, cheap or real",
  "options.timeout": durationProblem(timeout),
  "options.retirementWarning": durationProblem(retirementWarning),
  "options.typicalRequest.promptTokens": tokensProblem(typicalRequest?.promptTokens),
  "options.typicalRequest.maxCompletionTokens": tokensProblem(typicalRequest?.maxCompletionTokens)
})

/** What makes it pointless to ask the deployment. */
export const problems = (config: AzureO1Config.AzureO1Config, options: Options): ReadonlyArray<Finding> => [
  ...AzureO1Config.problems(config).map(({ field, problem }) =>
    fail("config", `${field} ${problem}.`, `Correct ${field} of the configuration.`, { field })
  ),
  ...Object.entries(optionProblems(options)).flatMap(([field, problem]) =>
    problem === undefined ? [] : [fail("config", `${field} ${problem}.`, `Correct ${field}.`, { field })]
  )
]

/** The first version with developer messages and reasoning effort, which o1 and its successors are asked with. */
const reasoningSince = "2024-12-01-preview"

/** The last dated version; what came later is on the v1 path only. */
const lastDated = "2025-04-01-preview"

const day = (apiVersion: string): string => apiVersion.slice(0, 10)

/** Whether a configuration without problems fits the model. */
export const advice = (
  { apiVersion, profile = ModelProfile.o1 }: AzureO1Config.AzureO1Config
): ReadonlyArray<Finding> => {
  const fix = `Leave apiVersion out for the v1 path, or set ${lastDated}.`
  const details = { apiVersion }
  if (apiVersion === undefined) {
    return [pass("config", "The configuration is complete, and the v1 path has no versions.")]
  }
  if (profile.efforts.length > 0 && day(apiVersion) < day(reasoningSince)) {
    return [warn(
      "config",
      `apiVersion ${apiVersion} is too old for ${profile.name}: developer messages and reasoning effort came with ${reasoningSince}.`,
      fix,
      details
    )]
  }
  if (day(apiVersion) > day(lastDated)) {
    return [warn("config", `apiVersion ${apiVersion} is not known here: the last one was ${lastDated}.`, fix, details)]
  }
  return [pass("config", `The configuration is complete, and apiVersion ${apiVersion} is enough.`, details)]
}

/** What a host is, as far as its name tells. */
export type HostKind = "resource" | "regional" | "gateway" | "loopback" | "portal" | "openai"

const resources = /\.(openai|services\.ai|cognitiveservices)\.azure\.(com|us|cn)$/
const portals = /(^|\.)portal\.azure\.(com|us|cn)$|^(ai|oai)\.azure\.(com|us|cn)$/
const regional = /\.api\.cognitive\.(microsoft\.com|microsoft\.us|azure\.cn)$/

export const hostKind = (host: string): HostKind => {
  if (isLoopback(host)) return "loopback"
  if (resources.test(host)) return "resource"
  if (portals.test(host)) return "portal"
  if (regional.test(host)) return "regional"
  return host === "api.openai.com" ? "openai" : "gateway"
}

const clouds: { readonly [domain: string]: Cloud } = { com: "public", us: "us-government", cn: "china" }

const project = /^\/api\/projects\/[^/]+$/

const resource = (config: AzureO1Config.AzureO1Config, url: URL): Finding => {
  const { apiVersion, cloud = "public", credential, scope } = config
  const details = { host: url.host, kind: "resource" }
  const path = url.pathname.replace(/\/$/, "")
  const actual = clouds[url.hostname.slice(url.hostname.lastIndexOf(".") + 1)]!
  if (path !== "" && !project.test(path)) {
    return warn(
      "endpoint",
      `The endpoint has the path ${path}, which the paths of the API are put after.`,
      `Set the endpoint to ${url.origin}: deployment and API version are settings of their own.`,
      details
    )
  }
  if (path !== "" && apiVersion !== undefined) {
    return warn(
      "endpoint",
      "The endpoint is that of a project, which has no dated API versions.",
      "Leave apiVersion out.",
      details
    )
  }
  if (credential !== undefined && scope === undefined && actual !== cloud) {
    return warn(
      "endpoint",
      `The endpoint is in the cloud "${actual}", but tokens are asked for "${cloud}".`,
      `Set cloud to "${actual}".`,
      details
    )
  }
  return pass("endpoint", `${url.host} is a resource of Azure.`, details)
}

const gateway = ({ host, hostname }: URL): string =>
  hostname.endsWith(".azure-api.net")
    ? `${host} is API Management: it drops connections that are silent for four minutes, and buffers streams unless told not to.`
    : `${host} is not a name of Azure's, so it is taken for a gateway in front of it.`

/** What the endpoint looks like. Only for a configuration without problems. */
export const endpoint = (config: AzureO1Config.AzureO1Config): Finding => {
  const url = new URL(baseOf(config))
  const kind = hostKind(url.hostname)
  const details = { host: url.host, kind }
  const named = deploymentIn(config.endpoint)
  if (named !== undefined && named !== config.deployment) {
    return warn(
      "endpoint",
      `The endpoint was copied with the deployment "${named}", but "${config.deployment}" is asked.`,
      `Set the endpoint to ${url.href}, and deployment to the one that is meant.`,
      details
    )
  }
  switch (kind) {
    case "resource":
      return resource(config, url)
    case "loopback":
      return pass("endpoint", "The endpoint is this machine.", details)
    case "gateway":
      return pass("endpoint", gateway(url), details)
    case "regional":
      return warn(
        "endpoint",
        `${url.host} is shared by a whole region: deployments have a host of their own, and Entra ID works only there.`,
        "Set the endpoint that the portal shows for the resource, such as https://NAME.openai.azure.com.",
        details
      )
    case "portal":
      return warn(
        "endpoint",
        `${url.host} is a portal for people, not the API.`,
        "Set the endpoint that the portal shows for the resource, such as https://NAME.openai.azure.com.",
        details
      )
    case "openai":
      return pathsOf(config) === "openai"
        ? pass("endpoint", "api.openai.com is OpenAI itself.", details)
        : warn(
          "endpoint",
          "api.openai.com is OpenAI itself, without the paths of Azure.",
          "Set the endpoint of the Azure resource, such as https://NAME.openai.azure.com, or https://api.openai.com/v1.",
          details
        )
  }
}
