/** A deployment and prompts to try it with; nothing leaves this machine. */
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdir, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { StoreError } from "./Ledger.ts"

/** What a worker has to know of the fake deployment, which nobody else can answer for: its name is that of this process. */
export const fakeDeployment = Effect.gen(function*() {
  const deployment = `fake-${process.pid}`
  const azure = yield* Layer.build(FakeAzure.layer({
    deployment,
    streams: false,
    limits: { requestsPerMinute: 600 },
    reply: () => FakeAzure.answer("Forty-two, I think, but I am a fake.", { think: "1 second" })
  }))
  const { url } = Context.get(azure, FakeAzure)
  return {
    AZURE_OPENAI_ENDPOINT: url,
    AZURE_OPENAI_API_KEY: "fake-key",
    AZURE_OPENAI_DEPLOYMENT: deployment
  }
})

/** Prompts for a person who brings none. */
export const sample: Effect.Effect<{ readonly input: string; readonly output: string }, StoreError> = Effect.tryPromise(
  {
    try: async () => {
      const folder = join(tmpdir(), "effect-resilience-batch")
      await mkdir(folder, { recursive: true })
      const input = join(folder, "prompts.jsonl")
      const lines = Array.from(
        { length: 60 },
        (_, i) => JSON.stringify({ id: `question-${i + 1}`, prompt: `What is ${i + 1} times ${i + 2}?` })
      )
      await writeFile(input, `${lines.join("\n")}\n`)
      return { input, output: join(folder, "answers.jsonl") }
    },
    catch: (error) => new StoreError({ message: `The prompts cannot be written: ${String(error)}.` })
  }
)
