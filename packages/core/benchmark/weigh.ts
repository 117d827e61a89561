import { asynchronous, silent } from "./callees.ts"
import { bare, type Contender, type Contenders, type Kept, type PerContender } from "./contender.ts"
import * as cockatiel from "./contenders/cockatiel.ts"
import * as effect from "./contenders/effect.ts"
import * as opossum from "./contenders/opossum.ts"
import * as ours from "./contenders/ours.ts"
import { measured } from "./limits.ts"
import type { Load, Weight } from "./load.ts"
import { lineUp, type Subject } from "./subjects.ts"

type Make = () => (key: string) => Kept

const keyed: { readonly [S in Load["subject"]]?: PerContender<Make> } = {
  "idle breaker": {
    ours: ours.keyed,
    effect: effect.keyed,
    cockatiel: cockatiel.keyed,
    opossum: opossum.keyed
  },
  "idle key": { ours: ours.keyedAlone },
  "idle key with a breaker": { ours: ours.keyedBreaker }
}

/** What adds one more, and what holds them all. */
interface Scale {
  readonly add: (i: number) => unknown
  readonly held: object
}

const callsInFlight = ({ start }: Contender, signals = false): Scale => {
  const held: Array<unknown> = []
  return { held, add: () => held.push(signals ? start(silent, new AbortController().signal) : start(silent)) }
}

const idle = (make: (key: string) => Kept): Scale => {
  const held = new Map<string, unknown>()
  return {
    held,
    add: (i) => {
      const key = `callee ${i}`
      const { contender, kept } = make(key)
      held.set(key, kept)
      return contender.call(asynchronous) // then it has all that one in use has
    }
  }
}

const scaleFor = ({ by, signals, subject }: Load): Scale => {
  const make = keyed[subject]?.[by]
  if (make !== undefined) return idle(make())
  const contenders: Contenders = subject === "bare" ? bare : lineUp(measured)[subject as Subject]
  return callsInFlight(contenders[by]!, signals)
}

const warmUp = 1_000

const heap = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    // oxlint-disable-next-line no-await-in-loop -- lets go of what the last tasks held
    await new Promise(setImmediate)
    globalThis.gc!()
  }
  return process.memoryUsage().heapUsed
}

const weigh = async (load: Load): Promise<Weight> => {
  const { add, held } = scaleFor(load)
  Object.assign(globalThis, { held }) // else the last collection finds nobody who still needs it
  for (let i = 1; i <= warmUp; i++) add(-i)
  const before = await heap()
  const start = performance.now()
  for (let i = 0; i < load.count; i++) add(i)
  const millis = performance.now() - start
  return { bytes: (await heap() - before) / load.count, millis }
}

const weight = await weigh(JSON.parse(process.argv[2]!) as Load)
// calls in flight would keep the process alive
process.stdout.write(JSON.stringify(weight), () => process.exit())
