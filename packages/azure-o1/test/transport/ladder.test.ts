import { assert, describe, it } from "@effect/vitest"
import type { Api } from "../../src/ModelProfile.ts"
import { O1DeploymentError, type O1Error, O1RequestError, O1ServerError } from "../../src/O1Error.ts"
import { type O1Request, user } from "../../src/O1Request.ts"
import { without } from "../../src/transport/healing.ts"
import { lacks, type Rung, rungs } from "../../src/transport/ladder.ts"

describe("ladder", () => {
  const ways: ReadonlyArray<readonly [Api, boolean, boolean, boolean, ReadonlyArray<Rung>]> = [
    // api, streams, background, after a timeout
    ["chat", true, true, false, ["stream", "background", "plain"]],
    ["chat", true, true, true, ["background", "stream", "plain"]],
    ["chat", true, false, false, ["stream", "plain"]],
    ["chat", true, false, true, ["stream", "plain"]],
    ["chat", false, true, false, ["background", "plain"]],
    ["chat", false, false, false, ["plain"]],
    ["responses", true, true, false, ["kept", "background", "plain"]],
    ["responses", true, true, true, ["background", "kept", "plain"]],
    ["responses", true, false, false, ["stream", "plain"]],
    ["responses", false, true, false, ["background", "plain"]],
    ["responses", false, false, true, ["plain"]]
  ]
  for (const [api, streams, background, afterTimeout, expected] of ways) {
    it(`${api}${streams ? " streams" : ""}${background ? " background" : ""}${afterTimeout ? " after a timeout" : ""}: ${expected.join(", ")}`, () => {
      assert.deepStrictEqual(rungs(api, { streams, background }, { slow: afterTimeout ? 1 : 0 }), expected)
    })
  }

  const streaming = new O1RequestError({ kind: "streaming-unsupported", param: "stream" })
  const parameter = new O1RequestError({ kind: "unsupported-parameter", param: "background" })
  const absent = new O1DeploymentError({ kind: "endpoint-not-found", status: 404 })
  const refusals: ReadonlyArray<readonly [Rung, O1Error, Api, string | undefined]> = [
    ["stream", streaming, "chat", "streams"],
    ["kept", streaming, "responses", "streams"],
    ["plain", streaming, "chat", undefined],
    ["background", parameter, "chat", "background"],
    ["kept", parameter, "responses", "background"],
    ["stream", parameter, "responses", undefined],
    ["background", absent, "chat", "background"],
    ["background", absent, "responses", undefined],
    ["background", new O1RequestError({ kind: "invalid", status: 405 }), "chat", "background"],
    ["background", new O1RequestError({ kind: "invalid", status: 400 }), "chat", undefined],
    ["background", new O1RequestError({ kind: "operation-not-supported" }), "responses", "background"],
    ["background", new O1ServerError({ kind: "not-implemented", status: 501 }), "chat", "background"],
    ["background", new O1ServerError({ kind: "unavailable", status: 503 }), "chat", undefined]
  ]
  for (const [rung, error, api, ability] of refusals) {
    it(`${rung} with ${api}: ${error.kind} ${error.status ?? ""} lacks ${ability ?? "nothing"}`, () => {
      assert.strictEqual(lacks(rung, error, api), ability)
    })
  }
})

describe("healing", () => {
  const request: O1Request = {
    messages: [user("x")],
    reasoningEffort: "low",
    parallelToolCalls: true,
    extra: { seed: 1, store: false }
  }
  const cases: ReadonlyArray<readonly [string, Partial<O1Request> | undefined]> = [
    ["reasoning_effort", { reasoningEffort: undefined }],
    ["reasoning.effort", { reasoningEffort: undefined }],
    ["parallel_tool_calls", { parallelToolCalls: undefined }],
    ["seed", { extra: { store: false } }],
    ["messages", undefined],
    ["reasoning.summary", undefined],
    ["temperature", undefined]
  ]
  for (const [param, change] of cases) {
    it(`without ${param}`, () => {
      assert.deepStrictEqual(without(request, param), change === undefined ? undefined : { ...request, ...change })
    })
  }
})
