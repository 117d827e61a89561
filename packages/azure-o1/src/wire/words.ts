/**
 * What moves a cursor, hides text or reverses it, so that nobody who reads a log is shown what was not said: control
 * characters, separators of lines, and marks of direction.
 */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g

const most = 500

/** Words of others as they may be shown: on one line, without control characters, of a readable length. */
export const clean = (text: string): string => {
  const words = text.replace(unprintable, " ").trimEnd()
  // an emoji is not cut in two
  return words.length <= most ? words : words.slice(0, most).replace(/[\uD800-\uDBFF]$/, "")
}
