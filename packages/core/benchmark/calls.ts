import * as Struct from "effect/Struct"
import { asynchronous, flaky, synchronous } from "./callees.ts"
import { expect, tripsAfter } from "./check.ts"
import {
  bare,
  type Callee,
  type Contender,
  type Contenders,
  eachAwaited,
  mapContenders,
  type Run,
  unitsPerRun
} from "./contender.ts"
import { measured, trip } from "./limits.ts"
import { bareSubject, type Case, type Group, groups } from "./measure.ts"
import { lineUp } from "./subjects.ts"

const row = (group: Group, subject: string, contenders: Contenders, run: (contender: Contender) => Run): Case => ({
  group,
  subject,
  unit: "call",
  unitsPerRun,
  runs: mapContenders(contenders, run)
})

const successes = (group: Group, callee: Callee): ReadonlyArray<Case> =>
  Object.entries({ [bareSubject]: bare, ...lineUp(measured) }).map(([subject, contenders]) =>
    row(group, subject, contenders, ({ loop }) => loop(callee))
  )

/** Not cockatiel: it waits for a timer before any retry, however short the pause. */
const retryAtOnce = (group: Group, callee: Callee): Case => {
  const contenders = Struct.pick(lineUp({ ...measured, backoff: 0 }).retry, ["ours", "effect"])
  return row(group, "retry, after one failure", contenders, ({ loop }) => loop(flaky(callee)))
}

const rejections = async (group: Group, callee: Callee): Promise<Case> => {
  const { "breaker, failures in a row": inARow, "breaker, share over time": overTime } = lineUp(measured)
  const open = (contenders: Contenders, failures: number) =>
    Object.entries(contenders).map(([by, contender]) =>
      expect(`the breaker of ${by} opens`, tripsAfter(failures)(contender))
    )
  const opossum = Struct.pick(overTime, ["opossum"])
  await Promise.all([...open(inARow, trip.failures), ...open(opossum, trip.minimum)])
  const contenders = { ...inARow, ...opossum }
  return row(group, "breaker, rejection", contenders, ({ failingLoop }) => failingLoop(callee))
}

const throughRunPromise = (group: Group, callee: Callee): ReadonlyArray<Case> => {
  const stacks = Struct.pick(lineUp(measured), ["retry > breaker > attempt", "total > retry > breaker > attempt"])
  return Object.entries({ [bareSubject]: bare, ...stacks }).map(([subject, contenders]) =>
    row(group, subject, contenders, (contender) => eachAwaited(contender, callee))
  )
}

export const callCases = async (): Promise<ReadonlyArray<Case>> => [
  ...successes(groups.asynchronous, asynchronous),
  retryAtOnce(groups.asynchronous, asynchronous),
  await rejections(groups.asynchronous, asynchronous),
  ...successes(groups.synchronous, synchronous),
  retryAtOnce(groups.synchronous, synchronous),
  ...throughRunPromise(groups.runPromise, asynchronous)
]
