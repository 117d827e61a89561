import * as Fault from "@effect-resilience/core/Fault"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Stream from "effect/Stream"
import { type Calling, forbidden } from "../client/client.ts"
import type { O1Completion } from "../O1Completion.ts"
import { O1Error, O1RejectedError } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { PolicyParts } from "../O1Policy.ts"
import type { O1Request } from "../O1Request.ts"
import { monotonic, tell } from "../transport/asking.ts"
import { CurrentlyKnown, CurrentProgress } from "../transport/progress.ts"
import { Asking } from "./asking.ts"
import { levelOf, type Member } from "./members.ts"
import type { Pool } from "./pool.ts"
import { soonest, standingOf } from "./standing.ts"
import { verdictOf } from "./verdict.ts"

interface Failure {
  readonly error: O1Error
  readonly at: number
  /** It will fail this call again. */
  readonly gone: boolean
}

/** Whom the balancer leaves out, although nothing is known against it here, may be asked in a moment. */
const nobodyLeft = new O1RejectedError({ kind: "circuit-open", retryAfter: Duration.millis(1) })

const nobody: Effect.Effect<ReadonlySet<Member>> = Effect.succeed(new Set())

/** An answer with the name of the member that gave it. */
const signed = (completion: O1Completion, deployment: string): O1Completion => ({
  ...completion,
  metadata: { ...completion.metadata, deployment }
})

type Events = Stream.Stream<AttemptEvent, O1Error>

const sizeOf = ({ transport }: Member): number => transport.profile().contextTokens ?? 0

/** The host of the last answer in a conversation. */
const hostOf = ({ messages }: O1Request): string | undefined => {
  const last = messages.findLast((message) => message.role === "assistant")
  return last?.role === "assistant" ? last.host : undefined
}

/** One call to a pool, which asks one member after another. */
export class Run {
  protected readonly pool: Pool
  protected readonly parts: PolicyParts
  protected readonly calling: Calling
  /** The member that was asked last. */
  protected last: Member | undefined
  /** Those whose profile forbids the request. */
  private readonly unfit = new Map<Member, boolean>()
  /** A context of this size is too small. */
  private tooSmall = -1
  /** The last failure of each. */
  private readonly failures = new Map<Member, Failure>()
  /** Those that were asked in this attempt, the last one last. */
  private asked: Array<Member> = []
  /** Those that give no token in this attempt. */
  private silent = new Set<object>()

  constructor(pool: Pool, parts: PolicyParts, calling: Calling) {
    this.pool = pool
    this.parts = parts
    this.calling = calling
  }

  /** One attempt of the call. */
  get complete(): Effect.Effect<O1Completion, O1Error> {
    return Effect.suspend(() => {
      this.begin()
      return this.completed()
    })
  }

  /** One attempt of the call. */
  get stream(): Events {
    return Stream.suspend(() => {
      this.begin()
      return this.streamed()
    })
  }

  protected begin(): void {
    this.asked = []
    this.silent = new Set()
  }

  private completed(): Effect.Effect<O1Completion, O1Error> {
    return Effect.acquireUseRelease(
      this.next,
      (asking) =>
        Effect.andThen(this.turnTo(asking), this.askedFor(asking)).pipe(
          Effect.tap(this.succeeded(asking)),
          Effect.catch((error) => Effect.andThen(this.failed(asking, error), () => this.completed()))
        ),
      (asking, exit) => asking.end(exit)
    )
  }

  private streamed(): Events {
    const asking = Effect.tap(
      Effect.acquireRelease(this.next, (asking, exit) => asking.end(exit)),
      (asking) => this.turnTo(asking)
    )
    return Stream.unwrap(Effect.map(asking, (asking) =>
      this.events(asking).pipe(
        Stream.mapArrayEffect((events) => {
          if (asking.answering) return Effect.succeed(events)
          asking.answering = true
          return Effect.as(this.succeeded(asking), events)
        }),
        Stream.catch((error) => Stream.unwrap(Effect.map(this.failed(asking, error), () => this.streamed())))
      )))
  }

  /** The request. An observer of the call hears that it is made. */
  protected get request(): Effect.Effect<O1Request> {
    return this.calling.asked
  }

