/**
 * Where the deployment is, and with which key.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import type * as Redacted from "effect/Redacted"
import { fromEnvironment } from "./config/environment.ts"
import type { AzureO1Config, Problem } from "./config/model.ts"
import * as checks from "./config/problems.ts"
import type * as Credential from "./Credential.ts"
import * as ModelProfile from "./ModelProfile.ts"

export type * from "./config/model.ts"

/** Which API carries the calls. */
export const apiOf = ({ api, profile = ModelProfile.o1 }: Pick<AzureO1Config, "api" | "profile">): ModelProfile.Api =>
  api ?? profile.apis[0]

/** Whether responses can be made in the background: only the v1 path has that. */
export const hasBackground = ({ apiVersion, store }: AzureO1Config): boolean =>
  apiVersion === undefined && store !== false

/**
 * Everything that is wrong with a configuration, as far as that can be told without asking the deployment.
 *
 * @category guards
 * @since 0.1.0
 */
export const problems: (config: AzureO1Config) => ReadonlyArray<Problem> = checks.problems

/**
 * Throws a `RangeError` that names each field and what is allowed, never the key.
 *
 * @category guards
 * @since 0.1.0
 */
export const validate = (config: AzureO1Config): AzureO1Config => {
  const found = problems(config)
  if (found.length === 0) return config
  throw new RangeError(`AzureO1: ${found.map(({ field, problem }) => `${field} ${problem}`).join("; ")}`)
}

/**
 * Reads `AZURE_OPENAI_ENDPOINT`, `AZURE_OPENAI_API_KEY` and `AZURE_OPENAI_DEPLOYMENT`, and if they are there:
 *
 * - `AZURE_OPENAI_API_VERSION` (absent or `v1`: the v1 path), `AZURE_OPENAI_MODEL` (the model's name, for its profile; absent: o1),
 *   `AZURE_OPENAI_API` (`chat` or `responses`);
 * - `AZURE_OPENAI_STORE` and `AZURE_OPENAI_HEAL` (`true` or `false`), `AZURE_OPENAI_CLOUD`, `AZURE_OPENAI_SCOPE`;
 * - `AZURE_OPENAI_POLL_INTERVAL` and the clocks, as durations such as `2 seconds`: `AZURE_OPENAI_CLOCK_HEADERS`,
 *   `AZURE_OPENAI_CLOCK_FIRST_BYTE`, `AZURE_OPENAI_CLOCK_FIRST`, `AZURE_OPENAI_CLOCK_BYTE_IDLE`.
 *
 * A variable that is empty is not set, and blanks around a value do not count. The error has a sentence for each variable that
 * is missing or wrong, and never the key.
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
export const config = fromEnvironment() as Config.Config<AzureO1Config & { readonly apiKey: Redacted.Redacted }> // it asks for the key

/**
 * The same without the key: for Entra ID.
 *
 * @category constructors
 * @since 0.1.0
 */
export const configWith = (credential: Credential.TokenCredential): Config.Config<AzureO1Config> =>
  fromEnvironment(credential)
