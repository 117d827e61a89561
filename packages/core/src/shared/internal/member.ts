import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { RedisError } from "effect/persistence/Redis"
import { emit } from "../../internal/emit.ts"
import { isTimeoutExceeded } from "../../internal/errors.ts"
import { CurrentListener } from "../../internal/events.ts"
import { type AnyFiber, fork } from "../../internal/primitive.ts"
import type { Settings } from "../../internal/rateLimiterOptions.ts"
import type { Limit } from "../../internal/rateLimiterRules.ts"
import { Later } from "./later.ts"
import { SharedLimiter } from "./limiter.ts"
import { type Exchange, Link, type Mode, type Watcher } from "./link.ts"
import type { Store } from "./store.ts"

/** How often a process says that it is alive. */
const heartbeat = 5000

export interface MemberSettings extends Settings {
  readonly name: string
  readonly ahead: number
  readonly processes: number
  readonly empty: boolean
}

/** How often it does so until the others are back as well. */
const gathering = 100

/** What the server or the connection says, in one line. */
const reasonOf = (error: unknown): string => {
  const cause = error instanceof RedisError ? error.cause : error
  return (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)[0]!.slice(0, 120)
}

const nobody = (): void => undefined

/** This process as one of those that share a limit: says that it is alive, finds the store again that it has lost, and tells. */
export class Member implements Watcher {
  readonly limiter: SharedLimiter
  private readonly link: Link
  readonly fiber: AnyFiber
  private readonly beat = new Later(() => this.beatNow())
  /** what has been told */
  private mode: Mode["mode"] | undefined = undefined
  private left = false

  constructor(context: Context.Context<never>, store: Store, id: string, settings: MemberSettings) {
    // in it timers are set and events told for as long as there is a limiter
    this.fiber = fork(context, Effect.never)
    const { empty, limits, processes } = settings
    this.link = new Link(store, this, { id, limits: Object.values(limits), processes, empty })
    this.limiter = new SharedLimiter(this.fiber, settings, this.link)
  }

  readonly time = (): number => this.limiter.time(this.fiber)

  /** Ends when the store has answered, or is known to be away. */
  get begin(): Effect.Effect<void> {
    return Effect.callback((resume) => this.sayAlive(() => resume(Effect.void)))
  }

  private sayAlive(then: () => void): void {
    const answered = (): void => {
      if (!this.link.shared) this.beat.within(this.fiber, this.time(), gathering)
      then()
    }
    const exchange: Exchange = { answered, failed: then, late: nobody }
    this.link.exchange([["H"], ["D"]], exchange)
  }

  private beatNow(): void {
    if (!this.link.shared) return this.sayAlive(nobody)
    this.limiter.post.tell(["H"], ["D"])
    this.beat.within(this.fiber, this.time(), heartbeat)
  }

  found(): void {
    this.limiter.post.turn()
    this.tell("shared", undefined)
    this.beat.stop()
    this.beat.within(this.fiber, this.time(), heartbeat)
  }

  lost(error: unknown, pause: number): void {
    if (this.mode !== "local") this.limiter.post.turn()
    this.tell("local", error)
    this.beat.stop()
    if (!this.left) this.beat.within(this.fiber, this.time(), Math.max(1, pause))
  }

  forgotten(): void {
    this.limiter.post.tell(["H"], ["D"])
  }

  changed(limits: ReadonlyArray<Limit>): void {
    this.limiter.follow(limits)
  }

  private tell(mode: Mode["mode"], error: unknown): void {
    const before = this.mode
    this.mode = mode
    // that the store is there to begin with is no news
    if (before === mode || (before === undefined && mode === "shared")) return
    const { processes } = this.link.mode
    const { name } = this.limiter
    const reason = mode === "shared" ? undefined : isTimeoutExceeded(error) ? "slow" : "failed"
    const listener = this.fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      emit(this.fiber, listener, { _tag: "LimiterModeChanged", policy: "rate-limiter", name, mode, processes, reason })
    }
    const log = mode === "shared"
      ? Effect.logInfo(`rate limiter "${name}": the store is back, and the limit is shared again`)
      : Effect.logWarning(
        `rate limiter "${name}": the store ${
          reason === "slow" ? "does not answer in time" : `fails (${reasonOf(error)})`
        }, so this process goes by its share, 1/${processes} of the limit`
      )
    fork(this.fiber.context, log)
  }

  /** Tells the store what is still to be told, and that this process leaves. From now on it goes by its share. */
  get leave(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.left = true
      this.beat.stop()
      const end = (): void => {
        this.link.leave()
        this.limiter.post.turn()
        this.fiber.interruptUnsafe()
        resume(Effect.void)
      }
      this.link.whenIdle(() => {
        if (!this.link.shared) return end()
        this.link.exchange([...this.limiter.post.last(), ["L"]], { answered: end, failed: end, late: nobody })
      })
    })
  }
}
