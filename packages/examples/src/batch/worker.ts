/** A worker: takes prompts from the queue, and stores their results, until it is told to stop. */
import { type AzureO1, type O1Completion, O1Error, type O1Request, type ResumeToken } from "@effect-resilience/azure-o1"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { answer, givenUp, type Hopeless, mostDeliveries } from "./answer.ts"
import { Ledger, StoreError } from "./Ledger.ts"
import * as pace from "./pace.ts"
import { keyOf, Prompt } from "./prompts.ts"

export interface WorkerOptions {
  readonly workers: number
  readonly concurrency: number | "auto"
  readonly effort: O1Request["reasoningEffort"]
  readonly maxTokens: number | undefined
}

/** What a worker tells its parent. */
export type Told =
  /** The prompts can be sent. Only a worker without Redis asks for them. */
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Flight"; readonly inFlight: number; readonly target: number }
  /** So much is in the ledger about a prompt; without a token its request is on its way. */
  | { readonly _tag: "Noted"; readonly key: string; readonly token?: ResumeToken }
  /** The ledger holds nothing against a new request any more. */
  | { readonly _tag: "Dropped"; readonly key: string }
  | { readonly _tag: "Hopeless"; readonly message: string }

/** A ledger of which the parent hears. */
export const told = (ledger: Ledger["Service"], tell: (told: Told) => void): Ledger["Service"] => {
  const noted = (key: string, token?: ResumeToken) =>
    Effect.sync(() => tell({ _tag: "Noted", key, ...token === undefined ? {} : { token } }))
  const dropped = (key: string) => Effect.sync(() => tell({ _tag: "Dropped", key }))
  return {
    look: ledger.look,
    begin: (key) =>
      Effect.tap(
        ledger.begin(key),
        (next) => next._tag === "Nothing" ? Effect.void : noted(key, next._tag === "Ask" ? undefined : next.token)
      ),
    accept: (key, token) => Effect.tap(ledger.accept(key, token), (token) => noted(key, token)),
    withdraw: (key) => Effect.andThen(ledger.withdraw(key), dropped(key)),
    end: (key, responseId) => Effect.andThen(ledger.end(key, responseId), dropped(key)),
    lose: (key, responseId) => Effect.andThen(ledger.lose(key, responseId), noted(key)),
    answer: ledger.answer
  }
}

/** The queue of a run. Its own count of deliveries is not the limit: a prompt that is given up needs a result. */
export const queue = PersistedQueue.make({
  name: "prompts",
  schema: Prompt,
  maxAttempts: 1_000_000,
  retrySchedule: Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("2 minutes")])
})

/** How long nobody may be there to answer: an address that was never right stops the batch soon. Nanoseconds. */
const longestAlone = { atFirst: 10_000_000_000n, later: 300_000_000_000n }

/** How long a request that is on its way is waited for before the process ends. */
const longestGoodbye = "10 seconds"

/** Ends when `stop` does. Responses that are being made go on where they are, and their tokens are stored. */
export const work = (
  { concurrency, effort, maxTokens, workers }: WorkerOptions,
  turn: (request: O1Request) => Effect.Effect<void>,
  stop: Deferred.Deferred<void>,
  tell: (told: Told) => void
): Effect.Effect<void, Hopeless | StoreError, AzureO1 | Ledger | PersistedQueue.PersistedQueueFactory> =>
  Effect.gen(function*() {
    const ledger = yield* Ledger
    const prompts = yield* queue
    const slots = concurrency === "auto" ? pace.most : concurrency
    const open = Semaphore.makeUnsafe(concurrency === "auto" ? Math.min(pace.cautious, slots) : slots)
    const asked: Pick<O1Request, "maxCompletionTokens" | "reasoningEffort"> = {
      ...effort === undefined ? {} : { reasoningEffort: effort },
      ...maxTokens === undefined ? {} : { maxCompletionTokens: maxTokens }
    }
    let seen = pace.begun
    let goal = concurrency === "auto" ? pace.cautious : concurrency
    let inFlight = 0
    const flight = (change: number): void => {
      inFlight += change
      tell({ _tag: "Flight", inFlight, target: goal })
    }

    /** Nobody has answered since then. */
    let alone: bigint | undefined
    let met = false
    const reached = (there: boolean | undefined): Effect.Effect<boolean> =>
      Effect.map(Clock.monotonicTimeNanos, (now) => {
        if (there === true) {
          met = true
          alone = undefined
        } else if (there === false) alone ??= now
        return alone !== undefined && now - alone > (met ? longestAlone.later : longestAlone.atFirst)
      })

    const adapt = (completion: O1Completion, elapsed: number | undefined): void => {
      met = true
      alone = undefined
      seen = pace.after(seen, completion, elapsed, maxTokens ?? 0)
      goal = concurrency === "auto" ? pace.target(seen, workers) : concurrency
    }

    const handle = (prompt: Prompt, { attempts }: { readonly attempts: number }) => {
      if (attempts > mostDeliveries) return ledger.answer(keyOf(prompt), givenUp(undefined))
      const known = Latch.makeUnsafe(true)
      const answered = Effect.gen(function*() {
        yield* answer(prompt, asked, {
          turn,
          reached,
          risky: Effect.suspend(() =>
            Deferred.isDoneUnsafe(stop) ? Effect.interrupt : Effect.sync(() => void known.closeUnsafe())
          ),
          safe: () => void known.openUnsafe(),
          finished: adapt
        }).pipe(
          Effect.catchIf(
            O1Error.is,
            (error): Effect.Effect<void, O1Error | StoreError> =>
              attempts === mostDeliveries ? ledger.answer(keyOf(prompt), givenUp(error)) : Effect.fail(error)
          )
        )
        yield* Semaphore.resize(open, goal)
      })
      // a response without a name would be lost
      const left = Deferred.await(stop).pipe(
        Effect.andThen(Effect.timeoutOption(known.await, longestGoodbye)),
        Effect.andThen(Effect.interrupt)
      )
      return Effect.sync(() => flight(1)).pipe(
        Effect.andThen(Effect.raceFirst(answered, left)),
        Effect.ensuring(Effect.sync(() => flight(-1))),
        Effect.uninterruptible
      )
    }

    const take = open.withPermit(prompts.take(handle)).pipe(
      // the queue has it, and delivers it again
      Effect.catchIf((error) => O1Error.is(error) || error._tag === "Unfinished", () => Effect.void),
      Effect.catchTags({ PersistedQueueError: ({ message }) => Effect.fail(new StoreError({ message })) })
    )
    const taking = Effect.forever(take)
    yield* Effect.forEach(Array.from({ length: slots }), () => taking, { concurrency: "unbounded", discard: true })
      .pipe(
        Effect.raceFirst(Deferred.await(stop)),
        // an effect that has stopped is interrupted
        Effect.catchCauseIf(Cause.hasInterruptsOnly, () => Effect.void)
      )
  })
