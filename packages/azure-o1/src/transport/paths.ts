import * as Redacted from "effect/Redacted"
import type { AzureO1Config } from "../AzureO1Config.ts"
import { baseOf, pathsOf } from "../config/paths.ts"

type Place = Pick<AzureO1Config, "apiVersion" | "deployment" | "endpoint" | "paths" | "query">

const queryOf = ({ apiVersion, query = {} }: Place, own: Readonly<Record<string, string>>): string => {
  const all = new URLSearchParams(own)
  for (const [name, value] of Object.entries(query)) {
    all.set(name, Redacted.isRedacted(value) ? Redacted.value(value) : value)
  }
  if (apiVersion !== undefined) all.set("api-version", apiVersion)
  return all.size === 0 ? "" : `?${all}`
}

const rootOf = (place: Place): string => {
  const base = baseOf(place)
  if (pathsOf(place) === "openai") return base
  return place.apiVersion === undefined ? `${base}/openai/v1` : `${base}/openai`
}

/** Chat Completions of a deployment. */
export const chatUrl = (place: Place): string => {
  const path = place.apiVersion === undefined ? "" : `/deployments/${encodeURIComponent(place.deployment)}`
  return `${rootOf(place)}${path}/chat/completions${queryOf(place, {})}`
}

/** The Responses API, and what is at a path in it. */
export const responsesUrls = (
  place: Place
): (path: string, query?: Readonly<Record<string, string>>) => string => {
  const root = `${rootOf(place)}/responses`
  const plain = queryOf(place, {})
  return (path, query) => root + path + (query === undefined ? plain : queryOf(place, query))
}
