import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Fault from "../Fault.ts"
import * as kernel from "../kernel/balancer.ts"
import type { Described } from "../kernel/endpoint.ts"
import { emit } from "./emit.ts"
import { isCircuitOpen, NoEndpoint } from "./errors.ts"
import { CurrentListener } from "./events.ts"
import { waitedSince } from "./fiberWaits.ts"
import { ExitFrame } from "./frame.ts"
import * as memory from "./memory.ts"
import type { PolicyInfo } from "./model.ts"
import type { AnyFiber } from "./primitive.ts"
import type { Result } from "./result.ts"
import { now, wallNow } from "./time.ts"
import { CurrentAttempt, remember } from "./tried.ts"
import type { Attempt, Tries, Try } from "./tries.ts"
import { interruptedByDeadline, mayBeCut } from "./turn.ts"

export interface Settings<E> {
  readonly name: string | undefined
  readonly rules: kernel.Rules
  readonly info: PolicyInfo
  readonly describe: (where: string, endpoints: unknown) => ReadonlyArray<Described<E>>
  readonly classify: Fault.Classify<any>
  readonly result: Result | undefined
  /** in milliseconds; infinite where `classify` decides everything */
  readonly hangsAfter: number
}

/** Which endpoints a call may have. */
export interface Filter<E> {
  readonly without?: ReadonlySet<string> | undefined
  readonly when?: ((endpoint: E) => boolean) | undefined
}

type Subscriber<E> = (change: kernel.Change<E>) => void

/** The endpoint of one call, until that has ended: the frame that stands for the call on the stack of its fiber. */
export class Use<E> extends ExitFrame {
  declare private readonly balancer: Balancing<E>
  declare private readonly lease: kernel.Lease<E>
  declare private readonly filter: kernel.Filter<E> | undefined
  declare private readonly tries: Tries | undefined
  declare private readonly tried: Try | undefined
  declare private askedAt: number | undefined

  constructor(
    balancer: Balancing<E>,
    lease: kernel.Lease<E>,
    filter: kernel.Filter<E> | undefined,
    attempt: Attempt | undefined,
    tries: Tries | undefined
  ) {
    super()
    this.balancer = balancer
    this.lease = lease
    this.filter = filter
    this.tries = tries
    this.tried = tries?.begin(attempt!, this)
    this.askedAt = undefined
  }

  get endpoint(): E {
    return this.lease.member.described.endpoint
  }

  get key(): string {
    return this.lease.member.described.key
  }

  /** Somebody waits for the next element, or does not any more. Of interest where a deadline may end that. */
  asks(fiber: AnyFiber, isAsking: boolean): void {
    this.askedAt = isAsking && mayBeCut(fiber) ? now(fiber) : undefined
  }

  mayGoElsewhere(at: number): boolean {
    return this.balancer.endpoints.isFree(at, { ...this.filter, avoid: this.tries?.avoid(undefined) })
  }

  /** Its first element is there, and the call goes on. */
  answered(fiber: AnyFiber): void {
    const { lease, tried } = this
    if (lease.ended || lease.answered) return
    this.balancer.endpoints.answered(lease, this.at(fiber))
    if (tried !== undefined) this.tries!.answered(tried)
  }

  protected succeeded(fiber: AnyFiber, value: unknown): void {
    if (this.balancer.settings.result === undefined) this.settle(fiber, this.at(fiber), "success", 0)
    else this.end(fiber, Exit.succeed(value))
  }

  protected failed(fiber: AnyFiber, exit: Exit.Exit<never, unknown>): void {
    this.end(fiber, exit)
  }

  end(fiber: AnyFiber, exit: Exit.Exit<any, any>): void {
    if (this.lease.ended) return
    const at = this.at(fiber)
    let outcome: kernel.Outcome = "ignored"
    let hint = 0
    try {
      const fault = this.balancer.faultOf(fiber, exit)
      outcome = this.outcomeOf(fiber, fault, at)
      hint = hintOf(fault, exit)
    } finally {
      // also if a function of the user's has thrown
      this.settle(fiber, at, outcome, hint)
    }
  }

  private settle(fiber: AnyFiber, at: number, outcome: kernel.Outcome, hint: number): void {
    const { balancer, lease, tried } = this
    balancer.endpoints.end(lease, at, outcome, hint)
    if (tried !== undefined) {
      // a consumer that stops has had an answer
      this.tries!.end(tried, outcome === "success" || (outcome === "interrupted" && lease.answered))
    }
    balancer.tell(fiber)
  }

  private outcomeOf(fiber: AnyFiber, fault: Fault.Fault | undefined, at: number): kernel.Outcome {
    const { balancer: { settings }, lease } = this
    switch (fault?._tag) {
      case undefined:
      case "Permanent":
        return "success"
      case "Transient":
      case "Defect":
        return "failure"
      case "Throttled":
        return "throttled"
      case "Rejected":
        return "ignored"
      case "Interrupted": {
        const began = lease.answered ? this.askedAt : lease.startedAt
        const hangs = began !== undefined && interruptedByDeadline(fiber, at, began, settings.hangsAfter)
        return hangs ? "failure" : "interrupted"
      }
    }
  }

