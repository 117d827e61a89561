import * as Fault from "@effect-resilience/core/Fault"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Order from "effect/Order"
import * as Stream from "effect/Stream"
import { type Callee, type Calling, forbidden } from "../client/client.ts"
import { factsOf } from "../client/facts.ts"
import type { O1Completion } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { O1Policy, PolicyParts } from "../O1Policy.ts"
import type { O1Transport } from "../O1Transport.ts"
import { monotonic, tell } from "../transport/asking.ts"
import type { Question } from "../transport/learned.ts"
import { CurrentlyKnown, CurrentProgress } from "../transport/progress.ts"
import { keepersOf, resumeFrom } from "./keepers.ts"
import type { Member } from "./members.ts"
import { Pool } from "./pool.ts"
import { soonest, type Standing, standingOf } from "./standing.ts"
import { verdictOf } from "./verdict.ts"

interface Failure {
  readonly error: O1Error
  readonly at: number
  /** It will fail this call again. */
  readonly gone: boolean
}

/** A member is being asked. */
interface Asking {
  readonly member: Member
  readonly begun: number
  /** There was content, after which nobody else is asked. */
  answering: boolean
}

type Events = Stream.Stream<AttemptEvent, O1Error>

/** One call to a pool. */
class Failover {
  private readonly members: NonEmptyReadonlyArray<Member>
  private readonly pool: Pool
  private readonly parts: PolicyParts
  private readonly calling: Calling
  /** Those whose profile forbids the request, or whose context is too small for it. */
  private readonly unfit: Set<Member>
  /** The last failure of each. */
  private readonly failures = new Map<Member, Failure>()
  /** The members that were asked in this attempt, the last one last. */
  private asked: Array<Member> = []
  private last: Member | undefined
  /** Whether the one that is being asked works again. */
  private question: Question | undefined
  /** Why others were not asked before it. */
  private passed: ReadonlyArray<string> = []

  constructor(
    members: NonEmptyReadonlyArray<Member>,
    pool: Pool,
    parts: PolicyParts,
    calling: Calling
  ) {
    this.members = members
    this.pool = pool
    this.parts = parts
    this.calling = calling
    this.unfit = new Set(
      members.filter(({ transport }) => forbidden(calling.request, calling.options, transport) !== undefined)
    )
  }

  readonly complete: Effect.Effect<O1Completion, O1Error> = Effect.suspend(() => {
    this.asked = []
    return Effect.onExit(this.completed(), () => this.unasked)
  })

  readonly stream: Events = Stream.suspend(() => {
    this.asked = []
    return Stream.onExit(this.streamed(), () => this.unasked)
  })

  /** A question that got no answer is open to others. */
  private readonly unasked: Effect.Effect<void> = Effect.sync(() => {
    if (this.question !== undefined) this.pool.release(this.question)
    this.question = undefined
  })

  private completed(): Effect.Effect<O1Completion, O1Error> {
    const { asked, raise } = this.calling
    return Effect.flatMap(this.next, (asking) => {
      const { name, transport } = asking.member
      return Effect.flatMap(asked, transport.complete).pipe(
        Effect.mapError(raise),
        this.passed.length === 0 ? identity : Effect.provideService(CurrentlyKnown, this.passed),
        this.parts.attempt(name),
        Effect.tap(Effect.sync(() => this.succeeded(asking))),
        Effect.catch((error) => Effect.andThen(this.failed(asking, error), () => this.completed()))
      )
    })
  }

  private streamed(): Events {
    const { asked, raise } = this.calling
    return Stream.unwrap(Effect.map(this.next, (asking) => {
      const { name, transport } = asking.member
      return Stream.unwrap(Effect.map(asked, transport.stream)).pipe(
        Stream.mapError(raise),
        this.passed.length === 0 ? identity : Stream.provideService(CurrentlyKnown, this.passed),
        this.parts.attempt(name).stream,
        Stream.mapArray((events) => {
          this.succeeded(asking)
          return events
        }),
        Stream.catch((error) => Stream.unwrap(Effect.map(this.failed(asking, error), () => this.streamed())))
      )
    }))
  }

  /** Turns to the next member, or fails with what comes of the attempt when there is none. */
  private readonly next: Effect.Effect<Asking, O1Error> = Effect.gen({ self: this }, function*() {
    const now = yield* monotonic
    const member = this.choose(now)
    if (member === undefined) return yield* this.outcome(now)
    const { calling, last } = this
    if (last !== undefined && last !== member) yield* this.leave(last)
    const failed = this.asked.at(-1)
    const failure = failed === undefined ? undefined : this.failures.get(failed)
    if (failed !== undefined && failure !== undefined) {
      const report = yield* CurrentProgress
      report?.({ _tag: "FailedOver", from: failed.name, to: member.name, error: failure.error })
    }
    this.asked.push(member)
    this.last = member
    calling.asking(member.name)
    calling.call.others = {
      held: (at) => this.pool.held(member.name, at),
      failed: (error, at) => this.pause(member.name, error, { begun: now, now: at })
    }
    return { member, begun: now, answering: false }
  })

