import * as Deadline from "@effect-resilience/core/Deadline"
import * as Fault from "@effect-resilience/core/Fault"
import type * as Hedge from "@effect-resilience/core/Hedge"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Beside } from "../client/beside.ts"
import type { Calling } from "../client/client.ts"
import type { O1Completion } from "../O1Completion.ts"
import type { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { PolicyParts } from "../O1Policy.ts"
import type { O1Request } from "../O1Request.ts"
import { monotonic } from "../transport/asking.ts"
import { CurrentCall } from "../transport/call.ts"
import { CurrentProgress } from "../transport/progress.ts"
import type { Asking } from "./asking.ts"
import type { Pool } from "./pool.ts"
import { Run } from "./run.ts"

/** A member has come to nothing: the race goes on without it, or it `ends` the attempt. */
export class Lost {
  readonly error: O1Error
  readonly ends: boolean

  constructor(error: O1Error, ends: boolean) {
    this.error = error
    this.ends = ends
  }
}

/** The fault by which a hedge goes on with the others. The run itself asks another member, for it knows who is left. */
export const raced: Fault.Classify<Lost | O1Error> = (exit, now) => {
  const lost = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (!(lost instanceof Lost)) return Fault.of(exit, now)
  return lost.ends ? Fault.permanent : Fault.throttled()
}

/** The first element of an answer: a member has begun to give content. */
class Answering {
  readonly lane: Lane

  constructor(lane: Lane) {
    this.lane = lane
  }
}

/** A member that may be asked at the same time as others. */
interface Lane {
  readonly asking: Asking
  readonly beside: Beside
  readonly content: Deferred.Deferred<void, O1Error>
}

type Pieces<A> = Stream.Stream<A | Answering, O1Error>

const interrupted = Exit.interrupt()

/** One call to a pool, which asks a member in another region as well if the first one gives no content soon enough. */
export class HedgedRun extends Run {
  private readonly hedge: Hedge.Hedge
  /** Those that are being asked, in the order in which they were. */
  private readonly lanes = new Set<Lane>()
  /** The one that the call is about. */
  private current: Lane | undefined = undefined
  private attemptAt: number | undefined = undefined

  constructor(pool: Pool, parts: PolicyParts, calling: Calling, hedge: Hedge.Hedge) {
    super(pool, parts, calling)
    this.hedge = hedge
  }

  override get complete(): Effect.Effect<O1Completion, O1Error> {
    return Effect.suspend(() => {
      this.begin()
      let completion: O1Completion | undefined
      const pieces = Stream.runForEach(
        this.race((lane) => this.whole(lane)),
        (piece) =>
          piece instanceof Answering ? this.won(piece.lane) : Effect.sync(() => {
            completion = piece
          })
      )
      // a member that ends without one has failed
      return Effect.map(pieces, () => completion!)
    })
  }

  override get stream(): Stream.Stream<AttemptEvent, O1Error> {
    return Stream.suspend(() => {
      this.begin()
      return Stream.mapArrayEffect(this.race((lane) => this.inPieces(lane)), (pieces) => {
        const [first] = pieces
        const events = pieces as Arr.NonEmptyReadonlyArray<AttemptEvent> // but for the first one of the first
        if (!(first instanceof Answering)) return Effect.succeed(events)
        first.lane.asking.answering = true
        return Effect.as(this.won(first.lane), events.slice(1) as [AttemptEvent, ...Array<AttemptEvent>])
      })
    })
  }

  /** An observer hears only of the request that the call is about. */
  protected override get request(): Effect.Effect<O1Request> {
    return Effect.sync(() => this.calling.request)
  }

  protected override begin(): void {
    super.begin()
    this.lanes.clear()
    this.current = undefined
    this.attemptAt = undefined
  }

  /** Asks one, and others beside it, until one of them gives content; if all of them fail, the next one. */
  private race<A>(body: (lane: Lane) => Pieces<A>): Pieces<A> {
    const lane = Stream.unwrap(Effect.map(
      Effect.tap(Effect.acquireRelease(this.enter, (lane, exit) => this.exit(lane, exit)), (lane) => this.begun(lane)),
      (lane) => Stream.catch(body(lane), (error) => Stream.fromEffect(this.lost(lane, error)))
    ))
    return this.hedge.stream(lane).pipe(
      Stream.catch((lost) => lost.ends ? Stream.fail(lost.error) : this.race(body)),
      Stream.onExit(() => this.abandoned)
    )
  }

  /** The answer as it is made. */
  private inPieces(lane: Lane): Pieces<AttemptEvent> {
    let begins = true
    return this.events(lane.asking).pipe(
      Stream.provideService(CurrentCall, lane.beside.call),
      Stream.mapArray((events): Arr.NonEmptyReadonlyArray<AttemptEvent | Answering> => {
        if (!begins) return events
        begins = false
        return Arr.prepend(events, new Answering(lane))
      })
    )
  }

  /** The answer in one piece, which says when it begins. */
  private whole(lane: Lane): Pieces<O1Completion> {
    const completed = Effect.onExit(
      Effect.provideService(Deadline.inherit(this.askedFor(lane.asking)), CurrentCall, lane.beside.call),
      (exit) => Deferred.done(lane.content, Exit.asVoid(exit))
    )
    return Stream.unwrap(Effect.map(Effect.forkScoped(completed, { startImmediately: true }), (fiber) =>
      Stream.concat(
        Stream.fromEffect(Effect.as(Deferred.await(lane.content), new Answering(lane))),
        Stream.fromEffect(Fiber.join(fiber))
      )))
  }

  /** The next member, in another region than those that are being asked. */
  private readonly enter: Effect.Effect<Lane, Lost> = Effect.gen({ self: this }, function*() {
    const now = yield* monotonic
    const { lanes } = this
    const regions = new Set(Array.from(lanes, ({ asking }) => asking.member.region))
    const asking = yield* this.choose(now, ({ region }) => !regions.has(region))
    if (asking === undefined) return yield* Effect.fail(new Lost(this.outcome(now), lanes.size === 0))
    this.attemptAt ??= now
    const content = yield* Deferred.make<void, O1Error>()
    const lane: Lane = {
      asking,
      content,
      beside: new Beside({
        deployment: asking.name,
        begun: yield* Clock.monotonicTimeNanos,
        since: Duration.millis(now - this.attemptAt),
        onContent: (event) => {
          Deferred.doneUnsafe(content, Exit.void)
          if (this.current === lane) this.calling.call.heard(event)
        }
      })
    }
    lanes.add(lane)
    return lane
  })

  private readonly begun = Effect.fnUntraced(function*(this: HedgedRun, lane: Lane) {
    const { asking, beside } = lane
    const { calling, current } = this
    if (current !== undefined && this.lanes.has(current)) {
      const report = yield* CurrentProgress
      const after = Duration.millis(asking.begun - current.asking.begun)
      report?.({ _tag: "Hedged", from: current.asking.name, to: asking.name, after })
    } else {
      if (this.last === asking.member) beside.call.follow(calling.call)
      else if (this.last !== undefined) yield* this.leave(this.last)
      yield* this.tellOfFailover(asking)
      this.follow(lane)
    }
    beside.call.others = this.othersOf(asking)
  })

  /** From now on the call is about this one. */
  private follow(lane: Lane): void {
    this.current = lane
    this.last = lane.asking.member
    this.calling.follow(lane.beside)
  }

  private won(lane: Lane): Effect.Effect<void> {
    return Effect.andThen(this.settle(lane), this.succeeded(lane.asking))
  }

  /** The call goes on with this one. The race interrupts the others, and this stops what they have begun on the server. */
  private readonly settle = Effect.fnUntraced(function*(this: HedgedRun, lane: Lane) {
    const now = yield* monotonic
    for (const other of this.lanes) {
      if (other === lane) continue
      this.lanes.delete(other)
      this.ended(other, interrupted, now)
      yield* Effect.forkDetach(other.beside.call.close("left"), { startImmediately: true })
    }
    if (this.current !== lane) this.follow(lane)
  })

  /** Fails with what it means for the race. */
  private readonly lost = Effect.fnUntraced(function*(this: HedgedRun, lane: Lane, reason: O1Error) {
    const now = yield* monotonic
    const judged = yield* Effect.result(this.judged(lane.asking, reason, now))
    if (Result.isFailure(judged)) {
      yield* this.settle(lane)
      return yield* Effect.fail(new Lost(judged.failure, true))
    }
    const error = judged.success
    this.lanes.delete(lane)
    this.ended(lane, Exit.fail(error), now)
    const [other] = this.lanes
    if (this.current !== lane) yield* lane.beside.call.leave
    else if (other !== undefined) {
      yield* this.leave(lane.asking.member)
      this.follow(other)
    }
    return yield* Effect.fail(new Lost(error, false))
  })

  private ended(lane: Lane, exit: Exit.Exit<unknown, unknown>, now: number): void {
    const duration = Duration.millis(now - lane.asking.begun)
    if (lane !== this.current) return this.calling.endedBeside(lane.asking.name, exit, duration)
    lane.beside.unobserve()
    this.calling.left(exit, duration)
  }

  private exit({ asking, beside }: Lane, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { call } = this.calling
    return Effect.andThen(
      asking.end(exit),
      Effect.suspend(() => call.follows(beside.call) ? Effect.void : beside.call.close("left"))
    )
  }

  /** The whole call has ended, and with it those beside the one that it is about. */
  private readonly abandoned: Effect.Effect<void> = Effect.map(monotonic, (now) => {
    for (const lane of this.lanes) if (lane !== this.current) this.ended(lane, interrupted, now)
    this.lanes.clear()
  })
}
