import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import {
  O1AuthError,
  O1ConnectionError,
  O1DeploymentError,
  type O1Error,
  O1ProtocolError,
  O1RateLimitError,
  O1RequestError,
  O1ServerError,
  O1TimeoutError
} from "../../src/O1Error.ts"
import * as reading from "../../src/transport/reading.ts"
import * as route from "../../src/transport/route.ts"

const timeout = (kind: O1TimeoutError["kind"]) => new O1TimeoutError({ kind })
const unavailable = new O1ServerError({ kind: "unavailable", status: 503 })

describe("after an attempt that failed", () => {
  // the failure, how long the attempt took, whether the next one takes the way of silence, whether it is the prompt's
  const table: ReadonlyArray<readonly [O1Error, number, boolean, boolean]> = [
    [timeout("attempt"), 60_000, true, true],
    [timeout("first"), 60_000, true, true],
    [timeout("headers"), 5000, true, true],
    [timeout("first-byte"), 5000, true, true],
    [timeout("byte-idle"), 120_000, true, true],
    [timeout("idle"), 120_000, true, true],
    [timeout("service"), 100, true, true],
    [timeout("service"), 60_000, true, true],
    [timeout("gateway"), 100, true, false],
    [timeout("gateway"), 10_000, true, false],
    [timeout("gateway"), 10_001, true, true],
    [timeout("gateway"), 230_000, true, true],
    [timeout("total"), 900_000, false, true],
    [timeout("connect"), 10_000, false, false],
    [unavailable, 60_000, false, false],
    [new O1ConnectionError({ kind: "reset" }), 60_000, false, false],
    [new O1RateLimitError({ kind: "tokens" }), 10, false, false],
    [new O1RequestError({ kind: "invalid" }), 10, false, false],
    [new O1ProtocolError({ kind: "truncated" }), 60_000, false, false]
  ]
  for (const [error, elapsed, slow, ofThePrompt] of table) {
    it(`${error._tag}/${error.kind} after ${elapsed} ms`, () => {
      const next = route.after(route.unknown, error)
      assert.deepStrictEqual(
        [route.isSlow(error), route.avoidsSilence(next), route.stretch(next), route.isOfThePrompt(error, elapsed)],
        [slow, slow, slow ? 2 : 1, ofThePrompt]
      )
    })
  }

  it("every one that took too long doubles the time, and nothing takes that back", () => {
    const errors = [timeout("attempt"), unavailable, timeout("service"), timeout("connect"), timeout("gateway")]
    let now = route.unknown
    const stretches = errors.map((error) => route.stretch(now = route.after(now, error)))
    assert.deepStrictEqual(stretches, [2, 2, 4, 4, 8])
  })
})

