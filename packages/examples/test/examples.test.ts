import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { run } from "./support.ts"

const lines = (...lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

/** What each program prints, to the letter. */
const expected: Record<string, string> = {
  "01-call.ts": lines(
    "Because air scatters blue light more than red.",
    "(128 tokens of reasoning)"
  ),
  "02-stream.ts": lines(
    "[asked, by stream]",
    "[O1ConnectionError, trying again]",
    "[asked, by stream]",
    "one",
    " two",
    " three",
    "[stop]",
    "[asked, by stream]",
    "one",
    " two",
    "[O1ProtocolError after \"one two\"]"
  ),
  "03-timeout-per-task.ts": lines(
    "Suggestion: none: No answer within 300ms. Reasoning can take minutes: raise the timeout of the call, or lower the reasoning effort.",
    "Report: all is well."
  ),
  "04-own-policy.ts": lines(
    "timeout total (limit: 10s)",
    "└─ retry (schedule: custom, retryAfter: 1m)",
    "   └─ circuit-breaker \"warehouse\" (trip: 5 failures in a row, open: 10s doubling to 5m)",
    "      └─ timeout attempt (limit: 2s)",
    "         └─ audited \"warehouse\"",
    "warehouse: Failure",
    "warehouse: Failure",
    "warehouse: Success",
    "in stock: 42",
    "warehouse: Success",
    "movements: in 3, out 1"
  ),
  "05-own-error.ts": lines(
    "saved with call 3",
    "not tried again: Conflict at version 10",
    "not tried again: NotFound",
    "saved with call 2, after the pause that was asked for"
  ),
  "06-swapping-layers.ts": lines("It is about layers."),
  "07-breaker-state.ts": lines(
    "rejected: CircuitOpen",
    "payments: Closed -> Open",
    "payments: Open -> HalfOpen",
    "payments: HalfOpen -> Closed",
    "payments: Closed -> Isolated",
    "payments is Isolated",
    "o1 after 1 failures: Closed",
    "o1 after 2 failures: Closed",
    "o1 after 3 failures: Closed",
    "o1 after 4 failures: Closed",
    "o1 after 5 failures: Open"
  )
}

describe("examples", () => {
  it("every one of them is here", () => {
    const programs = readdirSync(fileURLToPath(new URL("../src/", import.meta.url))).filter((name) =>
      name.endsWith(".ts")
    )
    assert.sameMembers(programs, Object.keys(expected))
  })

  for (const [program, stdout] of Object.entries(expected)) {
    it.live(program, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* run(program), { code: 0, stdout, stderr: "" })
      }), 60_000)
  }
})
