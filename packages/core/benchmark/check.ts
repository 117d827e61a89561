import { setTimeout } from "node:timers/promises"
import { asynchronous, failing, flaky, hanging, synchronous } from "./callees.ts"
import type { Contender } from "./contender.ts"
import { type Limits, measured, quick, trip } from "./limits.ts"
import { type Deed, lineUp, type Subject, subjects } from "./subjects.ts"

const patience = 5_000

export const rejects = (promise: Promise<unknown>): Promise<boolean> => promise.then(() => false, () => true)

export const inTime = (promise: Promise<boolean>): Promise<boolean> =>
  Promise.race([promise, setTimeout(patience, false)])

const answers = async ({ call }: Contender): Promise<boolean> =>
  await call(asynchronous) === 1 && await call(synchronous) === 1

const retries = async ({ call }: Contender): Promise<boolean> => {
  const callee = failing()
  return await call(flaky(asynchronous)) === 1 && await rejects(call(callee)) && callee.calls() === 4
}

/** Leaves the breaker open. */
export const tripsAfter = (failures: number) => async ({ call }: Contender): Promise<boolean> => {
  const callee = failing()
  let rejections = 0
  // oxlint-disable-next-line no-await-in-loop -- failures in a row
  for (let i = 0; i <= failures; i++) if (await rejects(call(callee))) rejections++
  return rejections === failures + 1 && callee.calls() === failures
}

const deeds: { readonly [D in Deed]: (contender: Contender) => Promise<boolean> } = {
  "times out": ({ call }) => inTime(rejects(call(hanging))),
  "retries thrice": retries,
  "trips after 5 in a row": tripsAfter(trip.failures),
  "trips after 20": tripsAfter(trip.minimum)
}

export const expect = async (what: string, holds: Promise<boolean>): Promise<void> => {
  if (!await holds) throw new Error(`the benchmark compares unlike things: ${what}`)
}

/** Sees that every contender does what the name of its row says, on instances of its own. */
export const checkCalls = async (): Promise<void> => {
  const check = (limits: Limits, subject: Subject, what: string, holds: (contender: Contender) => Promise<boolean>) =>
    Object.entries(lineUp(limits)[subject]).map(([by, contender]) =>
      expect(`${subject} by ${by} ${what}`, holds(contender))
    )
  const all = Object.entries(subjects) as ReadonlyArray<[Subject, ReadonlyArray<Deed>]>
  await Promise.all(all.flatMap(([subject]) => check(measured, subject, "answers", answers)))
  await Promise.all(
    all.flatMap(([subject, does]) => does.flatMap((deed) => check(quick, subject, deed, deeds[deed])))
  )
}
