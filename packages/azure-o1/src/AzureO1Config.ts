/**
 * Where the deployment is, and with which key.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Formatter from "effect/Formatter"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Credential from "./Credential.ts"
import * as ModelProfile from "./ModelProfile.ts"

/**
 * The limits of the phases of one attempt, each with an error kind of its own. Only answers that stream have phases: a plain
 * one shows nothing before it is complete. None is set by default, for the policy limits the attempt as a whole and the
 * silence between pieces of content. How long a connection may take to be made is an option of the HTTP client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Clocks {
  /** From the request to the headers of the answer: `O1TimeoutError` of kind `headers`. */
  readonly headers?: Duration.Input | undefined
  /** From the headers to the first byte: `first-byte`. */
  readonly firstByte?: Duration.Input | undefined
  /** From the request to the first content: `first`. Reasoning can take minutes. */
  readonly first?: Duration.Input | undefined
  /**
   * The longest silence on the connection, comments and keep-alives counting as sound: `byte-idle`. A model that reasons may
   * be silent for minutes.
   */
  readonly byteIdle?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface AzureO1Config {
  /**
   * The resource, for example `https://NAME.openai.azure.com` or `https://NAME.services.ai.azure.com`, a project of the
   * latter, or a gateway in front of it, path included. `http://` is accepted for a loopback address only, for the key would
   * be readable on the way.
   */
  readonly endpoint: string
  /** Either a key or a `credential`. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** Entra ID: what gives tokens, for example the `DefaultAzureCredential` of `@azure/identity`. */
  readonly credential?: Credential.TokenCredential | undefined
  /**
   * The scope of the tokens.
   *
   * @default that of the cloud, for the v1 path or the dated versions
   */
  readonly scope?: string | undefined
  /**
   * How long the credential may take to give a token; then all calls that wait for it fail with an `O1AuthError` of kind
   * `credential`.
   *
   * @default "30 seconds"
   */
  readonly tokenTimeout?: Duration.Input | undefined
  /** @default "public" */
  readonly cloud?: Credential.Cloud | undefined
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
  /**
   * Which API carries the calls.
   *
   * @default the first of the profile
   */
  readonly api?: ModelProfile.Api | undefined
  /**
   * Whether the service may keep responses, as it does for 30 days by default. Without, nothing is made in the background
   * and no answer can be resumed.
   *
   * @default true
   */
  readonly store?: boolean | undefined
  /**
   * How often a response that is made in the background is asked for, once it has been for a while; at first sooner.
   *
   * @default "2 seconds"
   */
  readonly pollInterval?: Duration.Input | undefined
  /**
   * Whether the client may adapt when the deployment is not as configured: leave out a parameter that it refuses, and follow
   * the model that really answers. Every such step is a warning and a `Healed` event.
   *
   * @default false
   */
  readonly heal?: boolean | undefined
  readonly clocks?: Clocks | undefined
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

const authProblem = ({ apiKey, credential }: AzureO1Config): string | undefined => {
  if (apiKey === undefined) return credential === undefined ? "or credential must be given" : undefined
  return credential === undefined
    ? apiKeyProblem(Redacted.value(apiKey))
    : "and credential are two ways to the same end: give one of them"
}

const deploymentProblem = (value: string): string | undefined =>
  /^[^\s/?#]+$/.test(value) ? undefined : "must be the name of a deployment, without spaces or slashes"

const apiVersionProblem = (value: string): string | undefined =>
  /^\d{4}-\d{2}-\d{2}(-preview)?$/.test(value)
    ? undefined
    : "must be a dated version, for example 2024-12-01-preview, or be left out for the v1 path"

/** The v1 path has all of it; of the dated versions, those from March 2025 on have the Responses API. */
const hasResponses = (apiVersion: string | undefined): boolean =>
  apiVersion === undefined || apiVersion >= "2025-03-01-preview"

const apiProblem = ({ api, apiVersion, profile = ModelProfile.o1 }: AzureO1Config): string | undefined => {
  if (api !== undefined && !profile.apis.includes(api)) {
    return `must be ${profile.apis.join(" or ")}: ${profile.name} has no other, got ${JSON.stringify(api)}`
  }
  return apiOf({ api, profile }) === "responses" && !hasResponses(apiVersion)
    ? "responses needs the v1 path or an apiVersion from 2025-03-01-preview on"
    : undefined
}

/** Which API carries the calls. */
export const apiOf = ({ api, profile = ModelProfile.o1 }: Pick<AzureO1Config, "api" | "profile">): ModelProfile.Api =>
  api ?? profile.apis[0]

/** Whether responses can be made in the background: only the v1 path has that. */
export const hasBackground = ({ apiVersion, store }: AzureO1Config): boolean =>
  apiVersion === undefined && store !== false

const durationProblem = (value: Duration.Input | undefined): string | undefined => {
  if (value === undefined) return undefined
  const duration = Option.getOrUndefined(Duration.fromInput(value))
  return duration !== undefined && Duration.isPositive(duration) && Duration.isFinite(duration)
    ? undefined
    : `must be a finite duration > 0, got ${Formatter.format(value)}`
}

/**
 * Something that is wrong with a configuration.
 *
 * @category models
 * @since 0.1.0
 */
export interface Problem {
  /** The name of the field, `clocks.first` for one that is nested. */
  readonly field: string
  /** What it must be, never the key. */
  readonly problem: string
}

/**
 * Everything that is wrong with a configuration, as far as that can be told without asking the deployment.
 *
 * @category guards
 * @since 0.1.0
 */
export const problems = (config: AzureO1Config): ReadonlyArray<Problem> => {
  const found = {
    endpoint: endpointProblem(config.endpoint),
    apiKey: authProblem(config),
    deployment: deploymentProblem(config.deployment),
    apiVersion: config.apiVersion === undefined ? undefined : apiVersionProblem(config.apiVersion),
    api: apiProblem(config),
    tokenTimeout: durationProblem(config.tokenTimeout),
    pollInterval: durationProblem(config.pollInterval),
    "clocks.headers": durationProblem(config.clocks?.headers),
    "clocks.firstByte": durationProblem(config.clocks?.firstByte),
    "clocks.first": durationProblem(config.clocks?.first),
    "clocks.byteIdle": durationProblem(config.clocks?.byteIdle)
  }
  return Object.entries(found).flatMap(([field, problem]) => problem === undefined ? [] : [{ field, problem }])
}

/**
 * Throws a `RangeError` that names the field and what is allowed, never the key.
 *
 * @category guards
 * @since 0.1.0
 */
export const validate = (config: AzureO1Config): AzureO1Config => {
  const [first] = problems(config)
  if (first !== undefined) throw new RangeError(`AzureO1: ${first.field} ${first.problem}`)
  return config
}

const checked = (problem: (value: string) => string | undefined) => Schema.String.check(Schema.makeFilter(problem))

const variable = (name: string, problem: (value: string) => string | undefined): Config.Config<string> =>
  Config.schema(checked(problem), name)

const modelProblem = (value: string): string | undefined =>
  ModelProfile.forModel(value) === undefined
    ? `must be the name of a model: ${ModelProfile.known.map(({ name }) => name).join(", ")}`
    : undefined

const apiVariableProblem = (value: string): string | undefined =>
  value === "chat" || value === "responses" ? undefined : "must be chat or responses"

const others = {
  deployment: variable("AZURE_OPENAI_DEPLOYMENT", deploymentProblem),
  apiVersion: Config.option(
    variable("AZURE_OPENAI_API_VERSION", (value) => value === "v1" ? undefined : apiVersionProblem(value))
  ),
  model: Config.option(variable("AZURE_OPENAI_MODEL", modelProblem)),
  api: Config.option(variable("AZURE_OPENAI_API", apiVariableProblem))
}

const fromVariables = <A extends object>({ api, apiVersion, model, ...rest }: A & {
  readonly api: Option.Option<string>
  readonly apiVersion: Option.Option<string>
  readonly model: Option.Option<string>
}) => ({
  ...rest,
  apiVersion: Option.getOrUndefined(Option.filter(apiVersion, (value) => value !== "v1")),
  profile: Option.getOrUndefined(Option.map(model, ModelProfile.forModel)),
  api: Option.getOrUndefined(api) as ModelProfile.Api | undefined
})

/**
 * Reads `AZURE_OPENAI_ENDPOINT`, `AZURE_OPENAI_API_KEY` and `AZURE_OPENAI_DEPLOYMENT`; if they are there,
 * `AZURE_OPENAI_API_VERSION` (absent or `v1`: the v1 path), `AZURE_OPENAI_MODEL` (the model's name, for its profile; absent: o1)
 * and `AZURE_OPENAI_API` (`chat` or `responses`). The error names the variable, never the key.
 *
 * **Example** (From a provider of your own)
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
export const config: Config.Config<AzureO1Config & { readonly apiKey: Redacted.Redacted }> = Config.all({
  endpoint: variable("AZURE_OPENAI_ENDPOINT", endpointProblem),
  apiKey: Config.schema(Schema.Redacted(checked(apiKeyProblem)), "AZURE_OPENAI_API_KEY"),
  ...others
}).pipe(Config.map(fromVariables))

/**
 * The same without the key: for Entra ID.
 *
 * @category constructors
 * @since 0.1.0
 */
export const configWith = (credential: Credential.TokenCredential): Config.Config<AzureO1Config> =>
  Config.all({ endpoint: variable("AZURE_OPENAI_ENDPOINT", endpointProblem), ...others }).pipe(
    Config.map((variables) => fromVariables({ ...variables, credential }))
  )
