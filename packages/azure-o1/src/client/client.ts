import type * as Policy from "@effect-resilience/core/Policy"
import * as Telemetry from "@effect-resilience/core/Telemetry"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { tooLate } from "../credential/token.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { CallOptions, O1Client, ResumeOptions } from "../O1Client.ts"
import type { O1Completion, ResumeToken } from "../O1Completion.ts"
import { O1Error, O1RequestError } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { Fact } from "../O1Fact.ts"
import { O1Observer } from "../O1Observation.ts"
import type { O1Request } from "../O1Request.ts"
import type { O1Transport } from "../O1Transport.ts"
import { problemOf } from "../request/problem.ts"
import { asCall, asStreamedCall, Call } from "../transport/call.ts"
import type { Beside } from "./beside.ts"
import { fromFaces, tokensOf } from "./faces.ts"
import { History } from "./history.ts"
import { both, type CallObserver, Observing } from "./observing.ts"
import { isTraced, type Operation, type Server, Tracing } from "./tracing.ts"
import { Turns } from "./turns.ts"
import { withProgress } from "./withProgress.ts"

/** What a client asks: one deployment, or several. */
export interface Callee {
  /** For spans, and for what is told of a call before anybody is asked. */
  readonly name: string
  /** The one that errors are of before somebody is asked; `undefined` where there are several. */
  readonly deployment: string | undefined
  /** Where a deployment is, or the only one. */
  readonly serverOf: (deployment: string | undefined) => Server | undefined
  /** What none of them can be asked. */
  readonly problem: (request: O1Request, options: CallOptions) => O1RequestError | undefined
  readonly begin: (calling: Calling) => Attempts
  /** The events of a response that one of them keeps. */
  readonly resume: (token: ResumeToken, options: ResumeOptions) => Stream.Stream<AttemptEvent, O1Error>
  readonly cancel: (token: ResumeToken) => Effect.Effect<void, O1Error>
  readonly learned: Effect.Effect<ReadonlyArray<Fact>>
}

/** One call, in both of its faces, and the policy around it. */
interface Attempts {
  readonly policy: Policy.Policy<O1Error, O1Error>
  readonly complete: Effect.Effect<O1Completion, O1Error>
  readonly stream: Stream.Stream<AttemptEvent, O1Error>
}

/** What of a call a deployment cannot be asked: neither the configured model, nor the one that was found to answer. */
export const forbidden = (
  request: O1Request,
  options: CallOptions,
  { adopted, profile }: Pick<O1Transport["Service"], "adopted" | "profile">
): O1RequestError | undefined => {
  const problem = forbiddenBy(request, options, profile())
  const other = problem === undefined ? undefined : adopted?.()
  return other === undefined || forbiddenBy(request, options, other) !== undefined ? problem : undefined
}

const forbiddenBy = (
  request: O1Request,
  { moreTokens }: CallOptions,
  profile: ModelProfile.ModelProfile
): O1RequestError | undefined => {
  const problem = ModelProfile.check(profile, request)
  if (problem !== undefined || moreTokens === undefined) return problem
  const least = (request.maxCompletionTokens ?? 0) + 1
  const most = profile.outputTokens ?? Infinity
  return Number.isSafeInteger(moreTokens) && moreTokens >= least && moreTokens <= most
    ? undefined
    : new O1RequestError({
      kind: "invalid",
      param: "moreTokens",
      detail: `moreTokens must be an integer from ${least} to ${most}, got ${moreTokens}`
    })
}

/** One call: what its attempts share, and what is written down of it. */
export class Calling {
  readonly call: Call
  readonly options: CallOptions
  /** Present where somebody observes. */
  readonly observing: CallObserver | undefined
  /** What the next attempt asks for. */
  request: O1Request
  completion: O1Completion | undefined = undefined
  private readonly history = new History()
  private readonly turns: Turns
  private deployment: string | undefined
  private raised = false
  private readonly clock: Clock.Clock
  private readonly began: bigint

  constructor(
    request: O1Request,
    options: CallOptions,
    deployment: string | undefined,
    clock: Clock.Clock,
    observing: CallObserver | undefined
  ) {
    this.clock = clock
    this.began = clock.monotonicTimeNanosUnsafe()
    this.deployment = deployment
    this.request = request
    this.options = options
    this.observing = observing
    this.call = new Call({ onLeave: options.onLeave, observing })
    this.turns = new Turns((turn) => {
      this.history.ended(turn)
      observing?.turnEnded(turn)
    })
  }

