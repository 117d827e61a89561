/** Writing to a terminal: colour only where there is one, and text that wraps as it arrives. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { styleText } from "node:util"

type Style = Parameters<typeof styleText>[0]

export class Screen extends Context.Service<Screen, {
  readonly style: (style: Style, text: string) => string
  readonly line: (text?: string) => Effect.Effect<void>
  /** Adds to the paragraph, which wraps at the edge. */
  readonly text: (text: string) => Effect.Effect<void>
  /** Ends the paragraph, if there is one. */
  readonly endParagraph: Effect.Effect<void>
}>()("examples/demo/Screen") {
  static readonly layer = Layer.sync(Screen, () => {
    const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined
    // a terminal that does not know its width says 0
    const width = Math.min(process.stdout.columns || 100, 100)
    const indent = "    "
    let column = 0

    const style = (style: Style, text: string): string =>
      colours ? styleText(style, text, { validateStream: false }) : text
    const bold = (text: string): string => style("bold", text)
    const write = (text: string): void => void process.stdout.write(text)
    const endParagraph = Effect.sync(() => {
      if (column > 0) write("\n")
      column = 0
    })
    return {
      style,
      line: (text = "") => Effect.andThen(endParagraph, Effect.sync(() => write(`${text}\n`))),
      text: (text) =>
        Effect.sync(() => {
          for (const [piece] of text.matchAll(/\n|\s*\S+|\s+$/g)) {
            if (column === 0 || piece === "\n" || column + piece.length > width) {
              write(column === 0 ? indent : `\n${indent}`)
              column = indent.length
            }
            const shown = column === indent.length ? piece.trimStart() : piece
            write(bold(shown))
            column += shown.length
          }
        }),
      endParagraph
    }
  })
}
