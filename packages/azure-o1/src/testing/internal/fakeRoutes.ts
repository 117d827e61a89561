/** The paths of the two forms of the API. */

export type Route =
  | { readonly operation: "chat" | "responses"; readonly deployment: string | undefined }
  | { readonly operation: "retrieve" | "cancel" | "delete"; readonly id: string }
  | { readonly operation: "models" }

const classicChat = /^deployments\/([^/]+)\/chat\/completions$/
const oneResponse = /^responses\/([^/]+)(\/cancel)?$/

const ofResponse = (method: string, id: string, cancel: boolean): Route | undefined => {
  if (cancel) return method === "POST" ? { operation: "cancel", id } : undefined
  if (method === "GET") return { operation: "retrieve", id }
  return method === "DELETE" ? { operation: "delete", id } : undefined
}

/** Which of the two forms a path has. */
export const apiOf = (path: string): "classic" | "v1" => path.startsWith("/openai/v1/") ? "v1" : "classic"

/** The operation, `undefined` if Azure has none such. */
export const routeOf = (method: string, url: URL): Route | undefined => {
  const api = apiOf(url.pathname)
  const prefix = api === "v1" ? "/openai/v1/" : "/openai/"
  if (!url.pathname.startsWith(prefix)) return undefined
  if (api === "classic" && !url.searchParams.has("api-version")) return undefined
  const path = url.pathname.slice(prefix.length)
  const response = oneResponse.exec(path)
  if (response !== null) return ofResponse(method, decodeURIComponent(response[1]!), response[2] !== undefined)
  if (path === "models") return method === "GET" ? { operation: "models" } : undefined
  if (method !== "POST") return undefined
  if (path === "responses") return { operation: "responses", deployment: undefined }
  if (api === "v1") return path === "chat/completions" ? { operation: "chat", deployment: undefined } : undefined
  const chat = classicChat.exec(path)
  return chat === null ? undefined : { operation: "chat", deployment: decodeURIComponent(chat[1]!) }
}

/** Whether the version of a classic path has the Responses API; one that is not dated has. */
export const hasResponses = (url: URL): boolean => {
  const version = /^\d{4}-\d{2}-\d{2}/.exec(url.searchParams.get("api-version") ?? "")?.[0]
  return apiOf(url.pathname) === "v1" || version === undefined || version >= "2025-03-01"
}
