import type { O1Error } from "@effect-resilience/azure-o1"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Scale } from "../deployment.ts"
import type { Screen } from "../Screen.ts"

/** What a person wants of the acts. */
interface Wishes {
  /** A question of the person's own. */
  readonly prompt: Option.Option<string>
  /** No pauses for the sake of the reader. */
  readonly fast: boolean
}

/** A part of the demo, which shows one thing. */
export interface Act {
  readonly title: string
  /** The question that is asked, if a person's own can take its place. */
  readonly question: string | undefined
  /** Announces what will happen. */
  readonly about: string
  /** Shows it, and gives what was seen, in a sentence; or what should have been seen, and was not. */
  readonly run: (
    wishes: Wishes
  ) => Effect.Effect<{ readonly shown: boolean; readonly seen: string }, O1Error, Scale | Scope.Scope | Screen>
}
