import * as Struct from "effect/Struct"
import { asynchronous, flaky, refusing, silent, synchronous } from "./callees.ts"
import { expect, rejects, tripsAfter } from "./check.ts"
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
import { exhausted, measured, narrow, trip } from "./limits.ts"
import { bareSubject, type Case, type GroupName } from "./measure.ts"
import { five, lineUp, standard, three } from "./subjects.ts"

const row = (
  group: GroupName,
  subject: string,
  contenders: Contenders,
  run: (contender: Contender) => Run
): Case => ({
  group,
  subject,
  unit: "call",
  unitsPerRun,
  runs: mapContenders(contenders, run),
  does: mapContenders(contenders, ({ does }) => does)
})

const successes = (group: GroupName, callee: Callee): ReadonlyArray<Case> =>
  Object.entries({ [bareSubject]: bare, ...lineUp(measured) }).map(([subject, contenders]) =>
    row(group, subject, contenders, ({ loop }) => loop(callee))
  )

/** Not cockatiel: it waits for a timer before any retry, however short the pause. */
const retryAtOnce = (group: GroupName, callee: Callee): Case => {
  const contenders = Struct.pick(lineUp({ ...measured, backoff: 0 }).retry, ["ours", "effect", "pRetry"])
  return row(group, "retry, after one failure", contenders, ({ loop }) => loop(flaky(callee)))
}

const fallbackTaken = (group: GroupName): Case =>
  row(group, "fallback, after a failure", lineUp(measured).fallback, ({ loop }) => loop(refusing))

const each = (contenders: Contenders, what: string, holds: (contender: Contender) => Promise<boolean>) =>
  Object.entries(contenders).map(([by, contender]) => expect(`${what} of ${by}`, holds(contender)))

const openBreakers = async (): Promise<Contenders> => {
  const { "breaker, failures in a row": inARow, "breaker, share over time": overTime } = lineUp(measured)
  const opossum = Struct.pick(overTime, ["opossum"])
  await Promise.all([
    ...each(inARow, "the open breaker", tripsAfter(trip.failures)),
    ...each(opossum, "the open breaker", tripsAfter(trip.minimum))
  ])
  return { ...inARow, ...opossum }
}

const fullBulkheads = async (): Promise<Contenders> => {
  const { bulkhead } = lineUp(exhausted)
  for (const { start } of Object.values(bulkhead)) start(silent)
  await Promise.all(each(bulkhead, "the full bulkhead", ({ call }) => rejects(call(asynchronous))))
  return bulkhead
}

const emptyLimiters = async (subject: "limiter, token bucket" | "limiter, fixed window"): Promise<Contenders> => {
  const limiters = lineUp(exhausted)[subject]
  await Promise.all(
    each(
      limiters,
      "the empty limiter",
      async ({ call }) => await call(asynchronous) === 1 && await rejects(call(asynchronous))
    )
  )
  return limiters
}

const rejections = async (): Promise<ReadonlyArray<Case>> => {
  const refused = (subject: string, contenders: Contenders) =>
    row("rejections", subject, contenders, ({ failingLoop }) => failingLoop(asynchronous))
  return [
    row("rejections", bareSubject, bare, ({ failingLoop }) => failingLoop(refusing)),
    refused("open breaker", await openBreakers()),
    refused("full bulkhead", await fullBulkheads()),
    refused("empty token bucket", await emptyLimiters("limiter, token bucket")),
    refused("empty fixed window", await emptyLimiters("limiter, fixed window"))
  ]
}

const atOnce = (): ReadonlyArray<Case> => {
  const crowd = (subject: string, contenders: Contenders) =>
    row("crowd", subject, contenders, ({ together }) => together(asynchronous))
  return [
    crowd(bareSubject, bare),
    crowd("bulkhead with a queue, 10 permits", lineUp(narrow)["bulkhead with a queue"]),
    crowd("coalesce, one call for all", lineUp(measured).coalesce)
  ]
}

const throughRunPromise = (group: GroupName, callee: Callee): ReadonlyArray<Case> =>
  Object.entries({ [bareSubject]: bare, ...Struct.pick(lineUp(measured), [three, five, standard]) }).map((
    [subject, contenders]
  ) => row(group, subject, contenders, (contender) => eachAwaited(contender, callee)))

export const callCases = async (): Promise<ReadonlyArray<Case>> => [
  ...successes("asynchronous", asynchronous),
  retryAtOnce("asynchronous", asynchronous),
  ...successes("synchronous", synchronous),
  retryAtOnce("synchronous", synchronous),
  fallbackTaken("synchronous"),
  ...await rejections(),
  ...atOnce(),
  ...throughRunPromise("runPromise", asynchronous)
]
