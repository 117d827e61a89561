import type { AzureO1Config } from "./model.ts"

const azure = /\/openai(\/v1|\/deployments\/[^/]+)?$/i

/** The path that an endpoint was copied with, without the operation of an API at its end. */
const copied = (endpoint: string): { readonly origin: string; readonly path: string } => {
  const { origin, pathname } = new URL(endpoint)
  // a blank at the end of a line is a path for a URL
  const path = pathname.replace(/(?:\/|%20|\s)+$/, "")
    .replace(/(\/openai(?:\/v1|\/deployments\/[^/]+)?|\/v\d\w*)(?:\/chat\/completions|\/responses)$/i, "$1")
  return { origin, path }
}

/** Which paths an endpoint has. */
export const pathsOf = ({ endpoint, paths }: Pick<AzureO1Config, "endpoint" | "paths">): "azure" | "openai" => {
  if (paths !== undefined || !URL.canParse(endpoint)) return paths ?? "azure"
  const { path } = copied(endpoint)
  return /\/v\d\w*$/i.test(path) && !azure.test(path) ? "openai" : "azure"
}

/** The part of an endpoint before the paths of the APIs, whichever of them it was copied with. */
export const baseOf = (place: Pick<AzureO1Config, "endpoint" | "paths">): string => {
  const { origin, path } = copied(place.endpoint)
  return origin + (pathsOf(place) === "openai" ? path : path.replace(azure, ""))
}

/** The deployment that an endpoint was copied with, if any. */
export const deploymentIn = (endpoint: string): string | undefined =>
  /\/openai\/deployments\/([^/]+)/i.exec(endpoint)?.[1]
