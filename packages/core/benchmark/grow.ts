import * as Effect from "effect/Effect"
import * as Policy from "../src/Policy.ts"
import * as Timeout from "../src/Timeout.ts"
import { asynchronous } from "./callees.ts"
import { bare, type Contender, inFiber, oneByOne, type Run, unitsPerRun, type Wrap } from "./contender.ts"
import * as cockatiel from "./contenders/cockatiel.ts"
import * as effect from "./contenders/effect.ts"
import * as own from "./contenders/ours.ts"
import type { ChartName, Sampled } from "./growth.ts"
import { measured, narrow } from "./limits.ts"
import { median } from "./measure.ts"
import { five, lineUp, standard } from "./subjects.ts"

interface Trial {
  readonly calls: number
  /** Answers with the milliseconds that the calls took, where it has more to do than to make them. */
  readonly run: () => Promise<unknown>
}

type Line = (size: number) => Trial

interface Chart {
  readonly sizes: ReadonlyArray<number>
  readonly ours: Readonly<Record<string, Line>>
  readonly others: Readonly<Record<string, Line>>
  /** Lines that would take minutes beyond a size. */
  readonly upTo?: Readonly<Record<string, number>>
}

const callee = asynchronous

const atOnce = ({ together }: Contender): Line => (size) => ({ calls: size, run: together(callee, size) })

const subjects = lineUp(measured)

const inFlight: Chart = {
  sizes: [1, 10, 100, 1_000, 10_000, 100_000],
  ours: {
    "attempt timeout": atOnce(subjects["attempt timeout"].ours!),
    "breaker, share of slow calls": atOnce(subjects["breaker, share of slow calls"].ours!),
    [five]: atOnce(subjects[five].ours!),
    [standard]: atOnce(subjects[standard].ours!)
  },
  others: {
    "bare": atOnce(bare.bare),
    "awaited function": atOnce(bare.promise),
    "the five of cockatiel in Effect": atOnce(subjects[five].cockatielInEffect!),
    "the five of Effect": atOnce(subjects[five].effect!)
  },
  upTo: { "the five of Effect": 10_000, "the five of cockatiel in Effect": 10_000 }
}

/** As many calls as it takes to use each key, and enough to be measured. */
const inTurn = (make: (keys: number) => Contender): Line => {
  const made = new Map<number, Run>()
  return (size) => {
    let run = made.get(size)
    if (run === undefined) made.set(size, run = make(size).loop(callee))
    const runs = Math.max(1, size / unitsPerRun)
    return {
      calls: runs * unitsPerRun,
      run: async () => {
        // oxlint-disable-next-line no-await-in-loop -- one call after the other
        for (let i = 0; i < runs; i++) await run()
      }
    }
  }
}

const byKey: Chart = {
  sizes: [10, 100, 1_000, 10_000, 100_000],
  ours: { "Keyed": inTurn(own.breakersByKey) },
  others: {
    "Effect's circuits": inTurn(effect.breakersByKey),
    "cockatiel's breakers in a Map": inTurn(cockatiel.breakersByKey)
  }
}

const places = 1_000_000
const queueing = { ...narrow, queue: places }

const queued: Chart = {
  sizes: [100, 1_000, 10_000, 100_000],
  ours: {
    "Bulkhead, first in first out": atOnce(own.queueing(queueing, "fifo")),
    "Bulkhead, last in first out": atOnce(own.queueing(queueing, "lifo")),
    "Bulkhead, adaptive": atOnce(own.queueing(queueing, "adaptive"))
  },
  others: {
    "Effect's Semaphore": atOnce(effect.queueing(narrow.permits)),
    "cockatiel's bulkhead": atOnce(cockatiel.queueing(narrow.permits, places))
  },
  upTo: { "Effect's Semaphore": 10_000, "cockatiel's bulkhead": 10_000 }
}

const within = (make: (i: number) => Policy.Policy<unknown, unknown>): Line => (size) => {
  const policies = Array.from({ length: size }, (_, i) => make(i))
  const stack = policies.reduce((outer, inner) => Policy.compose(outer, inner))
  return { calls: unitsPerRun, run: inFiber("", stack).loop(callee) }
}

const depth: Chart = {
  sizes: [1, 2, 5, 10, 20, 50],
  ours: {
    // each is shorter than the one around it, else the inner ones would leave it to the outermost
    "attempt timeout": within((i) => Timeout.attempt(measured.attempt - i)),
    "total timeout": within((i) => Timeout.total(measured.total - i)),
    "breaker": within(own.consecutiveBreaker),
    "bulkhead": within(() => own.wideBulkhead(measured))
  },
  others: {}
}

/** Only the calls are timed, not the birth and the end of the children. */
const withChildren = (wrap: Wrap): Line => (size) => {
  const calls = oneByOne(() => wrap(callee.effect))
  const program = Effect.gen(function*() {
    for (let i = 0; i < size; i++) yield* Effect.forkChild(Effect.never, { startImmediately: true })
    const start = performance.now()
    yield* calls
    return performance.now() - start
  })
  return { calls: unitsPerRun, run: () => Effect.runPromise(program) }
}

const children: Chart = {
  sizes: [0, 100, 10_000],
  ours: { "attempt timeout": withChildren(Timeout.attempt(measured.attempt)) },
  others: {
    "bare": withChildren((self) => self),
    "Effect.timeout": withChildren(Effect.timeout(measured.attempt))
  }
}

const all: { readonly [C in ChartName]: Chart } = {
  "in flight": inFlight,
  "keys": byKey,
  "queue": queued,
  depth,
  children
}

const { quick } = JSON.parse(process.argv[2]!) as { readonly quick: boolean }

const slice = quick ? 0 : 60
const fewest = quick ? 1 : 3
const largest = quick ? 10_000 : Infinity

/* oxlint-disable no-await-in-loop -- nothing else may run while something is measured */
const sample = async ({ calls, run }: Trial): Promise<number> => {
  globalThis.gc!({ type: "minor" })
  const samples: Array<number> = []
  const end = performance.now() + slice
  do {
    const start = performance.now()
    const millis = await run()
    samples.push((typeof millis === "number" ? millis : performance.now() - start) * 1e6 / calls)
  } while (samples.length < fewest || performance.now() < end)
  return median(samples)
}

/** The lines of a chart follow one another at each size, so that they see the same machine. */
const measure = async (chart: ChartName, { others, ours, sizes, upTo }: Chart): Promise<ReadonlyArray<Sampled>> => {
  const drawn = Object.entries({ ...others, ...ours }).map(([line, trial]) => {
    const ownSizes = sizes.filter((size) => size <= Math.min(largest, upTo?.[line] ?? Infinity))
    return { chart, line, ours: line in ours, sizes: ownSizes, trials: ownSizes.map(trial), ns: [] as Array<number> }
  })
  // the smaller sizes are done first and warm up what the larger ones use
  for (const { trials } of drawn) for (const trial of trials.slice(0, -1)) await trial.run()
  for (const [i] of sizes.entries()) {
    for (const { ns, trials } of drawn) {
      const trial = trials[i]
      if (trial === undefined) continue
      await trial.run()
      ns.push(await sample(trial))
    }
  }
  return drawn.map(({ chart, line, ns, ours, sizes }) => ({ chart, line, ours, sizes, ns }))
}

const sampled: Array<Sampled> = []
for (const [name, chart] of Object.entries(all)) sampled.push(...await measure(name as ChartName, chart))
/* oxlint-enable no-await-in-loop */
process.stdout.write(JSON.stringify(sampled), () => process.exit())
