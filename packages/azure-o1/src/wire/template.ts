/**
 * Most chunks of a stream are the one before with another piece of text in the same place. Such a chunk need not be parsed: it
 * says what the one before said, but for its text. In a JSON text an unescaped `"content":"` is always the key itself, for
 * inside of a string its quotes would be escaped; so a chunk that has it once has the text there, and nowhere else.
 */
export interface Template {
  readonly prefix: string
  readonly suffix: string
}

const key = "\"content\":\""

/** What has to be escaped in a JSON string, so that a piece without any of it is its own literal. */
// oxlint-disable-next-line no-control-regex -- they are what JSON does not allow
const special = /["\\\u0000-\u001f]/

/** The template of a chunk whose only news is this text; `undefined` where it is not found beyond doubt. */
export const templateOf = (chunk: string, text: string): Template | undefined => {
  const at = chunk.indexOf(key)
  const start = at + key.length
  return at >= 0 && chunk.lastIndexOf(key) === at && chunk.startsWith(`${text}"`, start) && !special.test(text)
    ? { prefix: chunk.slice(0, start), suffix: chunk.slice(start + text.length) }
    : undefined
}

/** The text of a chunk that is of the template; `undefined` if it is not, or has to be parsed to know. */
export const textIn = ({ prefix, suffix }: Template, chunk: string): string | undefined => {
  const end = chunk.length - suffix.length
  if (end < prefix.length || !chunk.startsWith(prefix) || !chunk.endsWith(suffix)) return undefined
  const text = chunk.slice(prefix.length, end)
  return special.test(text) ? undefined : text
}
