import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { always, cautious, doubling, type Lasting, Learned, type Standing } from "../../src/transport/learned.ts"

const minutes = (n: number): number => n * 60_000
const lasting = doubling(minutes(10), minutes(360))
const saying = { about: "streaming", text: "It does not stream." } as const

describe("transport/learned: how long an answer counts", () => {
  const table: ReadonlyArray<readonly [string, Lasting, ReadonlyArray<number>]> = [
    ["ten minutes, doubled up to six hours", lasting, [10, 20, 40, 80, 160, 320, 360, 360].map(minutes)],
    ["an accident: half a minute twice", cautious(lasting), [0.5, 0.5, 10, 20, 40].map(minutes)],
    ["always the same", always(minutes(1)), [1, 1, 1].map(minutes)]
  ]
  for (const [name, lasting, expected] of table) {
    it(name, () => assert.deepStrictEqual(expected.map((_, i) => lasting(i + 1)), expected))
  }
})

type Step =
  /** Answers to what was asked at the first time, which come at the second. */
  | { readonly refused: readonly [begun: number, now: number] }
  | { readonly works: number }
  | { readonly ask: number }
  | "release"
  | "forget"

describe("transport/learned: how a call takes a thing", () => {
  const ten = minutes(10)
  const table: ReadonlyArray<readonly [string, ReadonlyArray<Step>, number, Standing]> = [
    ["nobody knows", [], 0, "ask"],
    ["somebody is asking", [{ ask: 0 }], 1, "wait"],
    ["the call that asked has got no answer", [{ ask: 0 }, "release"], 1, "ask"],
    ["it works", [{ ask: 0 }, { works: 0 }], 1, "open"],
    ["it works for as long as nobody says otherwise", [{ works: 0 }], minutes(1e6), "open"],
    ["it does not", [{ ask: 0 }, { refused: [0, 1] }], 2, "shut"],
    ["until the end", [{ refused: [0, 0] }], ten - 1, "shut"],
    ["and no longer", [{ refused: [0, 0] }], ten, "ask"],
    ["then one asks, and the others go on with what is known", [{ refused: [0, 0] }, { ask: ten }], ten + 1, "shut"],
    ["who dies, so that another one may", [{ refused: [0, 0] }, { ask: ten }, "release"], ten + 1, "ask"],
    ["the same answer counts twice as long", [{ refused: [0, 0] }, { refused: [ten, ten] }], minutes(30) - 1, "shut"],
    ["and no longer than that", [{ refused: [0, 0] }, { refused: [ten, ten] }], minutes(30), "ask"],
    ["what was asked before the refusal adds nothing", [{ refused: [5, 6] }, { refused: [5, 7] }], ten + 6, "ask"],
    ["even if it comes after the end", [{ refused: [5, 6] }, { refused: [6, ten + 6] }], ten + 6, "ask"],
    ["nor does what is refused while that counts", [{ refused: [0, 0] }, { refused: [1, ten - 1] }], ten, "ask"],
    ["another answer ends it", [{ refused: [0, 0] }, { works: ten }], ten, "open"],
    ["but not one to what was asked before", [{ refused: [5, 6] }, { works: 5 }], 7, "shut"],
    ["nor to what was asked at that moment", [{ refused: [0, 6] }, { works: 6 }], 7, "shut"],
    ["what worked can stop", [{ works: 0 }, { refused: [1, 2] }], 3, "shut"],
    [
      "and counts from the beginning",
      [
        { refused: [0, 0] },
        { refused: [ten, ten] },
        { works: minutes(30) },
        { refused: [minutes(31), minutes(31)] }
      ],
      minutes(41),
      "ask"
    ],
    ["what is forgotten is not known", [{ refused: [0, 0] }, "forget"], 1, "ask"]
  ]
  for (const [name, steps, now, expected] of table) {
    it(name, () => {
      const learned = new Learned()
      for (const step of steps) {
        if (step === "forget") learned.forget("a")
        else if (step === "release") learned.release(learned.asked("a")!)
        else if ("ask" in step) learned.ask("a", step.ask)
        else if ("works" in step) learned.works("a", step.works)
        else learned.refused("a", { begun: step.refused[0], now: step.refused[1], lasting, saying })
      }
      assert.strictEqual(learned.stand("a", now), expected)
      assert.strictEqual(learned.stand("b", now), "ask")
    })
  }

  it("a call that waits is woken by every end of the question, once", () => {
    const ends: ReadonlyArray<(learned: Learned) => void> = [
      (learned) => learned.works("a", 0),
      (learned) => learned.refused("a", { begun: 0, now: 1, lasting, saying }),
      (learned) => learned.release(learned.asked("a")!)
    ]
    for (const end of ends) {
      const learned = new Learned()
      const question = learned.ask("a", 0)
      let woken = 0
      question.waiting.add(() => woken++)
      end(learned)
      learned.release(question)
      assert.strictEqual(woken, 1)
      assert.isUndefined(learned.asked("a"))
    }
  })

  it("a call that asked before cannot release the question of another one", () => {
    const learned = new Learned()
    const first = learned.ask("a", 0)
    learned.release(first)
    learned.ask("a", 0)
    learned.release(first)
    assert.strictEqual(learned.stand("a", 0), "wait")
  })
})

describe("transport/learned: what is told", () => {
  it("the first refusal, and none that comes and goes within its time", () => {
    const learned = new Learned()
    const refused = (begun: number) => learned.refused("a", { begun, now: begun, lasting, saying })
    assert.isTrue(refused(0))
    assert.isFalse(refused(1))
    learned.works("a", 2)
    assert.isFalse(refused(3), "told a moment ago")
    assert.isFalse(refused(minutes(11)), "the same answer again")
    learned.works("a", minutes(12))
    assert.isTrue(refused(minutes(40)), "news")
  })

  it("the facts, with the time that is left", () => {
    const learned = new Learned()
    learned.refused("a", { begun: 0, now: 0, lasting, saying: { ...saying, parameter: "stream", value: "true" } })
    learned.works("b", 0)
    const fact = { deployment: "o1", about: "streaming", parameter: "stream", value: "true", text: saying.text }
    assert.deepStrictEqual(learned.facts("o1", minutes(4)), [{ ...fact, expiresIn: Duration.minutes(6) }] as never)
    assert.deepStrictEqual(learned.facts("o1", minutes(40))[0]?.expiresIn, Duration.zero)
    assert.isTrue(learned.holds("a", minutes(4)))
    assert.isFalse(learned.holds("a", minutes(10)))
    assert.isFalse(learned.isEmpty)
  })
})
