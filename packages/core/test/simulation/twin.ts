import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as EffectRandom from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import type * as Balancer from "../../src/Balancer.ts"
import * as Chaos from "../../src/Chaos.ts"
import * as Fault from "../../src/Fault.ts"
import { sessionOf } from "../../src/internal/chaos.ts"
import { nowOn } from "../../src/internal/time.ts"
import * as Observability from "../../src/Observability.ts"
import type * as Policy from "../../src/Policy.ts"
import { Client, Load, Server, Times } from "../../src/simulation/index.ts"
import { Random } from "../../src/simulation/internal/random.ts"
import { runWith } from "../../src/simulation/internal/run.ts"
import * as Telemetry from "../../src/Telemetry.ts"

/*
 * One script, twice: in the simulator, and with fibers under the test clock. Both tell the events of `Telemetry`, with the times.
 */

export type Answer = "ok" | "error" | "busy" | "bad" | "die" | "gone"

export interface Script {
  /** when calls begin */
  readonly calls: ReadonlyArray<number>
  /**
   * How long the n-th request is served, what comes of it, and how many tokens its answer has; the last one for all after it. With
   * tokens in one of them, all answers have some.
   */
  readonly requests: ReadonlyArray<readonly [millis: number, answer: Answer, tokens?: number]>
  /** the same of further servers, by name */
  readonly more?: Readonly<Record<string, Script["requests"]>>
  /**
   * What every random number is: both draw the same then, in whichever order; a half, if nothing is said. `"in order"` gives numbers
   * that differ, where both draw in the same order.
   */
  readonly draw?: number | "in order"
  /** switches chaos on */
  readonly chaos?: NonNullable<Parameters<typeof Chaos.layer>[0]>
}

/** Made anew for each of the two. */
export type Through = ReadonlyArray<Policy.Any>

/** What is called instead of the one server. */
export interface Several {
  readonly to: Balancer.Balancer<Server.Server>
  /** the same policies each time that it is asked */
  readonly perServer: (server: Server.Server) => Through
}

/** The call is made by a server in front, which then makes a second one: what stands in both stacks is shared. */
export interface Twice {
  readonly second: Through
}

/** how long the server in front takes before it calls */
const passing = 1 + 1 / 64

const faults: { readonly [A in Answer]: Fault.Fault | undefined } = {
  ok: undefined,
  error: Fault.transient(),
  busy: Fault.throttled({ retryAfter: "70 millis" }),
  bad: Fault.permanent,
  die: Fault.defect,
  gone: Fault.interrupted
}

export interface Told {
  readonly at: number
  readonly event: unknown
}

// the test clock counts nanoseconds
const rounded = (millis: number): number => Math.round(millis * 1000) / 1000

/** An event without what is a matter of the run: causes, exits, and the message of an error. */
const plain = (event: Telemetry.Event): unknown => {
  const entries = Object.entries(event).flatMap(([key, value]): Array<[string, unknown]> => {
    if (key === "exit") return [["ended", endOf(event["exit" as never])]]
    if (key === "cause") return []
    return [[key, Duration.isDuration(value) ? rounded(Duration.toMillis(value)) : value]]
  })
  return Object.fromEntries(entries)
}

const endOf = (exit: any): string => {
  const fault = Fault.of(exit)
  if (fault === undefined) return "ok"
  const error = Cause.findErrorOption<any>(exit.cause)
  return error._tag === "Some" ? `${error.value._tag}, ${fault._tag}` : fault._tag
}

class Same extends Random {
  private readonly draw: number

  constructor(draw: number) {
    super(1)
    this.draw = draw
  }

  override next(): number {
    return this.draw
  }

  override stream(): Random {
    return this
  }
}

/** By the golden ratio, so that they differ as much as they can. */
class InOrder extends Same {
  private last = 0

  override next(): number {
    return this.last = (this.last + 0.618_033_988_749_895) % 1
  }
}

const randomOf = ({ draw = 0.5 }: Script): Random => draw === "in order" ? new InOrder(0) : new Same(draw)

const requestOf = ({ more, requests: first }: Script, server: string, number: number): Script["requests"][number] => {
  const requests = more?.[server] ?? first
  return requests[Math.min(number, requests.length) - 1]!
}

const hasTokens = ({ requests }: Script): boolean => requests.some(([, , tokens]) => tokens !== undefined)

const hour = 3_600_000

export const serversOf = (script: Script): ReadonlyArray<Server.Server> =>
  Object.entries({ callee: script.requests, ...script.more }).map(([name, requests]) =>
    Server.make({
      name,
      times: Times.script(requests.map(([millis]) => millis)),
      answers: () => ({ number }) => faults[requestOf(script, name, number)[1]],
      ...hasTokens(script) && {
        tokens: {
          prompt: Times.constant(1),
          completion: Times.script(requests.map(([, , tokens = 0]) => tokens)),
          maxCompletion: 1000
        }
      }
    })
  )

/** A server in front of another one, which it calls twice. */
const frontOf = (to: Server.Server, first: Through, second: Through): Server.Server =>
  Server.make({
    name: "front",
    times: Times.constant(passing),
    calls: [{ to, through: first }, { to, through: second }]
  })

export const simulated = (script: Script, through: Through, several?: Several | Twice): ReadonlyArray<Told> => {
  const told: Array<Told> = []
  const callee = serversOf(script)[0]!
  const called = several === undefined
    ? { to: callee, through }
    : "second" in several
    ? { to: frontOf(callee, through, several.second) }
    : { ...several, through }
  const client = Client.make({ name: "script", load: Load.trace(script.calls), ...called })
  const { chaos } = script
  runWith({
    ...chaos && { chaos: () => sessionOf("chaos", chaos)(0) },
    clients: [client],
    duration: hour,
    interval: 1000,
    drain: 1,
    seed: 1,
    listener: (event, at) => at < hour && told.push({ at: rounded(at), event: plain(event) })
  }, randomOf(script))
  return told
}

