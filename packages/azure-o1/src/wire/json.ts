/**
 * Reading what a service sent without asking that it be as documented: Azure leaves fields out, sends them empty and adds
 * new ones at any time, and none of that may be fatal.
 */

/** The value at a path, `undefined` where the path ends early. */
export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown => {
  let current = value
  for (const key of path) {
    if (typeof current !== "object" || current === null) return undefined
    current = (current as Record<string | number, unknown>)[key]
  }
  return current
}

export const string = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

export const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/** A number that something can be found by again: one more would be another one. */
export const place = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

export const array = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

export const entries = (value: unknown): ReadonlyArray<[string, unknown]> =>
  typeof value === "object" && value !== null ? Object.entries(value) : []

const byteOrderMark = 0xfeff

/** The parsed text, `undefined` if it is not JSON. Some servers put a byte order mark before it. */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text)
  } catch {
    return undefined
  }
}
