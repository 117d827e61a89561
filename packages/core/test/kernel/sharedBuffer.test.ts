import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Reader, SharedBuffer } from "../../src/kernel/sharedBuffer.ts"

describe("kernel/sharedBuffer", () => {
  it("holds what the slowest has not taken, and has room when it has", () => {
    const buffer = new SharedBuffer<string>(2)
    const [fast, slow] = [buffer.join(), buffer.join()]
    buffer.push("a")
    buffer.push("b")
    assert.deepStrictEqual([buffer.take(fast), buffer.take(fast)], ["a", "b"])
    assert.isFalse(buffer.has(fast))
    assert.isFalse(buffer.hasRoom)
    assert.strictEqual(buffer.take(slow), "a")
    assert.isTrue(buffer.hasRoom)
    buffer.push("c")
    assert.isFalse(buffer.hasRoom)
    buffer.leave(slow)
    assert.isTrue(buffer.hasRoom)
    assert.strictEqual(buffer.take(fast), "c")
  })

  it("who leaves takes nothing from the others, and is not waited for", () => {
    const buffer = new SharedBuffer<string>(2)
    const [gone, stays] = [buffer.join(), buffer.join()]
    buffer.push("a")
    buffer.push("b")
    buffer.take(gone)
    buffer.leave(gone)
    assert.deepStrictEqual([buffer.take(stays), buffer.take(stays)], ["a", "b"])
    buffer.push("c")
    buffer.push("d")
    assert.isFalse(buffer.hasRoom)
    assert.deepStrictEqual([buffer.take(stays), buffer.take(stays)], ["c", "d"])
    assert.isTrue(buffer.hasRoom)
  })

  const Step = Schema.Literals(["join", "push", "take0", "take1", "take2", "leave0", "leave1"])

  it.prop("every reader sees everything since it joined, in order", [Schema.Array(Step)], ([steps]) => {
    const capacity = 3
    const buffer = new SharedBuffer<number>(capacity)
    const emitted: Array<number> = []
    let readers: Array<{ readonly reader: Reader; taken: number }> = []
    for (const step of steps) {
      if (step === "join") {
        if (emitted.length === 0) readers.push({ reader: buffer.join(), taken: 0 })
      } else if (step === "push") {
        if (readers.length > 0 && buffer.hasRoom) {
          emitted.push(emitted.length)
          buffer.push(emitted.length - 1)
        }
      } else {
        const entry = readers[Number(step.at(-1))]
        if (entry === undefined) continue
        if (step.startsWith("leave")) {
          buffer.leave(entry.reader)
          readers = readers.filter((other) => other !== entry)
        } else {
          assert.strictEqual(buffer.has(entry.reader), entry.taken < emitted.length)
          if (buffer.has(entry.reader)) assert.strictEqual(buffer.take(entry.reader), emitted[entry.taken++])
        }
      }
      const slowest = Math.min(...readers.map(({ taken }) => taken))
      if (readers.length > 0) assert.strictEqual(buffer.hasRoom, emitted.length - slowest < capacity)
    }
  })
})
