import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import { defaultHangsAfter } from "./circuitBreakerRules.ts"
import type { PolicyInfo } from "./model.ts"
import { showMillis } from "./options.ts"
import { instanceOf } from "./policy.ts"

/** Tells what is wrong with a policy inside another one, if something is; `inside` are those inside the inner one. */
type Rule = (outer: PolicyInfo, inner: PolicyInfo, inside: ReadonlyArray<PolicyInfo>) => string | undefined

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
  ((info.kind === "bulkhead" || info.kind === "adaptive-limit") && count(info, "maxQueue") > 0) ||
  (info.kind === "rate-limiter" && millis(info, "maxWait") !== undefined)

/** What learns from how long calls take, or judges them by it; a limit for attempts has a rule of its own. */
const measures = (info: PolicyInfo): string | undefined => {
  const { after, trip } = info.settings
  if (info.kind === "circuit-breaker" && Predicate.hasProperty(trip, "slowAfter")) {
    return trip.slowAfter === undefined ? undefined : "circuit-breaker with a slow rate"
  }
  return info.kind === "hedge" && Predicate.isString(after) ? "hedge with a learnt delay" : undefined
}

/** What a call does twice that goes through the same instance twice. */
const twice: { readonly [kind: string]: string } = {
  "circuit-breaker": "each call counts twice, and a probe rejects itself",
  bulkhead: "each call needs two permits, and waits for itself when there is only one left",
  "adaptive-limit": "each call needs two permits, and waits for itself when there is only one left",
  "rate-limiter": "each call costs twice"
}

const isChaos = ({ kind }: PolicyInfo): boolean => kind.startsWith("chaos ")

const order: ReadonlyArray<Rule> = [
  (outer, inner, inside) =>
    isChaos(outer) && !isChaos(inner) && inside.every(isChaos)
      ? `${outer.kind} outside ${inner.kind} is not seen by it: put it innermost`
      : undefined,
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
      : undefined,
  (outer, inner) => {
    const what = measures(outer)
    return what !== undefined && waits(inner)
      ? `${what} outside ${inner.kind} sees calls that wait for their turn: put it inside`
      : undefined
  },
  (outer, inner) => {
    const effect = twice[inner.kind]
    return effect !== undefined && instanceOf(outer) !== undefined && instanceOf(outer) === instanceOf(inner)
      ? `the same ${inner.kind}${inner.name === undefined ? "" : ` "${inner.name}"`} stands twice: ${effect}`
      : undefined
  }
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

const limitOf = (info: PolicyInfo): number | undefined =>
  info.kind === "deadline"
    ? millis(info, "within")
    : info.kind.startsWith("timeout ")
    ? millis(info, "limit")
    : undefined

/** An interruption counts against the callee after a fair time only; a limit inside the breaker counts by itself. */
const neverFair: Rule = (outer, inner, inside) => {
  const hangsAfter = inner.kind === "circuit-breaker" ? millis(inner, "hangsAfter") ?? defaultHangsAfter : 0
  const limit = limitOf(outer)
  if (limit === undefined || limit >= hangsAfter) return undefined
  return inside.some((info) => (limitOf(info) ?? Infinity) < limit)
    ? undefined
    : `${outer.kind} (${showMillis(limit)}) is shorter than hangsAfter of circuit-breaker (${
      showMillis(hangsAfter)
    }): a callee that hangs never opens it`
}

const times: ReadonlyArray<Rule> = [beyondTotal, shortWindow]

/** The policies of a path, one inside the other: a stack is one of several, any other policy the first of its own. */
const pathOf = (info: PolicyInfo): ReadonlyArray<PolicyInfo> =>
  info.kind === "compose" ? info.children.flatMap(pathOf) : [info]

const everythingIn = (info: PolicyInfo): ReadonlyArray<PolicyInfo> =>
  info.kind === "compose" ? info.children.flatMap(everythingIn) : [info, ...info.children.flatMap(everythingIn)]

/** Compares every policy with those around it. */
const visit = (
  info: PolicyInfo,
  around: ReadonlyArray<PolicyInfo>,
  compare: (...pair: Parameters<Rule>) => void
): void => {
  const path = pathOf(info)
  for (const [i, inner] of path.entries()) {
    const outside = [...around, ...path.slice(0, i)]
    const inside = [...inner.children, ...path.slice(i + 1)].flatMap(everythingIn)
    for (const outer of outside) compare(outer, inner, inside)
    for (const child of inner.children) visit(child, [...outside, inner], compare)
  }
}

const find = (rules: ReadonlyArray<Rule>, info: PolicyInfo): ReadonlyArray<string> => {
  const found: Array<string> = []
  visit(info, [], (...pair) => found.push(...rules.flatMap((rule) => rule(...pair) ?? [])))
  return found
}

/** Times that contradict each other. */
export const contradictionsOf = (info: PolicyInfo): ReadonlyArray<string> => find(times, info)

/** Everything that is wrong with the order or the times of a stack. */
export const warningsOf = (info: PolicyInfo): ReadonlyArray<string> => find([...order, ...times, neverFair], info)