  /** What a member is asked for, under the policy of its attempts. */
  protected askedFor({ member: { name, transport }, passed }: Asking): Effect.Effect<O1Completion, O1Error> {
    return Effect.flatMap(this.request, transport.complete).pipe(
      Effect.map((completion) => signed(completion, name)),
      Effect.mapError(this.calling.raise),
      passed.length === 0 ? identity : Effect.provideService(CurrentlyKnown, passed),
      this.parts.attempt(name)
    )
  }

  /** The same as a stream. */
  protected events({ member: { name, transport }, passed }: Asking): Events {
    return Stream.unwrap(Effect.map(this.request, transport.stream)).pipe(
      Stream.map((event) =>
        event._tag === "Finished" ? { ...event, completion: signed(event.completion, name) } : event
      ),
      Stream.mapError(this.calling.raise),
      passed.length === 0 ? identity : Stream.provideService(CurrentlyKnown, passed),
      this.parts.attempt(name).stream
    )
  }

  /** The next member that is asked, or what comes of the attempt when there is none. */
  private readonly next: Effect.Effect<Asking, O1Error> = Effect.gen({ self: this }, function*() {
    const now = yield* monotonic
    return (yield* this.choose(now)) ?? (yield* this.outcome(now))
  })

  private readonly turnTo = Effect.fnUntraced(function*(this: Run, asking: Asking) {
    if (this.last !== undefined && this.last !== asking.member) yield* this.leave(this.last)
    yield* this.tellOfFailover(asking)
    this.last = asking.member
    this.calling.asking(asking.name)
    this.calling.call.others = this.othersOf(asking)
  })

  protected readonly tellOfFailover = ({ member }: Asking): Effect.Effect<void> =>
    Effect.map(CurrentProgress, (report) => {
      const from = this.asked.at(-2)
      const failure = from === undefined ? undefined : this.failures.get(from)
      if (from !== undefined && failure !== undefined) {
        report?.({ _tag: "FailedOver", from: from.name, to: member.name, error: failure.error })
      }
    })

  /** The other calls to the member that is asked. */
  protected othersOf({ begun, name }: Asking): Calling["call"]["others"] {
    return {
      held: (at) => this.pool.held(name, at),
      failed: (error, now) => this.pause(name, error, { begun, now })
    }
  }

  /**
   * One that may be asked, and `may` by the caller. One that was found not to work comes after the others, and only where waiting for
   * one of them would not help; one that is slow is asked before they are waited for. Whether it works again is asked by one call
   * at a time. One that would have the call wait for its turn comes after those that would not.
   */
  protected readonly choose = Effect.fnUntraced(
    function*(this: Run, now: number, may: (member: Member) => boolean = () => true) {
      const { pool } = this
      const able = (member: Member) => may(member) && this.isAble(member)
      const isShut = ({ name }: Member) => pool.stand(name, now) === "shut"
      const waiting = yield* this.waiting(able)
      const isWaitedFor = pool.members.some((member) => this.isWorthWaitingFor(member, now))
      const isReady = (member: Member) => able(member) && !isShut(member) && !waiting.has(member)
      const home = yield* this.home(isReady, now)
      const lease = (yield* pool.pick(home, now)) ?? (yield* pool.pick(isReady, now)) ??
        (yield* pool.pick((member) => able(member) && !isShut(member), now)) ??
        (yield* pool.pick((member) => able(member) && (!isWaitedFor || pool.mayAnswer(member.name)), now))
      if (lease === undefined) return undefined
      const { endpoint } = lease
      this.asked.push(endpoint)
      const passed = pool.members.filter((member) =>
        member !== endpoint && member.priority <= endpoint.priority && able(member) && isShut(member)
      )
      return new Asking({
        pool,
        lease,
        begun: now,
        passed: passed.flatMap(({ name }) => pool.fact(name, now)?.text ?? []),
        question: pool.stand(endpoint.name, now) === "ask" ? pool.ask(endpoint.name, now) : undefined
      })
    }
  )

  /**
   * Whether a member is of the host that knows what the answers so far are made of: another one cannot read their reasoning. It comes
   * before its equals, and before nobody else.
   */
  private readonly home = Effect.fnUntraced(
    function*(this: Run, isReady: (member: Member) => boolean, now: number) {
      const { pool } = this
      const host = hostOf(this.calling.request)
      if (host === undefined) return () => false
      const ready = pool.members.filter((member) => isReady(member) && pool.pause(member.name, now) === undefined)
      const first = Math.min(...ready.map(levelOf))
      const home = yield* pool.well(ready.filter((member) => member.host === host && levelOf(member) === first))
      return (member: Member) => home.includes(member)
    }
  )

