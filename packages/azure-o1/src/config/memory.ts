import * as Duration from "effect/Duration"
import type { AzureO1Config } from "./model.ts"

const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

/** How long what was learnt counts, in milliseconds. */
export const memoryOf = (
  { memory = {} }: Pick<AzureO1Config, "memory">
): { readonly expiry: number; readonly longest: number } => {
  const expiry = millis(memory.expiry ?? "10 minutes")
  return { expiry, longest: millis(memory.longest ?? Math.max(expiry, millis("6 hours"))) }
}
