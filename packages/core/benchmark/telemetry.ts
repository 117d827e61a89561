import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Observability from "../src/Observability.ts"
import * as Policy from "../src/Policy.ts"
import * as Telemetry from "../src/Telemetry.ts"
import { asynchronous } from "./callees.ts"
import { expect } from "./check.ts"
import { mapContenders, oneFiber, type PerContender, type Run, unitsPerRun } from "./contender.ts"
import { countEvents } from "./contenders/cockatiel.ts"
import { stackOfThree } from "./contenders/ours.ts"
import { measured } from "./limits.ts"
import { bareSubject, type Case } from "./measure.ts"

type Program = Effect.Effect<void, unknown>
type Provide = (program: Program) => Program

const unheard = () => ({ heard: 0 })

const counter = (count: { heard: number }): Provide =>
  Effect.provideService(Telemetry.CurrentListener, () => {
    count.heard++
  })

/** Built once, as at the start of a program. */
const metrics = (): Provide =>
  Effect.provideContext(Effect.runSync(Layer.buildWithScope(Observability.layerMetrics(), Scope.makeUnsafe())))

const loop = (policy: Policy.Policy<unknown, unknown>, provide: Provide): Run => {
  const program = Effect.forEach(
    Array.from({ length: unitsPerRun }),
    () => policy(asynchronous.effect),
    { discard: true }
  ).pipe(provide)
  return () => Effect.runPromise(program)
}

interface Entry {
  readonly does: string
  readonly run: Run
}

const row = (subject: string, entries: PerContender<Entry>): Case => ({
  group: "telemetry",
  subject,
  unit: "call",
  unitsPerRun,
  runs: mapContenders(entries, ({ run }) => run),
  does: mapContenders(entries, ({ does }) => does)
})

const stack = () => stackOfThree(measured)

const called = () => Policy.compose(Observability.call("call"), stack())

export const telemetryCases = (): ReadonlyArray<Case> => [
  row(bareSubject, { bare: { does: "nobody listens", run: oneFiber(() => quiet(asynchronous.effect)) } }),
  row("a listener that counts", {
    ours: { does: "CurrentListener", run: loop(stack(), counter(unheard())) },
    cockatiel: { does: "onSuccess of each policy", run: countEvents(measured, asynchronous, unheard()) }
  }),
  row("a listener that counts, calls and attempts", {
    ours: { does: "CurrentListener, Observability.call", run: loop(called(), counter(unheard())) }
  }),
  row("metrics", {
    ours: { does: "Observability.layerMetrics, .call", run: loop(called(), metrics()) }
  })
]

const quiet = stack()

export const checkTelemetry = async (): Promise<void> => {
  const ours = unheard()
  const cockatiels = unheard()
  await loop(called(), counter(ours))()
  await countEvents(measured, asynchronous, cockatiels)()
  const all = [["ours", ours], ["cockatiel", cockatiels]] as const
  await Promise.all(
    all.map(([by, { heard }]) =>
      expect(`the listener of ${by} hears every call`, Promise.resolve(heard >= unitsPerRun))
    )
  )
}
