import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import { deadlinePassed } from "../../src/internal/deadline.ts"
import { fromPull, open } from "../../src/internal/establish.ts"
import type { AnyFiber } from "../../src/internal/primitive.ts"
import * as Policy from "../../src/Policy.ts"
import type * as Telemetry from "../../src/Telemetry.ts"
import { outcome } from "./harness.ts"

/** What can be seen at one place of a stack. */
export type Entry =
  & { readonly at: number }
  & (
    | { readonly what: "begins" | "answers"; readonly place: string; readonly id: number }
    | {
      readonly what: "ends"
      readonly place: string
      readonly id: number
      readonly exit: Exit.Exit<unknown, unknown>
      /** at or after the ambient deadline; not, if a consumer stopped to whom nothing was owed */
      readonly late: boolean
    }
    | { readonly what: "leaves"; readonly place: "caller"; readonly id: number }
    | { readonly what: "tells"; readonly event: Telemetry.Event }
  )

const show = (entry: Entry): string => {
  switch (entry.what) {
    case "ends":
      return `${entry.at} ${entry.place} ${entry.id} ends ${outcome(entry.exit)}`
    case "tells":
      return `${entry.at} ${
        JSON.stringify(entry.event, (key, value) => key === "exit" || key === "cause" ? undefined : value)
      }`
    default:
      return `${entry.at} ${entry.place} ${entry.id} ${entry.what}`
  }
}

/** Everything that happens in one run, in order. */
export class Journal {
  readonly entries: Array<Entry> = []
  /** Whether the policies tell it of what they do: there are shorter ways for calls that nobody listens to. */
  readonly listening: boolean
  private readonly clock: Clock.Clock
  private readonly ids = new Map<string, number>()

  constructor(clock: Clock.Clock, listening: boolean) {
    this.clock = clock
    this.listening = listening
  }

  /** in whole milliseconds: that is how exact timers are */
  get now(): number {
    return Math.round(this.clock.currentTimeMillisUnsafe())
  }

  begins(place: string): number {
    const id = (this.ids.get(place) ?? 0) + 1
    this.ids.set(place, id)
    this.entries.push({ at: this.now, what: "begins", place, id })
    return id
  }

  answers(place: string, id: number): void {
    this.entries.push({ at: this.now, what: "answers", place, id })
  }

  ends(place: string, id: number, exit: Exit.Exit<unknown, unknown>, fiber: AnyFiber | undefined): void {
    const late = fiber !== undefined && deadlinePassed(fiber, this.clock.currentTimeMillisUnsafe())
    this.entries.push({ at: this.now, what: "ends", place, id, exit, late })
  }

  leaves(id: number): void {
    this.entries.push({ at: this.now, what: "leaves", place: "caller", id })
  }

  tells(event: Telemetry.Event): void {
    this.entries.push({ at: this.now, what: "tells", event })
  }

  at(place: string): ReadonlyArray<Exclude<Entry, { readonly what: "tells" }>> {
    return this.entries.flatMap((entry) => entry.what !== "tells" && entry.place === place ? [entry] : [])
  }

  get lines(): ReadonlyArray<string> {
    return this.entries.map(show)
  }

  /** A policy that changes nothing and writes down what goes through it. */
  spy(place: string): Policy.Policy {
    return Policy.make({
      info: { kind: "spy", settings: {}, children: [] },
      effect: (self) => {
        const spied = Effect.suspend(() => {
          let id: number | undefined
          const begin = Effect.suspend(() => {
            id = this.begins(place)
            return self
          })
          return Effect.onExitPrimitive(begin, (exit) => {
            if (id !== undefined) this.ends(place, id, exit, Fiber.getCurrent())
            return undefined
          })
        })
        return spied
      },
      stream: (self) =>
        fromPull((scope) =>
          Effect.suspend(() => {
            let id: number | undefined
            let answered = false
            const end = (exit: Exit.Exit<unknown, unknown>): undefined => {
              if (id === undefined) return
              this.ends(place, id, exit, Fiber.getCurrent())
              id = undefined
            }
            const stopped = Effect.suspend(() => {
              if (id !== undefined) this.ends(place, id, Exit.interrupt(), undefined)
              id = undefined
              return Effect.void
            })
            const failed = (exit: Exit.Exit<unknown, unknown>): undefined =>
              Exit.isSuccess(exit) ? undefined : end(Pull.isDoneCause(exit.cause) ? Exit.void : exit)
            const pulled = (exit: Exit.Exit<unknown, unknown>): undefined => {
              if (Exit.isSuccess(exit) && !answered && id !== undefined) this.answers(place, id)
              answered = true
              return failed(exit)
            }
            const opened = Effect.suspend(() => {
              id = this.begins(place)
              return Effect.map(
                Effect.onExitPrimitive(open(self, scope), failed),
                (pull) => Effect.onExitPrimitive(pull, pulled)
              )
            })
            return Effect.andThen(Scope.addFinalizer(scope, stopped), opened)
          })
        )
    })
  }
}