const around = (policies: ReadonlyArray<unknown>, self: Effect.Effect<any, any>): Effect.Effect<any, any> =>
  policies.reduceRight((self: Effect.Effect<any, any>, policy: any) => policy(self), self)

/** What the server in front answers when the one behind it fails. */
const behind = (self: Effect.Effect<unknown, unknown>): Effect.Effect<void, Server.ServerFailed> =>
  Effect.matchCauseEffect(self, {
    onSuccess: () => Effect.void,
    onFailure: (cause) => {
      const fault = Fault.of(Exit.failCause(cause))!
      if (fault._tag === "Defect") return Effect.die("bug")
      if (fault._tag === "Interrupted") return Effect.interrupt
      return Effect.fail(new Server.ServerFailed({ server: "front", reason: "behind", fault }))
    }
  })

export const produced = (
  script: Script,
  through: Through,
  several?: Several | Twice
): Effect.Effect<ReadonlyArray<Told>> =>
  Effect.gen(function*() {
    const told: Array<Told> = []
    const numbers = new Map<string, number>()
    const ended = (server: string, answer: Answer, tokens: number): Effect.Effect<unknown, Server.ServerFailed> => {
      const fault = faults[answer]
      if (answer === "die") return Effect.die("bug")
      if (answer === "gone") return Effect.interrupt
      if (fault !== undefined) return Effect.fail(new Server.ServerFailed({ server, reason: "error", fault }))
      return Effect.succeed(hasTokens(script) ? { prompt: 1, completion: tokens } : undefined)
    }
    const calleeOf = (server: string): Effect.Effect<unknown, Server.ServerFailed> =>
      Effect.suspend(() => {
        const number = (numbers.get(server) ?? 0) + 1
        numbers.set(server, number)
        const [millis, answer, tokens = 0] = requestOf(script, server, number)
        return millis === Infinity ? Effect.never : Effect.andThen(Effect.sleep(millis), ended(server, answer, tokens))
      })
    const callee = several === undefined || "second" in several
      ? calleeOf("callee")
      : several.to.use((server) => around(several.perServer(server), calleeOf(server.name)))
    const made = around(through, callee)
    const called = several === undefined || !("second" in several)
      ? made
      : Effect.sleep(passing).pipe(Effect.andThen(behind(made)), Effect.andThen(behind(around(several.second, callee))))
    const listen = Telemetry.listen((event, context) => {
      const at = nowOn(Context.get(context, Clock.Clock))
      if (at < hour) told.push({ at: rounded(at), event: plain(event) })
    })
    const call = listen(Observability.call("script")(called))
    const drive = Effect.gen(function*() {
      let at = 0
      for (const start of script.calls) {
        yield* Effect.sleep(start - at)
        at = start
        yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
      }
      return yield* Effect.never
    })
    yield* Effect.forkChild(drive, { startImmediately: true })
    yield* TestClock.adjust("1 hour")
    return told
  }).pipe(
    Effect.provide(script.chaos === undefined ? Layer.empty : Chaos.layer(script.chaos)),
    Effect.provideService(EffectRandom.Random, randomOf(script))
  )

const shown = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? ""

const line = ({ at, event }: Told): string => {
  const { _tag, name, policy, ...rest } = event as Readonly<Record<string, unknown>>
  const fields = Object.entries(rest).filter(([, value]) => value !== undefined)
  const whose = name === undefined ? shown(policy) : `${shown(policy)} ${shown(name)}`
  return [`${at} ${whose}: ${shown(_tag)}`, ...fields.map(([key, value]) => `${key} ${shown(value)}`)].join(", ")
}

const number = /\d+(\.\d+)?/g

/** A time that is rounded may be rounded up on the one side and down on the other: learnt limits are no round numbers. */
const isSame = (a: string, b: string | undefined): boolean => {
  if (a === b || b === undefined) return a === b
  const [inA, inB] = [a.match(number) ?? [], b.match(number) ?? []]
  return a.replace(number, "") === b.replace(number, "") && inA.every((text, i) => Math.abs(+text - +inB[i]!) < 0.0015)
}

/** In how many ways something happens. */
export const variety = (told: ReadonlyArray<Told>): number =>
  new Set(told.map(({ event }) => {
    const { _tag, because, ended, from, phase, policy, reason, state, to } = event as Readonly<Record<string, unknown>>
    return [policy, _tag, because, ended, from, phase, reason, state, to].map(shown).join()
  })).size

/** Where the two logs begin to differ; nothing, if they do not. */
export const difference = (simulation: ReadonlyArray<Told>, production: ReadonlyArray<Told>): string | undefined => {
  const both = [simulation, production].map((told) => told.map(line))
  const [a, b] = both as [Array<string>, Array<string>]
  const from = a.findIndex((text, i) => !isSame(text, b[i]))
  const first = from >= 0 ? from : a.length === b.length ? undefined : a.length
  if (first === undefined) return undefined
  const rest = (lines: ReadonlyArray<string>): string =>
    lines.slice(first, first + 6).map((text) => `    ${text}\n`).join("") || "    nothing\n"
  const before = a.slice(Math.max(0, first - 20), first).map((text) => `  ${text}\n`).join("")
  return `both:\n${before}the simulation goes on:\n${rest(a)}production goes on:\n${rest(b)}`
}
