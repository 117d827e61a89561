/** The worker processes: as many as wanted, and another one for each that dies. */
import type { ResumeToken } from "@effect-resilience/azure-o1"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { Hopeless } from "./answer.ts"
import type { Prompt } from "./prompts.ts"
import { type Settings, variable } from "./settings.ts"
import type { Told } from "./worker.ts"

export interface Crew {
  /** Prompts that are being answered now. */
  readonly inFlight: () => number
  /** What the ledger knows of prompts that may have no answer yet. */
  readonly memory: Map<string, ResumeToken | undefined>
  /** Workers that have died and were replaced. */
  readonly replaced: () => number
  /** Fails when nothing more will be answered, and else never ends. */
  readonly failed: Effect.Effect<never, Hopeless>
  /** There were new answers, so that deaths are counted from none again. */
  readonly lives: () => void
}

/** Deaths in a row without one answer. */
const mostDeaths = 8

/** How long a worker may take to end before it is killed. */
const goodbye = 20_000

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const done = (): void => resume(Effect.void)
    child.once("exit", done)
    return Effect.sync(() => void child.off("exit", done))
  })

const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.suspend(() => {
    child.kill("SIGTERM")
    return Effect.timeoutOption(ended(child), goodbye)
  }).pipe(
    Effect.andThen(Effect.suspend(() => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      return ended(child)
    }))
  )

/** Starts the workers, and keeps their number until the scope ends, which ends them. */
export const crew = (
  file: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
  /** Those without an answer, for workers that have no queue in common. */
  prompts: () => ReadonlyArray<Prompt>
): Effect.Effect<Crew, never, Scope.Scope> =>
  Effect.gen(function*() {
    const hopeless = Deferred.makeUnsafe<never, Hopeless>()
    const flights = new Map<ChildProcess, number>()
    const memory = new Map<string, ResumeToken | undefined>()
    let deaths = 0
    let replaced = 0

    const heard = (child: ChildProcess) => (told: Told): void => {
      switch (told._tag) {
        case "Flight":
          return void flights.set(child, told.inFlight)
        case "Ready":
          return void child.send(prompts())
        case "Noted":
          return void memory.set(told.key, told.token)
        case "Dropped":
          return void memory.delete(told.key)
        case "Hopeless":
          return void Deferred.doneUnsafe(hopeless, Effect.fail(new Hopeless(told)))
      }
    }

    const start = Effect.acquireRelease(
      Effect.sync(() => {
        const child = fork(file, [], {
          env: { ...env, [variable]: JSON.stringify(settings) },
          stdio: ["ignore", "inherit", "inherit", "ipc"]
        })
        child.on("message", heard(child))
        child.on("error", () => undefined)
        flights.set(child, 0)
        return child
      }),
      (child) => Effect.andThen(end(child), Effect.sync(() => void flights.delete(child)))
    )

    const post = Effect.gen(function*() {
      const child = yield* Effect.scoped(Effect.tap(start, ended))
      deaths++
      replaced++
      if (deaths < mostDeaths) return yield* Effect.sleep(Duration.millis(deaths === 1 ? 0 : 250 * 2 ** (deaths - 2)))
      const how = child.signalCode === null ? `with exit code ${child.exitCode}` : `of ${child.signalCode}`
      const message = `${mostDeaths} workers have died in a row before they had one answer, the last one ${how}.`
      Deferred.doneUnsafe(hopeless, Effect.fail(new Hopeless({ message })))
      return yield* Effect.never
    })

    yield* Effect.forEach(Array.from({ length: settings.workers }), () => Effect.forever(post), {
      concurrency: "unbounded",
      discard: true
    }).pipe(Effect.forkScoped)

    return {
      inFlight: () => Array.from(flights.values()).reduce((a, b) => a + b, 0),
      memory,
      replaced: () => replaced,
      failed: Deferred.await(hopeless),
      lives: () => deaths = 0
    }
  })