describe("the clocks of an attempt", () => {
  const limits: route.Limits = {
    attempt: 60,
    idle: 20,
    headers: Infinity,
    first: Infinity,
    firstByte: Infinity,
    byteIdle: 40
  }
  const begun: route.Silence = {
    startedAt: 1000,
    sent: 1002,
    opened: undefined,
    heard: undefined,
    said: undefined,
    thinking: false,
    kept: false
  }
  const table: { readonly [what: string]: readonly [Partial<route.Silence>, Partial<route.Limits>, number, string] } = {
    "nothing came": [{}, {}, 1060, "attempt"],
    "nothing came, and the headers are late before": [{}, { headers: 10 }, 1012, "headers"],
    "what comes in one piece has no phases": [{ sent: undefined }, { headers: 10, first: 10 }, 1060, "attempt"],
    "the headers are here": [{ opened: 1005 }, { headers: 10 }, 1060, "attempt"],
    "no byte after the headers": [{ opened: 1005 }, { firstByte: 7 }, 1012, "first-byte"],
    "no content": [{ opened: 1005, heard: 1030 }, { first: 50 }, 1052, "first"],
    "bytes, no content": [{ opened: 1005, heard: 1030 }, {}, 1060, "attempt"],
    "no more bytes, no content": [{ opened: 1005, heard: 1015 }, {}, 1055, "byte-idle"],
    "an answer has begun": [{ opened: 1005, heard: 1070, said: 1070 }, {}, 1090, "idle"],
    "an answer has begun, heartbeats": [{ opened: 1005, heard: 1085, said: 1070 }, {}, 1090, "idle"],
    "an answer has begun, bytes are the shorter clock": [
      { heard: 1070, said: 1070 },
      { byteIdle: 5 },
      1075,
      "byte-idle"
    ],
    "reasoning came: no shorter clock": [{ heard: 1085, said: 1070, thinking: true }, {}, 1125, "byte-idle"],
    "reasoning came, heartbeats": [{ heard: 1120, said: 1070, thinking: true }, {}, 1130, "idle"],
    "reasoning came, idle is the longer": [{ said: 1070, thinking: true }, { idle: 90 }, 1160, "idle"],
    "the service keeps it": [{ opened: 1005, heard: 1005, kept: true }, { first: 1, headers: 1 }, Infinity, "attempt"],
    "the service keeps it, and it has begun": [{ heard: 1005, said: 1005, kept: true }, {}, Infinity, "attempt"]
  }
  for (const [what, [silence, more, at, kind]] of Object.entries(table)) {
    it(what, () => {
      const due = route.due({ ...begun, ...silence }, { ...limits, ...more })
      assert.deepStrictEqual([due.at, due.kind], [at, kind])
    })
  }

  it("of two that end together the one of the connection speaks", () => {
    assert.strictEqual(route.due({ ...begun, heard: 1070, said: 1070 }, { ...limits, byteIdle: 20 }).kind, "byte-idle")
  })

  it("thoughts are no answer", () => {
    const tags = ["TextDelta", "ReasoningDelta", "CommentaryDelta", "RefusalDelta", "ToolCallDelta", "Finished"]
    assert.deepStrictEqual(tags.filter(route.isThought), ["ReasoningDelta", "CommentaryDelta"])
  })
})

