import * as Histogram from "@effect-resilience/core/Histogram"
import type { Distribution } from "./snapshot.ts"

const digits = (value: number): string => value < 9.95 ? value.toFixed(1) : value.toFixed(0)

/** Milliseconds as people say it, with two digits or three: `320ms`, `4.1s`, `75s`, `2min`, `12min`. */
export const showMillis = (millis: number): string => {
  if (millis < 999.5) return `${millis.toFixed(0)}ms`
  if (millis < 599_500 && (millis < 120_000 || millis % 60_000 !== 0)) return `${digits(millis / 1000)}s`
  return `${millis % 60_000 === 0 ? millis / 60_000 : digits(millis / 60_000)}min`
}

export const showNumber = digits

export const showShare = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`

const showEstimate = (estimate: Histogram.Estimate | undefined, show: (value: number) => string): string =>
  estimate === undefined ? "-" : estimate._tag === "Known" ? show(estimate.value) : `>${show(estimate.value)}`

export const showQuantile = (distribution: Distribution, q: number, show: (value: number) => string): string =>
  showEstimate(Histogram.fromData(distribution).quantile(q), show)

/** What terminals have at least. */
export const columns = 80

/** Words behind a head, in lines that a terminal has room for; the later ones begin beneath the first word. */
export const wrap = (head: string, text: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = head
  for (const word of text.split(" ")) {
    if (line.length > head.length && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = " ".repeat(head.length)
    }
    line += line.length > head.length ? ` ${word}` : word
  }
  return [...lines, line]
}
