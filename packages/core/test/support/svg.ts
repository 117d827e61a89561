import { assert } from "@effect/vitest"

/** Throws where the text is no XML; gives the elements. */
export const parse = (svg: string): ReadonlyArray<string> => {
  const open: Array<string> = []
  const elements: Array<string> = []
  let rest = svg.trim()
  while (rest !== "") {
    const tag = /^<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<>&]*(?:&(?:amp|lt|gt|quot);[^"<>&]*)*")*)(\/?)>/.exec(rest)
    const text = /^[^<>&]*(?:&(?:amp|lt|gt|quot);[^<>&]*)*/.exec(rest)![0]
    if (tag !== null) {
      const [all, closes, name, , empty] = tag
      if (closes === "/") assert.strictEqual(open.pop(), name)
      else elements.push(name!)
      if (closes === "" && empty === "") open.push(name!)
      rest = rest.slice(all.length)
    } else {
      assert.isNotEmpty(text, `no XML at: ${rest.slice(0, 60)}`)
      rest = rest.slice(text.length)
    }
  }
  assert.isEmpty(open)
  return elements
}

/** The colours of the classes in one scheme, and what WCAG calls the contrast of two. */
export const coloursOf = (svg: string, scheme: "light" | "dark") => {
  const [light, dark] = svg.slice(svg.indexOf("<style>"), svg.indexOf("</style>")).split("@media")
  return (name: string): string =>
    new RegExp(`^${name} {.*?(?:fill|stroke|color): (#[0-9a-f]{6})`, "m").exec(scheme === "light" ? light! : dark!)![1]!
}

const luminance = (colour: string): number => {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(colour.slice(start, start + 2), 16) / 255
    return part <= 0.039_28 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

export const contrast = (one: string, other: string): number => {
  const [less, more] = [luminance(one), luminance(other)].toSorted((a, b) => a - b) as [number, number]
  return (more + 0.05) / (less + 0.05)
}
