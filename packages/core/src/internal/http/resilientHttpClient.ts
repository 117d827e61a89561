import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "../../Fault.ts"
import { attemptValue, deadlineValue } from "../../kernel/http/headers.ts"
import * as kernel from "../../kernel/http/resilientHttpClient.ts"
import { CurrentCriticality } from "../criticality.ts"
import { remainingTime } from "../deadline.ts"
import type { AnyStream } from "../establish.ts"
import { TypeId } from "../model.ts"
import { invalid } from "../options.ts"
import type { AnyEffect, AnyFiber } from "../primitive.ts"
import { MayRepeat } from "../repeat.ts"
import { now, wallNow } from "../time.ts"
import { cancel, HeldResponse, readBytes } from "./response.ts"

type Request = HttpClientRequest.HttpClientRequest
type Response = HttpClientResponse.HttpClientResponse

/** The two faces of a policy. */
export interface AnyPolicy {
  (self: AnyEffect): AnyEffect
  readonly stream: (self: AnyStream) => AnyStream
}

/** A function that is no policy would get effects, and streams nobody. */
export const policyArgument = <P extends AnyPolicy>(where: string, value: P): P => {
  if (typeof value === "function" && TypeId in value) return value
  throw invalid(where, "policy", value, "a policy")
}

export interface Settings {
  readonly client: HttpClient.HttpClient.With<any, any>
  readonly policy: AnyPolicy
  readonly policyFor: ((request: Request) => AnyPolicy) | undefined
  readonly body: "buffer" | "stream" | "headers"
  readonly maxBytes: number
  readonly isFailure: (response: Response) => boolean
  readonly failOnStatus: boolean
  readonly repeat: (request: Request) => boolean
  readonly deadlineHeader: string | undefined
  readonly attemptHeader: string | undefined
  readonly criticalityHeader: string | undefined
}

/**
 * The policy sees this instead of a failure: the same error, which states its fault. The caller gets the original.
 */
class Seen extends HttpClientError.HttpClientError {
  readonly [Fault.TypeId]: Fault.Fault
  readonly failure: unknown

  constructor(reason: HttpClientError.HttpClientErrorReason, fault: Fault.Fault, failure: unknown) {
    super({ reason })
    this[Fault.TypeId] = fault
    this.failure = failure
  }
}

/** The failure behind what the policy saw. */
export const originalOf = (error: unknown): unknown => error instanceof Seen ? originalOf(error.failure) : error

const isReplayable = (body: HttpBody.HttpBody): boolean => {
  if (body._tag === "Stream") return false
  if (body._tag !== "Raw") return true
  const { body: raw } = body
  return typeof raw === "string" || raw instanceof ArrayBuffer || ArrayBuffer.isView(raw) || raw instanceof Blob ||
    raw instanceof URLSearchParams || raw instanceof FormData
}

/** The treatment of a response that is no failure; the moment is that which the server was told. */
type OnAccepted = (response: Response, deadline: number) => AnyEffect

const refusal = Fault.rejected()

const failureOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined

/**
 * The failure, unless the server has it only because the deadline that it was sent is over. The policy that enforces the
 * deadline, here or further out, then interrupts this attempt, and its error counts. If no policy does, because the work is
 * shared, the failure stands.
 */
export const afterDeadline = <E>(failure: E, deadline: number): Effect.Effect<never, E> =>
  Effect.withFiber((fiber) => {
    const failed = Effect.fail(failure)
    if (!HttpClientError.isHttpClientError(failure)) return failed
    const answer = failure.reason._tag === "StatusCodeError" ? failure.reason.response : undefined
    if (answer === undefined && Fault.ofError(failure)._tag !== "Transient") return failed
    const wait = kernel.waitForDeadline(answer, deadline - now(fiber))
    return wait === undefined ? failed : Effect.andThen(Effect.sleep(wait), failed)
  })

const deadlineOf = (fiber: AnyFiber): number => {
  const at = now(fiber)
  return at + remainingTime(fiber, at)
}

/**
 * A scope for one attempt. To abort a request costs more than all the rest of it, so where nothing but that is in the scope and
 * the body has been read to its end, the scope is dropped.
 */
const inOwnScope = (self: AnyEffect): AnyEffect =>
  Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    return Effect.onExitPrimitive(Effect.provideService(self, Scope.Scope, scope), (exit) => {
      const { state } = scope
      const aborts = state._tag === "Open" && state.finalizer !== undefined
      return aborts && Exit.isSuccess(exit) ? undefined : Scope.close(scope, exit)
    })
  })

