/**
 * Where the deployment is, and with which key.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as ModelProfile from "./ModelProfile.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface AzureO1Config {
  /**
   * The resource, for example `https://NAME.openai.azure.com`, or a gateway in front of it, path included. `http://` is
   * accepted for a loopback address only, for the key would be readable on the way.
   */
  readonly endpoint: string
  readonly apiKey: Redacted.Redacted
  /** The name that the deployment was given, which need not be the model's. */
  readonly deployment: string
  /**
   * For example `2024-12-01-preview`, which o1 needs at least. Absent: the v1 path, which has no dated versions.
   */
  readonly apiVersion?: string | undefined
  /**
   * What the deployment's model can be asked.
   *
   * @default ModelProfile.o1
   */
  readonly profile?: ModelProfile.ModelProfile | undefined
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** What is wrong with an endpoint, if anything. */
const endpointProblem = (value: string): string | undefined => {
  if (!URL.canParse(value)) return "must be a URL, for example https://NAME.openai.azure.com"
  const { hash, hostname, password, protocol, search, username } = new URL(value)
  if (username !== "" || password !== "") return "must not contain a user name or password"
  if (search !== "" || hash !== "") {
    return "must not contain a query or fragment: the API version is a setting of its own"
  }
  if (protocol === "https:" || (protocol === "http:" && loopback.test(hostname))) return undefined
  return "must be an https:// URL (http:// only for a loopback address)"
}

const apiKeyProblem = (value: string): string | undefined =>
  /^[\x21-\x7e]+$/.test(value)
    ? undefined
    : "must be the key itself: printable characters without spaces or line breaks"

const deploymentProblem = (value: string): string | undefined =>
  /^[^\s/?#]+$/.test(value) ? undefined : "must be the name of a deployment, without spaces or slashes"

const apiVersionProblem = (value: string): string | undefined =>
  /^\d{4}-\d{2}-\d{2}(-preview)?$/.test(value)
    ? undefined
    : "must be a dated version, for example 2024-12-01-preview, or be left out for the v1 path"

/**
 * Throws a `RangeError` that names the field and what is allowed, never the key.
 *
 * @category guards
 * @since 0.1.0
 */
export const validate = (config: AzureO1Config): AzureO1Config => {
  const problems = {
    endpoint: endpointProblem(config.endpoint),
    apiKey: apiKeyProblem(Redacted.value(config.apiKey)),
    deployment: deploymentProblem(config.deployment),
    apiVersion: config.apiVersion === undefined ? undefined : apiVersionProblem(config.apiVersion)
  }
  for (const [field, problem] of Object.entries(problems)) {
    if (problem !== undefined) throw new RangeError(`AzureO1: ${field} ${problem}`)
  }
  return config
}

const checked = (problem: (value: string) => string | undefined) => Schema.String.check(Schema.makeFilter(problem))

const variable = (name: string, problem: (value: string) => string | undefined): Config.Config<string> =>
  Config.schema(checked(problem), name)

/**
 * Reads `AZURE_OPENAI_ENDPOINT`, `AZURE_OPENAI_API_KEY`, `AZURE_OPENAI_DEPLOYMENT` and `AZURE_OPENAI_API_VERSION` (absent or
 * `v1`: the v1 path). The error names the variable, never the key.
 *
 * **Example** (From a provider of one's own)
 *
 * ```ts import.meta.vitest
 * import { AzureO1Config } from "@effect-resilience/azure-o1"
 * import { ConfigProvider, Effect } from "effect"
 *
 * const provider = ConfigProvider.fromUnknown({
 *   AZURE_OPENAI_ENDPOINT: "https://example.openai.azure.com",
 *   AZURE_OPENAI_API_KEY: "secret",
 *   AZURE_OPENAI_DEPLOYMENT: "o1"
 * })
 *
 * const config = await Effect.runPromise(AzureO1Config.config.parse(provider))
 * config.deployment // => "o1"
 * String(config.apiKey) // => "<redacted>"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const config: Config.Config<AzureO1Config> = Config.all({
  endpoint: variable("AZURE_OPENAI_ENDPOINT", endpointProblem),
  apiKey: Config.schema(Schema.Redacted(checked(apiKeyProblem)), "AZURE_OPENAI_API_KEY"),
  deployment: variable("AZURE_OPENAI_DEPLOYMENT", deploymentProblem),
  apiVersion: Config.option(
    variable("AZURE_OPENAI_API_VERSION", (value) => value === "v1" ? undefined : apiVersionProblem(value))
  )
}).pipe(
  Config.map(({ apiKey, apiVersion, deployment, endpoint }) => ({
    endpoint,
    apiKey,
    deployment,
    apiVersion: Option.getOrUndefined(Option.filter(apiVersion, (value) => value !== "v1"))
  }))
)
