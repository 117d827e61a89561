// The same retry and timeout around the same call, on Effect 3 and on Effect 4, in one process. In an empty directory:
//   npm install effect3@npm:effect@3.22.4 effect4@npm:effect@4.1.0
//   cp PATH/TO/effect-3-or-4.mjs . && node effect-3-or-4.mjs
import * as v3 from "effect3"
import * as v4 from "effect4"

const calls = 1000
const rounds = 50
const warmUp = 10

const policy = {
  3: v3.Schedule.intersect(v3.Schedule.exponential("1 second"), v3.Schedule.recurs(3)),
  4: v4.Schedule.max([v4.Schedule.exponential("1 second"), v4.Schedule.recurs(3)])
}
const callees = {
  asynchronous: ({ Effect }) => Effect.promise(async () => 1),
  synchronous: ({ Effect }) => Effect.sync(() => 1)
}

const loopOf = ({ Effect }, callee, schedule) =>
  Effect.forEach(
    Array.from({ length: calls }),
    () => callee.pipe(Effect.timeout("60 seconds"), Effect.retry(schedule)),
    { discard: true }
  )
const nanosecondsOf = async ({ Effect }, loop) => {
  const start = performance.now()
  await Effect.runPromise(loop)
  return (performance.now() - start) * 1e6 / calls
}
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

// one after the other, as Array.fromAsync waits for each
await Array.fromAsync(Object.entries(callees), async ([name, calleeOf]) => {
  const loop3 = loopOf(v3, calleeOf(v3), policy[3])
  const loop4 = loopOf(v4, calleeOf(v4), policy[4])
  const ratios = await Array.fromAsync(
    { length: warmUp + rounds },
    async () => await nanosecondsOf(v3, loop3) / await nanosecondsOf(v4, loop4)
  )
  console.log(`${name} callee: a call costs ${median(ratios.slice(warmUp)).toFixed(1)} times as much on Effect 3`)
})