  /** Somebody is asked: for this. */
  readonly asked: Effect.Effect<O1Request> = Effect.suspend(() => {
    const { observing } = this
    return observing === undefined ? Effect.succeed(this.request) : Effect.map(Clock.monotonicTimeNanos, (now) => {
      observing.began(now, this.deployment)
      return this.request
    })
  })

  /** From now on the call is about this request, one of several that are made at the same time. */
  readonly follow = (beside: Beside): void => {
    this.deployment = beside.deployment
    this.call.follow(beside.call)
    this.call.again()
    this.turns.asking(beside.deployment, beside.since)
    if (this.observing !== undefined) beside.observe(this.observing)
  }

  /** A request beside the one that the call is about has come to nothing. */
  readonly endedBeside = (deployment: string, exit: Exit.Exit<unknown, unknown>, duration: Duration.Duration): void => {
    const turn = this.turns.beside({ deployment, duration, exit })
    this.history.ended(turn)
    this.observing?.endedBeside(turn)
  }

  /** From now on somebody else is asked. */
  readonly asking = (deployment: string): void => {
    this.deployment = deployment
    this.call.again()
    this.turns.asking(deployment)
  }

  /** What the one that was asked has begun may go on, and another one is asked. */
  readonly leftOpen = (resume: ResumeToken): void => this.history.leftOpen(resume)

  /** The deployment that was asked has failed, and the attempt goes on. */
  get left(): Turns["left"] {
    return this.turns.left
  }

  /** Reasoning that ate the answer is worth another attempt once, if there may be more of it. */
  readonly raise = (error: O1Error): O1Error => {
    const { moreTokens } = this.options
    if (error._tag !== "O1OutputLimitError" || moreTokens === undefined || this.raised) return error
    this.raised = true
    this.request = { ...this.request, maxCompletionTokens: moreTokens }
    return O1Error.with(error, { shouldRetry: true })
  }

  /** The error of the call, with all that is known of it. */
  readonly explain = (failure: O1Error): O1Error => {
    const { signsIn } = this.call
    const isTotal = failure._tag === "O1TimeoutError" && failure.kind === "total" && failure.limit !== undefined
    // a deployment that was not asked has not been slow
    const error = signsIn && isTotal ? tooLate(failure.limit) : failure
    return O1Error.with(error, {
      deployment: error.deployment ?? this.deployment,
      clientRequestId: error.clientRequestId ?? this.call.clientRequestId,
      partialText: error.partialText === "" ? this.call.partialText : error.partialText,
      attempts: this.history.failed(error),
      elapsed: Duration.nanos(this.clock.monotonicTimeNanosUnsafe() - this.began)
    })
  }

  readonly seen = (events: NonEmptyReadonlyArray<AttemptEvent>): NonEmptyReadonlyArray<AttemptEvent> => {
    for (const event of events) this.call.heard(event)
    const last = events[events.length - 1]!
    if (last._tag === "Finished") this.completion = last.completion
    return events
  }

  readonly listener: Telemetry.Listener = (event, context) => {
    this.turns.listener(event, context)
    this.history.listener(event, context)
    this.observing?.listener?.(event, context)
    // another attempt says it all again
    if (event._tag === "RetryScheduled") this.call.again()
  }
}

