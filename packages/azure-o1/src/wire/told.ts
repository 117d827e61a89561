import * as json from "./json.ts"

/** What the many shapes of an error body have in common. */
export interface Told {
  /** lower case, `""` if there is none */
  readonly code: string
  /** lower case, `""` if there is none */
  readonly type: string
  readonly param: string | undefined
  readonly message: string
  readonly status: number | undefined
  readonly error: unknown
}

const lower = (value: unknown): string => (json.string(value) ?? json.number(value)?.toString() ?? "").toLowerCase()

const statusIn = (value: unknown): number | undefined => {
  const status = typeof value === "string" ? Number(value) : json.number(value)
  return status !== undefined && status >= 400 && status < 600 ? status : undefined
}

/**
 * Reads `{error: {...}}`, `{error: "text"}`, the flat `{message, code}` of streams, `{statusCode, message}` of API Management,
 * and plain text.
 */
export const tell = (body: unknown, text: string): Told => {
  const nested = json.at(body, "error")
  const error = typeof nested === "object" && nested !== null ? nested : body
  return {
    code: lower(json.at(error, "code")),
    type: lower(json.at(error, "type")),
    param: json.string(json.at(error, "param")) || undefined,
    message: json.string(json.at(error, "message")) ?? json.string(nested) ?? (body === undefined ? text : ""),
    status: statusIn(json.at(error, "status")) ?? statusIn(json.at(body, "statusCode")),
    error
  }
}

/** Some gateways put an empty error beside every answer. */
const saysSomething = (error: unknown): boolean =>
  typeof error === "object"
    ? json.entries(error).some(([, value]) => value !== null && value !== "")
    : error !== undefined && error !== "" && error !== false

/** Whether a body that came with a 200 is an error after all. */
export const isErrorBody = (body: unknown): boolean =>
  saysSomething(json.at(body, "error")) || statusIn(json.at(body, "statusCode")) !== undefined ||
  (lower(json.at(body, "code")) !== "" && json.string(json.at(body, "message")) !== undefined)
