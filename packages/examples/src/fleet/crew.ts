/** The processes of the fleet. */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Told } from "./process.ts"

/** A process of the fleet did not start. */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly said: string }> {
  override get message(): string {
    return `A process of the fleet did not start: ${this.said}`
  }
}

export interface Worker {
  readonly url: string
  readonly pid: number
  /** As by `kill -9`. */
  readonly kill: Effect.Effect<void>
  readonly ended: Effect.Effect<void>
}

const file = fileURLToPath(new URL("process.ts", import.meta.url))

const isEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (isEnded(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.suspend(() => {
    child.kill("SIGTERM")
    return Effect.timeoutOption(ended(child), "5 seconds")
  }).pipe(Effect.andThen(Effect.suspend(() => {
    if (!isEnded(child)) child.kill("SIGKILL")
    return ended(child)
  })))

/** Starts a process, and ends it with the scope. */
export const start = (told: Told): Effect.Effect<Worker, NotStarted, Scope.Scope> =>
  Effect.gen(function*() {
    const address = Deferred.makeUnsafe<string, NotStarted>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = fork(file, [JSON.stringify(told)], { stdio: ["ignore", "inherit", "pipe", "ipc"] })
        let said = ""
        child.stderr?.on("data", (text) => said = (said + String(text)).slice(-2000))
        child.on("message", (message: { readonly url: string }) =>
          Deferred.doneUnsafe(address, Effect.succeed(message.url)))
        child.on("exit", () =>
          Deferred.doneUnsafe(address, Effect.fail(new NotStarted({ said: said.trim() }))))
        child.on("error", () => undefined)
        return child
      }),
      stop
    )
    const url = yield* Effect.timeoutOrElse(Deferred.await(address), {
      duration: "1 minute",
      orElse: () => Effect.fail(new NotStarted({ said: "nothing within a minute." }))
    })
    return {
      url,
      pid: child.pid!,
      kill: Effect.andThen(Effect.sync(() => child.kill("SIGKILL")), ended(child)),
      ended: ended(child)
    }
  })
