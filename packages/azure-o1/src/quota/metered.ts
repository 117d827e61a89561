import * as Policy from "@effect-resilience/core/Policy"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { CallOptions } from "../O1Client.ts"
import type { O1Completion } from "../O1Completion.ts"
import type { O1Error } from "../O1Error.ts"
import type { O1Policy } from "../O1Policy.ts"
import type { O1Request } from "../O1Request.ts"
import { CurrentMeter } from "../transport/progress.ts"
import type { Cost } from "./cost.ts"
import type { Deployment } from "./deployment.ts"
import type { Hour } from "./hour.ts"
import type { Caller } from "./queue.ts"
import { Ticket } from "./ticket.ts"

/** What the quota of a call needs to know. */
export interface Quotas {
  readonly deployment: (name: string) => Deployment
  readonly hour: Hour
  readonly caller: Effect.Effect<Caller>
  readonly costOf: (request: O1Request) => Cost
}

type Restore = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Elements of streams and results of calls are of any type to a policy. */
const completionIn = (value: unknown): O1Completion | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  if ("finishReason" in value) return value as O1Completion
  return "_tag" in value && value._tag === "Finished" && "completion" in value
    ? value.completion as O1Completion
    : undefined
}

const finishedWith = (ticket: Ticket, values: Iterable<unknown>): Effect.Effect<void> => {
  for (const value of values) {
    const completion = completionIn(value)
    if (completion !== undefined) return ticket.finished(completion)
  }
  return Effect.void
}

/** Around the attempts of one run of a call at one deployment. */
const around = (
  { caller, costOf, deployment, hour }: Quotas,
  name: string,
  request: () => O1Request,
  failed: (error: O1Error) => void
): Policy.Policy<O1Error, O1Error> => {
  const ticketed = (restore: Restore): Effect.Effect<Ticket, O1Error> =>
    Effect.gen(function*() {
      const asked = request()
      const cost = costOf(asked)
      const quota = deployment(name)
      const problem = quota.problem(cost)
      if (problem !== undefined) {
        yield* quota.tellRefused(problem)
        return yield* problem
      }
      const reservation = yield* Effect.tapError(hour.reserve(name, cost.tokens), (error) => quota.tellRefused(error))
      const waiter = yield* Effect.onError(
        quota.admitted(yield* caller, cost, restore),
        () => reservation.settle(0)
      )
      const prompt = cost.tokens - (asked.maxCompletionTokens ?? 0)
      return new Ticket(quota, waiter, reservation, prompt)
    })
  const heard = (ticket: Ticket) => (error: O1Error): Effect.Effect<void> =>
    Effect.sync(() => {
      failed(error)
      ticket.failed(error)
    })
  return Policy.make<O1Error, O1Error>({
    info: { kind: "quota", name, settings: {}, children: [] },
    effect: (self) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(ticketed(restore), (ticket) =>
          restore(self).pipe(
            Effect.provideService(CurrentMeter, ticket.meter),
            Effect.tap((value) => finishedWith(ticket, [value])),
            Effect.tapError(heard(ticket)),
            Effect.ensuring(ticket.settle)
          ))
      ),
    stream: (self) =>
      Stream.unwrap(Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(ticketed(restore), (ticket) =>
          Effect.as(
            Effect.addFinalizer(() => ticket.settle),
            self.pipe(
              Stream.provideService(CurrentMeter, ticket.meter),
              Stream.mapArrayEffect((values) => Effect.as(finishedWith(ticket, values), values)),
              Stream.tapError(heard(ticket))
            )
          ))
      ))
  })
}

/** A policy, with the quota around what is asked of each deployment: the wait counts for the whole call, and not for its attempts. */
export const metered = (policies: O1Policy["Service"], quotas: Quotas): O1Policy["Service"] => {
  const parts: O1Policy["Service"]["parts"] = (request, options) => {
    const inner = policies.parts(request, options)
    let asked = request
    const failed = (error: O1Error): void => {
      const { moreTokens } = options
      // the client asks for more the next time
      if (error._tag === "O1OutputLimitError" && moreTokens !== undefined) {
        asked = { ...asked, maxCompletionTokens: moreTokens }
      }
    }
    return {
      ...inner,
      attempt: (name) => Policy.compose(around(quotas, name, () => asked, failed), inner.attempt(name)),
      wait: (name) =>
        Effect.flatMap(
          quotas.caller,
          (caller) => Effect.map(quotas.deployment(name).forecast(caller, quotas.costOf(asked)), Duration.millis)
        )
    }
  }

  const stackOf = (request: O1Request, options: CallOptions & { readonly deployment: string }) => {
    const { deployment } = options
    const { attempt, call } = parts(request, { ...options, deployments: [deployment] })
    return Policy.compose(call, attempt(deployment))
  }

  return {
    ...policies,
    parts,
    forRequest: (request, options) =>
      Policy.make<O1Error, O1Error>({
        info: stackOf(request, options).info,
        effect: (self) => Effect.suspend(() => stackOf(request, options)(self)),
        stream: (self) => Stream.suspend(() => stackOf(request, options).stream(self))
      })
  }
}
