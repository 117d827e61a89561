import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { AttemptEvent } from "../../src/O1Event.ts"
import { Calls } from "../../src/wire/calls.ts"

const Call = Schema.Struct({
  name: Schema.Literals(["add", "weather", "constructor"]),
  value: Schema.Literals(["Oslo", "", "{}", "\"", "}{", "ünï"]),
  /** How many letters of the arguments a piece has; 0 is all of them. */
  size: Schema.Literals([0, 1, 3, 7])
})

const Told = Schema.Struct({
  calls: Schema.Array(Call).check(Schema.isMaxLength(4)),
  index: Schema.Literals(["own", "text", "from one", "zero", "none"]),
  /** Whether a piece repeats the id of its call. */
  ids: Schema.Literals(["first piece", "every piece"]),
  interleaved: Schema.Boolean
})

describe("tool calls in pieces", () => {
  it.prop("are what they were, however a gateway numbers them", [Told], ([told]) => {
    const { calls, ids, index, interleaved } = told
    const pieces = calls.map(({ name, size, value }, place) => {
      const args = JSON.stringify({ value })
      const parts = size === 0 ? [args] : Array.from(args.matchAll(new RegExp(`.{1,${size}}`, "gsu")), ([part]) => part)
      const at = index === "zero" ? 0 : index === "from one" ? place + 1 : index === "text" ? `${place}` : place
      return parts.map((part, i) => ({
        index: index === "none" ? undefined : at,
        id: i === 0 || ids === "every piece" ? `call_${place}` : undefined,
        function: { arguments: part, name: i === 0 ? name : undefined }
      }))
    })
    // where only the order tells, there is one
    const mixed = interleaved && ((index !== "zero" && index !== "none") || ids === "every piece")
    const order = mixed
      ? Array.from({ length: 40 }, (_, i) => pieces.flatMap((parts) => parts.slice(i, i + 1))).flat()
      : pieces.flat()
    const decoded = new Calls()
    const events: Array<AttemptEvent> = []
    for (const piece of order) decoded.takePieces([piece], events)
    const expected = calls.map(({ name, value }, place) => ({
      id: `call_${place}`,
      name,
      arguments: JSON.stringify({ value })
    }))
    assert.deepStrictEqual(decoded.list, expected)
    const shown = new Map<number, string>()
    for (const event of events) {
      if (event._tag !== "ToolCallDelta") continue
      shown.set(event.index, (shown.get(event.index) ?? "") + event.arguments)
    }
    assert.deepStrictEqual(Array.from(shown), expected.map((call, place) => [place, call.arguments]))
  })

  it("of one id, whole each, are as many as there are, with one index or none", () => {
    for (const index of [0, undefined]) {
      const decoded = new Calls()
      const piece = (args: string) => ({ index, id: "a", function: { name: "f", arguments: args } })
      for (const args of ["{\"x\":", "1}", "{\"x\":2}", ""]) decoded.takePieces([piece(args)], [])
      assert.deepStrictEqual(decoded.list.map((call) => call.arguments), ["{\"x\":1}", "{\"x\":2}"])
    }
  })

  const whole = (id: string, args: unknown) => ({ index: 0, id, function: { name: "f", arguments: args } })

  it("in one piece are as many as there are", () => {
    const decoded = new Calls()
    decoded.takeWhole([whole("a", "{}"), whole("a", "{}"), whole("b", { x: [1] }), whole("", null)], [])
    assert.deepStrictEqual(decoded.list.map((call) => [call.id, call.arguments]), [
      ["a", "{}"],
      ["a", "{}"],
      ["b", "{\"x\":[1]}"],
      ["", ""]
    ])
  })

  it("that come again as a whole are said to their end", () => {
    const decoded = new Calls()
    const events: Array<AttemptEvent> = []
    decoded.takePieces([whole("a", "{\"x\"")], events)
    decoded.takeWhole([whole("a", "{\"x\":1}"), whole("b", "{}")], events)
    decoded.takeWhole([whole("a", "{\"x\":1}"), whole("b", "{}")], events)
    assert.deepStrictEqual(decoded.list.map((call) => [call.id, call.arguments]), [["a", "{\"x\":1}"], ["b", "{}"]])
    assert.deepStrictEqual(events.map((event) => event._tag === "ToolCallDelta" && [event.index, event.arguments]), [
      [0, "{\"x\""],
      [0, ":1}"],
      [1, "{}"]
    ])
  })
})