describe("a response that the service keeps", () => {
  const patience: reading.Patience = { fruitless: 8, interval: 2000, elsewhere: false }
  const broke = (news: boolean, silent = false, resumable = true): reading.Heard => ({
    _tag: "Broken",
    silent,
    news,
    resumable
  })
  const pending: reading.Heard = { _tag: "Pending" }
  const failed = (error: O1Error): reading.Heard => ({ _tag: "Failed", error })
  const missing: { readonly [words: string]: O1Error } = {
    "of the response": new O1RequestError({ kind: "response-not-found", status: 404 }),
    "of the path": new O1DeploymentError({ kind: "endpoint-not-found", status: 404 }),
    "of the deployment": new O1DeploymentError({ kind: "deployment-not-found", status: 404 }),
    "of a retired model": new O1DeploymentError({ kind: "model-retired", status: 404 }),
    "of nothing": new O1RequestError({ kind: "invalid", status: 404 }),
    "inside a 200": new O1RequestError({ kind: "response-not-found", status: 200 })
  }

  /** What follows on each of these, heard one after another: `s` or `p` with the pause in milliseconds, or the end. */
  const follow = (
    by: reading.Reading["by"],
    heard: ReadonlyArray<reading.Heard>,
    { every = 0, ...more }: Partial<reading.Patience> & { readonly every?: number } = {}
  ): ReadonlyArray<string> => {
    let state = reading.begun(by)
    let now = 5000
    return heard.map((one) => {
      const [next, then] = reading.read(state, one, now, { ...patience, ...more })
      state = next
      if (then._tag === "Fail") return `end ${then.error.kind}`
      now += then.pause + every
      return `${then.by === "stream" ? "s" : "p"}${then.pause}`
    })
  }
  const times = <A>(n: number, a: A): ReadonlyArray<A> => Array.from({ length: n }, () => a)

  const table: { readonly [what: string]: readonly [ReadonlyArray<string>, ReadonlyArray<string>] } = {
    "a stream that breaks is continued at once": [follow("stream", [broke(true), broke(true)]), ["s0", "s0"]],
    "one that breaks without news, after a pause; the fifth time the response is polled": [
      follow("stream", [broke(true), ...times(5, broke(false))]),
      ["s0", "s250", "s500", "s1000", "s2000", "p0"]
    ],
    "news begin the count anew": [
      follow("stream", [...times(4, broke(false)), broke(true), broke(false)]),
      ["s250", "s500", "s1000", "s2000", "s0", "s250"]
    ],
    "silence is another connection, and polls if that is silent too": [
      follow("stream", [broke(true, true), broke(false, true)]),
      ["s0", "p0"]
    ],
    "silence after news is a connection again": [
      follow("stream", [broke(true, true), broke(true, true), broke(true, true)]),
      ["s0", "s0", "s0"]
    ],
    "events without numbers are not read again": [follow("stream", [broke(true, false, false)]), ["p0"]],
    "polls are further and further apart, up to the interval, for ever": [
      follow("poll", times(20, pending)),
      ["p250", "p500", "p1000", ...times(17, "p2000")]
    ],
    "a long interval is reached slowly": [
      follow("poll", times(8, pending), { interval: 20_000 }),
      ["p250", "p500", "p1000", "p2000", "p4000", "p8000", "p16000", "p20000"]
    ],
    "429 is an answer: the pause is the service's": [
      follow("poll", times(20, failed(new O1RateLimitError({ kind: "requests", retryAfter: Duration.seconds(7) })))),
      times(20, "p7000")
    ],
    "429 without a pause: at least the interval": [
      follow("poll", times(9, failed(new O1RateLimitError({ kind: "tokens" })))),
      ["p2000", "p2000", "p2000", "p2000", "p4000", "p8000", "p8000", "p8000", "p8000"]
    ],
    "429 for a stream is asked again as a stream": [
      follow("stream", [failed(new O1RateLimitError({ kind: "requests", retryAfter: Duration.seconds(1) }))]),
      ["s1000"]
    ],
    "what brings nothing ends it the eighth time in a row": [
      follow("poll", times(8, failed(unavailable))),
      ["p250", "p500", "p1000", "p2000", "p4000", "p8000", "p8000", "end unavailable"]
    ],
    "an answer in between begins the count anew": [
      follow("poll", [...times(7, failed(unavailable)), pending, ...times(7, failed(unavailable))]).filter((next) =>
        next.startsWith("end")
      ),
      []
    ],
    "a failure is asked again soon, however many polls there were before": [
      follow("poll", [...times(9, pending), failed(unavailable), failed(missing["of the path"]!), pending]).slice(-3),
      ["p250", "p500", "p2000"]
    ],
    "so does a 429, and a stream": [
      follow("poll", [
        ...times(7, failed(unavailable)),
        failed(new O1RateLimitError({ kind: "requests" })),
        ...times(7, failed(unavailable)),
        broke(true),
        ...times(7, failed(unavailable))
      ]).filter((next) => next.startsWith("end")),
      []
    ],
    "fruitless is an option": [follow("poll", [failed(unavailable)], { fruitless: 1 }), ["end unavailable"]],
    "the pause of a failure is at least what the service asks for": [
      follow("poll", [failed(new O1ServerError({ kind: "unavailable", retryAfter: Duration.seconds(20) }))]),
      ["p20000"]
    ],
    "but no more than a minute of it": [
      follow("poll", [failed(new O1ServerError({ kind: "unavailable", retryAfter: Duration.days(1) }))]),
      ["p60000"]
    ],
    "a stream that cannot be had is polled after three questions": [
      follow("stream", times(4, failed(unavailable))),
      ["s250", "s500", "p1000", "p2000"]
    ],
    "one that is refused is polled at once": [
      follow("stream", [failed(new O1RequestError({ kind: "invalid", status: 400 }))]),
      ["p0"]
    ],
    "not found for a minute is no fault, and after that it is one of eight": [
      follow("poll", times(20, failed(missing["of the response"]!))).slice(-10),
      ["p8000", "p8000", ...times(7, "p8000"), "end response-not-found"]
    ],
    "not found late, after it was found, is not yet as well": [
      follow("poll", [
        ...times(9, failed(missing["of the path"]!)),
        pending,
        ...times(9, failed(missing["of the path"]!))
      ])
        .filter((next) => next.startsWith("end")),
      []
    ]
  }
  for (const [what, [seen, expected]] of Object.entries(table)) it(what, () => assert.deepStrictEqual(seen, expected))

  for (const [words, error] of Object.entries(missing)) {
    for (const by of ["stream", "poll"] as const) {
      it(`not found in words ${words} is the end, by ${by}, where it may be elsewhere`, () => {
        assert.deepStrictEqual(follow(by, [failed(error)], { elsewhere: true }), [`end ${error.kind}`])
      })

      it(`not found in words ${words} is not yet, by ${by}`, () => {
        const short = by === "stream" ? "s" : "p"
        assert.deepStrictEqual(
          follow(by, times(3, failed(error)), { fruitless: 1 }),
          [250, 500, 1000].map((pause) => `${short}${pause}`)
        )
      })
    }
  }

  const fruitless: ReadonlyArray<O1Error> = [
    unavailable,
    new O1ServerError({ kind: "internal", status: 500 }),
    new O1ServerError({ kind: "not-implemented", status: 501 }),
    new O1ConnectionError({ kind: "refused" }),
    new O1ConnectionError({ kind: "reset" }),
    new O1ConnectionError({ kind: "closed" }),
    new O1ConnectionError({ kind: "dns" }),
    new O1ConnectionError({ kind: "client-closed" }),
    timeout("connect"),
    timeout("byte-idle"),
    timeout("service"),
    timeout("gateway"),
    new O1ProtocolError({ kind: "malformed" }),
    new O1ProtocolError({ kind: "unexpected-content-type" })
  ]
  const final: ReadonlyArray<O1Error> = [
    new O1RequestError({ kind: "invalid", status: 400 }),
    new O1AuthError({ kind: "unauthorized", status: 401 }),
    new O1AuthError({ kind: "forbidden", status: 403 }),
    new O1AuthError({ kind: "credential" }),
    new O1ConnectionError({ kind: "tls" }),
    new O1ConnectionError({ kind: "unusable" })
  ]
  for (const error of [...fruitless, ...final]) {
    const ends = final.includes(error)
    it(`${error._tag}/${error.kind} of a poll ${ends ? "is the end" : "is asked again"}`, () => {
      assert.deepStrictEqual(follow("poll", [failed(error)]), [ends ? `end ${error.kind}` : "p250"])
    })
  }
})

