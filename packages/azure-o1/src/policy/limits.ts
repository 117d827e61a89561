import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { CallOptions, ResumeOptions } from "../O1Client.ts"
import { O1Error, O1RequestError } from "../O1Error.ts"
import type { ReasoningEffort } from "../O1Request.ts"
import { defaults, type O1PolicySettings } from "./settings.ts"

/** What holds for one call. */
export interface Limits {
  /** Of the first attempt. */
  readonly timeout: Duration.Duration
  readonly total: Duration.Duration
  /** Of a silence within the answer of an attempt that may take so long. */
  readonly idle: (attempt: Duration.Duration) => Duration.Duration
  /** The same where somebody has asked for it. */
  readonly silence: Duration.Duration
  readonly retries: number
  readonly fruitless: number
  readonly onTimeout: "escalate" | "same" | "never"
  readonly restart: boolean
}

export const validDuration = (input: Duration.Input): Option.Option<Duration.Duration> =>
  Option.filter(Duration.fromInput(input), (duration) => Duration.isPositive(duration) && Duration.isFinite(duration))

const bad = (option: string, value: unknown, allowed: string): O1RequestError =>
  new O1RequestError({ kind: "invalid", param: option, detail: `${option} must be ${allowed}, got ${String(value)}` })

/** The problem of the options about an answer's end, if there is one. */
const fateProblem = ({ onBreak, onLeave }: Pick<CallOptions, "onBreak" | "onLeave">): O1RequestError | undefined => {
  if (onBreak !== undefined && onBreak !== "continue" && onBreak !== "restart") {
    return bad("onBreak", onBreak, "\"continue\" or \"restart\"")
  }
  return onLeave !== undefined && onLeave !== "cancel" && onLeave !== "keep"
    ? bad("onLeave", onLeave, "\"cancel\" or \"keep\"")
    : undefined
}

const fruitlessOf = (asked: number | undefined, settings: O1PolicySettings): number | O1RequestError => {
  const fruitless = asked ?? settings.fruitless ?? defaults.fruitless
  return Number.isSafeInteger(fruitless) && fruitless >= 1 ? fruitless : bad("fruitless", fruitless, "an integer >= 1")
}

const shortestIdle = Duration.fromInputUnsafe(defaults.idle)

/** The longest silence that somebody has asked for. */
const idleOf = (
  asked: Duration.Input | undefined,
  settings: O1PolicySettings
): Duration.Duration | undefined | O1RequestError => {
  const idle = asked ?? settings.idle
  return idle === undefined
    ? undefined
    : Option.getOrElse(validDuration(idle), () => bad("idle", idle, "a finite duration > 0"))
}

/** Whether a call has limits of its own. */
export const saysLimits = ({ fruitless, idle, onBreak, onTimeout, retries, timeout, total }: CallOptions): boolean =>
  fruitless !== undefined || idle !== undefined || onBreak === "restart" || onTimeout !== undefined ||
  retries !== undefined || timeout !== undefined || total !== undefined

/** How a call's limits come from its options, its effort and the settings; or what is wrong with them. */
export const limitsOf = (
  settings: O1PolicySettings,
  effort: ReasoningEffort,
  options: CallOptions,
  learned?: Duration.Duration
): Limits | O1RequestError => {
  const asked = options.timeout ?? learned ?? settings.timeout?.[effort] ?? defaults.timeout[effort]
  const timeout = validDuration(asked)
  if (Option.isNone(timeout)) return bad("timeout", asked, "a finite duration > 0")
  const whole = options.total ?? settings.total ?? defaults.total
  const total = validDuration(whole)
  if (Option.isNone(total)) return bad("total", whole, "a finite duration > 0")
  const tooShort = Duration.isLessThan(total.value, timeout.value)
  if (tooShort && options.total !== undefined) {
    return bad("total", Duration.format(total.value), `at least the timeout, ${Duration.format(timeout.value)}`)
  }
  const idle = idleOf(options.idle, settings)
  if (O1Error.is(idle)) return idle
  const retries = options.retries ?? settings.retries ?? defaults.retries
  if (!Number.isSafeInteger(retries) || retries < 0) return bad("retries", retries, "an integer >= 0")
  const fruitless = fruitlessOf(options.fruitless, settings)
  if (typeof fruitless !== "number") return fruitless
  const onTimeout = options.onTimeout ?? settings.onTimeout ?? defaults.onTimeout
  if (onTimeout !== "escalate" && onTimeout !== "same" && onTimeout !== "never") {
    return bad("onTimeout", onTimeout, "\"escalate\", \"same\" or \"never\"")
  }
  const problem = fateProblem(options)
  if (problem !== undefined) return problem
  return {
    timeout: timeout.value,
    total: tooShort ? timeout.value : total.value,
    idle: (attempt) => idle ?? Duration.max(shortestIdle, Duration.times(attempt, 2)),
    silence: idle ?? Duration.infinity,
    retries,
    fruitless,
    onTimeout,
    restart: options.onBreak === "restart"
  }
}

/** The same for a response that is only read. */
export const readingLimitsOf = (
  settings: O1PolicySettings,
  { fruitless: questions, idle: longest, onLeave, retries, total: whole = settings.total ?? defaults.total }:
    ResumeOptions
): Pick<Limits, "fruitless" | "silence" | "total"> | O1RequestError => {
  const problem = fateProblem({ onLeave })
  if (problem !== undefined) return problem
  const idle = idleOf(longest, settings)
  if (O1Error.is(idle)) return idle
  const total = validDuration(whole)
  if (Option.isNone(total)) return bad("total", whole, "a finite duration > 0")
  if (retries !== undefined && (!Number.isSafeInteger(retries) || retries < 0)) {
    return bad("retries", retries, "an integer >= 0")
  }
  const fruitless = fruitlessOf(questions ?? (retries === undefined ? undefined : retries + 1), settings)
  return typeof fruitless === "number"
    ? { total: total.value, fruitless, silence: idle ?? Duration.infinity }
    : fruitless
}
