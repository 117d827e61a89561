// The server of the benchmark, in a process of its own, so that what it costs is not counted. It answers with as many tokens
// as the prompt asks for.
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import process from "node:process"

const words = ["stream", " of", " tokens", ",", " as", " a", " model", " makes", " them"]

const tokensOf = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => words[i % words.length]!)
const answers = new Map<number, ReadonlyArray<string>>()

const answer = (body: unknown) => {
  const count = Number(/(\d+) tokens/.exec(JSON.stringify(body))?.[1] ?? 1)
  const tokens = answers.get(count) ?? tokensOf(count)
  answers.set(count, tokens)
  return FakeAzure.answer(tokens)
}

const runtime = ManagedRuntime.make(FakeAzure.layer({ reply: answer, model: "o4-mini-2025-04-16" }))
const url = await runtime.runPromise(Effect.map(FakeAzure, ({ url }) => url))
process.on("disconnect", () => process.exit())
process.send!(url)
