/**
 * The entries about each prompt. A process that takes over from a dead one reads them, and neither loses nor repeats anything.
 * The decisions are here, as functions of what is known. `journal` keeps the entries in a file, `redis` in Redis.
 */
import type { ResumeToken } from "@effect-resilience/azure-o1"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { Result } from "./Result.ts"

/** The place where the entries are kept cannot be read or written. The message is for people. */
export class StoreError extends Data.TaggedError("StoreError")<{ readonly message: string }> {}

/**
 * One entry about one prompt.
 *
 * - `Asked`: the request is about to go out. Written before it does, because from then on it may cost money.
 * - `Withdrawn`: the service has taken nothing on, so that the request cost nothing.
 * - `Accepted`: the service makes the response, and the token reads it.
 * - `Ended`: that response has failed, and another one may be asked for.
 * - `Lost`: that response can be read no more, although it may have been billed.
 * - `Answered`: the end.
 */
export type Entry =
  | { readonly _tag: "Asked" | "Withdrawn"; readonly id: string }
  | { readonly _tag: "Accepted"; readonly id: string; readonly token: ResumeToken }
  | { readonly _tag: "Ended" | "Lost"; readonly id: string; readonly responseId: string }
  | { readonly _tag: "Answered"; readonly id: string; readonly result: Result }

/** All that the entries say about one prompt. */
export interface Known {
  /** The requests that went out, as far as nobody has said that they cost nothing. */
  readonly asked: number
  readonly token: ResumeToken | undefined
  readonly result: Result | undefined
  /** The requests that may have been billed although another one gave the answer. */
  readonly twice: number
}

export const unknown: Known = { asked: 0, token: undefined, result: undefined, twice: 0 }

/** One more entry. An answer stands for good, a token until its response has ended without an answer or is lost. */
export const after = (known: Known, entry: Entry): Known => {
  switch (entry._tag) {
    case "Asked":
      return { ...known, asked: known.asked + 1, twice: known.twice + (known.asked > 0 ? 1 : 0) }
    case "Withdrawn":
      return { ...known, asked: Math.max(0, known.asked - 1) }
    case "Accepted":
      return { ...known, token: known.token ?? entry.token }
    case "Ended":
    case "Lost":
      return known.token?.responseId === entry.responseId
        ? { ...known, token: undefined, asked: entry._tag === "Ended" ? 0 : known.asked }
        : known
    case "Answered":
      return { ...known, result: known.result ?? entry.result }
  }
}

/** What to do with a prompt. `Ask` has been written down as asked. */
export type Next =
  | { readonly _tag: "Ask" }
  | { readonly _tag: "Continue"; readonly token: ResumeToken }
  | { readonly _tag: "Nothing" }

export const next = ({ result, token }: Known): Next =>
  result !== undefined ? { _tag: "Nothing" } : token !== undefined ? { _tag: "Continue", token } : { _tag: "Ask" }

/** What the workers write. Every effect ends only when what it says cannot be lost any more. */
export class Ledger extends Context.Service<Ledger, {
  /** What there is to do with a prompt. Nothing is written. */
  readonly look: (id: string) => Effect.Effect<Next["_tag"], StoreError>
  /** What to do with a prompt now. A request that may go out is written down as `Asked` in the same step. */
  readonly begin: (id: string) => Effect.Effect<Next, StoreError>
  readonly withdraw: (id: string) => Effect.Effect<void, StoreError>
  /** Gives the token that stands: another worker may have been first. */
  readonly accept: (id: string, token: ResumeToken) => Effect.Effect<ResumeToken, StoreError>
  readonly end: (id: string, responseId: string) => Effect.Effect<void, StoreError>
  readonly lose: (id: string, responseId: string) => Effect.Effect<void, StoreError>
  /** The first result stands. */
  readonly answer: (id: string, result: Result) => Effect.Effect<void, StoreError>
}>()("examples/batch/Ledger") {}

/** What the workers have written since it was asked for last. */
export interface News {
  readonly results: ReadonlyArray<readonly [id: string, result: Result]>
  /** Of all prompts together, from the beginning. */
  readonly twice: number
  /** The store has lost all that it knew. */
  readonly emptied: boolean
}

/** What a parent has heard of a prompt that has no answer yet: the token of its response, if there is one. */
export type Memory = ReadonlyMap<string, ResumeToken | undefined>

/** What the parent reads. */
export interface Reader {
  readonly news: Effect.Effect<News, StoreError>
  /** Puts back into an emptied store what was in it. */
  readonly restore: (memory: Memory) => Effect.Effect<void, StoreError>
}
