import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Fault from "../Fault.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import * as Telemetry from "./events.ts"
import { Run, type Settings } from "./retryRun.ts"
import * as tried from "./tried.ts"
import type { Attempt } from "./tries.ts"

type Continue = (last: any, error: any) => AnyStream
type Chunk = ReadonlyArray<unknown>

/** The parts of a stream, one after the other, and what is known of the one that is read. */
class Parts {
  private readonly run: Run
  private readonly settings: Settings
  private readonly from: Continue | undefined
  private readonly streamScope: Scope.Scope
  private source: AnyStream
  private scope: Scope.Closeable
  private pull: AnyPull | undefined = undefined
  private last: unknown = undefined
  private committed = false
  /** an attempt is being told of: from its start to the element that commits it, or its failure */
  private telling = false
  private attempt: Attempt | undefined

  constructor(
    self: AnyStream,
    settings: Settings,
    from: Continue | undefined,
    run: Run,
    streamScope: Scope.Scope,
    attempt: Attempt | undefined
  ) {
    this.source = self
    this.settings = settings
    this.from = from
    this.run = run
    this.run.memory = this.attempt = attempt
    this.streamScope = streamScope
    this.scope = Scope.forkUnsafe(streamScope)
  }

  /** Nothing is started again after what commits, unless something continues it. */
  readonly all: AnyPull = Effect.suspend(() => this.committed && this.from === undefined ? this.pull! : this.next)

  private readonly next: AnyPull = Effect.matchCauseEffect(Effect.suspend(() => this.pull ?? this.start), {
    onFailure: (cause) => this.failed(cause),
    onSuccess: (chunk) => this.came(chunk)
  })

  private readonly start: AnyPull = Effect.withFiber((fiber) => {
    this.run.purse?.begin(fiber)
    this.run.started(fiber)
    this.telling = true
    const informed = this.run.inform(this.source)
    const source = this.attempt === undefined
      ? informed
      : Stream.provideService(informed, tried.CurrentAttempt, this.attempt)
    return Effect.flatMap(open(source, this.scope), (opened) => {
      this.pull = opened
      return opened
    })
  })

  readonly closed: Effect.Effect<void> = Effect.withFiber((fiber) => {
    // the consumer has stopped before an element that commits
    if (this.telling) this.run.ended(fiber, Exit.interrupt(), this.run.faultOf(fiber, Exit.interrupt()))
    this.run.purse?.finish(fiber)
    return Effect.void
  })

  private came(chunk: Chunk): AnyPull {
    const { commit, result } = this.settings
    if (this.committed) return this.goOn(chunk)
    const committing = chunk.findIndex(commit)
    if (committing === -1) {
      this.last = chunk.at(-1)
      return succeed(chunk)
    }
    const fault = result?.(chunk[committing])
    return fault === undefined ? this.goOn(chunk) : this.isFault(chunk, fault, Exit.succeed(chunk[committing]))
  }

  private goOn(chunk: Chunk): AnyPull {
    this.committed = true
    this.last = chunk.at(-1)
    return this.telling ? Effect.andThen(this.well, succeed(chunk)) : succeed(chunk)
  }

  /** The attempt that is told of has ended well. */
  private readonly well = Effect.withFiber((fiber) => {
    this.telling = false
    this.run.purse?.succeeded()
    this.run.ended(fiber, Exit.void, undefined)
    return Effect.void
  })

  /** The first element that commits is a fault. The part stays open until it is certain that there is another one. */
  private isFault(chunk: Chunk, fault: Fault.Fault, asked: Exit.Exit<unknown>): AnyPull {
    return Effect.withFiber((fiber) => {
      this.telling = false
      this.run.ended(fiber, asked, fault)
      return this.run.next(asked, fault, {
        again: Effect.suspend(() => this.again(undefined)),
        leave: Effect.uninterruptible(Scope.close(this.scope, asked)),
        giveUp: Effect.suspend(() => this.goOn(chunk))
      })
    })
  }

  private failed(cause: Cause.Cause<unknown>): AnyPull {
    const exit = Exit.failCause(cause) as Exit.Exit<never, any>
    if (Pull.isDoneCause(cause)) return this.telling ? Effect.andThen(this.well, exit) : exit
    return Effect.withFiber((fiber) => {
      if (this.telling) this.run.ended(fiber, exit, this.run.faultOf(fiber, exit))
      this.telling = false
      const next = this.run.next(exit, undefined, { again: Effect.suspend(() => this.again(cause)) })
      return Effect.andThen(Effect.uninterruptible(Scope.close(this.scope, exit)), next)
    })
  }

  private again(cause: Cause.Cause<unknown> | undefined): AnyPull {
    if (this.committed) this.source = this.from!(this.last, cause?.reasons.find(Cause.isFailReason)?.error)
    this.scope = Scope.forkUnsafe(this.streamScope)
    this.attempt = this.attempt?.another()
    this.pull = undefined
    return this.next
  }
}

const succeed = (chunk: Chunk): AnyPull => Exit.succeed(chunk) as Exit.Exit<any>

export const retryStream = (self: AnyStream, settings: Settings, from: Continue | undefined): AnyStream =>
  fromPull((streamScope) =>
    Effect.withFiber((fiber) => {
      const listener = fiber.getRef(Telemetry.CurrentListener)
      const attempt = tried.firstOf(fiber)
      const { all, closed } = new Parts(self, settings, from, new Run(settings, listener), streamScope, attempt)
      return settings.budget === undefined && listener === undefined
        ? Effect.succeed(all)
        : Effect.as(Scope.addFinalizer(streamScope, closed), all)
    })
  )
