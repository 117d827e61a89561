/**
 * Virtual time for programs of Effect: a clock whose sleepers wait in a heap, and a scheduler that runs what is ready. Nothing waits for
 * real, so that hours of calls are over in a moment, and the same seed gives the same run.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"

interface Timer {
  readonly at: number
  readonly order: number
  /** nothing once it is of no interest any more */
  wake: (() => void) | undefined
}

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

export class World {
  /** Milliseconds since the start. */
  now = 0
  private order = 0
  private readonly timers: Array<Timer> = []
  private tasks: Array<() => void> = []

  /** Calls it at that time. */
  at(at: number, wake: () => void): Timer {
    const timer: Timer = { at: Math.max(at, this.now), order: this.order++, wake }
    const { timers } = this
    let i = timers.push(timer) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(timer, timers[parent]!)) break
      timers[i] = timers[parent]!
      i = parent
    }
    timers[i] = timer
    return timer
  }

  private pop(): Timer | undefined {
    const { timers } = this
    const first = timers[0]
    const last = timers.pop()
    if (first === undefined || last === undefined || timers.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= timers.length) break
      if (child + 1 < timers.length && isBefore(timers[child + 1]!, timers[child]!)) child++
      if (!isBefore(timers[child]!, last)) break
      timers[i] = timers[child]!
      i = child
    }
    timers[i] = last
    return first
  }

  /** Runs until the time has come, or nothing is left to be done. */
  run(until: number): void {
    for (;;) {
      this.settle()
      const next = this.timers[0]
      if (next === undefined || next.at > until) return
      this.pop()
      if (next.wake === undefined) continue
      this.now = next.at
      next.wake()
    }
  }

  private settle(): void {
    while (this.tasks.length > 0) {
      const { tasks } = this
      this.tasks = []
      for (const task of tasks) task()
    }
  }

  sleep(millis: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const timer = Number.isFinite(millis) ? this.at(this.now + millis, () => resume(Effect.void)) : undefined
      return Effect.sync(() => {
        if (timer !== undefined) timer.wake = undefined
      })
    })
  }

  private get nanos(): bigint {
    return BigInt(Math.round(this.now * 1_000_000))
  }

  readonly clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => this.now,
    currentTimeMillis: Effect.sync(() => this.now),
    currentTimeNanosUnsafe: () => this.nanos,
    currentTimeNanos: Effect.sync(() => this.nanos),
    monotonicTimeNanosUnsafe: () => this.nanos,
    monotonicTimeNanos: Effect.sync(() => this.nanos),
    sleep: (duration) => this.sleep(Duration.toMillis(duration))
  }

  readonly scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: () => false,
    makeDispatcher: () => ({ scheduleTask: (task) => void this.tasks.push(task), flush: () => this.settle() })
  }
}
