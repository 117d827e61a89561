/** From a prompt to its result, in this process or in the one after it. */
import {
  AzureO1,
  type O1Completion,
  O1Error,
  type O1Request,
  type ResumeToken,
  user
} from "@effect-resilience/azure-o1"
import { Backoff, Fault, Retry } from "@effect-resilience/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Ledger, type StoreError } from "./Ledger.ts"
import { keyOf, type Prompt } from "./prompts.ts"
import { failed, ofCompletion, ofError, type Result } from "./Result.ts"

/** No prompt will be answered before a person has done something. The message says what. */
export class Hopeless extends Data.TaggedError("Hopeless")<{ readonly message: string }> {}

/** The steps between which a process can die. */
type Step = "begun" | "asked" | "accepted" | "reading" | "answered"

/** What hears of each step. */
export type Listen = (step: Step, id: string) => Effect.Effect<void>

/** Told after each step. A test dies here. */
export const Steps = Context.Reference<Listen>("examples/batch/Steps", {
  defaultValue: () => () => Effect.void
})

/** What one attempt asks and tells the worker. */
export interface Listener {
  /** Ends when the quota has room for a request. */
  readonly turn: (request: O1Request) => Effect.Effect<void>
  /** A request goes out now, and until `safe` nobody knows its response. */
  readonly risky: Effect.Effect<void>
  readonly safe: () => void
  /** Whether somebody was there to answer, if that is known. Gives whether nobody has been for too long. */
  readonly reached: (there: boolean | undefined) => Effect.Effect<boolean>
  /** After so many milliseconds; `undefined` if another process has asked. */
  readonly finished: (completion: O1Completion, elapsed: number | undefined) => void
}

/** What a failure means to the batch. */
type Meaning = "of the prompt" | "passing" | "hopeless"

/** Refusals that no other prompt would change: they are about what the command line says. */
const ofAllPrompts: ReadonlySet<string> = new Set([
  "unsupported-parameter",
  "operation-not-supported",
  "reasoningEffort",
  "reasoning.effort",
  "reasoning_effort",
  "maxCompletionTokens",
  "max_output_tokens",
  "max_completion_tokens",
  "model"
])

const meaningOf = (error: O1Error): Meaning => {
  switch (error._tag) {
    case "O1AuthError":
    case "O1DeploymentError":
      return "hopeless"
    case "O1RateLimitError":
      return error.kind === "quota" ? "hopeless" : error.kind === "request-exceeds-limit" ? "of the prompt" : "passing"
    case "O1ConnectionError":
      return error.kind === "tls" || error.kind === "unusable" ? "hopeless" : "passing"
    case "O1ServerError":
      return error.kind === "not-implemented" ? "hopeless" : "passing"
    case "O1TimeoutError":
    case "O1RejectedError":
      return "passing"
    case "O1ProtocolError":
      return error.kind === "truncated" || error.kind === "malformed" ? "passing" : "of the prompt"
    case "O1RequestError":
      return error.kind === "cancelled"
        ? "passing"
        : ofAllPrompts.has(error.kind) || (error.kind === "invalid" && ofAllPrompts.has(error.param ?? ""))
        ? "hopeless"
        : "of the prompt"
    case "O1ContentFilterError":
    case "O1RefusalError":
    case "O1OutputLimitError":
      return "of the prompt"
  }
}

/** Whether the service may have begun to work although nobody heard of it. */
const mayHaveBegun = (error: O1Error): boolean =>
  (error._tag === "O1TimeoutError" && error.kind !== "connect") ||
  (error._tag === "O1ConnectionError" &&
    (error.kind === "reset" || error.kind === "closed" || error.kind === "client-closed")) ||
  error._tag === "O1ProtocolError"

/** Whether a response that was accepted once cannot be read any more: it is deleted, too old, or of another deployment. */
const isLost = (error: O1Error): boolean =>
  error.status === 404 ||
  (error._tag === "O1RequestError" && (error.kind === "response-not-found" || error.param === "token"))

/** There is no result yet, and the queue is to deliver the prompt again. */
export class Unfinished extends Data.TaggedError("Unfinished") {}

/** The response that this attempt reads has turned out to be the second one for its prompt. */
class Overtaken extends Data.TaggedError("Overtaken") {}

/** Nobody can read the response of the ledger any more, and the prompt begins anew. */
class Anew extends Data.TaggedError("Anew") {}

type Failure = O1Error | StoreError | Overtaken | Anew | Unfinished | Hopeless

/** Whether it says to wait: the service, or on its behalf the circuit breaker or the quota of this process. */
const saysWait = (error: Failure): boolean =>
  O1Error.is(error) && (error[Fault.TypeId]._tag === "Throttled" || error._tag === "O1RejectedError")

const isPassing = (error: Failure): boolean => O1Error.is(error) && !saysWait(error) && meaningOf(error) === "passing"

/** Whether nobody is there to answer, which is hopeless if it stays so. */
const isAway = (error: O1Error): boolean =>
  (error._tag === "O1ConnectionError" && (error.kind === "dns" || error.kind === "refused")) ||
  (error._tag === "O1TimeoutError" && error.kind === "connect")

