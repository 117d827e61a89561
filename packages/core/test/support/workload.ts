import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Policy from "../../src/Policy.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import { Bad, Boom, Busy, outcome } from "./harness.ts"
import { Journal } from "./journal.ts"

export type Face = "effect" | "stream"

/** One call with both faces. */
export interface Call {
  readonly effect: Effect.Effect<unknown, unknown>
  readonly stream: Stream.Stream<unknown, unknown>
}

/** A part of a stack, with what has to be true of it. */
export interface Layer {
  readonly wrap: (call: Call, caller: number) => Call
  /** What is wrong, when everything is over. */
  readonly problems: Effect.Effect<ReadonlyArray<string>>
  /** What is wrong at any time. */
  readonly always?: Effect.Effect<ReadonlyArray<string>>
}

/** Makes a part of a stack as new. `outside` and `inside` are the places of the spies around it and in it. */
export type MakeLayer = (options: {
  readonly journal: Journal
  readonly name: string
  readonly seed: number
  readonly outside: string
  readonly inside: string
  readonly face: Face
}) => Layer

/** Whole numbers from a seed (mulberry32): apart from the randomness of the policies. */
export const numbers = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** What everybody waits for is a multiple of this: timers, answers and departures often come at the same instant. */
export const grid = 10

/** The longest clean-up of a callee. */
export const longestCleanup = 2 * grid

const pick = <A>(random: (below: number) => number, all: ReadonlyArray<A>): A => all[random(all.length)]!

const bug = new Error("bug")
const latencies = [0, 0, 1, 2, 3, 4, 6, 9, 13, 20, 60]
const outcomes = ["ok", "ok", "ok", "ok", "ok", "ok", "boom", "boom", "boom", "busy", "bad", "die", "leave", "refuse"]
  .map((kind, n): Effect.Effect<number, unknown> => {
    switch (kind) {
      case "ok":
        return Effect.succeed(n)
      case "boom":
        return Effect.fail(new Boom({}))
      case "busy":
        return Effect.fail(new Busy({ retryAfter: 3 * grid }))
      case "bad":
        return Effect.fail(new Bad())
      case "die":
        return Effect.die(bug)
      case "leave":
        return Effect.interrupt
      default:
        return Effect.fail(new CircuitBreaker.CircuitOpen({ policyName: "elsewhere", retryAfter: Duration.zero }))
    }
  })

