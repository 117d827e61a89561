import type { Report, Status } from "./model.ts"

const colours: { readonly [S in Status]: string } = { pass: "32", warn: "33", fail: "31", skipped: "2" }
const statuses: ReadonlyArray<Status> = ["pass", "warn", "fail", "skipped"]
const inWords: { readonly [S in Status]: (n: number) => string } = {
  pass: (n) => `${n} passed`,
  warn: (n) => `${n} ${n === 1 ? "warning" : "warnings"}`,
  fail: (n) => `${n} failed`,
  skipped: (n) => `${n} skipped`
}

/** A report as lines for a terminal. */
export const format = ({ findings, ok }: Report, colour: boolean): string => {
  const paint = (status: Status, text: string): string => colour ? `\u001b[${colours[status]}m${text}\u001b[0m` : text
  const width = Math.max(0, ...findings.map(({ check }) => check.length))
  const column = "skipped".length
  const indent = " ".repeat(column + width + 4)
  const counts = statuses
    .map((status) => [status, findings.filter((finding) => finding.status === status).length] as const)
    .filter(([, n]) => n > 0)
    .map(([status, n]) => inWords[status](n))
  const summary = `The deployment is ${ok ? "fit" : "unfit"}: ${
    counts.length === 0 ? "nothing was checked" : counts.join(", ")
  }.`
  return [
    ...findings.flatMap(({ check, fix, message, status }) => [
      `${paint(status, status.padEnd(column))}  ${check.padEnd(width)}  ${message}`,
      ...fix === "" ? [] : [`${indent}-> ${fix}`]
    ]),
    "",
    paint(ok ? "pass" : "fail", summary)
  ].join("\n")
}
