import type { O1Error } from "@effect-resilience/azure-o1"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Scale } from "../deployment.ts"
import type { Screen } from "../Screen.ts"

/** What a person wants of the acts. */
interface Wishes {
  /** A question of one's own. */
  readonly prompt: Option.Option<string>
  /** No waiting for the sake of who watches. */
  readonly fast: boolean
}

/** A part of the demo, which shows one thing. */
export interface Act {
  readonly title: string
  /** The question that is asked, if a person's own can take its place. */
  readonly question: string | undefined
  /** What is about to happen. */
  readonly about: string
  /** Shows it, and gives what was seen, in a sentence; or what should have been seen, and was not. */
  readonly run: (
    wishes: Wishes
  ) => Effect.Effect<{ readonly shown: boolean; readonly seen: string }, O1Error, Scale | Scope.Scope | Screen>
}
