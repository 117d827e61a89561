import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "../../Fault.ts"
import * as criticality from "../../kernel/criticality.ts"
import { parse } from "../../kernel/deadline.ts"
import * as kernel from "../../kernel/http/serverPolicy.ts"
import { CurrentCriticality } from "../criticality.ts"
import { DeadlineExceeded, RateLimiterRejected, TimeoutExceeded } from "../errors.ts"
import { endsWhenInterrupted } from "../frame.ts"
import type { AnyEffect, AnyFiber } from "../primitive.ts"
import { Rejection } from "../rejection.ts"
import { retryAfterOf } from "../retryAfter.ts"
import { wallNow } from "../time.ts"
import { MayLeave } from "../turn.ts"
import { bodyOf, type Opened, openMessage } from "./message.ts"
import type { AnyPolicy } from "./resilientHttpClient.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

export interface Settings {
  readonly policy: AnyPolicy
  readonly policyFor: ((request: Request) => AnyPolicy) | undefined
  readonly within: (millis: number) => AnyPolicy
  readonly body: "stream" | "headers"
  readonly deadlineHeaders: ReadonlyArray<string>
  readonly criticalityHeaders: ReadonlyArray<string>
  readonly maxCriticality: criticality.Criticality | ((request: Request) => criticality.Criticality)
  readonly maxRemaining: number
  readonly minRemaining: number
  readonly lateStatus: 503 | 504
  readonly rejectedStatus: 429 | 503 | undefined
  readonly isFailure: (response: Response) => boolean
}

/** What a policy sees of a handler that fails, or that answers with a failure. */
export class RequestFailed extends Rejection {
  readonly _tag = "RequestFailed"
  readonly status: number
  override readonly [Fault.TypeId]: Fault.Fault

  constructor(status: number, fault: Fault.Fault) {
    super()
    this.status = status
    this[Fault.TypeId] = fault
  }

  override get message(): string {
    return `the request was answered with ${this.status}`
  }
}

const ownFault = (cause: Cause.Cause<unknown>): Fault.Fault | undefined => {
  const failure = cause.reasons.find(Cause.isFailReason)?.error
  return Predicate.hasProperty(failure, Fault.TypeId) ? Fault.ofError(failure) : undefined
}

const isAnswer = (reason: Cause.Reason<unknown>): boolean => {
  const value = reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined
  return HttpServerResponse.isHttpServerResponse(value) || HttpServerRespondable.isRespondable(value)
}

/** One request: knows what the handler itself has ended with, whatever the policy makes of it. */
class Call {
  private readonly settings: Settings
  private readonly app: AnyEffect
  private readonly request: Request
  private readonly outer: Scope.Scope | undefined
  /** by what the policy saw of them */
  private readonly endings = new WeakMap<RequestFailed, Exit.Exit<Response, unknown>>()
  private sent = false

  constructor(settings: Settings, app: AnyEffect, request: Request, fiber: AnyFiber) {
    this.settings = settings
    this.request = request
    this.outer = Context.getOrUndefined(fiber.context, Scope.Scope)
    // a stream has a scope of its own, which is not that of the request
    const scoped = this.outer === undefined ? app : Effect.provideService(app, Scope.Scope, this.outer)
    this.app = fiber.getRef(MayLeave) ? Effect.provideService(scoped, MayLeave, false) : scoped
  }

  run(fiber: AnyFiber, remaining: number | undefined): AnyEffect {
    const { body, policy, policyFor, within } = this.settings
    const policies = [policyFor?.(this.request), policy, remaining === undefined ? undefined : within(remaining)]
    const inToOut = policies.filter(Predicate.isNotUndefined)
    const answered = body === "headers"
      ? inToOut.reduce((self, policy) => policy(self), this.attempt)
      : this.streamed(inToOut, fiber)
    return Effect.catchCause(answered, (cause) => this.settle(cause))
  }

  private get attempt(): AnyEffect {
    return Effect.matchCauseEffect(this.app, {
      onSuccess: (response: Response) =>
        this.settings.isFailure(response)
          ? this.fail(response.status, faultOf(response), Exit.succeed(response))
          : Effect.succeed(response),
      onFailure: (cause) => this.failed(cause)
    })
  }

  private failed(cause: Cause.Cause<unknown>): AnyEffect {
    if (!cause.reasons.some((reason) => reason._tag === "Fail" || isAnswer(reason))) return Effect.failCause(cause)
    return Effect.flatMap(HttpServerError.causeResponse(cause), ([response]) =>
      Effect.withFiber((fiber) => {
        const said = cause.reasons.some(isAnswer) ? faultOf(response) : Fault.ofCause(cause, wallNow(fiber))
        return this.fail(response.status, ownFault(cause) ?? said, Exit.failCause(cause))
      }))
  }

  private fail(status: number, fault: Fault.Fault, ending: Exit.Exit<Response, unknown>): AnyEffect {
    const failure = new RequestFailed(status, fault)
    this.endings.set(failure, ending)
    return Effect.fail(failure)
  }

