import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as kernel from "../kernel/chaos.ts"
import { emit } from "./emit.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import { type ChaosInjected, CurrentListener } from "./events.ts"
import * as frame from "./frame.ts"
import type { PolicyInfo } from "./model.ts"
import { checkedOptions, finite, invalid, millisOf } from "./options.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"

/**
 * Chaos that is switched on: since when, how much of it, and what it draws from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Session {
  /** Milliseconds on the monotonic clock. */
  readonly began: number
  /** What the ratio of every policy is multiplied by. */
  readonly factor: number
  /** The same seed gives the same draws. Without one, they come from the `Random` of each call. */
  readonly seed: string | undefined
  /** How many calls each sequence of draws has decided about. */
  readonly drawn: Map<string, number>
}

/** How much chaos there is. */
export interface SessionOptions {
  readonly seed?: string | number | undefined
  readonly factor?: number | undefined
}

/** Chaos that is switched on now, by options that are checked. */
export const sessionOf = (where: string, options: SessionOptions): (began: number) => Session => {
  const { factor = 1, seed } = checkedOptions(where, options)
  finite(where, "factor", factor, 0, { inclusive: true })
  if (seed !== undefined && typeof seed !== "string" && !Number.isFinite(seed)) {
    throw invalid(where, "seed", seed, "a string or a finite number")
  }
  return (began) => ({ began, factor, seed: seed === undefined ? undefined : String(seed), drawn: new Map() })
}

/** No chaos, unless a layer sets it. */
export const CurrentSession = Context.Reference<Session | undefined>("@effect-resilience/core/Chaos/CurrentSession", {
  defaultValue: () => undefined
})

export interface Settings {
  readonly injected: ChaosInjected["injected"]
  readonly name: string | undefined
  readonly ratio: number
  readonly during: kernel.Course | undefined
  readonly when: ((context: Context.Context<never>) => boolean) | undefined
  /** how long a call waits, of a number of [0, 1); absent where it does not */
  readonly duration: ((draw: number) => Duration.Input) | undefined
  /** what comes instead of the call; absent where the call is made */
  readonly instead: AnyEffect | undefined
  /** what comes instead of the rest of a stream, where that is something else */
  readonly rest: (() => AnyPull) | undefined
  /** how many elements of a stream come first */
  readonly elements: number
  /** Whether a call that is no stream is hit as well. */
  readonly effects: boolean
}

/** What draws for a call, where no seed does. */
type Draw = () => number

/** Draws for one call. */
const drawsOf = ({ drawn, seed }: Session, draw: Draw, sequence: string): (which: string) => number => {
  if (seed === undefined) return draw
  const n = drawn.get(sequence) ?? 0
  drawn.set(sequence, n + 1)
  return (which) => kernel.drawOf(kernel.seedOf(`${seed}/${sequence}/${which}`), n)
}

/** The draws of a call that is hit, `at` a time. */
export const hitOf = (
  { during, injected, name, ratio, when }: Settings,
  session: Session,
  at: number,
  draw: Draw,
  context: Context.Context<never>
): ((which: string) => number) | undefined => {
  const draws = drawsOf(session, draw, `${injected}/${name ?? ""}`)
  // the draw comes first, so that who else is hit does not depend on which calls these are
  const hit = draws("hit")
  const share = ratio * session.factor * kernel.shareAt(during, at - session.began)
  return kernel.hits(share, hit) && (when === undefined || when(context)) ? draws : undefined
}

/** The milliseconds that a call which is hit waits. */
export const delayOf = ({ duration }: Settings, draws: (which: string) => number): number => {
  const given = duration!(draws("duration"))
  const millis = millisOf(given)
  if (!(millis >= 0)) throw invalid("Chaos.latency", "what duration gives", given, "a duration >= 0")
  return millis
}

/** What chaos is: it decides about each call anew, if a layer has switched it on. */
export class Injection implements Implementation {
  readonly info: PolicyInfo
  readonly settings: Settings

  constructor(info: PolicyInfo, settings: Settings) {
    this.info = info
    this.settings = settings
  }

  effect(self: AnyEffect): AnyEffect {
    return this.settings.effects ? new ChaosEffect(self, this) : self
  }

  stream(self: AnyStream): AnyStream {
    return fromPull((scope) => {
      const opened = open(self, scope)
      return Effect.withFiber((fiber) => {
        const hit = this.hit(fiber, fiber.getRef(CurrentSession))
        if (hit === undefined) return opened
        const { elements, instead, rest } = this.settings
        if (instead === undefined) return this.hold(fiber, hit, opened)
        let pull: AnyPull | undefined
        const end = Effect.withFiber((fiber): AnyPull => {
          if (pull === undefined) this.tell(fiber, undefined)
          return pull ??= rest === undefined ? instead : rest()
        })
        return elements === 0 ? Effect.succeed(end) : Effect.map(opened, (pull) => cut(pull, elements, end))
      })
    })
  }

  /** What happens to a call that is hit. */
  strike(fiber: AnyFiber, session: Session, self: AnyEffect): AnyEffect {
    const hit = this.hit(fiber, session)
    if (hit === undefined) return self
    const { instead } = this.settings
    if (instead === undefined) return this.hold(fiber, hit, self)
    this.tell(fiber, undefined)
    return instead
  }

  /** The draws of a call that is hit. */
  private hit(fiber: AnyFiber, session: Session | undefined): ((which: string) => number) | undefined {
    if (session === undefined) return undefined
    const random = fiber.getRef(Random.Random)
    return hitOf(this.settings, session, now(fiber), () => random.nextDoubleUnsafe(), fiber.context)
  }

  /** Waits before the call. */
  private hold(fiber: AnyFiber, draws: (which: string) => number, self: AnyEffect): AnyEffect {
    const millis = delayOf(this.settings, draws)
    const delay = Duration.millis(millis)
    this.tell(fiber, delay)
    return Effect.andThen(millis === Infinity ? Effect.never : Effect.sleep(delay), self)
  }

  private tell(fiber: AnyFiber, delay: Duration.Duration | undefined): void {
    const listener = fiber.getRef(CurrentListener)
    if (listener === undefined) return
    const { injected, name } = this.settings
    emit(fiber, listener, { _tag: "ChaosInjected", policy: "chaos", name, injected, delay })
  }
}

/** So many elements, and then something else. */
const cut = (pull: AnyPull, elements: number, end: AnyPull): AnyPull => {
  let left = elements
  const next = Effect.map(pull, (chunk): NonEmptyReadonlyArray<unknown> => {
    const given = Math.min(left, chunk.length)
    left -= given
    return given === chunk.length ? chunk : [chunk[0], ...chunk.slice(1, given)]
  })
  return Effect.suspend(() => left === 0 ? end : next)
}

class ChaosEffect extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly injection: Injection

  constructor(self: AnyEffect, injection: Injection) {
    super()
    this.self = self
    this.injection = injection
  }

  enter(fiber: AnyFiber, at: number): AnyEffect {
    const { injection, self } = this
    const session = fiber.getRef(CurrentSession)
    if (session === undefined) return frame.proceed(self, fiber, at)
    // an effect of its own, so that what the user's functions throw is a defect of this call
    return Effect.withFiber((fiber) => injection.strike(fiber, session, self))
  }
}
