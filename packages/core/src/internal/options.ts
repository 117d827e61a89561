import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** A bad option is a bug in the program, found when the policy is made: names the option, the value and what is allowed. */
export const invalid = (where: string, option: string, value: unknown, allowed: string): RangeError =>
  new RangeError(
    `${where}: ${option} must be ${allowed}, got ${typeof value === "string" ? `"${value}"` : String(value)}`
  )

/** `Duration` takes a number that is none for zero. What is no duration is not a number here. */
export const millisOf = (value: Duration.Input): number =>
  Number.isNaN(value)
    ? Number.NaN
    : Option.match(Duration.fromInput(value), { onNone: () => Number.NaN, onSome: Duration.toMillis })

/** A duration option in milliseconds: longer than zero, `Infinity` allowed only where it is said to mean something. */
export const positiveMillis = (
  where: string,
  option: string,
  value: Duration.Input,
  { infinite = false }: { readonly infinite?: boolean } = {}
): number => {
  const millis = millisOf(value)
  if (millis > 0 && (infinite || millis < Infinity)) return millis
  const shown = Duration.isDuration(value) ? Duration.format(value) : value
  throw invalid(where, option, shown, infinite ? "a duration > 0" : "a finite duration > 0")
}

/** A duration option in milliseconds: zero or longer, `Infinity` included. */
export const duration = (where: string, option: string, value: Duration.Input): number => {
  const millis = millisOf(value)
  if (millis >= 0) return millis
  throw invalid(where, option, Duration.isDuration(value) ? Duration.format(value) : value, "a duration >= 0")
}

export const integer = (where: string, option: string, value: number, min: number, max = Infinity): number => {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(where, option, value, max === Infinity ? `an integer >= ${min}` : `an integer from ${min} to ${max}`)
}

/** A share of a whole: more than 0, at most 1. */
export const ratio = (where: string, option: string, value: number): number => {
  if (value > 0 && value <= 1) return value
  throw invalid(where, option, value, "a number > 0 and <= 1")
}

/** A function of the user's, which types alone do not make one. */
export const callable = <F extends Function>(where: string, option: string, value: F | undefined): F | undefined => {
  if (value === undefined || typeof value === "function") return value
  throw invalid(where, option, value, "a function")
}

const listed = (values: ReadonlyArray<unknown>): string => {
  const shown = values.map((value) => typeof value === "string" ? `"${value}"` : String(value))
  return [shown.slice(0, -1).join(", "), shown.at(-1)].join(" or ")
}

/** One of two or more values. */
export const oneOf = <const A>(where: string, option: string, value: A, allowed: ReadonlyArray<A>): A => {
  if (allowed.includes(value)) return value
  throw invalid(where, option, value, listed(allowed))
}

/** A share as it is read, without the digits that a product brings along. */
export const percent = (share: number): number => Number((share * 100).toPrecision(12))

/** A time as it is read. */
export const showMillis = (millis: number): string => Duration.format(Duration.millis(millis))