describe("a response that nobody waits for", () => {
  it("is told to stop three times at most, with pauses between", () => {
    const limited = (seconds: number) =>
      new O1RateLimitError({ kind: "requests", status: 429, retryAfter: Duration.seconds(seconds) })
    const missing = new O1RequestError({ kind: "response-not-found", status: 404 })
    const all = (error: O1Error) => [1, 2, 3].map((tries) => reading.stop(error, tries))
    assert.deepStrictEqual(all(unavailable), [{ pause: 500 }, { pause: 1000 }, "given-up"])
    assert.deepStrictEqual(all(limited(3)), [{ pause: 3000 }, { pause: 3000 }, "given-up"])
    assert.deepStrictEqual(all(limited(3000)), [{ pause: 10_000 }, { pause: 10_000 }, "given-up"])
    assert.deepStrictEqual(all(missing), [{ pause: 1000 }, { pause: 2000 }, "given-up"])
    for (const status of [400, 409, 410]) {
      assert.deepStrictEqual(all(new O1RequestError({ kind: "invalid", status })), ["ended", "ended", "ended"])
    }
  })

  it("goes on where an error has the token, or where that is asked for", () => {
    const table = (["left", "failed"] as const).flatMap((how) =>
      ([undefined, "cancel", "keep"] as const).map((onLeave) => route.leaving(how, onLeave))
    )
    assert.deepStrictEqual(table, ["cancel", "cancel", "keep", "keep", "cancel", "keep"])
  })
})
