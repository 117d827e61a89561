/** A stream whose connection breaks in the middle of a sentence. */
import { user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { stream } from "../ask.ts"
import { clientOf, fake, patient, scaled } from "../deployment.ts"
import { honest, redSunset, tokensOf } from "../texts.ts"
import type { Act } from "./Act.ts"

const question = "And why is the sunset red?"

export const brokenStream: Act = {
  title: "A stream that breaks in mid-sentence",
  question,
  about: "The answer arrives word by word, and the connection is cut in the middle of it.",
  run: ({ fast, prompt }) =>
    Effect.gen(function*() {
      const written = tokensOf(
        Option.match(prompt, { onNone: () => redSunset, onSome: (asked) => honest(asked, redSunset) })
      )
      const reply = FakeAzure.answer(written, {
        after: yield* scaled("20 seconds"),
        every: fast ? "5 millis" : "50 millis",
        reasoningTokens: 320
      })
      const azure = yield* fake({ script: [FakeAzure.broken("reset", Math.ceil(written.length / 2), reply)] })
      const client = yield* clientOf([{ ...azure.config, api: "responses" }], patient)
      const messages = [user(Option.getOrElse(prompt, () => question))] as const
      const { pieces } = yield* Effect.provide(stream({ messages, reasoningEffort: "medium" }), client)
      const paid = (yield* azure.requests).filter(({ operation }) => operation === "responses").length
      const shown = pieces.length === written.length && pieces.every((piece, i) => piece === written[i]) && paid === 1
      return {
        shown,
        seen: `The model wrote ${written.length} tokens and ${pieces.length} arrived, in order: ${
          shown ? "none lost, none twice" : "not the same ones"
        }. The answer was paid for ${paid === 1 ? "once" : `${paid} times`}.`
      }
    })
}
