const minute = 60_000
const hour = 60 * minute

/** The steps in which people count time, in milliseconds. */
const steps = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  1000,
  2000,
  5000,
  10_000,
  15_000,
  30_000,
  minute,
  2 * minute,
  5 * minute,
  10 * minute,
  15 * minute,
  30 * minute,
  hour,
  2 * hour,
  6 * hour,
  12 * hour,
  24 * hour
]

/** At most ten of them, at even distances. */
export const evenTicks = (from: number, to: number): ReadonlyArray<number> => {
  const least = (to - from) / 10
  const largest = steps.at(-1)!
  const step = steps.find((each) => each >= least) ?? largest * Math.ceil(least / largest)
  const first = Math.ceil(from / step)
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step)
}

const seconds = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200, 18_000, 86_400]
const logarithmic = [1, 2, 5, 10, 20, 50, 100, 200, 500, ...seconds.map((value) => value * 1000)]

/** Times that people name, of every size. */
export const namedTicks = (from: number, to: number): ReadonlyArray<number> =>
  logarithmic.filter((time) => time >= from && time <= to)

const three = (value: number): string => String(Number(value.toPrecision(3)))

/** Milliseconds as people say it: `320ms`, `4.1s`, `75s`, `2min`, `2.5h`. */
export const show = (millis: number): string => {
  const size = Math.abs(millis)
  if (size === 0) return "0"
  if (size < 999.5) return `${three(millis)}ms`
  if (size < 2 * minute) return `${three(millis / 1000)}s`
  if (size < 2 * hour && size % hour !== 0) return `${three(millis / minute)}min`
  return `${three(millis / hour)}h`
}
