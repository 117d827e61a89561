/** Writing to a terminal: colour only where it is wanted, and text that wraps, whole lines as well as what arrives in pieces. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { styleText } from "node:util"
import { type Line, marks } from "./timeline.ts"
import { wrap } from "./wrap.ts"

type Style = Parameters<typeof styleText>[0]

/** Whether the environment wants colour; `styleText` alone knows of no dumb terminals, and takes an empty `NO_COLOR` for set. */
export const coloured = ({ FORCE_COLOR, NO_COLOR, TERM }: NodeJS.ProcessEnv, terminal: boolean): boolean =>
  FORCE_COLOR === undefined
    ? terminal && (NO_COLOR ?? "") === "" && TERM !== "dumb"
    : FORCE_COLOR !== "0" && FORCE_COLOR !== "false"

// below this width a line of the timeline keeps its text beside it no more
const narrow = 64

export class Screen extends Context.Service<Screen, {
  /** A paragraph, indented, or an empty line. */
  readonly line: (text?: string, options?: { readonly style?: Style; readonly indent?: number }) => Effect.Effect<void>
  /** A line of a timeline. */
  readonly entry: (line: Line & { readonly at: string }) => Effect.Effect<void>
  /** Adds to the paragraph, which wraps at the edge. */
  readonly text: (text: string) => Effect.Effect<void>
  /** Ends the paragraph, if there is one. */
  readonly endParagraph: Effect.Effect<void>
}>()("examples/demo/Screen") {
  static readonly layer = Layer.sync(Screen, () => {
    const colours = coloured(process.env, process.stdout.isTTY)
    // `npm start | head` has read enough
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error
      process.exit()
    })
    const margin = 4
    let column = 0

    // a terminal that does not know its width says 0
    const width = (): number => Math.max(Math.min(process.stdout.columns || 80, 100), 20)
    const style = (style: Style, text: string): string =>
      colours ? styleText(style, text, { validateStream: false }) : text
    const write = (text: string): void => void process.stdout.write(text)
    const end = (): void => {
      if (column > 0) write("\n")
      column = 0
    }
    const entry = ({ at, mark, text, who }: Line & { readonly at: string }): void => {
      const small = width() < narrow
      const before = small ? `  ${at} ` : `  ${at}  `
      const beside = small ? ` ${who === "" ? "" : `${who}: `}` : `  ${who.padEnd(9)}  `
      const hanging = small ? before.length + 2 : before.length + 1 + beside.length
      const [first, ...rest] = wrap(text, width() - hanging, small ? beside.length - 1 : 0)
      const colour = marks[mark]
      write(`${style("dim", before)}${style(colour, mark)}${beside}${first}\n`)
      for (const line of rest) write(`${" ".repeat(hanging)}${line}\n`)
    }
    return {
      line: (text = "", { indent = 2, style: as } = {}) =>
        Effect.sync(() => {
          end()
          if (text === "") return write("\n")
          for (const line of wrap(text, width() - indent)) {
            write(`${" ".repeat(indent)}${as === undefined ? line : style(as, line)}\n`)
          }
        }),
      entry: (line) =>
        Effect.sync(() => {
          end()
          entry(line)
        }),
      text: (text) =>
        Effect.sync(() => {
          for (const [piece] of text.matchAll(/\n|\s*\S+|\s+$/gu)) {
            if (column === 0 || piece === "\n" || column + piece.length > width()) {
              write(column === 0 ? " ".repeat(margin) : `\n${" ".repeat(margin)}`)
              column = margin
            }
            const shown = column === margin ? piece.trimStart() : piece
            write(style("bold", shown))
            column += shown.length
          }
        }),
      endParagraph: Effect.sync(end)
    }
  })
}
