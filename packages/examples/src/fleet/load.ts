/** The callers: they come when they come, whether others were answered or not. */
import { type Balancer, Policy, Retry, Timeout } from "@effect-resilience/core"
import { ResilientHttpClient } from "@effect-resilience/core/http"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HttpBody, HttpClient, HttpClientResponse } from "effect/http"
import * as Random from "effect/Random"
import { Answer } from "./answers.ts"
import { patience } from "./scenario.ts"

/** What became of a call. Times in milliseconds since the load began. */
export interface Outcome {
  readonly id: string
  readonly from: number
  readonly to: number
  /** Absent where the call was lost. */
  readonly answer: Answer | undefined
  readonly why: string
}

interface Planned {
  readonly id: string
  readonly at: number
  readonly prompt: string
  readonly maxTokens: number
}

/** Calls at random moments: the times between them are exponential. */
export const plan = (seconds: number, rate: number, seed: number): Effect.Effect<ReadonlyArray<Planned>> =>
  Effect.gen(function*() {
    const calls: Array<Planned> = []
    let at = 0
    for (;;) {
      at += -Math.log(1 - (yield* Random.next)) * 1000 / rate
      if (at >= seconds * 1000) return calls
      const id = `call-${calls.length + 1}`
      const maxTokens = 200 + Math.floor((yield* Random.next) * 600)
      calls.push({ id, at, maxTokens, prompt: `This is ${id}. Say its name.` })
    }
  }).pipe(Random.withSeed(seed))

const said = (exit: Exit.Exit<Answer, unknown>): string =>
  Exit.isSuccess(exit) ? "" : String(Cause.squash(exit.cause)).slice(0, 200)

/** Makes one call: another process is asked where one is gone, within the time that the caller has. */
const caller = (processes: Balancer.Balancer<string>) =>
  Effect.gen(function*() {
    const http = ResilientHttpClient.make(yield* HttpClient.HttpClient, Policy.identity, {
      sendDeadline: true,
      failOnStatus: true
    })
    const patient = Policy.compose(
      Timeout.total(patience),
      Retry.make({ times: 8, after: () => "100 millis", rejected: true })
    )
    return ({ id, maxTokens, prompt }: Planned) =>
      processes.use((url) =>
        Effect.flatMap(
          http.post(`${url}/ask`, {
            headers: { "idempotency-key": id },
            body: HttpBody.jsonUnsafe({ id, maxTokens, prompt })
          }),
          HttpClientResponse.schemaBodyJson(Answer)
        )
      ).pipe(patient)
  })

/** Makes all calls, each at its time, and tells what became of each. */
export const run = (
  calls: ReadonlyArray<Planned>,
  processes: Balancer.Balancer<string>,
  tell: (outcome: Outcome) => void
): Effect.Effect<void, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const call = yield* caller(processes)
    const start = yield* Clock.currentTimeMillis
    const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - start)
    yield* Effect.forEach(calls, (planned) =>
      Effect.gen(function*() {
        yield* Effect.sleep(Math.max(0, planned.at - (yield* elapsed)))
        const from = yield* elapsed
        const exit = yield* Effect.exit(call(planned))
        const answer = Exit.isSuccess(exit) ? exit.value : undefined
        tell({ id: planned.id, from, to: yield* elapsed, answer, why: said(exit) })
      }), { concurrency: "unbounded", discard: true })
  })
