import type { AzureO1Config } from "../AzureO1Config.ts"

/** Where the paths of the APIs begin, whichever of them the endpoint was copied with. */
export const baseOf = (endpoint: string): string =>
  endpoint.replace(/\/+$/, "").replace(
    /\/openai(\/v1|\/deployments\/[^/]+)?(\/chat\/completions|\/responses)?$/i,
    ""
  )

/** The deployment that an endpoint was copied with, if any. */
export const deploymentIn = (endpoint: string): string | undefined =>
  /\/openai\/deployments\/([^/]+)/i.exec(endpoint)?.[1]

type Place = Pick<AzureO1Config, "apiVersion" | "deployment" | "endpoint">

/** Chat Completions of a deployment. */
export const chatUrl = ({ apiVersion, deployment, endpoint }: Place): string =>
  apiVersion === undefined
    ? `${baseOf(endpoint)}/openai/v1/chat/completions`
    : `${baseOf(endpoint)}/openai/deployments/${
      encodeURIComponent(deployment)
    }/chat/completions?api-version=${apiVersion}`

/** The Responses API, or what is at a path in it. */
export const responsesUrl = (
  { apiVersion, endpoint }: Place,
  path: string,
  query: Readonly<Record<string, string>> = {}
): string => {
  const root = apiVersion === undefined
    ? `${baseOf(endpoint)}/openai/v1/responses`
    : `${baseOf(endpoint)}/openai/responses`
  const search = new URLSearchParams(apiVersion === undefined ? query : { ...query, "api-version": apiVersion })
  return search.size === 0 ? root + path : `${root}${path}?${search}`
}