/** One logical call: makes the attempts, and refuses the ones that must not be made. */
export class Call {
  private readonly settings: Settings
  private readonly request: Request
  private readonly replayable: boolean
  private readonly repeatable: boolean
  private readonly outside: Schedule.Metadata
  /** the failures that are answers; a response lives as long as somebody holds its failure */
  private readonly answers = new WeakSet<HttpClientError.HttpClientError>()
  private sent = 0
  private running: Deferred.Deferred<void> | undefined = undefined
  private last: Exit.Exit<Response, unknown> | undefined = undefined

  constructor(settings: Settings, request: Request, fiber: AnyFiber) {
    this.settings = settings
    this.request = request
    this.replayable = isReplayable(request.body)
    this.repeatable = this.replayable &&
      (kernel.isIdempotent(request.method) || Boolean(request.headers["idempotency-key"]) || settings.repeat(request))
    this.outside = fiber.getRef(Schedule.CurrentMetadata)
  }

  /** One attempt: up to its end, or for a stream up to the head. */
  attempt(onAccepted: OnAccepted): AnyEffect {
    return Effect.suspend(() => {
      let running: Deferred.Deferred<void> | undefined
      const start = Effect.withFiber((fiber) => {
        if (!this.mayStart) return this.refuse(fiber, onAccepted)
        this.running = running = Deferred.makeUnsafe()
        return this.answering(this.send(fiber, onAccepted), fiber, undefined)
      })
      return Effect.onExitPrimitive(start, (exit) => {
        if (running === undefined) return undefined
        this.last = exit
        if (this.running === running) this.running = undefined
        // a waiter beside a success is about to be interrupted
        if (Exit.isFailure(exit)) Deferred.doneUnsafe(running, Effect.yieldNow)
        return undefined
      })
    })
  }

  /** The whole: the policy knows whether it may ask for another attempt, and the caller knows the errors. */
  settle(self: AnyEffect, fiber: AnyFiber): AnyEffect {
    return Effect.catchCause(this.answering(self, fiber, () => this.mayRepeat), (cause) => {
      const only = cause.reasons.length === 1 ? cause.reasons[0]! : undefined
      const failure = only?._tag === "Fail" ? originalOf(only.error) : undefined
      const answer = this.settings.failOnStatus ? undefined : this.answerOf(failure)
      return answer === undefined ? Effect.failCause(Cause.map(cause, originalOf)) : Effect.succeed(answer)
    })
  }

  private answerOf(failure: unknown): Response | undefined {
    return HttpClientError.isHttpClientError(failure) && this.answers.has(failure) ? failure.response : undefined
  }

  /** A request around this one, or inside of it, has an answer of its own. */
  private answering(self: AnyEffect, fiber: AnyFiber, mayRepeat: (() => boolean) | undefined): AnyEffect {
    const answer = this.repeatable ? undefined : mayRepeat
    return fiber.getRef(MayRepeat) === answer ? self : Effect.provideService(self, MayRepeat, answer)
  }

  private get mayRepeat(): boolean {
    return this.mayStart || (this.running === undefined && this.repeated !== undefined)
  }

  /** The answer that another attempt gets: it has been read, so there is no harm in giving it twice. */
  private get repeated(): Exit.Success<Response, unknown> | undefined {
    const { last, settings } = this
    return last !== undefined && Exit.isSuccess(last) && settings.body === "buffer" ? last : undefined
  }

  private get mayStart(): boolean {
    if (this.repeatable) return true
    if (this.running !== undefined) return false
    return this.last === undefined || (this.replayable && this.wasNeverSent(failureOf(this.last)))
  }

  private wasNeverSent(failure: unknown): boolean {
    return kernel.neverSent(originalOf(failure))
  }

  /**
   * A policy has asked for another attempt anyway: one that does not ask whether it may, or did so too early. It waits
   * for the attempt that runs, and then learns that there is no other. `Rejected`, so that nobody counts it as a call.
   */
  private refuse(fiber: AnyFiber, onAccepted: OnAccepted): AnyEffect {
    const { last, repeated, running } = this
    if (running !== undefined) return Effect.andThen(Deferred.await(running), () => this.attempt(onAccepted))
    if (repeated !== undefined) return repeated
    const metadata = fiber.getRef(Schedule.CurrentMetadata)
    const told = metadata === this.outside ? undefined : metadata.input
    const failure = originalOf(told ?? (last === undefined ? undefined : failureOf(last)))
    const { request } = this
    const reason = HttpClientError.isHttpClientError(failure)
      ? failure.reason
      : new HttpClientError.TransportError({
        request,
        cause: failure,
        description: "interrupted, and not a request to be sent again"
      })
    return Effect.fail(new Seen(reason, refusal, failure ?? new HttpClientError.HttpClientError({ reason })))
  }

