import * as Effect from "effect/Effect"
import { flow } from "effect/Function"
import * as Balancer from "../src/Balancer.ts"
import { asynchronous } from "./callees.ts"
import { expect } from "./check.ts"
import { oneFiber, type Run, unitsPerRun, type Wrap } from "./contender.ts"
import { retry } from "./contenders/ours.ts"
import { measured } from "./limits.ts"
import { bareSubject, type Case } from "./measure.ts"

const endpoints = ["a", "b", "c"]

const balancer = (): Wrap => {
  const balancer = Balancer.makeUnsafe({ endpoints })
  return (self) => balancer.use(() => self)
}

const row = (subject: string, by: "bare" | "ours", does: string, wrap: Wrap): Case => {
  const call = wrap(asynchronous.effect)
  const run: Run = oneFiber(() => call)
  return { group: "endpoints", subject, unit: "call", unitsPerRun, runs: { [by]: run }, does: { [by]: does } }
}

/**
 * Measured last: as soon as a program has a balancer, a retry remembers what its call has tried, which is part of what these rows
 * show and of no other row.
 */
export const endpointCases = (): ReadonlyArray<Case> => [
  row(bareSubject, "bare", "no balancer", (self) => self),
  row("balancer", "ours", "Balancer.use", balancer()),
  row("retry, where there is a balancer", "ours", "Retry.make", retry(measured)),
  row("retry > balancer", "ours", "Retry.make, Balancer.use", flow(balancer(), retry(measured)))
]

export const checkEndpoints = async (): Promise<void> => {
  const balancer = Balancer.makeUnsafe({ endpoints })
  const asked: Array<string> = []
  const call = balancer.use((endpoint) => Effect.suspend(() => Effect.fail(asked.push(endpoint))))
  await Effect.runPromiseExit(call.pipe(retry({ ...measured, backoff: 1 })))
  await expect(
    "a retry around the balancer asks each endpoint",
    Promise.resolve(new Set(asked.slice(0, endpoints.length)).size === endpoints.length)
  )
}