  private streamed(inToOut: ReadonlyArray<AnyPolicy>, fiber: AnyFiber): AnyEffect {
    const scope = this.outer === undefined ? Scope.makeUnsafe() : Scope.forkUnsafe(this.outer)
    // around a whole server, the handler's response has been sent when it comes here
    HttpEffect.appendPreResponseHandlerUnsafe(fiber.context, (_, response) => {
      this.sent = true
      return Effect.succeed(response)
    })
    const message = Stream.unwrap(Effect.map(this.attempt, (response: Response) => {
      const head = Stream.succeed(response)
      return this.hasRest(response) ? Stream.concat(head, response.body.stream) : head
    }))
    const guarded = inToOut.reduce((self, policy) => policy.stream(self), message)
    return openMessage<Response>(guarded, scope, (opened) => this.opened(opened, scope, fiber))
  }

  private hasRest(response: Response): response is Response & { readonly body: HttpBody.Stream } {
    return response.body._tag === "Stream" && !this.sent
  }

  private opened(opened: Opened<Response>, scope: Scope.Closeable, fiber: AnyFiber): AnyEffect {
    const { head, pull } = opened
    if (this.hasRest(head)) {
      const twice = () => new Error("the body of a response was read before")
      const { body } = head
      const held = HttpBody.stream(bodyOf(opened, scope, fiber.context, twice), body.contentType, body.contentLength)
      // a new body brings its own headers along, and the handler may have set others
      return Effect.succeed(HttpServerResponse.setHeaders(HttpServerResponse.setBody(head, held), head.headers))
    }
    const ended = Pull.catchDone(Effect.forever(pull), () => Effect.void)
    return Effect.as(Effect.onExitPrimitive(ended, (exit) => Scope.close(scope, exit)), head)
  }

  /** What the handler itself has ended with stays as it was. */
  private settle(cause: Cause.Cause<unknown>): AnyEffect {
    const [first] = cause.reasons
    const failure = cause.reasons.length === 1 && first?._tag === "Fail" ? first.error : undefined
    const ending = failure instanceof RequestFailed ? this.endings.get(failure) : undefined
    if (ending !== undefined) return ending
    const answer = failure === undefined ? undefined : this.answerTo(failure)
    if (answer !== undefined) return Effect.succeed(answer)
    return Effect.failCause(Cause.fromReasons(cause.reasons.flatMap((reason) => this.reasonsOf(reason))))
  }

  private reasonsOf(reason: Cause.Reason<unknown>): ReadonlyArray<Cause.Reason<unknown>> {
    const ending = reason._tag === "Fail" && reason.error instanceof RequestFailed
      ? this.endings.get(reason.error)
      : undefined
    if (ending === undefined) return [reason]
    return Exit.isSuccess(ending) ? [Cause.makeDieReason(ending.value)] : ending.cause.reasons
  }

  private answerTo(failure: unknown): Response | undefined {
    const { lateStatus, rejectedStatus } = this.settings
    if (isLate(failure)) return HttpServerResponse.empty({ status: lateStatus })
    const fault = Fault.ofError(failure)
    if (fault._tag !== "Rejected") return undefined
    const { retryAfter } = fault
    const seconds = kernel.retryAfter(retryAfter === undefined ? undefined : Duration.toMillis(retryAfter))
    return HttpServerResponse.empty({
      status: rejectedStatus ?? kernel.rejectedStatus(failure instanceof RateLimiterRejected),
      headers: seconds === undefined ? {} : { "retry-after": seconds }
    })
  }
}

const faultOf = ({ headers, status }: Response): Fault.Fault => {
  const retryAfter = retryAfterOf(headers, undefined)
  return Fault.ofStatus(status, { retryAfter })
}

const isLate = (failure: unknown): boolean => failure instanceof TimeoutExceeded || failure instanceof DeadlineExceeded

/** What the caller says, by the first header that can be read. */
const said = <A>(
  headers: ReadonlyArray<string>,
  request: Request,
  parse: (value: string) => A | undefined
): A | undefined => {
  for (const header of headers) {
    const value = request.headers[header]
    const read = value === undefined ? undefined : parse(value)
    if (read !== undefined) return read
  }
  return undefined
}

/** How much the request matters: no more than this caller may say. */
const criticalityOf = (
  { criticalityHeaders, maxCriticality }: Settings,
  request: Request,
  fiber: AnyFiber
): criticality.Criticality => {
  const most = typeof maxCriticality === "function" ? maxCriticality(request) : maxCriticality
  return criticality.lower(
    said(criticalityHeaders, request, criticality.parse) ?? fiber.getRef(CurrentCriticality),
    most
  )
}

export const serve = (settings: Settings) => (app: AnyEffect): AnyEffect =>
  Effect.withFiber((fiber) => {
    const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    const remaining = said(settings.deadlineHeaders, request, (value) => parse(value, settings.maxRemaining))
    if (remaining !== undefined && (remaining <= 0 || remaining < settings.minRemaining)) {
      return Effect.succeed(HttpServerResponse.empty({ status: settings.lateStatus }))
    }
    const run = (fiber: AnyFiber): AnyEffect => new Call(settings, app, request, fiber).run(fiber, remaining)
    const criticality = criticalityOf(settings, request, fiber)
    // around a whole app or router nothing is interruptible, and a caller that has gone away would keep waiting for a permit
    const mayLeave = !endsWhenInterrupted(fiber)
    if (!mayLeave && criticality === fiber.getRef(CurrentCriticality)) return run(fiber)
    const own = Context.make(CurrentCriticality, criticality)
    return Effect.provideContext(Effect.withFiber(run), Context.add(own, MayLeave, mayLeave))
  })
