import { type Check, type Finding, order, type Report, type Status } from "./model.ts"

/** What a finding can carry; what is not known is left out. */
type Details = Readonly<Record<string, string | number | boolean | undefined>>

const finding = (status: Status, check: Check, message: string, fix: string, details: Details): Finding => ({
  check,
  status,
  message,
  fix,
  details: Object.fromEntries(
    Object.entries(details).filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined)
  )
})

export const pass = (check: Check, message: string, details: Details = {}): Finding =>
  finding("pass", check, message, "", details)

export const warn = (check: Check, message: string, fix: string, details: Details = {}): Finding =>
  finding("warn", check, message, fix, details)

export const fail = (check: Check, message: string, fix: string, details: Details = {}): Finding =>
  finding("fail", check, message, fix, details)

export const skipped = (check: Check, message: string, fix = ""): Finding => finding("skipped", check, message, fix, {})

/** What a bug says of itself. Of one that is no `Error` nothing is told, for it may hold anything. */
export const describe = (defect: unknown): string =>
  defect instanceof Error
    ? `${defect.name}: ${defect.message}`.slice(0, 500)
    : "something that is not an Error was thrown"

/** No key or token is shorter, and a shorter one would be found in every other word. */
const shortestSecret = 6

/** What others wrote is neither to repeat a secret nor to move the cursor of a terminal. */
const clean = (text: string, secrets: ReadonlyArray<string>): string =>
  secrets.reduce((clean, secret) => clean.replaceAll(secret, "<redacted>"), text).replaceAll(/\p{Cc}+/gu, " ")

/** The findings in order, without the secrets. */
export const toReport = (findings: ReadonlyArray<Finding>, secrets: Iterable<string>): Report => {
  // a secret that contains another one goes first
  const hidden = Array.from(secrets).filter(({ length }) => length >= shortestSecret).toSorted((a, b) =>
    b.length - a.length
  )
  const cleaned = findings.map((finding): Finding => ({
    ...finding,
    message: clean(finding.message, hidden),
    fix: clean(finding.fix, hidden),
    details: Object.fromEntries(
      Object.entries(finding.details).map(([name, value]) => [
        name,
        typeof value === "string" ? clean(value, hidden) : value
      ])
    )
  }))
  return {
    ok: findings.every(({ status }) => status !== "fail"),
    findings: cleaned.toSorted((a, b) => order.indexOf(a.check) - order.indexOf(b.check))
  }
}
