import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type { PolicyInfo } from "./model.ts"
import { showMillis } from "./options.ts"

/** Tells what is wrong with a policy inside another one, if something is. */
type Rule = (outer: PolicyInfo, inner: PolicyInfo) => string | undefined

const millis = (info: PolicyInfo, setting: string): number | undefined => {
  const value = info.settings[setting]
  return Duration.isDuration(value) ? Duration.toMillis(value) : undefined
}

const count = (info: PolicyInfo, setting: string): number => {
  const value = info.settings[setting]
  return typeof value === "number" ? value : 0
}

const repeats = (kind: string): boolean => kind === "retry" || kind === "hedge"

const limitsAttempt = (kind: string): boolean => kind === "timeout attempt" || kind === "timeout adaptive"

/** How many calls a policy makes at most of one, where its settings say so. */
const attemptsOf = (info: PolicyInfo): number | undefined => {
  const further = info.settings[info.kind === "retry" ? "times" : "maxHedges"]
  return typeof further === "number" ? further + 1 : undefined
}

const waits = (info: PolicyInfo): boolean =>
  (info.kind === "bulkhead" && count(info, "maxQueue") > 0) ||
  (info.kind === "rate-limiter" && millis(info, "maxWait") !== undefined)

const order: ReadonlyArray<Rule> = [
  (outer, inner) =>
    outer.kind === "circuit-breaker" && repeats(inner.kind)
      ? `circuit-breaker outside ${inner.kind} sees one outcome per logical call, not one per attempt: put it inside`
      : undefined,
  (outer, inner) =>
    limitsAttempt(outer.kind) && repeats(inner.kind)
      ? `${outer.kind} outside ${inner.kind} limits all attempts together: put it inside, or use timeout total`
      : undefined,
  (outer, inner) =>
    repeats(outer.kind) && inner.kind === "timeout total"
      ? `timeout total inside ${outer.kind} limits each attempt: put it outside, or use timeout attempt`
      : undefined,
  (outer, inner) => {
    if (!repeats(outer.kind) || !repeats(inner.kind)) return undefined
    const a = attemptsOf(outer)
    const b = attemptsOf(inner)
    const many = a === undefined || b === undefined ? "" : `, up to ${a * b} calls`
    return `${inner.kind} inside ${outer.kind} multiplies attempts${many}`
  },
  (outer, inner) =>
    limitsAttempt(outer.kind) && waits(inner)
      ? `${outer.kind} outside ${inner.kind} counts the wait for a turn as the callee's time: put it inside`
      : undefined
]

/** What cannot happen, because the total is over first. */
const beyondTotal: Rule = (outer, inner) => {
  const total = outer.kind === "timeout total" ? millis(outer, "limit") : undefined
  const limit = inner.kind === "timeout attempt" ? millis(inner, "limit") : undefined
  const wait = millis(inner, "maxWait")
  const delay = inner.kind === "hedge" ? millis(inner, "after") : undefined
  const hedges = count(inner, "maxHedges")
  if (total === undefined) return undefined
  if (limit !== undefined && limit > total) {
    return `timeout attempt (${showMillis(limit)}) is longer than timeout total (${showMillis(total)})`
  }
  if (delay !== undefined && delay < Infinity && hedges * delay > total) {
    return `hedge (${hedges} after ${showMillis(delay)} each) begins later than timeout total (${
      showMillis(total)
    }) ends`
  }
  return wait !== undefined && wait > total
    ? `maxWait of ${inner.kind} (${showMillis(wait)}) is longer than timeout total (${showMillis(total)})`
    : undefined
}

/** Calls that time out one after the other have to be seen together. */
const shortWindow: Rule = (outer, inner) => {
  const { trip } = outer.settings
  const window = Predicate.hasProperty(trip, "shortestWindow") ? Number(trip.shortestWindow) : Infinity
  const attempt = inner.kind === "timeout attempt" ? millis(inner, "limit") : undefined
  return attempt !== undefined && window < 2 * attempt
    ? `window of circuit-breaker (${showMillis(window)}) is shorter than twice timeout attempt (${showMillis(attempt)})`
    : undefined
}

const times: ReadonlyArray<Rule> = [beyondTotal, shortWindow]

/** Compares every policy with those around it; gives those that are around what comes after it. */
const visit = (
  info: PolicyInfo,
  around: ReadonlyArray<PolicyInfo>,
  compare: (outer: PolicyInfo, inner: PolicyInfo) => void
): ReadonlyArray<PolicyInfo> => {
  if (info.kind === "compose") {
    const passed: Array<PolicyInfo> = []
    for (const child of info.children) passed.push(...visit(child, [...around, ...passed], compare))
    return passed
  }
  for (const outer of around) compare(outer, info)
  for (const child of info.children) visit(child, [...around, info], compare)
  return [info]
}

const find = (rules: ReadonlyArray<Rule>, info: PolicyInfo): ReadonlyArray<string> => {
  const found: Array<string> = []
  visit(info, [], (outer, inner) => found.push(...rules.flatMap((rule) => rule(outer, inner) ?? [])))
  return found
}

/** Times that contradict each other. */
export const contradictionsOf = (info: PolicyInfo): ReadonlyArray<string> => find(times, info)

/** Everything that is wrong with the order or the times of a stack. */
export const warningsOf = (info: PolicyInfo): ReadonlyArray<string> => find([...order, ...times], info)
