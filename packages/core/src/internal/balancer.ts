import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type * as Fault from "../Fault.ts"
import * as kernel from "../kernel/balancer.ts"
import type { Described } from "../kernel/endpoint.ts"
import { eventOf, hintOf, noEndpoint, outcomeOf, rejected } from "./balancerCalls.ts"
import { emit } from "./emit.ts"
import type { NoEndpoint } from "./errors.ts"
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
      outcome = outcomeOf(fault, () => this.hangs(fiber, at))
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

  /** Of a call that is interrupted now. */
  private hangs(fiber: AnyFiber, at: number): boolean {
    const { balancer: { settings }, lease } = this
    const began = lease.answered ? this.askedAt : lease.startedAt
    return began !== undefined && interruptedByDeadline(fiber, at, began, settings.hangsAfter)
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
      const event = listener && eventOf(change, this.settings.name)
      if (event !== undefined) emit(fiber, listener!, event)
    }
  }

  subscribe(subscriber: Subscriber<E>): () => void {
    this.subscribers ??= new Set()
    this.subscribers.add(subscriber)
    return () => void this.subscribers!.delete(subscriber)
  }

  private reject(fiber: AnyFiber, refusal: kernel.Refusal): NoEndpoint {
    const error = noEndpoint(refusal, this.settings.name)
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) emit(fiber, listener, rejected(error))
    return error
  }
}

/** What stands behind each balancer, for what makes others like it. */
export const balancings = new WeakMap<object, Balancing<any>>()

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
