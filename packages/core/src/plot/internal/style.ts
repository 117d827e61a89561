/**
 * The colours of a picture. Those who see no hue tell neighbours apart by their lightness, and lines by their dashes. A rule has a
 * casing in the colour of the ground, so that it is seen upon anything.
 */

/** The colours of series in their order, on a light ground and on a dark one. */
export const palette: ReadonlyArray<readonly [light: string, dark: string]> = [
  ["#17558a", "#3f86c8"],
  ["#cf7a00", "#f7c04a"],
  ["#137547", "#4fbf8a"],
  ["#a8005c", "#ff9ecb"],
  ["#6639ba", "#a98bf0"],
  ["#8a6a00", "#e3d26f"],
  ["#0b7285", "#4cc3d6"],
  ["#57606a", "#b1bac4"]
]

/** The dashes of lines in their order. The first is drawn through. */
const dashes = ["", "8 3", "2 3", "8 3 2 3", "12 4", "4 4", "1 2", "12 3 2 3 2 3"]

const series = (scheme: 0 | 1): string => palette.map((colours, i) => `.s${i} { color: ${colours[scheme]} }`).join("\n")

export const style = `
svg { color-scheme: light dark }
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 14px; font-weight: 600 }
.ground { fill: #ffffff }
.axis { stroke: #8c959f }
.grid { stroke: #d8dee4 }
.span { fill: #57606a; fill-opacity: 0.14 }
.edge { stroke: #8c959f }
.bar { fill: currentColor }
.band { fill: currentColor; fill-opacity: 0.22 }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round }
.casing { stroke: #ffffff; stroke-width: 6 }
.measured { stroke: #24292f; stroke-width: 1.5 }
.limit { stroke: #a8005c; stroke-width: 2.5; stroke-dasharray: 7 4 }
.limit-label { fill: #a8005c; font-weight: 600 }
${
  dashes.map((dash, i) => dash === "" ? "" : `.d${i} { stroke-dasharray: ${dash} }`).filter((each) => each !== "").join(
    "\n"
  )
}
${series(0)}
@media screen and (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.ground { fill: #0d1117 }
.axis { stroke: #7d8590 }
.grid { stroke: #262c34 }
.span { fill: #b1bac4 }
.edge { stroke: #7d8590 }
.casing { stroke: #0d1117 }
.measured { stroke: #e6edf3 }
.limit { stroke: #ff9ecb }
.limit-label { fill: #ff9ecb }
${series(1)}
}`
