// A process that takes as many permits as it gets: worker.ts URL CALLERS [AHEAD]. It says how many, and goes on until it is
// told no.
import { NodeRedis } from "@effect/platform-node"
import { Effect } from "effect"
import * as RateLimiter from "../../../src/RateLimiter.ts"
import { Shared } from "../../../src/shared/index.ts"

const [url, callers, ahead] = process.argv.slice(2)

const program = Effect.gen(function*() {
  const limiter = yield* Shared.rateLimiter({
    name: "fleet",
    initial: "full",
    attempt: "20 seconds",
    ahead: Number(ahead ?? 0),
    limit: RateLimiter.slidingWindow({ limit: 1000, within: "1 hour" })
  })
  // every process is there before the first begins
  yield* Effect.repeat(limiter.state, { until: () => Effect.map(limiter.mode, ({ processes }) => processes >= 2) })
  yield* Effect.sync(() => process.stdout.write("ready\n"))
  let taken = 0
  const caller = Effect.forever(limiter(Effect.andThen(Effect.sync(() => taken++), Effect.sleep(1))))
  yield* Effect.all(Array.from({ length: Number(callers) }, () => Effect.exit(caller)), { concurrency: "unbounded" })
  yield* Effect.sync(() => process.stdout.write(`${taken}\n`))
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeRedis.layer({ url: url! }))))
