import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { guarded } from "./foreign.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./primitive.ts"
import { liveClock } from "./time.ts"

/** `setTimeout` fires at once for a longer delay. */
const longestTimer = 2 ** 31 - 1

type Timeout = ReturnType<typeof setTimeout>
type Cancel = () => void

const fire = (timer: Alarm): void => timer.fire()

/** A one-shot timer that is its own list node. It runs on the fiber's clock. */
export abstract class Alarm extends Primitive {
  declare previous: Alarm | undefined
  declare next: Alarm | undefined
  /** for the queue */
  declare due: number
  declare private armed: TimerQueue | Timeout | Cancel | undefined

  constructor() {
    super()
    this.previous = undefined
    this.next = undefined
    this.due = 0
    this.armed = undefined
  }

  /** Time is up. */
  abstract expire(): void

  /** Falls due `millis` after `at`, which is now. `queue` serves timers of its own fixed delay more cheaply. */
  arm(fiber: AnyFiber, at: number, millis: number, queue?: TimerQueue): void {
    if (millis === Infinity) return
    const clock = fiber.getRef(Clock.Clock)
    if (clock !== liveClock || millis > longestTimer) {
      const sleeper = fork(fiber.context, clock.sleep(Duration.millis(millis)))
      sleeper.addObserver((exit) => {
        if (exit._tag === "Success") guarded(fire, this)
      })
      this.armed = () => sleeper.interruptUnsafe()
    } else if (queue === undefined) {
      this.armed = setTimeout(fire, Math.max(0, millis), this)
    } else {
      this.armed = queue
      this.due = at + millis
      queue.add(this)
    }
  }

  disarm(): void {
    const armed = this.armed
    if (armed === undefined) return
    this.armed = undefined
    if (armed instanceof TimerQueue) armed.remove(this)
    else if (typeof armed === "function") armed()
    else clearTimeout(armed)
  }

  fire(): void {
    this.armed = undefined
    this.expire()
  }
}

/** An alarm that is, as an effect, its own clean-up: what a call in flight needs is then one object. */
export abstract class Timer extends Alarm {
  /** What {@link cleanup} does. */
  abstract run(fiber: AnyFiber): Effect.Effect<void>

  /** For when the fiber that waits is interrupted. */
  get cleanup(): Effect.Effect<void> {
    return this as AnyEffect as Effect.Effect<void> // what `run` says, which the type of a primitive does not
  }
}

// a browser's timer is a number, and keeps nothing alive
const hold = (timer: Timeout): void => {
  if (typeof timer === "object") timer.ref()
}
const soon: (f: () => void) => unknown = typeof setImmediate === "function" ? setImmediate : setTimeout
const release = (timer: Timeout | undefined): void => {
  if (typeof timer === "object") timer.unref()
}

/**
 * Timers that all have the same delay fall due in the order in which they were armed, so one list and one real timer serve
 * them all, in constant time. The real timer keeps the process alive only while something waits. A queue that has served one
 * call only, as that of a policy which is made per call, keeps no real timer after it.
 */
export class TimerQueue {
  private first: Alarm | undefined = undefined
  private last: Alarm | undefined = undefined
  /** The last of those that stood in the queue when the timer went off. */
  private until: Alarm | undefined = undefined
  private handle: Timeout | undefined = undefined
  private holdsProcess = false
  private lettingGo = false
  private served = 0
  readonly delay: number

  constructor(delay: number) {
    this.delay = delay
  }

  add(timer: Alarm): void {
    this.served++
    const last = this.last
    this.last = timer
    if (last !== undefined) {
      last.next = timer
      timer.previous = last
      return
    }
    this.first = timer
    if (this.handle === undefined) this.start(this.delay)
    else if (!this.holdsProcess) {
      hold(this.handle)
      this.holdsProcess = true
    }
  }

  remove(timer: Alarm): void {
    this.unlink(timer)
    if (this.first !== undefined || !this.holdsProcess) return
    if (this.served > 1) return this.letGo()
    this.holdsProcess = false
    clearTimeout(this.handle)
    this.handle = undefined
  }

  /** Once per turn of the host's loop: calls one after the other would let go and hold again each time. */
  private letGo(): void {
    if (this.lettingGo) return
    this.lettingGo = true
    soon(this.release)
  }

  private readonly release = (): void => {
    this.lettingGo = false
    if (this.first !== undefined || !this.holdsProcess) return
    this.holdsProcess = false
    release(this.handle)
  }

  private start(millis: number): void {
    this.handle = setTimeout(this.onTimer, Math.min(Math.ceil(millis), longestTimer))
    this.holdsProcess = true
  }

  private readonly onTimer = (): void => {
    this.handle = undefined
    this.holdsProcess = false
    const now = performance.now()
    // what is armed meanwhile has a turn of its own, even if it is due already: else it could go on for ever
    this.until = this.last
    while (this.until !== undefined && this.first!.due <= now) {
      const timer = this.first!
      this.unlink(timer)
      guarded(fire, timer)
    }
    this.until = undefined
    // an expiry may have armed a timer of this queue, and with it the handle
    if (this.first !== undefined && this.handle === undefined) this.start(this.first.due - now)
  }

  private unlink(timer: Alarm): void {
    const { next, previous } = timer
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
    timer.previous = timer.next = undefined
    if (timer === this.until) this.until = previous
  }
}
