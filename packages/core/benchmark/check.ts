import { setImmediate, setTimeout } from "node:timers/promises"
import { asynchronous, counting, flaky, hanging, hangingOnce, refusing, synchronous } from "./callees.ts"
import type { Contender } from "./contender.ts"
import { keys } from "./keys.ts"
import { exhausted, type Limits, measured, quick, trip } from "./limits.ts"
import { type Deed, lineUp, type Subject, subjects } from "./subjects.ts"

const patience = 5_000

export const rejects = (promise: Promise<unknown>): Promise<boolean> => promise.then(() => false, () => true)

export const inTime = (promise: Promise<boolean>): Promise<boolean> =>
  Promise.race([promise, setTimeout(patience, false)])

const answers = async ({ call }: Contender): Promise<boolean> =>
  await call(asynchronous) === 1 && await call(synchronous) === 1

const retries = async ({ call }: Contender): Promise<boolean> => {
  const callee = counting(refusing)
  return await call(flaky(asynchronous)) === 1 && await rejects(call(callee)) && callee.calls() === 4
}

/** Leaves the breaker open. */
export const tripsAfter = (failures: number) => async ({ call }: Contender): Promise<boolean> => {
  const callee = counting(refusing)
  let rejections = 0
  // oxlint-disable-next-line no-await-in-loop -- failures in a row
  for (let i = 0; i <= failures; i++) if (await rejects(call(callee))) rejections++
  return rejections === failures + 1 && callee.calls() === failures
}

const tripsWhenSlow = async ({ call, start }: Contender): Promise<boolean> => {
  for (let i = 0; i < trip.minimum; i++) start(hanging)
  await setTimeout(quick.slow * 2)
  const callee = counting(asynchronous)
  return await rejects(call(callee)) && callee.calls() === 0
}

/** Leaves it full. The next caller is refused or waits. */
const letsOneIn = async ({ call, start }: Contender): Promise<boolean> => {
  const callee = counting(asynchronous)
  // the one times out one day, the other is refused: neither is an unhandled rejection
  void rejects(Promise.resolve(start(hanging)))
  void rejects(call(callee))
  await setImmediate()
  return callee.calls() === 0
}

/** Leaves nothing to let through. */
const letsOneThrough = async ({ call }: Contender): Promise<boolean> => {
  const callee = counting(asynchronous)
  return await call(callee) === 1 && await rejects(call(callee)) && callee.calls() === 1
}

const sharesACall = async ({ call }: Contender): Promise<boolean> => {
  const callee = counting(asynchronous)
  await Promise.all([call(callee), call(callee)])
  return callee.calls() === 1
}

interface Proof {
  readonly limits: Limits
  readonly holds: (contender: Contender) => Promise<boolean>
}

const deeds: { readonly [D in Deed]: Proof } = {
  "times out": { limits: quick, holds: ({ call }) => rejects(call(hanging)) },
  "retries thrice": { limits: quick, holds: retries },
  "trips after 5 in a row": { limits: quick, holds: tripsAfter(trip.failures) },
  "trips after 20": { limits: quick, holds: tripsAfter(trip.minimum) },
  "trips after 20 of each": { limits: quick, holds: tripsAfter(trip.minimum * keys) },
  "trips when slow": { limits: quick, holds: tripsWhenSlow },
  "lets one in": { limits: exhausted, holds: letsOneIn },
  "lets one through": { limits: exhausted, holds: letsOneThrough },
  "asks twice": { limits: quick, holds: async ({ call }) => await call(hangingOnce()) === 1 },
  "falls back": { limits: quick, holds: async ({ call }) => await call(refusing) === 1 },
  "shares a call": { limits: quick, holds: sharesACall },
  "leaves calls alone": { limits: quick, holds: async ({ call }) => await rejects(call(refusing)) }
}

export const expect = async (what: string, holds: Promise<boolean>): Promise<void> => {
  if (!await inTime(holds)) throw new Error(`the benchmark compares unlike things: ${what}`)
}

/** Sees that every contender does what the name of its row says, on instances of its own. */
export const checkCalls = async (): Promise<void> => {
  const check = (subject: Subject, what: string, { holds, limits }: Proof) =>
    Object.entries(lineUp(limits)[subject]).map(([by, contender]) =>
      expect(`${subject} by ${by} ${what}`, holds(contender))
    )
  const all = Object.entries(subjects) as ReadonlyArray<[Subject, ReadonlyArray<Deed>]>
  await Promise.all(all.flatMap(([subject]) => check(subject, "answers", { limits: measured, holds: answers })))
  await Promise.all(all.flatMap(([subject, does]) => does.flatMap((deed) => check(subject, deed, deeds[deed]))))
}
