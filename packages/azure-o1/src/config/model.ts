import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type * as Credential from "../Credential.ts"
import type * as ModelProfile from "../ModelProfile.ts"

/**
 * The limits of the phases of one attempt, each with an error kind of its own. Only answers that stream have phases: a plain
 * one shows nothing before it is complete. By default only `byteIdle` is set, because the policy limits the attempt and the
 * silence between pieces of content. After an attempt that one of these limits has ended comes one with twice the time. The
 * time for connecting is an option of the HTTP client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Clocks {
  /** From the request to the headers of the answer: `O1TimeoutError` of kind `headers`. */
  readonly headers?: Duration.Input | undefined
  /** From the headers to the first byte: `first-byte`. */
  readonly firstByte?: Duration.Input | undefined
  /** From the request to the first content: `first`. It ends when the service keeps the response. */
  readonly first?: Duration.Input | undefined
  /**
   * The longest silence on the connection: `byte-idle`. Comments and keep-alives are no silence. If the service keeps the
   * response, another connection follows, and no error.
   *
   * @default "2 minutes", and "60 seconds" where the service keeps the response
   */
  readonly byteIdle?: Duration.Input | undefined
}

/**
 * How long a client relies on what it has learnt about a deployment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Memory {
  /**
   * How long a fact counts. Each time that the next question brings the same answer, it counts for twice as long.
   *
   * @default "10 minutes"
   */
  readonly expiry?: Duration.Input | undefined
  /**
   * The longest that a fact counts; at least `expiry`.
   *
   * @default "6 hours"
   */
  readonly longest?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface AzureO1Config {
  /**
   * The resource, for example `https://NAME.openai.azure.com` or `https://NAME.services.ai.azure.com`, a project of the
   * latter, a gateway in front of it, path included, or any API that is compatible with OpenAI's, for example
   * `https://gateway.example/v1`. `http://` is accepted for a loopback address only, because the key would be readable on the
   * way.
   */
  readonly endpoint: string
  /**
   * Where the APIs are below the endpoint: `azure` (`/openai/v1/responses` and the dated paths), or `openai` (`/responses`).
   *
   * @default "openai" for an endpoint that ends with a version other than Azure's `/openai/v1`, such as `/v1`; else "azure"
   */
  readonly paths?: "azure" | "openai" | undefined
  /** Either a key or a `credential`. */
  readonly apiKey?: Redacted.Redacted | undefined
  /**
   * The header that carries the key. In `authorization` it follows the word `Bearer`.
   *
   * @default "api-key", or "authorization" with `paths: "openai"`
   */
  readonly apiKeyHeader?: string | undefined
  /** Entra ID: what gives tokens, for example the `DefaultAzureCredential` of `@azure/identity`. */
  readonly credential?: Credential.TokenCredential | undefined
  /**
   * The scope of the tokens.
   *
   * @default that of the cloud, for the v1 path or the dated versions
   */
  readonly scope?: string | undefined
  /**
   * How long the credential may take to give a token. After that all calls that wait for it fail with an `O1AuthError` of
   * kind `credential`.
   *
   * @default "30 seconds"
   */
  readonly tokenTimeout?: Duration.Input | undefined
  /** @default "public" */
  readonly cloud?: Credential.Cloud | undefined
  /** The deployment's name, which need not be the model's. */
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
   * Whether the service may keep responses, prompts included, as it does for 30 days by default. With `false` it keeps
   * nothing, makes nothing in the background, and can resume no answer.
   *
   * @default true
   */
  readonly store?: boolean | undefined
  /**
   * How often the client polls a response in the background, once it has taken a while; at first sooner.
   *
   * @default "2 seconds"
   */
  readonly pollInterval?: Duration.Input | undefined
  /**
   * Whether the client may adapt when the deployment is not as configured: leave out a parameter that it refuses, and follow
   * the model that really answers. Every such step is a warning and a `Learned` event.
   *
   * @default false
   */
  readonly heal?: boolean | undefined
  /** How long the client relies on what a deployment refused, before one call asks again. */
  readonly memory?: Memory | undefined
  readonly clocks?: Clocks | undefined
  /**
   * Headers of every request, for example the keys of a gateway. The client keeps a value out of errors, logs and spans if it
   * is `Redacted`, or if its name speaks of a key, a token or a secret. You cannot replace the headers that the client sends
   * itself. Your `user-agent` goes before the client's.
   */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  /** Parameters in the query of every request. */
  readonly query?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  /**
   * How many bytes of an answer in one piece, or of an error page, the client reads, decompressed. A longer answer is an
   * `O1ProtocolError` of kind `malformed`. Streams have no such limit, because they are not held in memory.
   *
   * @default 16777216 (16 MiB)
   */
  readonly maxBodyBytes?: number | undefined
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
