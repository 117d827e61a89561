/** The body of a request as it leaves: with the caller's own fields, and in text that every parser of JSON accepts. */

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** An object goes into an object and a list after a list; anything else takes the place of what the client has. */
const merged = (own: unknown, extra: unknown): unknown => {
  if (Array.isArray(own) && Array.isArray(extra)) return [...own, ...extra.filter((item) => !own.includes(item))]
  return isFields(own) && isFields(extra) ? { ...own, ...extra } : extra
}

const withExtra = (own: Fields, extra: Fields): Fields => ({
  ...own,
  ...Object.fromEntries(Object.entries(extra).map(([name, value]) => [name, merged(own[name], value)]))
})

/** JSON writes half of a pair as an escape. An even number of backslashes before it is text of the caller's. */
const loneSurrogate = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g

/** Halves of characters, as a text has them that was cut within one, become U+FFFD. */
const wellFormed = (body: string): string => body.includes("\\ud") ? body.replace(loneSurrogate, "$1\ufffd") : body

export const bodyOf = (own: Fields, extra: Fields | undefined): string =>
  wellFormed(JSON.stringify(extra === undefined ? own : withExtra(own, extra)))

/** The schema of a function that takes nothing. */
export const noArguments: Fields = { type: "object", properties: {}, required: [], additionalProperties: false }

/** What the client decides, and why a request has no say in it. */
const owners: ReadonlyArray<readonly [field: string, instead: string]> = [
  ["model", "the deployment of the configuration decides it"],
  ["messages", "they are messages of the request"],
  ["input", "it is made of messages of the request"],
  ["stream", "the method that is called decides it"],
  ["background", "the client decides it, and the setting store allows it"],
  ["n", "a completion has one answer"]
]

/** Fields of a request that stand in the body under another name, and what may not be said twice. */
const named: ReadonlyArray<readonly [field: string, inner: string | undefined, name: string]> = [
  ["response_format", undefined, "responseFormat"],
  ["text", "format", "responseFormat"]
]

/** The field of `extra` that is not the caller's to set, and why. */
export const ownedField = (
  request: { readonly extra?: Fields | undefined; readonly responseFormat?: unknown }
): { readonly field: string; readonly why: string } | undefined => {
  const { extra, responseFormat } = request
  if (extra === undefined) return undefined
  const owned = owners.find(([field]) => Object.hasOwn(extra, field))
  if (owned !== undefined) return { field: owned[0], why: owned[1] }
  if (responseFormat === undefined) return undefined
  const twice = named.find(([field, inner]) => {
    const value = Object.hasOwn(extra, field) ? extra[field] : undefined
    return value !== undefined && (inner === undefined || !isFields(value) || Object.hasOwn(value, inner))
  })
  return twice && { field: twice[1] === undefined ? twice[0] : `${twice[0]}.${twice[1]}`, why: `${twice[2]} says it` }
}
