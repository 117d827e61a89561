// The checks of responses that the service keeps.
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ModelProfile from "../src/ModelProfile.ts"
import { O1Error } from "../src/O1Error.ts"
import * as json from "../src/wire/json.ts"
import { callOf, follow } from "./calls.ts"
import { type Check, costs, noBackground, ofCompletion, polls, textOf } from "./check.ts"
import { prompts } from "./prompts.ts"

/** A response that is begun in the background and asked for again and again, whatever the deployment streams. */
export const polled = (name: string, pollInterval: "2 seconds" | "100 millis"): Check => ({
  name,
  ...costs(polls, 1),
  missing: noBackground,
  run: (target) =>
    Effect.gen(function*() {
      const profile = { ...target.profile, streaming: "no" } as const
      const o1 = yield* target.client({ api: "responses", profile, pollInterval })
      const call = yield* follow(o1.stream(target.request(prompts.count)))
      const completion = yield* callOf(call)
      const reads = target.log.filter(({ method }) => method === "GET")
      const early = reads.filter(({ status }) => status === 404)
      return {
        facts: { ...ofCompletion(completion), "is read in the end": reads.at(-1)?.status === 200 },
        seen: {
          reads: reads.length,
          "reads that said 404": early.length,
          "statuses": [...new Set(reads.map(({ body }) => json.string(json.at(json.parse(body), "status")) ?? "none"))]
            .join(", ")
        },
        call: { ...call, api: "responses" },
        // one that does not stream
        profile: ModelProfile.o1.name
      }
    })
})

export const resume: Check = {
  name: "resume after a cut",
  ...costs(polls, 1),
  missing: (target) =>
    noBackground(target) ?? (target.profile.streaming === "no" ? "the model does not stream" : undefined),
  run: (target) =>
    Effect.gen(function*() {
      const o1 = yield* target.client({ api: "responses" })
      // leaves in the middle of the answer, as a connection does that breaks
      const before = yield* follow(
        Stream.takeUntil(
          o1.stream(target.request(prompts.count), { onLeave: "keep" }),
          ({ _tag }) => _tag === "TextDelta"
        )
      )
      const accepted = before.events.findLast((event) => event._tag === "Accepted")
      if (accepted === undefined) return { facts: { "is kept": false } }
      const after = yield* follow(o1.resume(accepted.resume))
      const completion = yield* callOf(after)
      return {
        facts: {
          "is kept": true,
          "ended with": completion.finishReason,
          "goes on without loss or repetition": textOf(after.events) === completion.text
        },
        call: { ...after, api: "responses" }
      }
    })
}

export const cancel: Check = {
  name: "cancel",
  ...costs(polls, 1),
  missing: noBackground,
  run: (target) =>
    Effect.gen(function*() {
      const o1 = yield* target.client({ api: "responses" })
      const begun = yield* follow(
        Stream.takeUntil(
          o1.stream(target.request(prompts.long), { onLeave: "keep" }),
          ({ _tag }) => _tag === "Accepted"
        )
      )
      const token = begun.events.findLast((event) => event._tag === "Accepted")?.resume
      if (token === undefined) return { facts: { "is kept": false } }
      yield* o1.cancel(token)
      yield* o1.cancel(token)
      const after = yield* Effect.result(Stream.runCollect(o1.resume(token)))
      return {
        facts: {
          "is kept": true,
          "can be cancelled twice": true,
          "read after that": after._tag === "Failure" ? O1Error.label(after.failure) : "an answer"
        },
        seen: {
          "cancels answered": target.log.filter(({ path }) => path.includes("/cancel")).map(({ status }) => status)
            .join(", ")
        }
      }
    })
}
