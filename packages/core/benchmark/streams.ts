import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Timeout from "../src/Timeout.ts"
import { asynchronous, hanging } from "./callees.ts"
import { expect, inTime, rejects } from "./check.ts"
import { mapContenders, oneFiber, type PerContender, type Run, unitsPerRun } from "./contender.ts"
import { stackOfFive, stackOfThree, standard as pipelineStandard } from "./contenders/ours.ts"
import { type Limits, measured, quick } from "./limits.ts"
import { bareSubject, type Case, type GroupName } from "./measure.ts"
import { five, standard, three } from "./subjects.ts"

type Wrap = (self: Stream.Stream<number, unknown>) => Stream.Stream<number, unknown>

interface Entry {
  readonly does: string
  readonly wrap: Wrap
}

type Entries = PerContender<Entry>

const many = Stream.fromEffectRepeat(asynchronous.effect).pipe(Stream.take(unitsPerRun))
const one = Stream.fromEffect(asynchronous.effect)

const entries = (limits: Limits): { readonly [subject: string]: Entries } => ({
  // Effect's limits only the time between two elements
  "timeout phases": {
    ours: {
      does: "Timeout.phases",
      wrap: Timeout.phases({ first: limits.attempt, idle: limits.attempt, total: limits.total }).stream
    },
    effect: {
      does: "Stream.timeoutOrElse",
      wrap: Stream.timeoutOrElse({ duration: limits.attempt, orElse: () => Stream.fail("timeout") })
    }
  },
  [three]: { ours: { does: "Policy.compose", wrap: stackOfThree(limits).stream } },
  [five]: { ours: { does: "Policy.compose", wrap: stackOfFive(limits).stream } },
  [standard]: {
    ours: { does: "bulkhead > total > retry with a budget > breaker > attempt", wrap: pipelineStandard(limits).stream }
  }
})

const bare: Entries = { bare: { does: "the stream alone", wrap: (self) => self } }

const cases = (
  group: GroupName,
  unit: Case["unit"],
  unitsPerRun: number,
  run: (wrap: Wrap) => Run
): ReadonlyArray<Case> =>
  Object.entries({ [bareSubject]: bare, ...entries(measured) }).map(([subject, contenders]) => ({
    group,
    subject,
    unit,
    unitsPerRun,
    runs: mapContenders(contenders, ({ wrap }) => run(wrap)),
    does: mapContenders(contenders, ({ does }) => does)
  }))

const drain = (wrap: Wrap): Run => () => Effect.runPromise(Stream.runDrain(wrap(many)))

// a stream costs many times a call
const streamsPerRun = 200

const drainEach = (wrap: Wrap): Run => oneFiber(() => Stream.runDrain(wrap(one)), streamsPerRun)

export const streamCases = (): ReadonlyArray<Case> => [
  ...cases("elements", "element", unitsPerRun, drain),
  ...cases("streams", "stream", streamsPerRun, drainEach)
]

const collects = async (wrap: Wrap): Promise<boolean> =>
  (await Effect.runPromise(Stream.runCollect(wrap(many)))).length === unitsPerRun

const timesOut = (wrap: Wrap): Promise<boolean> =>
  inTime(rejects(Effect.runPromise(Stream.runDrain(wrap(Stream.fromEffect(hanging.effect))))))

export const checkStreams = async (): Promise<void> => {
  const each = (limits: Limits, what: string, f: (wrap: Wrap) => Promise<boolean>) =>
    Object.entries(entries(limits)).flatMap(([subject, contenders]) =>
      Object.entries(contenders).map(([by, { wrap }]) => expect(`${subject} of a stream by ${by} ${what}`, f(wrap)))
    )
  await Promise.all([...each(measured, "gives all elements", collects), ...each(quick, "times out", timesOut)])
}