/** To be told to wait is no failure, however often; other faults are given a few attempts, and then the slot goes to another prompt. */
const patience = {
  told: Retry.make({
    schedule: Backoff.exponential({ base: "500 millis", maxDelay: "5 seconds" }),
    while: saysWait,
    rejected: true,
    retryAfter: { maxDelay: "10 minutes" }
  }),
  passing: Retry.make({
    schedule: Schedule.max([Backoff.exponential({ base: "1 second", maxDelay: "1 minute" }), Schedule.recurs(4)]),
    while: isPassing
  }),
  anew: Retry.make({
    schedule: Schedule.recurs(3),
    while: (error: Failure) => error._tag === "Overtaken" || error._tag === "Anew",
    classify: () => Fault.transient()
  })
}

/** A batch has time: what the service keeps is read for as long as it is made. */
const limits = { total: "2 hours", onLeave: "keep" } as const

/** The result of a prompt, once it is stored. It fails where the queue is to deliver the prompt again, later or elsewhere. */
export const answer = (
  asked: Prompt,
  options: Pick<O1Request, "maxCompletionTokens" | "reasoningEffort">,
  { finished, reached, risky, safe, turn }: Listener
): Effect.Effect<void, O1Error | StoreError | Hopeless | Unfinished, AzureO1 | Ledger> =>
  Effect.gen(function*() {
    const { id, prompt } = asked
    const key = keyOf(asked)
    const o1 = yield* AzureO1
    const ledger = yield* Ledger
    const step = yield* Steps

    const store = (result: Result) => Effect.andThen(ledger.answer(key, result), step("answered", id))

    const request: O1Request = { ...options, messages: [user(prompt)] }

    const attempt = Effect.gen(function*() {
      // a request that waits has cost nothing, and is not yet written down
      if ((yield* ledger.look(key)) === "Ask") yield* turn(request)
      // from here to the name of the response nobody is to go away
      yield* risky
      const next = yield* ledger.begin(key)
      if (next._tag === "Nothing") return
      let token: ResumeToken | undefined = next._tag === "Continue" ? next.token : undefined
      const since = token === undefined ? yield* Clock.monotonicTimeNanos : undefined
      if (token !== undefined) safe()
      yield* step("begun", id)
      const events = token === undefined
        // what is repeated is written down first, so it is not repeated inside of the call
        ? o1.stream(request, { ...limits, timeout: "10 minutes", retries: 0 })
        : o1.resume(token, limits)
      let completion: O1Completion | undefined
      const read = Stream.runForEach(events, (event) =>
        Effect.gen(function*() {
          switch (event._tag) {
            case "Started":
              return yield* step("asked", id)
            case "Accepted": {
              // before anything else is read
              token = yield* ledger.accept(key, event.resume)
              safe()
              yield* step("accepted", id)
              if (token.responseId === event.resume.responseId) return
              yield* Effect.ignore(o1.cancel(event.resume))
              return yield* new Overtaken()
            }
            case "TextDelta":
              return yield* step("reading", id)
            case "Finished":
              completion = event.completion
          }
        }))
      yield* Effect.catchIf(read, O1Error.is, (error) =>
        Effect.gen(function*() {
          const gone = yield* reached(isAway(error) ? false : error._tag === "O1RejectedError" ? undefined : true)
          if (token === undefined) {
            if (!mayHaveBegun(error)) yield* ledger.withdraw(key)
          } else if (isLost(error)) {
            yield* ledger.lose(key, token.responseId)
            return yield* new Anew()
          } else if (error.resume === undefined && meaningOf(error) === "passing") {
            yield* ledger.end(key, token.responseId)
          }
          return yield* gone ? new Hopeless({ message: error.message }) : error
        }))
      if (completion === undefined) return yield* new Unfinished()
      const now = yield* Clock.monotonicTimeNanos
      finished(completion, since === undefined ? undefined : Number(now - since) / 1_000_000)
      yield* store(ofCompletion(completion))
    }).pipe(Effect.ensuring(Effect.sync(safe)))

    yield* attempt.pipe(
      patience.anew,
      patience.passing,
      patience.told,
      Effect.catchTags({ Overtaken: () => new Unfinished(), Anew: () => new Unfinished() }),
      Effect.catchIf(O1Error.is, (error): Effect.Effect<void, O1Error | StoreError | Hopeless> => {
        switch (meaningOf(error)) {
          case "hopeless":
            return Effect.fail(new Hopeless({ message: error.message }))
          case "passing":
            return saysWait(error)
              ? Effect.fail(new Hopeless({ message: error.message }))
              : Effect.fail(error)
          case "of the prompt":
            return store(ofError(error))
        }
      })
    )
  })

/** A prompt that has been delivered so often is given up. */
export const mostDeliveries = 10

/** What stands in the output of a prompt that is given up. */
export const givenUp = (error: O1Error | undefined): Result =>
  error === undefined
    ? failed("given-up", `Given up after ${mostDeliveries} deliveries, none of which came to an end.`)
    : failed(`${error._tag}/${error.kind}`, `Given up after ${mostDeliveries} deliveries. ${ofMessage(error)}`)

const ofMessage = (error: O1Error): string => error.message.replaceAll(/\s+/gu, " ").trim()
