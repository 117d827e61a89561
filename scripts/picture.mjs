// `npm run picture`: makes the pictures of the README and the pages. It plays the first two acts of the demo and writes what the
// terminal shows to docs/bad-day.svg; example 09 draws docs/latency.svg.
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import process from "node:process"
import { stripVTControlCharacters } from "node:util"
import { install, say } from "./workspace.mjs"

const usage = `npm run picture   plays acts 1 and 2 of the demo and writes docs/bad-day.svg;
                  runs example 09 and writes docs/latency.svg`

/** SGR codes of the demo, and the class that each sets (`undefined`: takes off). */
const codes = {
  1: ["weight", "b"],
  2: ["weight", "d"],
  3: ["slant", "i"],
  7: ["mode", "t"],
  22: ["weight"],
  23: ["slant"],
  27: ["mode"],
  31: ["colour", "r"],
  32: ["colour", "g"],
  33: ["colour", "y"],
  36: ["colour", "c"],
  39: ["colour"]
}

// oxlint-disable-next-line no-control-regex -- an escape sequence begins with one
const sgr = /(\u001b\[\d+m)/u

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/** The runs of one style in a line, each with the column where it begins. */
const runsOf = (line) => {
  const style = {}
  const runs = []
  let column = 0
  for (const piece of line.split(sgr)) {
    const code = sgr.test(piece) ? piece.slice(2, -1) : undefined
    if (code === undefined) {
      const last = runs.at(-1)
      const names = Object.values(style).filter(Boolean).join(" ")
      if (last !== undefined && last.names === names) last.text += piece
      else if (piece !== "") runs.push({ column, names, text: piece })
      column += piece.length
      continue
    }
    if (!(code in codes)) throw new Error(`The demo writes SGR code ${code}, which this picture does not know.`)
    const [aspect, name] = codes[code]
    style[aspect] = name
  }
  return runs.filter(({ text }) => text.trim() !== "")
}

const advance = 7.83
const leading = 18
const margin = 20

const svgOf = (lines) => {
  const width = Math.ceil(Math.max(...lines.map((line) => stripVTControlCharacters(line).length)) * advance) + 2 * margin
  const height = lines.length * leading + 2 * margin
  const text = lines.flatMap((line, row) =>
    runsOf(line).map(({ column, names, text }) => {
      const blanks = text.length - text.trimStart().length
      const shown = text.trim()
      const x = (margin + (column + blanks) * advance).toFixed(1)
      const y = margin + (row + 0.75) * leading
      // the width is that of the grid, whichever font there is
      const length = (shown.length * advance).toFixed(1)
      return `<text x="${x}" y="${y}" textLength="${length}"${names === "" ? "" : ` class="${names}"`}>${escape(shown)}</text>`
    })
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">The demo in a terminal: one call survives a 429, a 503 and a silence; a stream that is cut in mid-sentence goes on without loss.</title>
<style>
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; white-space: pre }
rect { fill: #f6f8fa; stroke: #d1d9e0 }
.b { font-weight: 600 } .d { fill: #59636e } .i { font-style: italic } .t { font-weight: 700 }
.r { fill: #c21c25 } .g { fill: #13702f } .y { fill: #8a5a00 } .c { fill: #0b62b8 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } rect { fill: #0d1117; stroke: #3d444d }
  .d { fill: #9198a1 } .r { fill: #ff8a80 } .g { fill: #56d364 } .y { fill: #e3b341 } .c { fill: #79c0ff }
}
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${text.join("\n")}
</svg>
`
}

/** What a program of the examples prints, or `undefined` where it fails. */
const printed = (program, ...options) => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["scripts/bootstrap.mjs", "node", `packages/examples/src/${program}`, ...options],
    { encoding: "utf8", env: { ...process.env, FORCE_COLOR: "1" }, stdio: ["ignore", "pipe", "inherit"] }
  )
  return status === 0 ? stdout : undefined
}

const badDay = () => {
  const printedLines = printed("demo/main.ts", "--fake", "--act", "1", "--act", "2")?.split("\n").map((line) => line.trimEnd())
  if (printedLines === undefined) return false
  // the end tells of further acts
  const end = printedLines.findIndex((line) => /^ {2}2 acts in/u.test(stripVTControlCharacters(line)))
  const shown = printedLines.slice(1, end < 0 ? printedLines.length : end - 1)
  writeFileSync("docs/bad-day.svg", svgOf(shown))
  say(`docs/bad-day.svg shows ${shown.length} lines.`)
  return true
}

const latency = () => {
  if (printed("09-monitor.ts", "docs/latency.svg") === undefined) return false
  say("docs/latency.svg shows how long the attempts of example 09 take.")
  return true
}

if (process.argv.length > 2) {
  console.log(usage)
  process.exitCode = ["--help", "-h"].includes(process.argv[2]) ? 0 : 1
} else {
  const problem = await install()
  if (problem === undefined) {
    for (const { made, what } of [{ what: "The demo", made: badDay() }, { what: "Example 09", made: latency() }]) {
      if (made) continue
      say(`${what} has failed; its picture is as it was.`)
      process.exitCode = 1
    }
  } else process.exitCode = 1
}
