import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Timeout from "../src/Timeout.ts"
import { asynchronous, hanging } from "./callees.ts"
import { expect, inTime, rejects } from "./check.ts"
import { mapContenders, oneFiber, type PerContender, type Run, unitsPerRun } from "./contender.ts"
import { stack, stackInTotal } from "./contenders/ours.ts"
import { type Limits, measured, quick } from "./limits.ts"
import { bareSubject, type Case, type Group, groups } from "./measure.ts"

type Wrap = (self: Stream.Stream<number, unknown>) => Stream.Stream<number, unknown>
type Wraps = PerContender<Wrap>

const many = Stream.fromEffectRepeat(asynchronous.effect).pipe(Stream.take(unitsPerRun))
const one = Stream.fromEffect(asynchronous.effect)

const timeouts = ({ attempt, total }: Limits): { readonly [subject: string]: Wraps } => ({
  // Effect's limits only the time between two elements
  "timeout phases": {
    ours: Timeout.phases({ first: attempt, idle: attempt, total }).stream,
    effect: Stream.timeoutOrElse({ duration: attempt, orElse: () => Stream.fail("timeout") })
  }
})

const stacks = (limits: Limits): { readonly [subject: string]: Wraps } => ({
  "retry > breaker > attempt": { ours: stack(limits).stream },
  "total > retry > breaker > attempt": { ours: stackInTotal(limits).stream }
})

const all = (limits: Limits) => ({ ...timeouts(limits), ...stacks(limits) })
const bare: Wraps = { bare: (self) => self }

const cases = (
  group: Group,
  unit: Case["unit"],
  unitsPerRun: number,
  run: (wrap: Wrap) => Run
): ReadonlyArray<Case> =>
  Object.entries({ [bareSubject]: bare, ...all(measured) }).map(([subject, wraps]) => ({
    group,
    subject,
    unit,
    unitsPerRun,
    runs: mapContenders(wraps, run)
  }))

const drain = (wrap: Wrap): Run => () => Effect.runPromise(Stream.runDrain(wrap(many)))

// a stream costs many times a call
const streamsPerRun = 200

const drainEach = (wrap: Wrap): Run => oneFiber(() => Stream.runDrain(wrap(one)), streamsPerRun)

export const streamCases = (): ReadonlyArray<Case> => [
  ...cases(groups.elements, "element", unitsPerRun, drain),
  ...cases(groups.streams, "stream", streamsPerRun, drainEach)
]

const collects = async (wrap: Wrap): Promise<boolean> =>
  (await Effect.runPromise(Stream.runCollect(wrap(many)))).length === unitsPerRun

const timesOut = (wrap: Wrap): Promise<boolean> =>
  inTime(rejects(Effect.runPromise(Stream.runDrain(wrap(Stream.fromEffect(hanging.effect))))))

export const checkStreams = async (): Promise<void> => {
  const each = (limits: Limits, what: string, f: (wrap: Wrap) => Promise<boolean>) =>
    Object.entries(all(limits)).flatMap(([subject, wraps]) =>
      Object.entries(wraps).map(([by, wrap]) => expect(`${subject} of a stream by ${by} ${what}`, f(wrap)))
    )
  await Promise.all([...each(measured, "gives all elements", collects), ...each(quick, "times out", timesOut)])
}
