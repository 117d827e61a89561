import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Coalesce from "../src/Coalesce.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Hedge from "../src/Hedge.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"
import { outcome } from "./support/harness.ts"

/** What several callers of one instance do at the same time, and what the instance is asked afterwards. */
interface Row {
  readonly calls: ReadonlyArray<Effect.Effect<unknown, unknown>>
  readonly expected: ReadonlyArray<string>
  /** brings about what the callers wait for, if nothing else does */
  readonly meanwhile?: Effect.Effect<unknown, unknown>
}

const thrice = (call: Effect.Effect<unknown, unknown>) => [call, call, call]
const answer = Effect.as(Effect.sleep("5 millis"), "answer")
const full = "BulkheadRejected"
const late = "RateLimiterRejected"

const rows: Readonly<Record<string, () => Row>> = {
  "a bulkhead hands its permit on": () => {
    const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10 })
    return { calls: thrice(bulkhead(answer)), expected: ["ok:answer", "ok:answer", "ok:answer", "ok:answer"] }
  },
  "a bulkhead gets more permits": () => {
    const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10 })
    Effect.runFork(bulkhead(Effect.sleep("20 millis")))
    return {
      calls: thrice(bulkhead(Effect.succeed("answer"))),
      meanwhile: bulkhead.resize({ concurrency: 5 }),
      expected: ["ok:answer", "ok:answer", "ok:answer", "ok:answer"]
    }
  },
  "the time in the queue of a bulkhead is up": () => {
    const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10, maxWait: "5 millis" })
    Effect.runFork(bulkhead(Effect.never))
    return { calls: thrice(bulkhead(answer)), expected: [full, full, full, full] }
  },
  "the oldest in the queue of a bulkhead give way": () => {
    const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 3, order: "lifo" })
    Effect.runFork(bulkhead(Effect.never))
    return {
      calls: thrice(bulkhead(answer)),
      meanwhile: Effect.sync(() => [1, 2, 3].forEach(() => Effect.runFork(bulkhead(Effect.never)))),
      expected: [full, full, full, "ok:nothing"]
    }
  },
  "timeouts of one limit are up": () => {
    const timeout = Timeout.attempt("5 millis")
    const over = "TimeoutExceeded:attempt"
    return { calls: thrice(timeout(Effect.never)), expected: [over, over, over, over] }
  },
  "timeouts of a stream are up": () => {
    const timeout = Timeout.phases({ idle: "5 millis" })
    const read = Stream.runDrain(timeout.stream(Stream.concat(Stream.make(1), Stream.never)))
    const over = "TimeoutExceeded:idle"
    return { calls: thrice(read), expected: [over, over, over, over] }
  },
  "deadlines come": () => {
    const within = Deadline.within("5 millis")
    const over = "DeadlineExceeded"
    return { calls: thrice(within(Effect.never)), expected: [over, over, over, over] }
  },
  "a hedge begins its second attempts": () => {
    const hedge = Hedge.makeUnsafe({ after: "1 millis" })
    let begun = 0
    const call = Effect.suspend(() => begun++ < 3 ? Effect.never : Effect.succeed("answer"))
    return { calls: thrice(hedge(call)), expected: ["ok:answer", "ok:answer", "ok:answer", "ok:answer"] }
  },
  "a limiter has room again": () => {
    const limit = RateLimiter.tokenBucket({ limit: 1, within: "5 millis" })
    const limiter = RateLimiter.makeUnsafe({ limit, maxWait: "10 seconds" })
    Effect.runSync(limiter(Effect.void))
    return {
      calls: thrice(limiter(Effect.succeed("answer"))),
      expected: ["ok:answer", "ok:answer", "ok:answer", "ok:answer"]
    }
  },
  "a limiter has less room than before": () => {
    const limiter = RateLimiter.makeUnsafe({
      limit: RateLimiter.tokenBucket({ limit: 1, within: "1 second" }),
      maxWait: "5 seconds"
    })
    Effect.runSync(limiter(Effect.void))
    return {
      calls: thrice(limiter(answer)),
      meanwhile: limiter.reconfigure(RateLimiter.tokenBucket({ limit: 1, within: "1 minute" })),
      expected: [late, late, late, late]
    }
  },
  "a shared call ends": () => {
    const coalesce = Coalesce.makeUnsafe<string>()
    return { calls: thrice(coalesce(answer)), expected: ["ok:answer", "ok:answer", "ok:answer", "ok:answer"] }
  },
  "a shared stream goes on": () => {
    const coalesce = Coalesce.makeUnsafe<string>()
    const read = Stream.mkString(coalesce.stream(Stream.concat(Stream.fromEffect(answer), Stream.fromEffect(answer))))
    const both = "ok:answeranswer"
    return { calls: thrice(read), expected: [both, both, both, both] }
  }
}

