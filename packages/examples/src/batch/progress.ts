/** What a person sees meanwhile: a bar on a terminal, a line now and then in a pipe. */
import * as Duration from "effect/Duration"
import process from "node:process"

export interface Standing {
  readonly total: number
  readonly answered: number
  readonly failed: number
  readonly inFlight: number
  readonly twice: number
  /** Since this process began. */
  readonly elapsedMillis: number
  /** The lines that were there before this process began. */
  readonly before: number
}

export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString("en")} ${n === 1 ? one : many}`

const rounded = (millis: number): string =>
  Duration.format(Duration.seconds(millis > 90_000 ? Math.round(millis / 60_000) * 60 : Math.ceil(millis / 1000)))

/** When it will be over, if it goes on like this. */
const left = ({ answered, before, elapsedMillis, failed, total }: Standing): string | undefined => {
  const done = answered + failed - before
  const rest = total - answered - failed
  return done < 3 || rest === 0 ? undefined : `${rounded(elapsedMillis / done * rest)} left`
}

const figures = (standing: Standing): ReadonlyArray<string> => {
  const { answered, failed, inFlight, total, twice } = standing
  const remaining = left(standing)
  return [
    `${(answered + failed).toLocaleString("en")}/${total.toLocaleString("en")}`,
    ...failed === 0 ? [] : [`${failed.toLocaleString("en")} failed`],
    ...twice === 0 ? [] : [`${twice} twice`],
    ...inFlight === 0 ? [] : [`${inFlight} in flight`],
    ...remaining === undefined ? [] : [remaining]
  ]
}

/** A bar with figures, in so many columns. */
const bar = (standing: Standing, columns: number): string => {
  const text = figures(standing).join("  ")
  const width = Math.min(30, columns - text.length - 5)
  if (width < 5) return text.slice(0, Math.max(0, columns - 1))
  const { answered, failed, total } = standing
  const full = total === 0 ? width : Math.floor((answered + failed) / total * width)
  return `[${"#".repeat(full)}${"-".repeat(width - full)}] ${text}`
}

const line = (standing: Standing): string => figures(standing).join(", ")

/** How often a pipe is told, at most. */
const interval = 10_000

/** Shows how it stands. `clear` makes room for other text. */
export const makeScreen = (stream: NodeJS.WriteStream) => {
  const terminal = stream.isTTY && process.env.TERM !== "dumb"
  let shown = false
  let last = 0
  let tenth = -1
  // nobody may read on, and the work goes on
  stream.on("error", () => undefined)
  const clear = (): void => {
    if (shown) stream.write("\r\u001b[K")
    shown = false
  }
  return {
    clear,
    say: (text: string): void => {
      clear()
      stream.write(`${text}\n`)
    },
    show: (standing: Standing): void => {
      if (terminal) {
        stream.write(`\r\u001b[K${bar(standing, stream.columns || 80)}`)
        shown = true
        return
      }
      const now = Math.floor((standing.answered + standing.failed) / Math.max(1, standing.total) * 10)
      const due = standing.elapsedMillis - last >= interval
      if (now === tenth && !due) return
      if (tenth >= 0 && (now > tenth || due)) stream.write(`${line(standing)}\n`)
      tenth = now
      last = standing.elapsedMillis
    }
  }
}

export type Screen = ReturnType<typeof makeScreen>
