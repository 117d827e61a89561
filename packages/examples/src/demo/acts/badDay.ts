/** One call, on a day when the service is busy, down and silent. */
import { user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { complete } from "../ask.ts"
import { clientOf, fake, scaled } from "../deployment.ts"
import { blueSky, honest } from "../texts.ts"
import type { Act } from "./Act.ts"

const question = "Why is the sky blue?"

export const badDay: Act = {
  title: "A call through a bad day",
  question,
  about: "The program makes one call. The service is first too busy, then down, then silent.",
  run: ({ prompt }) =>
    Effect.gen(function*() {
      const answer = Option.match(prompt, { onNone: () => blueSky, onSome: (asked) => honest(asked, blueSky) })
      const azure = yield* fake({
        script: [
          FakeAzure.status(429, { retryAfter: yield* scaled("48 seconds") }),
          FakeAzure.status(503),
          FakeAzure.stall,
          FakeAzure.answer(answer, { after: yield* scaled("42 seconds"), reasoningTokens: 448 })
        ]
      })
      const client = yield* clientOf([azure.config])
      const messages = [user(Option.getOrElse(prompt, () => question))] as const
      const { text } = yield* Effect.provide(complete({ messages, reasoningEffort: "medium" }), client)
      const asked = (yield* azure.requests).filter(({ operation }) => operation === "chat" || operation === "responses")
      return {
        shown: text === answer,
        seen: `${asked.length} requests for one answer. The program saw the answer, and no error.`
      }
    })
}
