import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { O1Completion, ResumeToken } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { O1Policy, PolicyParts } from "../O1Policy.ts"
import type { O1Transport } from "../O1Transport.ts"
import { Cooldowns } from "../pool/cooldowns.ts"
import { soonest, type Standing, standingOf } from "../pool/standing.ts"
import { verdictOf } from "../pool/verdict.ts"
import { CurrentProgress } from "../transport/progress.ts"
import { type Callee, type Calling, forbidden } from "./client.ts"

/** One of several deployments, by a name that no other has. */
export interface Member {
  readonly name: string
  readonly transport: O1Transport["Service"]
}

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

/** Milliseconds on the monotonic clock. */
const monotonic: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1_000_000)

/** What other calls may know of a failure of this one. */
const anonymous = (error: O1Error): O1Error => O1Error.with(error, { partialText: "", attempts: [], resume: undefined })

/** One call to a pool. */
class Failover {
  private readonly members: NonEmptyReadonlyArray<Member>
  private readonly cooldowns: Cooldowns<Member, O1Error>
  private readonly parts: PolicyParts
  private readonly calling: Calling
  /** Those whose profile forbids the request, or whose context is too small for it. */
  private readonly unfit: Set<Member>
  /** The last failure of each. */
  private readonly failures = new Map<Member, Failure>()
  /** Who was asked in this attempt, the last one last. */
  private asked: Array<Member> = []
  private last: Member | undefined

  constructor(
    members: NonEmptyReadonlyArray<Member>,
    cooldowns: Cooldowns<Member, O1Error>,
    parts: PolicyParts,
    calling: Calling
  ) {
    this.members = members
    this.cooldowns = cooldowns
    this.parts = parts
    this.calling = calling
    this.unfit = new Set(
      members.filter(({ transport }) => forbidden(calling.request, calling.options, transport.profile()) !== undefined)
    )
  }

  readonly complete: Effect.Effect<O1Completion, O1Error> = Effect.suspend(() => {
    this.asked = []
    return this.completed()
  })

  readonly stream: Events = Stream.suspend(() => {
    this.asked = []
    return this.streamed()
  })

  private completed(): Effect.Effect<O1Completion, O1Error> {
    const { asked, raise } = this.calling
    return Effect.flatMap(this.next, (asking) => {
      const { name, transport } = asking.member
      return Effect.flatMap(asked, transport.complete).pipe(
        Effect.mapError(raise),
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
    return { member, begun: now, answering: false }
  })

  private choose(now: number): Member | undefined {
    return this.members.find((member) => {
      const failure = this.failures.get(member)
      return !this.unfit.has(member) && !this.asked.includes(member) &&
        failure?.gone !== true && this.cooldowns.of(member, now) === undefined
    })
  }

  /** What comes of an attempt in which nobody is left to be asked. */
  private outcome(now: number): O1Error {
    const standings = this.members.flatMap((member) =>
      standingOf(this.failures.get(member), this.cooldowns.of(member, now)) ?? []
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
    this.cooldowns.succeeded(asking.member, asking.begun)
  }

  /** Succeeds where another member is to be asked, and fails where that would not help, or must not be. */
  private failed({ answering, begun, member }: Asking, reason: O1Error): Effect.Effect<void, O1Error> {
    const { calling, parts } = this
    return Effect.flatMap(monotonic, (now) => {
      const error = O1Error.with(reason, { deployment: member.name })
      const cooldown = parts.cooldown(error)
      if (cooldown !== undefined) {
        const until = now + Duration.toMillis(cooldown)
        this.cooldowns.refused(member, { begun, until, reason: anonymous(error) })
      }
      if (answering || !parts.another(error)) return Effect.fail(error)
      const verdict = verdictOf(error)
      if (verdict === "end") return Effect.fail(error)
      if (verdict === "larger") this.keepLarger(member)
      this.failures.set(member, { error, at: now, gone: verdict !== "next" })
      calling.left(Exit.fail(error), Duration.millis(now - begun))
      return Effect.void
    })
  }

  private keepLarger({ transport }: Member): void {
    const size = (transport: O1Transport["Service"]): number => transport.profile().contextTokens ?? 0
    for (const member of this.members) {
      if (size(member.transport) <= size(transport)) this.unfit.add(member)
    }
  }
}

/** Several deployments, the preferred one first. */
export const failover = (policies: O1Policy["Service"], members: NonEmptyReadonlyArray<Member>): Callee => {
  const cooldowns = new Cooldowns<Member, O1Error>()
  const deployments = Arr.map(members, ({ name }) => name)

  /** A token names the deployment, which several members can have. */
  const keepersOf = (token: ResumeToken): NonEmptyReadonlyArray<Member> => {
    const keepers = members.filter(({ transport }) => transport.deployment === token.deployment)
    return Arr.isReadonlyArrayNonEmpty(keepers) ? keepers : members
  }

  const resumeFrom = (token: ResumeToken, [first, ...others]: NonEmptyReadonlyArray<Member>): Events =>
    Stream.catch(
      first.transport.resume(token),
      (error) =>
        error._tag === "O1RequestError" && error.kind === "response-not-found" && Arr.isReadonlyArrayNonEmpty(others)
          ? resumeFrom(token, others)
          : Stream.fail(error)
    )

  return {
    name: deployments.join(", "),
    deployment: undefined,
    serverOf: (deployment) => members.find(({ name }) => name === deployment)?.transport.server,
    problem: (request, options) => {
      const problems = members.map(({ transport }) => forbidden(request, options, transport.profile()))
      return problems.includes(undefined) ? undefined : problems[0]
    },
    begin: (calling) => {
      const parts = policies.parts(calling.request, { ...calling.options, deployments })
      const { complete, stream } = new Failover(members, cooldowns, parts, calling)
      return { policy: parts.call, complete, stream }
    },
    resume: (token, options) => policies.forResume(options).stream(resumeFrom(token, keepersOf(token))),
    cancel: (token) => Effect.firstSuccessOf(Arr.map(keepersOf(token), ({ transport }) => transport.cancel(token)))
  }
}
