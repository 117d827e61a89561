import * as Effect from "effect/Effect"
import type { AzureO1Config } from "../AzureO1Config.ts"
import { responsesUrls } from "./paths.ts"

/** Tells once of a deployment that what it is asked, and what it answers, stays with the service. */
export const make = (
  config: AzureO1Config
): (request: { readonly url: string; readonly body?: string }) => Effect.Effect<void> => {
  const kept = responsesUrls(config)("")
  let told = config.store === false
  return ({ body, url }) => {
    // in the words of a prompt the quotes would be escaped
    if (told || url !== kept || body?.includes("\"store\":true") !== true) return Effect.void
    told = true
    return Effect.logInfo(
      `The service keeps prompts and answers of the deployment "${config.deployment}", usually for 30 days. ` +
        "Background mode and resuming need that. store: false (AZURE_OPENAI_STORE=false) turns it off."
    )
  }
}