/** A callee of random latency and outcome. */
const calleeOf = (journal: Journal, random: (below: number) => number): Call => {
  const begin = Effect.sync(() => journal.begins("callee"))
  const end = (slow: boolean) => (id: number, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Effect.andThen(
      slow ? Effect.sleep(longestCleanup) : Effect.void,
      Effect.sync(() => journal.ends("callee", id, exit, undefined))
    )
  const answer = Effect.suspend(() => Effect.delay(pick(random, outcomes), grid * pick(random, latencies)))
  return {
    effect: Effect.suspend(() => Effect.acquireUseRelease(begin, () => answer, end(random(5) === 0))),
    stream: Stream.suspend(() => {
      const elements = Array.from({ length: random(3) }, (_, n) => Effect.delay(Effect.succeed(n), grid * random(6)))
      return Stream.unwrap(Effect.as(
        Effect.acquireRelease(begin, end(random(5) === 0)),
        Stream.concat(
          Stream.mapEffect(Stream.fromIterable(elements), (element) => element),
          Stream.fromEffect(answer)
        )
      ))
    })
  }
}

export interface Run {
  readonly lines: ReadonlyArray<string>
  readonly problems: ReadonlyArray<string>
}

/**
 * Two dozen callers within a second, a third of whom go away, and a callee that does everything that a callee can do.
 * Everything depends on the seed alone.
 */
export const workload = (options: {
  readonly layers: ReadonlyArray<MakeLayer>
  readonly face: Face
  readonly seed: number
  /** @default true */
  readonly listening?: boolean
}): Effect.Effect<Run> =>
  Effect.gen(function*() {
    const { face, listening = true, seed } = options
    const journal = new Journal(yield* Clock.Clock, listening)
    const random = numbers(seed)
    const problems: Array<string> = []
    const places = options.layers.map((_, i) => `spy${i}`)
    const layers = options.layers.map((make, i) =>
      make({ journal, name: `layer${i}`, seed, outside: places[i]!, inside: places[i + 1] ?? "innermost", face })
    )
    const spied = (call: Call, place: string): Call => {
      const spy = journal.spy(place)
      return { effect: spy(call.effect), stream: spy.stream(call.stream) }
    }
    const callee = spied(calleeOf(journal, random), "innermost")
    const always = Effect.forEach(layers, (layer) => layer.always ?? Effect.succeed([]))
    const listen = listening ? Telemetry.listen((event) => journal.tells(event)) : Policy.identity

    const caller = Effect.fnUntraced(function*(n: number) {
      yield* Effect.sleep(grid * random(100))
      const stays = random(3) === 0 ? grid * random(30) : undefined
      const { effect, stream } = layers.reduceRight(
        (call, layer, i) => spied(layer.wrap(call, n), places[i]!),
        callee
      )
      const elements: Stream.Stream<unknown, unknown> = random(4) === 0 ? Stream.take(stream, 1) : stream
      const call: Effect.Effect<unknown, unknown> = face === "effect"
        ? listen(effect)
        : Stream.runCollect(listen.stream(elements))
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      let exits = 0
      fiber.addObserver((exit) => {
        exits++
        journal.ends("caller", n, exit, undefined)
      })
      if (stays !== undefined) {
        yield* Effect.sleep(stays)
        if (fiber.pollUnsafe() === undefined) journal.leaves(n)
        yield* Fiber.interrupt(fiber)
      }
      yield* Fiber.await(fiber)
      if (exits !== 1) problems.push(`caller ${n} got ${exits} exits`)
      problems.push(...(yield* always).flat())
    })

    let fibers = 0
    const counting: Metric.FiberRuntimeMetricsService = {
      recordFiberStart: () => void fibers++,
      recordFiberEnd: () => void fibers--
    }
    const callers = yield* Effect.forkChild(
      Effect.forEach(Array.from({ length: 24 }, (_, n) => n), caller, { concurrency: "unbounded", discard: true }).pipe(
        Random.withSeed(seed),
        Effect.provideService(Metric.FiberRuntimeMetrics, counting)
      ),
      { startImmediately: true }
    )
    yield* TestClock.adjust("5 minutes")
    if (callers.pollUnsafe() === undefined) problems.push("somebody waits for ever")
    yield* Fiber.interrupt(callers)
    const ended = yield* Fiber.await(callers)
    if (Exit.isFailure(ended)) problems.push(`the workload itself: ${outcome(ended)}`)

    if (fibers !== 0) problems.push(`${fibers} fibers are left`)
    const [open, closed] = ["begins", "ends"].map((what) =>
      journal.at("callee").filter((entry) => entry.what === what).length
    )
    if (open !== closed) problems.push(`of ${open} calls ${closed} have ended`)
    problems.push(...interruptedForNothing(journal), ...foreignDefects(journal), ...callsForNobody(journal))
    for (const layer of layers) problems.push(...(yield* layer.problems))
    return { lines: journal.lines, problems }
    // a clock of its own: every run begins at time 0
  }).pipe(Effect.provide(TestClock.layer()))

/** Only who goes away is interrupted, or whose callee interrupts itself. */
const interruptedForNothing = (journal: Journal): ReadonlyArray<string> => {
  const gone = new Set(journal.at("caller").flatMap(({ id, what }) => what === "leaves" ? [id] : []))
  const selfAt = new Set(
    journal.at("callee").flatMap((entry) =>
      entry.what === "ends" && outcome(entry.exit) === "Interrupt" ? [entry.at] : []
    )
  )
  return journal.at("caller").flatMap((entry) =>
    entry.what === "ends" && outcome(entry.exit) === "Interrupt" && !gone.has(entry.id) && !selfAt.has(entry.at)
      ? [`caller ${entry.id} was interrupted by nobody`]
      : []
  )
}

/** No policy dies. */
const foreignDefects = (journal: Journal): ReadonlyArray<string> =>
  journal.at("caller").flatMap((entry) =>
    entry.what === "ends" && Exit.isFailure(entry.exit)
      ? entry.exit.cause.reasons.flatMap((reason) =>
        Cause.isDieReason(reason) && reason.defect !== bug ? [`caller ${entry.id}: ${String(reason.defect)}`] : []
      )
      : []
  )

/** When the last caller has gone, what is under way is cleaned up and ends. */
const callsForNobody = (journal: Journal): ReadonlyArray<string> => {
  const [gone, quiet] = (["caller", "callee"] as const).map((place) =>
    Math.max(...journal.at(place).flatMap(({ at, what }) => what === "ends" ? [at] : []))
  )
  return quiet! > gone! + longestCleanup ? [`a call went on until ${quiet}, and all had gone at ${gone}`] : []
}
