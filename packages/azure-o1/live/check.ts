// What a check is, and what several of them need.
import * as Effect from "effect/Effect"
import type { Api } from "../src/ModelProfile.ts"
import type { O1Completion } from "../src/O1Completion.ts"
import type { O1Error } from "../src/O1Error.ts"
import type { O1Event } from "../src/O1Event.ts"
import type { Call } from "./calls.ts"
import type { Allowed, Target } from "./target.ts"

type Facts = Readonly<Record<string, string | number | boolean>>

export interface Found {
  /** The values that both have to share. */
  readonly facts: Facts
  /** Details to print, which are not compared: times, names, numbers. */
  readonly seen?: Facts
  /** The call that the exchanges of the check are of, so that they can be played again. */
  readonly call?: Call | undefined
  /** The model whose profile the client of the call had, where it was not the deployment's. */
  readonly profile?: string | undefined
}

export interface Check {
  readonly name: string
  /** The largest number of requests that it makes, and of answers that cost tokens. */
  readonly requests: (allowed: Allowed) => number
  readonly answers: (allowed: Allowed) => number
  /** Why it cannot be made; `undefined` if it can. */
  readonly missing?: (target: Pick<Target, "allowed" | "profile">) => string | undefined
  readonly run: (target: Target) => Effect.Effect<Found, O1Error>
}

/** The most questions after the status of a response. */
export const polls = 120

export const costs = (requests: number, answers: number): Pick<Check, "answers" | "requests"> => ({
  requests: () => requests,
  answers: () => answers
})

export const noBackground = ({ profile }: Pick<Target, "profile">): string | undefined =>
  profile.apis.includes("responses") && profile.background ? undefined : "the model has no background mode"

export const api = ({ profile }: Target): Api => profile.apis.includes("chat") ? "chat" : "responses"

export const ofCompletion = ({ finishReason, text, usage }: O1Completion): Facts => ({
  "ended with": finishReason,
  "has text": text !== "",
  "usage is told": usage !== undefined,
  "reasoning tokens are told": usage?.reasoning !== undefined
})

export const complete = (target: Target, prompt: string): Effect.Effect<O1Completion, O1Error> =>
  Effect.flatMap(
    target.client({ api: api(target) }),
    (o1) => o1.complete(target.request(prompt))
  )

export const textOf = (events: ReadonlyArray<O1Event>): string =>
  events.map((event) => event._tag === "TextDelta" ? event.text : "").join("")
