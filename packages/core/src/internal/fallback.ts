import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "../Fault.ts"
import { emit } from "./emit.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import { CurrentListener } from "./events.ts"
import type { PolicyInfo } from "./model.ts"
import { callable, checkedOptions, invalid, tagsOption } from "./options.ts"
import type { AnyEffect } from "./primitive.ts"
import { wallNow } from "./time.ts"

/** Which failures are handled. */
export interface Options {
  readonly name?: string | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly when?: Predicate.Predicate<never> | undefined
}

/** The settings of a fallback. */
class Rules {
  readonly name: string | undefined
  private readonly tags: ReadonlyArray<string> | undefined
  private readonly when: Predicate.Predicate<never> | undefined

  constructor(where: string, f: unknown, options: Options = {}) {
    if (typeof f !== "function") throw invalid(where, "f", f, "a function")
    const { name, tags, when } = checkedOptions(where, options)
    this.name = name
    this.tags = tagsOption(where, "tags", tags)
    this.when = callable(where, "when", when)
  }

  info(kind: string): PolicyInfo {
    const settings = { tags: this.tags, when: this.when === undefined ? undefined : "custom" }
    return { kind, name: this.name, settings, children: [] }
  }

  handles(error: unknown): boolean {
    return (this.tags === undefined || this.tags.some((tag) => Predicate.isTagged(error, tag))) &&
      (this.when === undefined || this.when(error as never))
  }
}

/** Goes on with `f`, or fails with what is left of the cause once the errors are gone that the type says are gone. */
const handler =
  <A, R>(rules: Rules, f: (error: any) => Effect.Effect<A, unknown, R>) =>
  (cause: Cause.Cause<unknown>): Effect.Effect<A, unknown, R> => {
    const { reasons } = cause
    const left = reasons.filter((reason) => !Cause.isFailReason(reason) || !rules.handles(reason.error))
    if (left.length === reasons.length) return Effect.failCause(cause)
    if (!left.every(Cause.isInterruptReason)) return Effect.failCause(Cause.fromReasons(left))
    const { error } = reasons.find(Cause.isFailReason)!
    return Effect.withFiber((fiber) => {
      const listener = fiber.getRef(CurrentListener)
      if (listener !== undefined) {
        emit(fiber, listener, {
          _tag: "FallbackUsed",
          policy: "fallback",
          name: rules.name,
          fault: Fault.ofCause(cause, wallNow(fiber)),
          cause
        })
      }
      return f(error)
    })
  }

/** Until the first element has come out, `instead` may replace a stream that failed. */
export const recoverStream = (
  self: AnyStream,
  instead: (cause: Cause.Cause<unknown>) => Effect.Effect<AnyStream, unknown>
): AnyStream =>
  fromPull((streamScope) =>
    Effect.sync(() => {
      const scope = Scope.forkUnsafe(streamScope)
      let pull: AnyPull | undefined
      const use = (opened: AnyPull): AnyPull => {
        pull = opened
        return opened
      }
      const first = Effect.flatMap(open(self, scope), (opened) =>
        Pull.matchEffect(opened, {
          onSuccess: (chunk) => {
            pull = opened
            return Effect.succeed(chunk)
          },
          onDone: () => Cause.done(),
          onFailure: (cause): AnyPull =>
            Effect.flatMap(instead(cause), (other) =>
              Effect.andThen(Scope.close(scope, Exit.failCause(cause)), Effect.flatMap(open(other, streamScope), use)))
        }))
      return Effect.suspend(() =>
        pull ?? first
      )
    })
  )

/** Falls back to what `f` makes of the error. */
export const to = (f: (error: any) => AnyEffect, options: Options | undefined) => {
  const rules = new Rules("Fallback.to", f, options)
  const effect = handler(rules, f)
  const stream = handler(rules, (error) => Effect.succeed(Stream.fromEffect(f(error))))
  return Object.assign((self: AnyEffect): AnyEffect => Effect.catchCause(self, effect), {
    stream: (self: AnyStream) => recoverStream(self, stream),
    info: rules.info("fallback")
  })
}

/** Falls back to the stream that `f` makes of the error. */
export const toStream = (f: (error: any) => AnyStream, options: Options | undefined) => {
  const rules = new Rules("Fallback.toStream", f, options)
  const recover = handler(rules, (error) => Effect.succeed(f(error)))
  return { stream: (self: AnyStream) => recoverStream(self, recover), info: rules.info("fallback stream") }
}
