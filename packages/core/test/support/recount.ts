import * as Exit from "effect/Exit"
import type * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Fault from "../../src/Fault.ts"
import type { Entry, Journal } from "./journal.ts"

export interface Rules {
  readonly trip:
    | { readonly consecutive: number }
    /** over the last so many calls, or over all of them */
    | { readonly ratio: number; readonly minimum: number; readonly last: number }
  readonly open: number
  readonly probes: number
}

const countsAs = (
  { exit, late }: Extract<Entry, { what: "ends" }>
): "success" | "failure" | "throttled" | undefined => {
  if (Exit.isSuccess(exit)) return "success"
  switch (Fault.of(exit)!._tag) {
    case "Transient":
    case "Defect":
      return "failure"
    case "Permanent":
      return "success"
    case "Interrupted":
      return late ? "failure" : undefined
    case "Throttled":
      return "throttled"
    default:
      return undefined
  }
}

/**
 * What a circuit breaker has to have done, told from the calls that it let through and how they ended: a list of outcomes
 * and the rules, without any of its arithmetic. Gives what it did otherwise.
 */
export const recount = (journal: Journal, { name, place, rules, state }: {
  readonly name: string
  /** of the spy right inside of it */
  readonly place: string
  readonly rules: Rules
  /** at the end */
  readonly state: CircuitBreaker.State
}): ReadonlyArray<string> => {
  if (!journal.listening) return []
  const problems: Array<string> = []
  let at = 0
  const problem = (text: string): void => void problems.push(`circuit ${name} at ${at}: ${text}`)
  let current: CircuitBreaker.State["_tag"] = "Closed"
  let generation = 0
  let openUntil = 0
  let seen: Array<"success" | "failure"> = []
  let probing = new Set<number>()
  let passed = new Set<number>()
  let due: { readonly to: CircuitBreaker.State["_tag"]; readonly by: number } | undefined
  const generations = new Map<number, number>()

  const window = (): typeof seen =>
    "consecutive" in rules.trip ? [] : seen.slice(-Math.min(rules.trip.last, seen.length))
  const failuresIn = (calls: typeof seen): number => calls.filter((outcome) => outcome === "failure").length
  const inARow = (): number => seen.length - 1 - seen.lastIndexOf("success")
  const met = (): boolean => {
    if ("consecutive" in rules.trip) return inARow() >= rules.trip.consecutive
    const calls = seen.length === 0 ? [] : window()
    return calls.length >= rules.trip.minimum && failuresIn(calls) >= rules.trip.ratio * calls.length
  }
  const succeed = (id: number): void => {
    probing.delete(id)
    passed.add(id)
    if (passed.size >= rules.probes) due = { to: "Closed", by: id }
  }

  for (const entry of journal.entries) {
    at = entry.at
    if (entry.what === "tells") {
      const { event } = entry
      if (event._tag !== "CircuitChanged" || event.name !== name) continue
      const { from, to } = event
      if (from !== current) problem(`left ${from} while it was ${current}`)
      if (to === "HalfOpen" ? current !== "Open" || at < openUntil - 1 : due?.to !== to) problem(`changed to ${to}`)
      generation++
      // a stream that has passed goes on as a call of the state that it brought about
      if (due !== undefined && to === "Closed") generations.set(due.by, generation)
      due = undefined
      current = to
      openUntil = to === "Open" ? at + rules.open : openUntil
      seen = []
      probing = new Set()
      passed = new Set()
      continue
    }
    if (entry.place !== place) continue
    if (due !== undefined) problem(`should have become ${due.to}`)
    const { id } = entry
    if (entry.what === "begins") {
      generations.set(id, generation)
      if (current === "Open") problem(`let call ${id} through`)
      if (current === "HalfOpen") {
        if (probing.size + passed.size >= rules.probes) problem(`let call ${id} through beside ${rules.probes} probes`)
        probing.add(id)
      }
    } else if (generations.get(id) === generation) {
      if (entry.what === "answers") {
        if (probing.has(id)) succeed(id)
      } else if (entry.what === "ends") {
        const outcome = countsAs(entry)
        if (current === "Closed" && (outcome === "success" || outcome === "failure")) {
          seen.push(outcome)
          if (met()) due = { to: "Open", by: id }
        } else if (current === "HalfOpen") {
          if (outcome === "failure" || outcome === "throttled") due = { to: "Open", by: id }
          else if (outcome === "success" && probing.has(id)) succeed(id)
          probing.delete(id)
        }
      }
    }
  }

  if (due !== undefined) problem(`should have become ${due.to}`)
  if (probing.size > 0) problem(`${probing.size} probes have not ended`)
  const expected = current === "Open" ? "HalfOpen" : current // when it is asked, its time is up
  if (state._tag !== expected) problem(`ended as ${state._tag}, not ${expected}`)
  if (state._tag === "HalfOpen" && state.probing !== 0) problem(`${state.probing} slots are held`)
  if (state._tag === "Closed") {
    const calls = window()
    const told = [state.calls, state.failures, state.consecutiveFailures]
    const counted = [calls.length, failuresIn(calls), inARow()]
    if (told.join() !== counted.join()) problem(`counted ${told.join()}, not ${counted.join()}`)
  }
  return problems
}
