import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** A bad option is a bug in the program, found when the policy is made: names the option, the value and what is allowed. */
export const invalid = (where: string, option: string, value: unknown, allowed: string): RangeError =>
  new RangeError(`${where}: ${option} must be ${allowed}, got ${show(value)}`)

const show = (value: unknown): string => {
  if (typeof value === "string") return `"${value}"`
  if (typeof value === "function") return "a function"
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" && value !== null ? "an object" : String(value)
}

/** The value, if it is right. */
const allow = <A>(right: boolean, where: string, option: string, value: A, allowed: string): A => {
  if (right) return value
  throw invalid(where, option, value, allowed)
}

/** Options are an object in which nothing is `null`, for that is taken for a value here and for none there. */
export const checkedOptions = <A extends object>(where: string, options: A, within = ""): A => {
  allow(
    // an effect is what a forgotten `yield*` leaves
    typeof options === "object" && options !== null && !Array.isArray(options) && !Effect.isEffect(options),
    where,
    within || "options",
    options,
    "an object"
  )
  for (const [option, value] of Object.entries(options)) {
    const path = within === "" ? option : `${within}.${option}`
    allow(value !== null, where, path, value, "left out or given")
    if (option === "name") stringOption(where, path, value)
  }
  return options
}

export const stringOption = <S extends string | undefined>(where: string, option: string, value: S): S =>
  allow(value === undefined || isString(value), where, option, value, "a string")

export const booleanOption = <B extends boolean | undefined>(where: string, option: string, value: B): B =>
  allow(value === undefined || typeof value === "boolean", where, option, value, "true or false")

/** The tags of errors. None of them would be no error at all. */
export const tagsOption = <T extends ReadonlyArray<string> | undefined>(where: string, option: string, value: T): T =>
  allow(
    value === undefined || (Array.isArray(value) && value.length > 0 && value.every(isString)),
    where,
    option,
    value,
    "an array of at least one string"
  )

const isString = (value: unknown): boolean => typeof value === "string"

/** A factor or a multiple: `bound` itself is allowed where it is said. */
export const finite = (
  where: string,
  option: string,
  value: number,
  bound: number,
  { inclusive = false }: { readonly inclusive?: boolean } = {}
): number =>
  allow(
    typeof value === "number" && value < Infinity && (inclusive ? value >= bound : value > bound),
    where,
    option,
    value,
    `a finite number ${inclusive ? ">=" : ">"} ${bound}`
  )

const units: ReadonlySet<string> = new Set<keyof Duration.DurationObject>([
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds"
])

const isUnit = ([unit, amount]: [string, unknown]): boolean =>
  units.has(unit) && (amount === undefined || (typeof amount === "number" && !Number.isNaN(amount)))

/** `Duration` takes an object with other names in it for one without any, which is zero. */
const isWithoutUnit = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Duration.isDuration(value)) return false
  const entries = Object.entries(value)
  return entries.length === 0 || !entries.every(isUnit)
}

/** `Duration` takes a number that is none for zero. Anything that is no duration is not a number here. */
export const millisOf = (value: Duration.Input): number =>
  Number.isNaN(value) || isWithoutUnit(value)
    ? Number.NaN
    : Option.match(Duration.fromInput(value), { onNone: () => Number.NaN, onSome: Duration.toMillis })

const shown = (value: Duration.Input): unknown => Duration.isDuration(value) ? Duration.format(value) : value

/** A duration option in milliseconds: longer than zero, `Infinity` allowed only where it is said to mean something. */
export const positiveMillis = (
  where: string,
  option: string,
  value: Duration.Input,
  { infinite = false }: { readonly infinite?: boolean } = {}
): number => {
  const millis = millisOf(value)
  if (millis > 0 && (infinite || millis < Infinity)) return millis
  throw invalid(where, option, shown(value), infinite ? "a duration > 0" : "a finite duration > 0")
}

/** A duration option in milliseconds: zero or longer, `Infinity` included. */
export const duration = (where: string, option: string, value: Duration.Input): number => {
  const millis = millisOf(value)
  if (millis >= 0) return millis
  throw invalid(where, option, shown(value), "a duration >= 0")
}

export const integer = (where: string, option: string, value: number, min: number, max = Infinity): number =>
  allow(
    Number.isSafeInteger(value) && value >= min && value <= max,
    where,
    option,
    value,
    `an integer ${max === Infinity ? `>= ${min}` : `from ${min} to ${max}`}`
  )

/** A share of a whole: more than 0, at most 1. */
export const ratio = (where: string, option: string, value: number): number =>
  allow(typeof value === "number" && value > 0 && value <= 1, where, option, value, "a number > 0 and <= 1")

/** A function of the user's, which types alone do not make one. */
export const callable = <F extends Function>(where: string, option: string, value: F | undefined): F | undefined =>
  allow(value === undefined || typeof value === "function", where, option, value, "a function")

const listed = (values: ReadonlyArray<unknown>): string => {
  const shown = values.map((value) => typeof value === "string" ? `"${value}"` : String(value))
  return [shown.slice(0, -1).join(", "), shown.at(-1)].join(" or ")
}

/** One of two or more values. */
export const oneOf = <const A>(where: string, option: string, value: A, allowed: ReadonlyArray<A>): A =>
  allow(allowed.includes(value), where, option, value, listed(allowed))

/** A share as it is read, without the digits that a product brings along. */
export const percent = (share: number): number => Number((share * 100).toPrecision(12))

/** A time as it is read. */
export const showMillis = (millis: number): string => Duration.format(Duration.millis(millis))
