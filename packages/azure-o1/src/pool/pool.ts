import * as Balancer from "@effect-resilience/core/Balancer"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Pause, type Refusal, type Times } from "../client/pause.ts"
import { O1Error } from "../O1Error.ts"
import type { Fact } from "../O1Fact.ts"
import { always, Learned, type Question } from "../transport/learned.ts"
import { isSlow } from "../transport/route.ts"
import { balanced } from "./balanced.ts"
import { isUnfit, restFor, Slowness } from "./fitness.ts"
import { levelOf, type Member } from "./members.ts"

/** The balancer's clock and ours may differ by less, in milliseconds. */
const resolution = 1

/** For the balancer, a longer pause is as long. */
const longest = Duration.toMillis(Duration.days(365))

/** How a pool chooses. */
export interface Choosing {
  readonly name: string | undefined
  readonly ejection: Balancer.Ejection | false | undefined
}

/**
 * What all calls of one client know of its deployments, by their names. The balancer knows who may be asked and who is the best;
 * the rest is what only Azure's errors tell. Times in milliseconds on a monotonic clock.
 */
export class Pool {
  members: NonEmptyReadonlyArray<Member>
  private readonly balancer: Balancer.Balancer<Member>
  private readonly pauses = new Map<string, Pause>()
  private readonly fitness = new Learned()
  private readonly slowness = new Slowness()
  /** The deployments of members that are gone, which may keep responses. */
  private readonly former = new Map<string, string>()

  private constructor(members: NonEmptyReadonlyArray<Member>, balancer: Balancer.Balancer<Member>) {
    this.members = members
    this.balancer = balancer
  }

  static readonly make = (members: NonEmptyReadonlyArray<Member>, { ejection, name }: Choosing): Effect.Effect<Pool> =>
    Effect.map(
      Balancer.make<Member>({
        name,
        endpoints: members,
        key: (member) => member.name,
        priority: levelOf,
        weight: ({ weight }) => weight,
        // a later level is paid for, or is farther away: it gets only what nobody before it can take
        overprovisioning: Infinity,
        // answers take minutes, and few of them come in ten seconds
        decay: "2 minutes",
        ejection,
        classify: balanced
      }),
      (balancer) => new Pool(members, balancer)
    )

  /** The members from now on. Calls to one that is gone go on. */
  update(members: NonEmptyReadonlyArray<Member>): Effect.Effect<void> {
    return Effect.flatMap(this.balancer.update(members), () => {
      const others = new Map(members.map((member) => [member.name, member]))
      const changed = this.members.filter(({ name, transport }) => others.get(name)?.transport !== transport)
      for (const { name, transport } of changed) {
        // another key, or another place: what was wrong with the one before says nothing of this one
        this.pauses.delete(name)
        this.slowness.forget(name)
        this.fitness.forget(name)
        if (!others.has(name)) this.former.set(transport.deployment, name)
      }
      for (const { name, transport } of members) {
        if (this.former.get(transport.deployment) === name) this.former.delete(transport.deployment)
      }
      this.members = members
      return Effect.forEach(changed, ({ name }) => this.balancer.cool(name, 0), { discard: true })
    })
  }

  /** The member that is gone of which a deployment was, if none of the others is of it. */
  formerOf(deployment: string): string | undefined {
    return this.former.get(deployment)
  }

  /** One of those that `may` be asked, which the balancer finds the best. */
  pick(may: (member: Member) => boolean, now: number): Effect.Effect<Balancer.Lease<Member> | undefined> {
    const when = (member: Member) => this.pause(member.name, now) === undefined && may(member)
    // a call that nobody can take is not refused by the balancer
    return this.members.some(when)
      ? Effect.catch(this.balancer.pick({ when }), () => Effect.undefined)
      : Effect.undefined
  }