/** The client of whatever is asked. */
export const clientOf = (callee: Callee): O1Client => {
  const { deployment } = callee

  const begin = (
    operation: Exclude<Operation, "resume">,
    request: O1Request,
    options: CallOptions
  ): Effect.Effect<Calling, O1Error> =>
    Effect.withFiber((fiber) => {
      const problem = problemOf(request) ?? callee.problem(request, options)
      const observer = fiber.getRef(O1Observer)
      const traced = isTraced(fiber)
      const clock = fiber.getRef(Clock.Clock)
      if (observer === undefined && !traced) {
        return problem === undefined
          ? Effect.succeed(new Calling(request, options, deployment, clock, undefined))
          : Effect.fail(problem)
      }
      return Effect.gen(function*() {
        const tracing = traced ? yield* Tracing.begin(fiber, callee, operation, request) : undefined
        if (problem !== undefined) {
          yield* tracing?.ended(Exit.fail(problem), undefined) ?? Effect.void
          return yield* problem
        }
        const face = operation === "complete" ? "complete" : "stream"
        const now = yield* Clock.monotonicTimeNanos
        const observing = observer &&
          new Observing({ observer, face, deployment: callee.name, effort: request.reasoningEffort, now })
        return new Calling(
          request,
          options,
          deployment,
          clock,
          tracing && observing ? both(tracing, observing) : tracing ?? observing
        )
      })
    })

  /** The policy, and who is told what it does. */
  const around = ({ listener }: Calling, { policy }: Attempts) => {
    const told = Telemetry.listen(listener)
    return {
      effect: (self: Effect.Effect<O1Completion, O1Error>): Effect.Effect<O1Completion, O1Error> => told(policy(self)),
      stream: (self: Stream.Stream<AttemptEvent, O1Error>): Stream.Stream<AttemptEvent, O1Error> =>
        told.stream(policy.stream(self))
    }
  }

  const complete = (request: O1Request, options: CallOptions = {}): Effect.Effect<O1Completion, O1Error> =>
    // what begins to be told of is told to its end
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(begin("complete", request, options), (calling) => {
        const attempts = callee.begin(calling)
        const { observing } = calling
        const explained = attempts.complete.pipe(around(calling, attempts).effect, Effect.mapError(calling.explain))
        const answer = restore(asCall(explained, calling.call))
        return observing === undefined ? answer : within(observing).effect(answer).pipe(
          Effect.onExit((exit) => observing.ended(exit, Exit.isSuccess(exit) ? exit.value : undefined))
        )
      })
    )

  const content = (
    operation: "stream" | "tokens",
    request: O1Request,
    options: CallOptions = {}
  ): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.map(begin(operation, request, options), (calling) => {
      const attempts = callee.begin(calling)
      const { observing } = calling
      const explained = attempts.stream.pipe(
        around(calling, attempts).stream,
        Stream.mapArray(calling.seen),
        Stream.mapError(calling.explain)
      )
      const events = asStreamedCall(explained, calling.call)
      return observing === undefined ? events : within(observing).stream(events).pipe(
        Stream.onExit((exit) => observing.ended(exit, calling.completion))
      )
    }))

  const resume = (
    token: ResumeToken,
    options: ResumeOptions = {}
  ): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.withFiber((fiber) => {
      const call = new Call({ onLeave: options.onLeave ?? "keep" })
      const events = callee.resume(token, options).pipe(
        Stream.tap((event) => Effect.sync(() => call.heard(event))),
        Stream.mapError((error) => O1Error.with(error, { partialText: error.partialText || call.partialText }))
      )
      const read = asStreamedCall(events, call)
      return isTraced(fiber)
        ? Effect.map(Tracing.begin(fiber, callee, "resume"), (tracing) => watched(read, tracing))
        : Effect.succeed(read)
    }))

  return fromFaces({
    complete,
    stream: (request, options) => withProgress(content("stream", request, options)),
    // a reader of the text alone cannot be told that it begins anew
    tokens: (request, options) => tokensOf(content("tokens", request, { ...options, onBreak: "continue" })),
    resume: (token, options) => withProgress(resume(token, options)),
    cancel: callee.cancel,
    learned: callee.learned
  })
}

/** What happens for a call happens in its span. */
const within = ({ span }: CallObserver): {
  readonly effect: <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly stream: <A, E>(self: Stream.Stream<A, E>) => Stream.Stream<A, E>
} =>
  span === undefined ? { effect: identity, stream: identity } : {
    effect: Effect.provideService(Tracer.ParentSpan, span),
    stream: Stream.provideService(Tracer.ParentSpan, span)
  }

/** A stream that is no call of its own, with all that is told of it. */
const watched = (
  events: Stream.Stream<AttemptEvent, O1Error>,
  observer: CallObserver
): Stream.Stream<AttemptEvent, O1Error> => {
  let completion: O1Completion | undefined
  return within(observer).stream(events).pipe(
    Stream.tap((event) =>
      Effect.sync(() => {
        if (event._tag === "Finished") completion = event.completion
      })
    ),
    Stream.onExit((exit) => observer.ended(exit, completion))
  )
}
