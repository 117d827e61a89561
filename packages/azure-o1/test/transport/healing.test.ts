import { assert, describe, it } from "@effect/vitest"
import { O1RequestError } from "../../src/O1Error.ts"
import { type O1Request, user } from "../../src/O1Request.ts"
import { keyOf, leaveOut, suspects, without } from "../../src/transport/healing.ts"

const request: O1Request = {
  messages: [user("x")],
  reasoningEffort: "low",
  parallelToolCalls: true,
  user: "somebody",
  verbosity: "high",
  topP: 0.5,
  serviceTier: "flex",
  extra: { seed: 1, store: false }
}

const refused = (param: string, said: string) => new O1RequestError({ kind: "unsupported-parameter", param, said })
const value = "Unsupported value: '...' does not support '...' with this model. Supported values are: 'a', and 'b'."
const byDefault =
  "Unsupported value: '...' does not support 0.5 with this model. Only the default (1) value is supported."
const parameter = "Unsupported parameter: '...' is not supported with this model."

describe("transport/healing", () => {
  /** The parameter, what was said, what changes, and under which keys it is remembered. */
  const cases: ReadonlyArray<readonly [string, string, Partial<O1Request> | undefined, ReadonlyArray<string>]> = [
    ["reasoning_effort", value, { reasoningEffort: undefined }, ["reasoningEffort=low"]],
    ["reasoning_effort", parameter, { reasoningEffort: undefined }, ["reasoningEffort"]],
    ["reasoning_effort", "Unrecognized request argument supplied: reasoning_effort", { reasoningEffort: undefined }, [
      "reasoningEffort"
    ]],
    ["reasoning_effort", "", { reasoningEffort: undefined }, ["reasoningEffort=low"]],
    ["reasoning.effort", value, { reasoningEffort: undefined }, ["reasoningEffort=low"]],
    ["reasoning", value, { reasoningEffort: undefined }, ["reasoningEffort=low"]],
    ["parallel_tool_calls", parameter, { parallelToolCalls: undefined }, ["parallelToolCalls"]],
    ["parallel_tool_calls", value, { parallelToolCalls: undefined }, ["parallelToolCalls=true"]],
    ["user", parameter, { user: undefined }, ["user"]],
    // what callers make up is not remembered
    ["user", value, { user: undefined }, []],
    ["seed", parameter, { extra: { store: false } }, []],
    ["messages", parameter, undefined, []],
    ["extra", parameter, undefined, []],
    ["reasoning.summary", value, undefined, []],
    ["temperature", parameter, undefined, []],
    ["text.verbosity", value, { verbosity: undefined }, ["verbosity=high"]],
    ["top_p", parameter, { topP: undefined }, ["topP"]],
    ["top_p", value, { topP: undefined }, []],
    // one answer tells of all values, however many there are
    ["top_p", byDefault, { topP: undefined }, ["topP"]],
    ["reasoning_effort", byDefault, { reasoningEffort: undefined }, ["reasoningEffort=low"]],
    ["service_tier", value, { serviceTier: undefined }, ["serviceTier=flex"]],
    ["service_tier", parameter, { serviceTier: undefined }, ["serviceTier"]],
    ...["constructor", "__proto__", "toString", "hasOwnProperty", ""].map((name) =>
      [name, parameter, undefined, []] as const
    )
  ]
  for (const [param, said, change, keys] of cases) {
    it(`${JSON.stringify(param)} is refused: ${said.slice(0, 21)}`, () => {
      const smaller = without(request, refused(param, said))
      assert.deepStrictEqual(smaller?.request, change === undefined ? undefined : { ...request, ...change })
      assert.deepStrictEqual(smaller?.refusals.map(keyOf) ?? [], keys)
    })
  }

  it("where nothing is given out, nothing is taken away", () => {
    for (const param of ["constructor", "seed", "reasoning_effort"]) {
      assert.isUndefined(without({ messages: [user("x")] }, refused(param, parameter)))
    }
  })

  it("other errors heal nothing", () => {
    assert.isUndefined(without(request, new O1RequestError({ kind: "invalid", param: "user" })))
    assert.isUndefined(without(request, new O1RequestError({ kind: "unsupported-parameter" })))
  })

  it("a memory is asked for a field as such, and for its value", () => {
    assert.deepStrictEqual(suspects({ messages: [user("x")], reasoningEffort: "high" }), [
      ["reasoningEffort", ["reasoningEffort", "reasoningEffort=high"]]
    ])
  })

  it("leaves out what it is told to", () => {
    assert.strictEqual(leaveOut(request, []), request)
    assert.deepStrictEqual(leaveOut(request, ["user"]), { ...request, user: undefined })
  })
})
