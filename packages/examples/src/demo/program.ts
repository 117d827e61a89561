/** One call and one stream, with everything that happens to them on a timeline. */
import { AzureO1, type O1Completion, type O1Error, O1Policy, type O1Request, user } from "@effect-resilience/azure-o1"
import { Telemetry } from "@effect-resilience/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Screen } from "./Screen.ts"
import { type Line, lineOf, seconds } from "./timeline.ts"

const styles = { "→": "cyan", "✓": "green", "✗": "red", "…": "yellow", "!": "magenta" } as const

/** Counts what the two calls took. */
class Tally {
  attempts = 0
  waited = 0
  reasoning = 0

  readonly listener: Telemetry.Listener = (event) => {
    if (event._tag === "AttemptStarted") this.attempts++
    if (event._tag === "RetryScheduled") this.waited += Duration.toMillis(event.delay)
  }

  add({ usage }: O1Completion): void {
    this.reasoning += usage?.reasoning ?? 0
  }
}

const heading = (number: number, what: string, prompt: string): Effect.Effect<void, never, Screen> =>
  Effect.gen(function*() {
    const { line, style } = yield* Screen
    yield* line()
    yield* line(`  ${style("bold", `${number}  ${what}`)}  ${style("dim", `"${prompt}"`)}`)
    yield* line()
  })

/** Draws the timeline of one call: time, attempt, which policy acted, what happened. */
const timeline = Effect.gen(function*() {
  const { line, style } = yield* Screen
  const clock = yield* Clock.Clock
  const start = clock.monotonicTimeNanosUnsafe()
  const draw = ({ attempt, mark, policy, text }: Line): Effect.Effect<void> => {
    const at = seconds(Duration.nanos(clock.monotonicTimeNanosUnsafe() - start)).padStart(8)
    const who = attempt === undefined ? policy : `attempt ${attempt}`
    return line(`  ${style("dim", at)}  ${style(styles[mark], mark)}  ${who.padEnd(9)}  ${text}`)
  }
  return Telemetry.listen((event) => {
    const drawn = lineOf(event)
    if (drawn !== undefined) Effect.runSync(draw(drawn))
  })
})

const complete = (request: O1Request, tally: Tally): Effect.Effect<void, O1Error, AzureO1 | Screen> =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const { endParagraph, line, text } = yield* Screen
    const completion = yield* o1.complete(request).pipe(yield* timeline, Telemetry.listen(tally.listener))
    tally.add(completion)
    yield* line()
    yield* text(completion.text)
    yield* endParagraph
  })

const stream = (request: O1Request, tally: Tally): Effect.Effect<void, O1Error, AzureO1 | Screen> =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const { endParagraph, line, text } = yield* Screen
    const listen = yield* timeline
    let begun = false
    yield* o1.stream(request).pipe(
      listen.stream,
      Telemetry.listen(tally.listener).stream,
      Stream.runForEach((event) =>
        Effect.gen(function*() {
          if (event._tag === "Finished") return tally.add(event.completion)
          if (event._tag !== "TextDelta") return
          if (!begun) yield* line()
          begun = true
          yield* text(event.text)
        })
      )
    )
    yield* endParagraph
  })

/** What the two prompts are; the caller's own takes the place of both. */
const prompts = (prompt: Option.Option<string>) => ({
  call: Option.getOrElse(prompt, () => "Why is the sky blue?"),
  stream: Option.getOrElse(prompt, () => "And why is the sunset red?")
})

/** The demo. */
export const program = (options: { readonly prompt: Option.Option<string>; readonly deployment: string }) =>
  Effect.gen(function*() {
    const { line, style } = yield* Screen
    const policy = yield* O1Policy
    const asked = prompts(options.prompt)
    const tally = new Tally()
    const [duration] = yield* Effect.timed(Effect.gen(function*() {
      yield* heading(1, "A call", asked.call)
      yield* complete({ messages: [user(asked.call)], reasoningEffort: "medium" }, tally)
      yield* heading(2, "A stream", asked.stream)
      yield* stream({ messages: [user(asked.stream)], reasoningEffort: "medium" }, tally)
    }))
    const breaker = yield* policy.breakerState(options.deployment)
    const row = (name: string, value: string): Effect.Effect<void> =>
      line(`    ${style("dim", name.padEnd(18))}${value}`)
    yield* line()
    yield* line(`  ${style("bold", "Summary")}`)
    yield* line()
    yield* row("calls", "2, both answered")
    yield* row("attempts", String(tally.attempts))
    yield* row("waited between", seconds(tally.waited))
    yield* row("total", seconds(duration))
    yield* row("reasoning tokens", String(tally.reasoning))
    yield* row("circuit breaker", breaker._tag.toLowerCase())
    yield* line()
  })