  /**
   * The first that may be asked. One that was found not to work comes after the others, and only where waiting for one of them
   * would not help; one that is slow is asked before they are waited for. Whether it works again is asked by one call at a time.
   */
  private choose(now: number): Member | undefined {
    const { pool } = this
    const able = this.members.filter((member) =>
      !this.unfit.has(member) && !this.asked.includes(member) &&
      this.failures.get(member)?.gone !== true && pool.pause(member.name, now) === undefined
    )
    this.passed = []
    for (const member of able) {
      const stand = pool.stand(member.name, now)
      if (stand === "ask") this.question = pool.ask(member.name, now)
      if (stand !== "shut") return member
      this.passed = [...this.passed, pool.fact(member.name, now)!.text]
    }
    return this.members.some((member) => this.isWorthWaitingFor(member, now))
      ? able.find(({ name }) => pool.mayAnswer(name))
      : able[0]
  }

  /** It has asked for a pause, after which it can do this call. */
  private isWorthWaitingFor(member: Member, now: number): boolean {
    const pause = this.pool.pause(member.name, now)
    return pause !== undefined && pause.reason[Fault.TypeId]._tag !== "Permanent" &&
      !this.unfit.has(member) && this.failures.get(member)?.gone !== true
  }

  /** What comes of an attempt in which nobody is left to be asked. */
  private outcome(now: number): O1Error {
    const standings = this.members.flatMap((member) =>
      standingOf(this.failures.get(member), this.pool.pause(member.name, now)) ?? []
    )
    // everybody has failed or is cooling, and a pool has somebody
    return soonest(standings as [Standing, ...Array<Standing>], now)
  }

  /** What a member has begun is not gone on with by another one, and not waited for: it is stopped first, or its token stays. */
  private leave(member: Member): Effect.Effect<void> {
    return Effect.map(this.calling.call.leave, (resume) => {
      const failure = this.failures.get(member)
      if (failure !== undefined && failure.error.resume !== undefined) {
        this.failures.set(member, { ...failure, error: O1Error.with(failure.error, { resume: undefined }) })
      }
      if (resume !== undefined) this.calling.leftOpen(resume)
    })
  }

  private succeeded(asking: Asking): void {
    if (asking.answering) return
    asking.answering = true
    this.pool.answered(asking.member.name, asking.begun)
  }

  /** Succeeds where another member is to be asked, and fails where that would not help, or must not be. */
  private readonly failed = Effect.fnUntraced(
    function*(this: Failover, { answering, begun, member }: Asking, reason: O1Error) {
      const { calling, parts, pool } = this
      const { name } = member
      const now = yield* monotonic
      const error = O1Error.with(reason, { deployment: name })
      this.pause(name, error, { begun, now })
      if (answering || !parts.another(error)) return yield* error
      const fact = pool.failed(name, error, { begun, now })
      const verdict = verdictOf(error)
      if (verdict === "end") return yield* error
      if (verdict === "larger") this.keepLarger(member)
      this.failures.set(member, { error, at: now, gone: verdict !== "next" })
      if (error._tag === "O1AuthError" && error.kind === "credential") this.leaveOut(member)
      calling.left(Exit.fail(error), Duration.millis(now - begun))
      yield* this.unasked
      if (fact !== undefined) yield* tell(fact)
    }
  )

  private pause(name: string, error: O1Error, times: { readonly begun: number; readonly now: number }): void {
    const pause = this.parts.cooldown(error)
    if (pause !== undefined) this.pool.paused(name, error, pause, times)
  }

  /** A credential that gives no token gives none for the others that have it. */
  private leaveOut({ credential }: Member): void {
    if (credential === undefined) return
    this.asked.unshift(...this.members.filter((member) => member.credential === credential))
  }

  /** By the configured profiles: a model that was found to answer once is no reason to leave a member out. */
  private keepLarger({ transport }: Member): void {
    const size = ({ profile }: O1Transport["Service"]): number => profile().contextTokens ?? 0
    for (const member of this.members) {
      if (size(member.transport) <= size(transport)) this.unfit.add(member)
    }
  }
}

/** Several deployments, those of the lowest priority first. */
export const failover = (policies: O1Policy["Service"], given: NonEmptyReadonlyArray<Member>): Callee => {
  const members = Arr.sort(given, Order.mapInput(Order.Number, ({ priority }: Member) => priority))
  const deployments = Arr.map(members, ({ name }) => name)
  const pool = new Pool(deployments)

  const transports = Arr.map(members, ({ transport }) => transport)

  return {
    name: deployments.join(", "),
    deployment: undefined,
    serverOf: (deployment) => members.find(({ name }) => name === deployment)?.transport.server,
    problem: (request, options) => {
      const problems = members.map(({ transport }) => forbidden(request, options, transport))
      return problems.includes(undefined) ? undefined : problems[0]
    },
    begin: (calling) => {
      const parts = policies.parts(calling.request, { ...calling.options, deployments })
      const { complete, stream } = new Failover(members, pool, parts, calling)
      return { policy: parts.call, complete, stream }
    },
    resume: (token, options) => policies.forResume(options).stream(resumeFrom(token, keepersOf(token, transports))),
    cancel: (token) => Effect.firstSuccessOf(Arr.map(keepersOf(token, transports), ({ cancel }) => cancel(token))),
    learned: factsOf(members, (now) => pool.facts(now))
  }
}