  private send(fiber: AnyFiber, onAccepted: OnAccepted): AnyEffect {
    const { body, client } = this.settings
    const scoped = body !== "headers" && this.request.headers.upgrade === undefined
    const deadline = this.unsaid(this.settings.deadlineHeader) ? deadlineOf(fiber) : Infinity
    const request = Effect.succeed(this.copy(fiber, deadline))
    const response = (scoped ? HttpClient.withScope(client) : client).postprocess(request)
    const attempt = Effect.uninterruptibleMask((restore) => {
      const accepted = Effect.flatMap(
        restore(response),
        (response) => this.accept(response, restore, onAccepted, deadline)
      )
      const timely = deadline === Infinity
        ? accepted
        : Effect.catch(accepted, (error) => restore(afterDeadline(error, deadline)))
      return Effect.catchCause(timely, (cause) => Effect.failCause(Cause.map(cause, (error) => this.see(fiber, error))))
    })
    return scoped && body === "buffer" ? inOwnScope(attempt) : attempt
  }

  /** What the request says already, its caller knows better. */
  private unsaid(header: string | undefined): header is string {
    return header !== undefined && !(header in this.request.headers)
  }

  /** A request of its own for every attempt, because `withScope` tells by it what to abort. */
  private copy(fiber: AnyFiber, deadline: number): Request {
    const { attemptHeader, criticalityHeader, deadlineHeader } = this.settings
    const headers: Record<string, string | undefined> = {}
    if (deadline !== Infinity) headers[deadlineHeader!] = deadlineValue(deadlineHeader!, deadline - now(fiber))
    if (this.unsaid(attemptHeader)) headers[attemptHeader] = attemptValue(attemptHeader, ++this.sent)
    if (this.unsaid(criticalityHeader)) headers[criticalityHeader] = fiber.getRef(CurrentCriticality)
    return HttpClientRequest.setHeaders(this.request, headers)
  }

  private accept(
    response: Response,
    restore: (self: AnyEffect) => AnyEffect,
    onAccepted: OnAccepted,
    deadline: number
  ): AnyEffect {
    if (response.status === 101) return Effect.succeed(response)
    if (this.settings.isFailure(response)) return this.answered(response, restore)
    return this.settings.body === "buffer" ? this.read(response, restore) : onAccepted(response, deadline)
  }

  private read(response: Response, restore: (self: AnyEffect) => AnyEffect): AnyEffect {
    const bytes = Effect.onExitPrimitive(
      restore(readBytes(response, this.settings.maxBytes)),
      (exit) => Exit.isSuccess(exit) ? undefined : cancel(response)
    )
    return Effect.map(bytes, (bytes) => new HeldResponse(response, Stream.succeed(bytes), bytes))
  }

  /**
   * A status that is a failure is an answer as well: it is read here, so that it holds no connection while the policy waits
   * and can be given to the caller whole. Where it cannot be read, the status still stands.
   */
  private answered(response: Response, restore: (self: AnyEffect) => AnyEffect): AnyEffect {
    return Effect.flatMap(
      Effect.catch(
        this.read(response, restore),
        (error) => Effect.succeed(new HeldResponse(response, Stream.fail(error)))
      ),
      (response: Response) => {
        const error = new HttpClientError.HttpClientError({
          reason: new HttpClientError.StatusCodeError({ request: response.request, response })
        })
        this.answers.add(error)
        return Effect.fail(error)
      }
    )
  }

  private see(fiber: AnyFiber, error: unknown): unknown {
    if (!HttpClientError.isHttpClientError(error)) return error
    return new Seen(error.reason, Fault.ofError(error, wallNow(fiber)), error)
  }
}

/** The response is complete, or for `headers` its head is there, when the policy is done. */
export const execute = (settings: Settings) => (request: Request): AnyEffect =>
  Effect.withFiber((fiber) => {
    const call = new Call(settings, request, fiber)
    const attempt = call.attempt(Effect.succeed)
    const { policy, policyFor } = settings
    return call.settle(policy(policyFor === undefined ? attempt : policyFor(request)(attempt)), fiber)
  })
