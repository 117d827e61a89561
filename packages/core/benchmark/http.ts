import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schedule from "effect/Schedule"
import * as ResilientHttpClient from "../src/http/ResilientHttpClient.ts"
import * as Retry from "../src/Retry.ts"
import { expect } from "./check.ts"
import { mapContenders, oneFiber, type PerContender } from "./contender.ts"
import { stackOfThree } from "./contenders/ours.ts"
import { type Limits, measured, quick } from "./limits.ts"
import { bareSubject, type Case } from "./measure.ts"

type Request = Effect.Effect<string, unknown>

/** Asks anew each time. */
const get = <E>(client: HttpClient.HttpClient.With<E>) => (): Request =>
  Effect.flatMap(client.get("http://service.test/"), ({ text }) => text)

interface Entry {
  readonly does: string
  readonly from: (service: HttpClient.HttpClient) => () => Request
}

const service = (statusOf: () => number): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    Effect.sync(() => HttpClientResponse.fromWeb(request, new Response("hello", { status: statusOf() })))
  )

const healthy = service(() => 200)

const scheduleOf = ({ backoff }: Limits) => Schedule.max([Schedule.exponential(backoff), Schedule.recurs(3)])

const entries = (limits: Limits): Readonly<Record<string, PerContender<Entry>>> => {
  const retry = Retry.make({ schedule: scheduleOf(limits) })
  const three = stackOfThree(limits)
  const resilient = (policy: typeof retry | typeof three, body: "headers" | "buffer"): Entry => ({
    does: `ResilientHttpClient, ${body}`,
    from: (service) => get(ResilientHttpClient.make(service, policy, { body }))
  })
  return {
    [bareSubject]: { bare: { does: "the client alone", from: get } },
    "retry, head": {
      ours: resilient(retry, "headers"),
      effect: {
        does: "HttpClient.retryTransient",
        from: (service) => get(HttpClient.retryTransient(service, { schedule: scheduleOf(limits) }))
      }
    },
    "retry, whole body": { ours: resilient(retry, "buffer") },
    "retry > breaker > attempt, head": { ours: resilient(three, "headers") },
    "retry > breaker > attempt, whole body": { ours: resilient(three, "buffer") }
  }
}

// a request costs many times a call
const requestsPerRun = 200

export const httpCases = (): ReadonlyArray<Case> =>
  Object.entries(entries(measured)).map(([subject, contenders]) => ({
    group: "http",
    subject,
    unit: "call",
    unitsPerRun: requestsPerRun,
    runs: mapContenders(contenders, ({ from }) => oneFiber(from(healthy), requestsPerRun)),
    does: mapContenders(contenders, ({ does }) => does)
  }))

const retries = async ({ from }: Entry): Promise<boolean> => {
  const statuses = [503, 503, 200]
  return await Effect.runPromise(from(service(() => statuses.shift()!))()) === "hello" && statuses.length === 0
}

export const checkHttp = async (): Promise<void> => {
  const all = Object.entries(entries(quick)).filter(([subject]) => subject !== bareSubject)
  await Promise.all(
    all.flatMap(([subject, contenders]) =>
      Object.entries(contenders).map(([by, entry]) => expect(`${subject} by ${by} repeats`, retries(entry)))
    )
  )
}