const settled = (call: Effect.Effect<unknown, unknown>, onExit: () => void = () => undefined): Promise<string> =>
  new Promise((resolve) => {
    Effect.runCallback(call, {
      onExit: (exit: Exit.Exit<unknown, unknown>) => {
        resolve(outcome(exit))
        onExit()
      }
    })
  })

describe("a host whose callback throws at the end of a call", { concurrent: false }, () => {
  const heard: Array<unknown> = []
  const others = process.listeners("uncaughtException")

  beforeEach(() => {
    heard.length = 0
    process.removeAllListeners("uncaughtException")
    process.on("uncaughtException", (error) => heard.push(error))
  })

  afterEach(() => {
    process.removeAllListeners("uncaughtException")
    for (const other of others) process.on("uncaughtException", other)
  })

  for (const [name, make] of Object.entries(rows)) {
    for (const which of [0, 1, 2]) {
      it(`${name}, and it is call ${which + 1} of 3`, async () => {
        const { calls, expected, meanwhile = Effect.void } = make()
        const bug = new Error("a bug of the host")
        const ends = calls.map((call, i) =>
          settled(call, () => {
            if (i === which) throw bug
          })
        )
        await Effect.runPromise(meanwhile)
        assert.deepStrictEqual(await Promise.all(ends), expected.slice(0, 3))
        if (expected[3] !== "ok:nothing") assert.strictEqual(await settled(calls[0]!), expected[3])
        await new Promise((resolve) => setImmediate(resolve))
        assert.deepStrictEqual(heard, [bug])
      })
    }
  }

  for (const [name, make] of Object.entries(rows)) {
    for (const which of [0, 1, 2]) {
      it(`${name}, and it interrupts call ${which + 1} of 3`, async () => {
        const { calls, expected, meanwhile = Effect.void } = make()
        const bug = new Error("a bug of the host")
        const ends = calls.flatMap((call, i) => {
          if (i !== which) return [settled(call)]
          const interrupt = Effect.runCallback(call, {
            onExit: () => {
              throw bug
            }
          })
          setTimeout(interrupt, 0)
          return []
        })
        await Effect.runPromise(meanwhile)
        assert.deepStrictEqual(await Promise.all(ends), expected.slice(0, 2))
        if (expected[3] !== "ok:nothing") assert.strictEqual(await settled(calls[0]!), expected[3])
        await new Promise((resolve) => setTimeout(resolve, 0))
        assert.deepStrictEqual(heard, [bug])
      })
    }
  }

  it("and whose listener throws as well, at every event", async () => {
    const calls = Object.values(rows).flatMap((make) => {
      const { calls, expected, meanwhile = Effect.void } = make()
      const deaf = Telemetry.listen(() => {
        throw new Error("a bug of the listener")
      })
      const ends = calls.map((call) => settled(deaf(call)))
      Effect.runFork(meanwhile)
      return ends.map((end, i) => [end, expected[i]] as const)
    })
    assert.deepStrictEqual(await Promise.all(calls.map(([end]) => end)), calls.map(([, expected]) => expected))
    assert.deepStrictEqual(heard, [])
  })
})
