import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { O1Error } from "../O1Error.ts"
import type { Fact } from "../O1Fact.ts"
import { patience, type Plan, type Wait } from "./knowledge.ts"
import type { Learned, Question } from "./learned.ts"
import { CurrentProgress } from "./progress.ts"
import { CurrentWatch } from "./watch.ts"

/** Milliseconds on the monotonic clock. */
export const monotonic: Effect.Effect<number> = Effect.map(
  Clock.monotonicTimeNanos,
  (nanos) => Number(nanos) / 1_000_000
)

/** Resumes when the question has an answer, nobody asks it any more, or it is not waited for any more. */
const settled = (learned: Learned, question: Question): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (question.overdue || learned.asked(question.key) !== question) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    question.waiting.add(wake)
    return Effect.sync(() => question.waiting.delete(wake))
  })

/** A plan, and the questions that are asked by it. */
export interface Asked {
  readonly plan: Plan
  readonly questions: ReadonlyArray<Question>
}

/** The waits for an answer are counted in pieces of this length, in milliseconds. */
const tick = 250

/**
 * Ends the waits for the answer to questions that take too long. Time in which this process was too busy to read an answer does not
 * count: a timer that rings late may ring before an answer that is there already.
 */
const impatiently = (learned: Learned, questions: ReadonlyArray<Question>): Effect.Effect<void> =>
  Effect.gen(function*() {
    let waited = 0
    let before = yield* monotonic
    while (waited < patience && questions.some((question) => learned.asked(question.key) === question)) {
      yield* Effect.sleep(tick)
      const now = yield* monotonic
      if (now - before < 2 * tick) waited += tick
      before = now
    }
    for (const question of questions) learned.giveUp(question)
  })

/**
 * Waits for what others are asking, as long as that is worth it, and takes the questions that are left upon itself. However
 * the attempt ends, they are open to others after it.
 */
export const asking = (
  learned: Learned,
  plan: (now: number) => Plan | Wait,
  held: ((now: number) => O1Error | undefined) | undefined
): Effect.Effect<Asked, O1Error, Scope.Scope> =>
  Effect.gen(function*() {
    for (;;) {
      // nothing comes in between the look at what others ask and the question
      const asked = yield* Effect.acquireRelease(
        Effect.map(monotonic, (now): Asked | Wait => {
          const next = plan(now)
          return "rung" in next ? { plan: next, questions: next.asks.map((key) => learned.ask(key, now)) } : next
        }),
        (asked) =>
          Effect.sync(() => {
            if ("questions" in asked) { for (const question of asked.questions) learned.release(question) }
          })
      )
      if ("plan" in asked) {
        if (asked.questions.length > 0) yield* Effect.forkScoped(impatiently(learned, asked.questions))
        return asked
      }
      yield* settled(learned, asked.question)
      // the call that asked may have been told to wait
      const error = held?.(yield* monotonic)
      if (error !== undefined) {
        const watch = yield* CurrentWatch
        if (watch !== undefined) watch.isHeld = true
        return yield* error
      }
    }
  })

/** Tells a new fact to the watchers of this call, and to the log. */
export const tell = (fact: Fact): Effect.Effect<void> =>
  Effect.flatMap(CurrentProgress, (report) => {
    report?.({ _tag: "Learned", fact, text: fact.text })
    const { about, deployment, expiresIn, text } = fact
    return Effect.annotateLogs(Effect.logInfo(text), { deployment, about, for: Duration.format(expiresIn) })
  })
