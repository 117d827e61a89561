import { assert, describe, it } from "@effect/vitest"
import type { Api } from "../../src/ModelProfile.ts"
import { O1DeploymentError, type O1Error, O1ProtocolError, O1RequestError, O1ServerError } from "../../src/O1Error.ts"
import { isBrief, lacks, type Rung, rungs } from "../../src/transport/ladder.ts"

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

  it("an answer is brief by its budget, and by the limit of its attempt", () => {
    const rows: ReadonlyArray<readonly [number | undefined, number, boolean]> = [
      [undefined, Infinity, false],
      [1, 60_000, true],
      [500, 60_000, true],
      [501, Infinity, false],
      [500, 50_000, true],
      [500, 49_999, false],
      [20, 2000, true],
      [21, 2000, false]
    ]
    for (const [maxCompletionTokens, limit, expected] of rows) {
      assert.strictEqual(isBrief({ maxCompletionTokens }, limit), expected, `${maxCompletionTokens} in ${limit} ms`)
    }
  })

  const streaming = new O1RequestError({ kind: "streaming-unsupported", param: "stream" })
  const parameter = new O1RequestError({ kind: "unsupported-parameter", param: "background" })
  const absent = new O1DeploymentError({ kind: "endpoint-not-found", status: 404 })
  const said = (said: string, status = 400) => new O1RequestError({ kind: "invalid", said, status })
  const page = new O1ProtocolError({ kind: "unexpected-content-type", status: 200 })
  const refusals: ReadonlyArray<readonly [Rung, O1Error, Api, string | undefined]> = [
    ["stream", streaming, "chat", "streams"],
    ["kept", streaming, "responses", "streams"],
    ["plain", streaming, "chat", undefined],
    ["background", parameter, "chat", "background"],
    ["kept", parameter, "responses", "background"],
    ["stream", parameter, "responses", undefined],
    ["background", new O1RequestError({ kind: "invalid", param: "store" }), "chat", "background"],
    ["background", absent, "chat", "background, perhaps"],
    ["background", absent, "responses", undefined],
    ["background", new O1DeploymentError({ kind: "endpoint-not-found", status: 302 }), "chat", "background, perhaps"],
    ["background", new O1DeploymentError({ kind: "endpoint-not-found", status: 410 }), "chat", "background, perhaps"],
    ["background", said("The Responses API is not enabled for this resource."), "chat", "background"],
    ["background", said("", 405), "chat", "background, perhaps"],
    ["background", said(""), "chat", undefined],
    ["background", new O1RequestError({ kind: "operation-not-supported" }), "responses", "background"],
    ["kept", new O1RequestError({ kind: "operation-not-supported", status: 200 }), "responses", undefined],
    ["background", said("Background images are not supported.", 200), "chat", undefined],
    ["background", new O1ServerError({ kind: "not-implemented", status: 501 }), "chat", "background, perhaps"],
    ["background", new O1ServerError({ kind: "unavailable", status: 503 }), "chat", undefined],
    ["background", page, "chat", "background, perhaps"],
    ["background", new O1ProtocolError({ kind: "malformed", status: 200 }), "chat", "background, perhaps"],
    ["background", page, "responses", undefined],
    ["stream", page, "chat", undefined],
    // no parameter, and words
    ["background", said("Background mode is not supported for this model."), "chat", "background"],
    ["kept", said("Background mode is not supported with model o1."), "responses", "background"],
    ["background", said("This model doesn't support background responses."), "chat", "background"],
    ["background", said("Background is disabled for this resource."), "responses", "background"],
    ["background", said("Stored responses are not allowed here."), "responses", "background"],
    ["background", said("Organizations with zero data retention cannot store."), "responses", "background"],
    ["background", said("Tell me about the background of this picture."), "chat", undefined],
    ["background", said("The image has no data."), "chat", undefined],
    ["plain", said("Background mode is not supported."), "chat", undefined],
    [
      "background",
      new O1RequestError({ kind: "invalid", param: "input", said: "The background is not a picture." }),
      "chat",
      undefined
    ]
  ]
  for (const [rung, error, api, ability] of refusals) {
    it(`${rung} with ${api}: ${error.kind} ${error.status ?? ""} ${error.said ?? ""} lacks ${ability ?? "nothing"}`, () => {
      const lack = lacks(rung, error, api)
      assert.strictEqual(lack && `${lack.ability}${lack.tentative ? ", perhaps" : ""}`, ability)
    })
  }
})
