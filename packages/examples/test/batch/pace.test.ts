import { noMetadata, type O1Completion } from "@effect-resilience/azure-o1"
import { assert, describe, it } from "@effect/vitest"
import * as pace from "../../src/batch/pace.ts"

const completion = (
  requests: number | undefined,
  tokens: number | undefined,
  used: number | undefined
): Pick<O1Completion, "metadata" | "usage"> => {
  const limit = (limit: number | undefined) => ({ limit, remaining: undefined, reset: undefined })
  return {
    usage: used === undefined ? undefined : { input: used / 2, cachedInput: 0, output: used / 2, reasoning: 0 },
    metadata: {
      ...noMetadata,
      headers: { ...noMetadata.headers, rateLimits: { requests: limit(requests), tokens: limit(tokens) } }
    }
  }
}

/** What follows from ten answers like this one, each of which took so many seconds. */
const after = (answer: ReturnType<typeof completion>, seconds: number, { reserved = 0, workers = 1 } = {}): number => {
  let seen = pace.begun
  for (let i = 0; i < 10; i++) seen = pace.after(seen, answer, seconds * 1000, reserved)
  return pace.target(seen, workers)
}

describe("how many prompts are in flight", () => {
  const table: ReadonlyArray<readonly [string, number, expected: number]> = [
    ["before anything is known", pace.target(pace.begun, 1), pace.cautious],
    ["where the service tells nothing", after(completion(undefined, undefined, 100), 10), pace.cautious],
    ["where it tells Azure's unknowns", after(completion(-1, 0, 100), 10), pace.cautious],
    ["a request a second, an answer in ten", after(completion(60, undefined, 100), 10), 10],
    ["the same, among four workers", after(completion(60, undefined, 100), 10, { workers: 4 }), 3],
    ["tokens for six answers a minute, each of twenty seconds", after(completion(60, 6000, 1000), 20), 2],
    [
      "where so many are reserved that it is one a minute",
      after(completion(60, 6000, 1000), 20, { reserved: 5500 }),
      1
    ],
    ["where no usage is told, by the requests", after(completion(60, 6000, undefined), 10), 10],
    ["a quota that nobody uses up", after(completion(100_000, undefined, 100), 60), pace.most],
    ["a quota below one at a time", after(completion(1, undefined, 100), 1), 1]
  ]
  for (const [name, actual, expected] of table) it(name, () => assert.strictEqual(actual, expected))

  it("is learnt from the time of one's own answers, and the limits of all", () => {
    const first = pace.after(pace.begun, completion(60, undefined, 100), 10_000, 0)
    assert.strictEqual(pace.target(pace.after(first, completion(120, undefined, 100), undefined, 0), 1), 20)
  })
})
