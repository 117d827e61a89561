import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import { user } from "../../src/O1Request.ts"
import { against } from "../support/azure.ts"

const cases: ReadonlyArray<readonly [string, Partial<AzureO1Config>, number]> = [
  ["o1, which is answered in the background", { profile: ModelProfile.o1 }, 1],
  ["o1 without storage", { profile: ModelProfile.o1, store: false }, 0],
  ["the Responses API", { api: "responses", profile: ModelProfile.o4Mini }, 1],
  ["the Responses API without storage", { api: "responses", profile: ModelProfile.o4Mini, store: false }, 0],
  ["Chat Completions", { profile: ModelProfile.o4Mini }, 0]
]

describe("what the service keeps", () => {
  for (const [what, config, lines] of cases) {
    it.live(`${what}: ${lines === 0 ? "nothing, and nothing is told" : "told once"}`, () => {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${String(message)}`))
      return against({ config, streams: config.profile !== ModelProfile.o1 }, (o1) =>
        Effect.gen(function*() {
          const request = { messages: [user("Is it {\"store\":true} or \"store\":true?")] }
          yield* Effect.forEach([1, 2, 3], () => o1.complete(request), { concurrency: "unbounded" })
          yield* Stream.runDrain(o1.stream(request))
          const told = logged.filter((line) => line.includes("keeps prompts and answers"))
          assert.lengthOf(told, lines)
          if (lines > 0) assert.match(told[0]!, /^Info .*30 days.*store: false/)
        })).pipe(Effect.provide(Logger.layer([logger])))
    })
  }
})