  /** Those of some members that are not left out. */
  well(members: ReadonlyArray<Member>): Effect.Effect<ReadonlyArray<Member>> {
    return Effect.map(this.balancer.state, (endpoints) => {
      const ejected = new Set(endpoints.flatMap(({ key, status }) => status === "ejected" ? key : []))
      return members.filter(({ name }) => !ejected.has(name))
    })
  }

  get endpoints(): Effect.Effect<ReadonlyArray<Balancer.EndpointState<Member>>> {
    return this.balancer.state
  }

  /** Its pause, if it has asked for one. */
  pause(name: string, now: number): Refusal | undefined {
    return this.pauses.get(name)?.at(now)
  }

  /** Why a call waits before it asks: another one was told to; `undefined` where it need not, or waiting would not help. */
  held(name: string, now: number): O1Error | undefined {
    return this.pauses.get(name)?.held(now)
  }

  /** Whether it is asked before the others: as always, or because it is time to see whether it works again. */
  stand(name: string, now: number): "open" | "shut" | "ask" {
    const stand = this.fitness.knows(name) ? this.fitness.stand(name, now) : "open"
    return stand === "wait" ? "shut" : stand
  }

  /** Whether one that is asked after the others is asked rather than they are waited for. */
  mayAnswer(name: string): boolean {
    return this.slowness.isSlow(name)
  }

  ask(name: string, now: number): Question {
    return this.fitness.ask(name, now)
  }

  release(question: Question): void {
    this.fitness.release(question)
  }

  /** It has answered what was asked then. */
  answered(name: string, begun: number, now: number): Effect.Effect<void> {
    const paused = this.pause(name, now) !== undefined
    this.pauses.get(name)?.answered(begun)
    this.slowness.answered(name, begun)
    if (this.fitness.knows(name)) this.fitness.works(name, begun)
    return paused ? this.cool(name, now) : Effect.void
  }

  /** Tells the balancer until when a member is left alone. */
  cool(name: string, now: number): Effect.Effect<void> {
    const left = (this.pause(name, now)?.until ?? now) - now - resolution
    return this.balancer.cool(name, Math.max(0, Math.min(left, longest)))
  }

  /** It has asked for a pause. */
  paused(name: string, error: O1Error, pause: Duration.Duration, times: Times): void {
    if (!this.members.some((member) => member.name === name)) return
    let known = this.pauses.get(name)
    if (known === undefined) this.pauses.set(name, known = new Pause())
    known.refused(error, pause, times)
  }

  /** It has failed, and others can be asked. Gives what there is to tell of it. */
  failed(name: string, error: O1Error, times: Times): Fact | undefined {
    const slow = isSlow(error) ? this.slowness.timedOut(name, times.now) : this.slowness.failed(name)
    if (this.members.length === 1 || (!slow && !isUnfit(error))) return undefined
    const why = slow ? "timed out again and again while others answered" : `failed with ${O1Error.label(error)}`
    const news = this.fitness.refused(name, {
      ...times,
      lasting: always(restFor),
      saying: { about: "member", text: `"${name}" ${why}, so that the others are asked first.` }
    })
    return news ? this.fitness.fact(name, name, times.now) : undefined
  }

  /** For a health endpoint: what the balancer does not know. */
  report(now: number): { readonly members: Readonly<Record<string, "available" | "cooling" | "last">> } {
    const statusOf = ({ name }: Member) =>
      this.pause(name, now) !== undefined ? "cooling" : this.stand(name, now) === "shut" ? "last" : "available"
    return { members: Object.fromEntries(this.members.map((member) => [member.name, statusOf(member)])) }
  }

  /** Why it is not asked before the others. */
  fact(name: string, now: number): Fact | undefined {
    return this.fitness.fact(name, name, now)
  }

  /** Why it is not asked at all. */
  pauseFact(name: string, now: number): Fact | undefined {
    return this.pauses.get(name)?.fact(name, now)
  }

  facts(now: number): ReadonlyArray<Fact> {
    return this.members.flatMap(({ name }) =>
      [this.fact(name, now), this.pauseFact(name, now)].filter((fact) => fact !== undefined)
    )
  }
}
