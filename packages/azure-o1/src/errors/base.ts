import * as Fault from "@effect-resilience/core/Fault"
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type { Attempt, Details } from "./details.ts"
import { toJson } from "./wording.ts"

type Complete<Fields> =
  & Readonly<Fields>
  & { readonly [K in keyof Details]-?: Details[K] }
  & { readonly partialText: string; readonly attempts: ReadonlyArray<Attempt> }

/** A tagged error whose details all have a value, so nobody has to check for a history. */
export const O1ErrorBase = <Tag extends string>(tag: Tag): new<Fields extends object>(
  fields: Fields & Details
) => Cause.YieldableError & { readonly _tag: Tag } & Complete<Fields> => {
  class Base extends Data.TaggedError(tag)<Details> {
    constructor(fields: Details) {
      super({ partialText: "", attempts: [], ...fields })
      // the stack begins with the message, which the fields make
      Error.captureStackTrace?.(this, new.target)
    }

    override toJSON(): object {
      return toJson(this)
    }
  }
  return Base as any // the fields are those of the class that extends it, which TypeScript cannot express here
}

/** What an error means to policies; the service's own word on it goes first. */
export const faultOf = (error: Details, fault: Fault.Fault): Fault.Fault => {
  switch (error.shouldRetry) {
    case undefined:
      return fault
    case true:
      return fault._tag === "Throttled" || fault._tag === "Transient" ? fault : Fault.transient()
    case false:
      return Fault.permanent
  }
}

export const format = (duration: Duration.Duration | undefined): string =>
  duration === undefined ? "the limit" : Duration.format(duration)
