import { assert, describe, it } from "@effect/vitest"
import { namesOf } from "../../src/pool/members.ts"

describe("pool/members", () => {
  const called = (deployment: string, host?: string, name?: string) => ({ deployment, host, name })
  const table: ReadonlyArray<readonly [string, ReadonlyArray<ReturnType<typeof called>>, ReadonlyArray<string>]> = [
    ["deployments are enough", [called("o1", "a"), called("o3", "b")], ["o1", "o3"]],
    ["the same on two hosts", [called("o1", "a"), called("o1", "b")], ["o1@a", "o1@b"]],
    ["only where it is needed", [called("o1", "a"), called("o3", "b"), called("o1", "c")], ["o1@a", "o3", "o1@c"]],
    ["the same on one host", [called("o1", "a"), called("o1", "a")], ["o1#1", "o1#2"]],
    ["no host", [called("o1"), called("o1")], ["o1#1", "o1#2"]],
    ["names of one's own", [called("o1", "a", "east"), called("o1", "b", "west")], ["east", "west"]],
    ["a name that is another's deployment", [called("x", "a", "o1"), called("o1", "b")], ["o1", "o1@b"]]
  ]
  for (const [name, members, names] of table) {
    it(name, () => assert.deepStrictEqual(namesOf("AzureO1Pool", members), names))
  }

  it("what makes no sense is said", () => {
    assert.throws(() => namesOf("AzureO1Pool", []), RangeError, "AzureO1Pool: members must not be empty")
    assert.throws(
      () => namesOf("AzureO1Pool", [called("o1", "a", "")]),
      RangeError,
      "name of member 1 must not be empty"
    )
    assert.throws(
      () => namesOf("AzureO1Pool", [called("o1", "a", "east"), called("o3", "b", "east")]),
      RangeError,
      "AzureO1Pool: name must be another one for each member, got \"east\" twice"
    )
  })
})
