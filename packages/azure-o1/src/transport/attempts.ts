import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { O1Completion } from "../O1Completion.ts"
import type { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { O1Request } from "../O1Request.ts"
import { type Asked, asking, monotonic, tell } from "./asking.ts"
import { CurrentCall } from "./call.ts"
import { withoutItems } from "./detaching.ts"
import { without } from "./healing.ts"
import { type Attempted, type Knowledge, teaches } from "./knowledge.ts"
import { isBrief, lacks, type Rung } from "./ladder.ts"
import { CurrentlyKnown, CurrentQuestion } from "./progress.ts"
import { unknown } from "./route.ts"
import { CurrentWatch } from "./watch.ts"

type Events = Stream.Stream<AttemptEvent, O1Error>

/** What one attempt has found out by itself: what it was refused, and what it went without. */
interface Found {
  /** The answer is wanted as a whole. */
  readonly whole: boolean
  readonly lacking: Attempted["lacking"]
  readonly omitted: ReadonlyArray<string>
}

/** One attempt: the best way that is open, and where that is refused the next one, with what the refusal has taught. */
export const make = ({ admitted, heal, knowledge, on }: {
  readonly knowledge: Knowledge
  readonly heal: boolean
  readonly on: (rung: Rung, request: O1Request) => Events
  /** What an attempt needs before it can ask anything; absent where it needs nothing. */
  readonly admitted: Effect.Effect<void, O1Error> | undefined
}): (request: O1Request, whole: boolean) => Events => {
  const { learned } = knowledge

  /** The best way that is open to this attempt. What one before it has begun is gone on with. */
  const planned = (request: O1Request, { lacking, whole }: Found): Effect.Effect<Asked, O1Error, Scope.Scope> =>
    Effect.gen(function*() {
      const since = yield* monotonic
      const call = yield* CurrentCall
      const open = call?.open
      if (open !== undefined) {
        return { plan: knowledge.continuing(request, open.streams ? "kept" : "background", since), questions: [] }
      }
      const watch = yield* CurrentWatch
      const brief = whole && isBrief(request, watch?.limit ?? Infinity)
      const attempted = { since, brief, lacking, route: watch?.route ?? unknown }
      const plan = knowledge.plan(request, attempted, since)
      return "rung" in plan && plan.asks.length === 0
        ? { plan, questions: [] }
        : yield* asking(learned, (now) => knowledge.plan(request, attempted, now), call?.others?.held)
    })

  /** Of what comes in one piece no part is late. */
  const entered = ({ plan: { rung } }: Asked): Effect.Effect<void> =>
    Effect.map(CurrentWatch, (watch) => rung === "background" || rung === "plain" ? watch?.whole() : undefined)

  /** Carries an attempt out as planned, and adds to its answer what was left out of the request. */
  const carried = ({ plan, questions }: Asked, asked: O1Request, { omitted }: Found): Events => {
    const known = [...omitted, ...plan.learned]
    const answered = Effect.fnUntraced(function*(completion: O1Completion) {
      const times = { begun: plan.begun, now: yield* monotonic }
      const { fact, warning } = knowledge.answered(completion.model, asked, times)
      if (fact !== undefined) yield* tell(fact)
      const warnings = [...completion.warnings, ...omitted, ...plan.omitted]
      return { ...completion, warnings: warning === undefined ? warnings : [...warnings, warning] }
    })
    return on(plan.rung, plan.request).pipe(
      known.length === 0 ? identity : Stream.updateService(CurrentlyKnown, (more) => [...more, ...known]),
      questions.length === 0 ? identity : Stream.provideService(
        CurrentQuestion,
        () => questions.forEach(({ begun, key }) => learned.works(key, begun))
      ),
      heal
        ? Stream.mapArrayEffect((events) => {
          const last = events[events.length - 1]!
          return last._tag === "Finished"
            ? Effect.map(
              answered(last.completion),
              (completion) => Arr.append(events.slice(0, -1), { ...last, completion })
            )
            : Effect.succeed(events)
        })
        : identity
    )
  }

  const attempt = (request: O1Request, found: Found): Events =>
    Stream.unwrap(
      Effect.map(Effect.tap(planned(request, found), entered), (asked) =>
        Stream.catch(
          carried(asked, request, found),
          (error) =>
            Stream.unwrap(Effect.map(next(asked, request, found, error), (again) => again ?? Stream.fail(error)))
        ))
    )

  /** What follows a failure within the same attempt, if anything does: what was not taken on can be asked for in another way. */
  const next = Effect.fnUntraced(
    function*({ plan, questions }: Asked, request: O1Request, found: Found, error: O1Error) {
      const call = yield* CurrentCall
      const open = call?.open
      const times = { begun: plan.begun, now: yield* monotonic }
      // what the service has taken on, or begun to answer, it did not refuse
      const refused = open === undefined && error.partialText === ""
      const detached = refused && error._tag === "O1RequestError" && error.kind === "unknown-item"
        ? withoutItems(plan.request)
        : undefined
      if (detached !== undefined) {
        for (const question of questions) learned.release(question)
        return attempt(detached, found)
      }
      const lack = refused ? lacks(plan.rung, error, knowledge.apiFor(request)) : undefined
      const smaller = heal && refused && lack === undefined ? without(plan.request, error) : undefined
      const facts = !teaches(request)
        ? []
        : lack !== undefined
        ? knowledge.lacks(lack, times)
        : smaller !== undefined
        ? knowledge.omits(smaller, times)
        : []
      if (lack === undefined && smaller === undefined) call?.others?.failed(error, times.now)
      // what the error has not answered, somebody else may ask
      for (const question of questions) learned.release(question)
      for (const fact of facts) yield* tell(fact)
      if (lack !== undefined) return attempt(request, { ...found, lacking: [...found.lacking, lack.ability] })
      if (smaller === undefined) return undefined
      const omitted = [...found.omitted, ...plan.omitted, knowledge.omission(smaller)]
      return attempt(smaller.request, { ...found, omitted })
    }
  )

  return (request, whole) => {
    const begun = attempt(request, { whole, lacking: [], omitted: [] })
    // together with all others: who asks the deployment for the first time would have them wait for a token one after another
    return admitted === undefined ? begun : Stream.unwrap(Effect.as(admitted, begun))
  }
}
