/** The words of SVG. */

export const escape = (text: string): string =>
  text
    // characters that XML does not have
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("\"", "&quot;")

export const round = (value: number): string => String(Math.round(value * 10) / 10)

export const element = (
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content = ""
): string => {
  const shown = Object.entries(attributes).map(([key, value]) =>
    ` ${key}="${typeof value === "number" ? round(value) : escape(value)}"`
  )
  return content === "" ? `<${name}${shown.join("")}/>` : `<${name}${shown.join("")}>${content}</${name}>`
}

export const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  element("line", { x1, y1, x2, y2, class: kind })

export const label = (
  x: number,
  y: number,
  text: string,
  attributes: Readonly<Record<string, string>> = {}
): string => element("text", { x, y, ...attributes }, escape(text))

const isWide = /[A-Zmw@%]/
/** From here on are scripts whose letters fill a square. */
const firstSquare = 0x1100

/** What a text takes at the most, in the widest font that is likely. */
export const widthOf = (text: string): number => {
  let width = 0
  for (const character of text) {
    width += (character.codePointAt(0) ?? 0) >= firstSquare ? 13 : isWide.test(character) ? 11 : 7.6
  }
  return width
}

/** The beginning of a text that is too long. */
export const shorten = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  let kept = ""
  for (const character of text) {
    if (widthOf(`${kept}${character}…`) > width) break
    kept += character
  }
  return `${kept}…`
}