  /** It can do this call, and was not asked in this attempt. */
  private isAble(member: Member): boolean {
    return !this.asked.includes(member) && this.failures.get(member)?.gone !== true && this.isFit(member) &&
      (member.credential === undefined || !this.silent.has(member.credential))
  }

  private isFit(member: Member): boolean {
    let unfit = this.unfit.get(member)
    if (unfit === undefined) {
      unfit = forbidden(this.calling.request, this.calling.options, member.transport) !== undefined
      this.unfit.set(member, unfit)
    }
    // by the configured profiles: a model that was found to answer once is no reason to leave a member out
    return !unfit && sizeOf(member) > this.tooSmall
  }

  /** Those that would have this call wait for its turn. */
  private waiting(able: (member: Member) => boolean): Effect.Effect<ReadonlySet<Member>> {
    const { wait } = this.parts
    if (wait === undefined) return nobody
    return Effect.map(
      Effect.filter(this.pool.members.filter(able), ({ name }) => Effect.map(wait(name), Duration.isPositive)),
      (members) => new Set(members)
    )
  }

  /** It has asked for a pause, after which it can do this call. */
  private isWorthWaitingFor(member: Member, now: number): boolean {
    const pause = this.pool.pause(member.name, now)
    return pause !== undefined && pause.reason[Fault.TypeId]._tag !== "Permanent" && this.isFit(member) &&
      this.failures.get(member)?.gone !== true
  }

  /** What comes of an attempt in which nobody is left to be asked. */
  protected outcome(now: number): O1Error {
    const { calling: { options, request }, failures, pool } = this
    const [first, ...others] = pool.members.flatMap((member) =>
      standingOf(failures.get(member), pool.pause(member.name, now)) ?? []
    )
    if (first !== undefined) return soonest([first, ...others], now)
    // all those that were asked are gone from the pool, and the others cannot do it
    const gone = Array.from(failures.values()).at(-1)?.error
    return gone ?? forbidden(request, options, pool.members[0].transport) ?? nobodyLeft
  }

  /** What a member has begun is not gone on with by another one, and not waited for: it is stopped first, or its token stays. */
  protected leave(member: Member): Effect.Effect<void> {
    return Effect.map(this.calling.call.leave, (resume) => {
      const failure = this.failures.get(member)
      if (failure !== undefined && failure.error.resume !== undefined) {
        this.failures.set(member, { ...failure, error: O1Error.with(failure.error, { resume: undefined }) })
      }
      if (resume !== undefined) this.calling.leftOpen(resume)
    })
  }

  protected succeeded(asking: Asking): Effect.Effect<void> {
    return Effect.flatMap(monotonic, (now) => asking.answers(now))
  }

  /** Succeeds where another member is to be asked, and fails where that would not help, or must not be. */
  private readonly failed = Effect.fnUntraced(function*(this: Run, asking: Asking, reason: O1Error) {
    const now = yield* monotonic
    const error = yield* this.judged(asking, reason, now)
    this.calling.left(Exit.fail(error), Duration.millis(now - asking.begun))
  })

  /** What follows for the pool and for this call; fails where nobody else is asked. */
  protected readonly judged = Effect.fnUntraced(
    function*(this: Run, asking: Asking, reason: O1Error, now: number) {
      const { parts, pool } = this
      const { answering, begun, member, name } = asking
      const error = O1Error.with(reason, { deployment: name })
      this.pause(name, error, { begun, now })
      yield* asking.end(Exit.fail(error))
      yield* pool.cool(name, now)
      if (answering || !parts.another(error)) return yield* error
      const fact = pool.failed(name, error, { begun, now })
      const verdict = verdictOf(error)
      if (verdict === "end") return yield* error
      if (verdict === "larger") this.tooSmall = Math.max(this.tooSmall, sizeOf(member))
      this.failures.set(member, { error, at: now, gone: verdict !== "next" })
      if (error._tag === "O1AuthError" && error.kind === "credential" && member.credential !== undefined) {
        this.silent.add(member.credential)
      }
      if (fact !== undefined) yield* tell(fact)
      return error
    }
  )

  private pause(name: string, error: O1Error, times: { readonly begun: number; readonly now: number }): void {
    const pause = this.parts.cooldown(error)
    if (pause !== undefined) this.pool.paused(name, error, pause, times)
  }
}
