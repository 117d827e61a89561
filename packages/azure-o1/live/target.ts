// What a check is given: clients of one deployment, and what they have heard.
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import { AzureO1 } from "../src/AzureO1.ts"
import type * as AzureO1Config from "../src/AzureO1Config.ts"
import * as ModelProfile from "../src/ModelProfile.ts"
import { O1Policy } from "../src/O1Policy.ts"
import type { O1Request } from "../src/O1Request.ts"
import { O1Transport } from "../src/O1Transport.ts"
import { type Recorded, recording } from "./recorder.ts"

/** What the user has allowed besides. */
export interface Allowed {
  /** A token of Entra ID, for the check of it. */
  readonly token?: string | undefined
  /** A prompt that the content filter is expected to refuse. It is the user's, and in no transcript. */
  readonly filterPrompt?: string | undefined
  /** So many requests at once, so that a 429 is likely. */
  readonly burst: number
  /** The largest number of output tokens of each answer. */
  readonly maxTokens: number
}

export interface Target {
  readonly config: AzureO1Config.AzureO1Config
  readonly profile: ModelProfile.ModelProfile
  readonly allowed: Allowed
  /** The exchanges since the check began. */
  readonly log: ReadonlyArray<Recorded>
  /** A client with its own configuration, whose calls are recorded, and are not tried again. */
  readonly client: (config?: Partial<AzureO1Config.AzureO1Config>) => Effect.Effect<AzureO1["Service"]>
  /** The HTTP client that records. */
  readonly http: HttpClient.HttpClient
  /** A request as small as it can be. */
  readonly request: (prompt: string) => O1Request
}

const once = O1Policy.layerWith({ retries: 0, total: "5 minutes" })

export const targetOf = (
  config: AzureO1Config.AzureO1Config,
  allowed: Allowed,
  http: HttpClient.HttpClient
): Target & { readonly log: Array<Recorded> } => {
  const log: Array<Recorded> = []
  const profile = config.profile ?? ModelProfile.o1
  const recorded = recording(http, log)
  return {
    config,
    profile,
    allowed,
    log,
    http: recorded,
    client: (rest = {}) =>
      AzureO1.pipe(Effect.provide(
        AzureO1.layerServices.pipe(
          Layer.provide(once),
          Layer.provide(O1Transport.layer({ ...config, ...rest })),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, recorded))
        )
      )),
    request: (prompt) => ({
      messages: [{ role: "user", content: prompt }],
      maxCompletionTokens: allowed.maxTokens,
      ...profile.efforts.includes("low") ? { reasoningEffort: "low" } : {}
    })
  }
}