  /** Now, and what the call has waited for its turn in queues of our own is not the endpoint's time. */
  private at(fiber: AnyFiber): number {
    const at = now(fiber)
    if (!this.lease.answered) this.lease.waited = waitedSince(fiber, this.lease.startedAt, at)
    return at
  }
}

/** What acts for a set of endpoints. */
export class Balancing<E> {
  readonly settings: Settings<E>
  readonly endpoints: kernel.Endpoints<E>
  private subscribers: Set<Subscriber<E>> | undefined = undefined
  /** of the fiber that picks */
  private random: { nextDoubleUnsafe(): number } | undefined = undefined
  private readonly next = (): number => this.random!.nextDoubleUnsafe()

  constructor(settings: Settings<E>, endpoints: ReadonlyArray<Described<E>>) {
    this.settings = settings
    this.endpoints = new kernel.Endpoints(settings.rules, endpoints)
    remember(memory)
  }

  pick(fiber: AnyFiber, at: number, filter: Filter<E> | undefined): Use<E> | NoEndpoint {
    const attempt = fiber.getRef(CurrentAttempt)
    const tries = attempt?.call.of(this)
    const avoid = tries?.avoid(attempt)
    const may: kernel.Filter<E> | undefined = filter === undefined && avoid === undefined
      ? undefined
      : { ...filter, avoid }
    this.random = fiber.getRef(Random.Random)
    const lease = this.endpoints.pick(at, this.next, may)
    this.tell(fiber)
    if (lease instanceof kernel.Refusal) return this.reject(fiber, lease)
    return new Use(this, lease, may, attempt, tries)
  }

  faultOf(fiber: AnyFiber, exit: Exit.Exit<any, any>): Fault.Fault | undefined {
    const { classify, result } = this.settings
    if (exit._tag === "Failure") return classify(exit, wallNow(fiber))
    return result === undefined ? undefined : result(exit.value)
  }

  /** Tells of what has changed, if anything has. */
  tell(fiber: AnyFiber): void {
    const { news } = this.endpoints
    if (news.length === 0) return
    const listener = fiber.getRef(CurrentListener)
    for (const change of news.splice(0)) {
      this.subscribers?.forEach((subscriber) => subscriber(change))
      if (listener === undefined) continue
      const { failures, key: endpoint } = change
      const source = { policy: "balancer", name: this.settings.name, endpoint } as const
      const duration = Duration.millis(change.millis)
      if (change._tag === "Ejected") emit(fiber, listener, { _tag: "EndpointEjected", ...source, failures, duration })
      else if (change._tag === "Cooling") emit(fiber, listener, { _tag: "EndpointCooling", ...source, duration })
      else if (change._tag === "Returned") emit(fiber, listener, { _tag: "EndpointReturned", ...source })
    }
  }

  subscribe(subscriber: Subscriber<E>): () => void {
    this.subscribers ??= new Set()
    this.subscribers.add(subscriber)
    return () => void this.subscribers!.delete(subscriber)
  }

  private reject(fiber: AnyFiber, { reason, retryAfter }: kernel.Refusal): NoEndpoint {
    const error = new NoEndpoint({
      policyName: this.settings.name,
      reason,
      retryAfter: Duration.millis(Math.ceil(retryAfter))
    })
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      const source = { policy: "balancer", name: this.settings.name } as const
      emit(fiber, listener, { _tag: "RejectedByBalancer", ...source, reason, retryAfter: error.retryAfter })
    }
    return error
  }
}

/**
 * What the endpoint asks for, or a circuit breaker that stands for it. What another policy of this process asks a caller for is about
 * that call: a limiter has no room for one of that size.
 */
const hintOf = (fault: Fault.Fault | undefined, exit: Exit.Exit<any, any>): number => {
  if (fault === undefined || (fault._tag === "Rejected" && !isOpen(exit))) return 0
  const hint = Fault.retryAfter(fault)
  return hint === undefined || !Duration.isFinite(hint) ? 0 : Duration.toMillis(hint)
}

const isOpen = (exit: Exit.Exit<any, any>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.some((reason) => Cause.isFailReason(reason) && isCircuitOpen(reason.error))

/** A change of the set, or a look at it, by hand. */
export const operate = <E, A>(
  balancing: Balancing<E>,
  f: (endpoints: kernel.Endpoints<E>, at: number) => A
): Effect.Effect<A> =>
  Effect.withFiber((fiber) => {
    const result = f(balancing.endpoints, now(fiber))
    balancing.tell(fiber)
    return Effect.succeed(result)
  })
