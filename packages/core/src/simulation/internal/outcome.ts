import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Fault from "../../Fault.ts"

/**
 * The failure of a simulated server, with the fault that it stands for.
 *
 * @category errors
 * @since 0.1.0
 */
export class ServerFailed extends Data.TaggedError("ServerFailed")<{
  /** The name of the server. */
  readonly server: string
  /** Why: `error`, `full`, `crashed`, `expired`, `quota`, or the tag of what a layer behind it failed with. */
  readonly reason: string
  readonly fault: Fault.Fault
}> {
  readonly [Fault.TypeId]: Fault.Fault = this.fault
}

/** What a server that charges tokens answers. */
export interface Usage {
  /** Tokens of the question. */
  readonly prompt: number
  /** Tokens of the answer. */
  readonly completion: number
}

/** How a call has ended. Most calls of a run share one of a few outcomes; an exit is made when a function of the user's asks for it. */
export class Outcome {
  /** the tag of the error, for the report */
  readonly tag: string
  /** as `Fault.of` says it; `undefined` for a success */
  readonly fault: Fault.Fault | undefined
  /** the value of a success, the typed error of a failure */
  readonly value: unknown
  private made: Exit.Exit<unknown, unknown> | undefined

  constructor(tag: string, fault: Fault.Fault | undefined, value: unknown, exit?: Exit.Exit<unknown, unknown>) {
    this.tag = tag
    this.fault = fault
    this.value = value
    this.made = exit
  }

  get succeeded(): boolean {
    return this.fault === undefined
  }

  /** Whether it is a failure that a `catch` sees: no bug, and no interruption. */
  get typed(): boolean {
    return this.fault !== undefined && this.fault._tag !== "Defect" && this.fault._tag !== "Interrupted"
  }

  get exit(): Exit.Exit<unknown, unknown> {
    return this.made ??= this.succeeded ? Exit.succeed(this.value) : Exit.fail(this.value)
  }
}

export const ok = new Outcome("ok", undefined, undefined, Exit.void)

/** The caller went away. */
export const interrupted = new Outcome("Interrupted", Fault.interrupted, undefined, Exit.interrupt())

export const success = (value: unknown): Outcome => value === undefined ? ok : new Outcome("ok", undefined, value)

/** What an exit that was made elsewhere is. */
export const ofExit = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (Exit.isSuccess(exit)) return success(exit.value)
  const fault = Fault.of(exit)!
  const failed = exit.cause.reasons.find(Cause.isFailReason)
  const tag = Predicate.hasProperty(failed?.error, "_tag") ? String(failed.error._tag) : fault._tag
  return new Outcome(tag, fault, failed?.error, exit)
}

/** A policy's own error, which tells its fault. */
export const rejection = (error: Fault.Classified & { readonly _tag: string }): Outcome =>
  new Outcome(error._tag, error[Fault.TypeId], error)

/** What a server fails with. */
export const failure = (server: string, reason: string, fault: Fault.Fault): Outcome => {
  switch (fault._tag) {
    case "Defect":
      return new Outcome("Defect", fault, undefined, Exit.die(`a bug of ${server}`))
    case "Interrupted":
      return interrupted
    default:
      return new Outcome(reason, fault, new ServerFailed({ server, reason, fault }))
  }
}
