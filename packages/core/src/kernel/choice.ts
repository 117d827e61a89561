import type { Member, Ramp } from "./endpoint.ts"
import { spread, type SpreadRules } from "./levels.ts"

export interface ChoiceRules extends Ramp, SpreadRules {
  readonly choose: "two-choices" | "in-order"
}

/** Endpoints by priority, the first one first. */
export type Levels<E> = ReadonlyArray<ReadonlyArray<Member<E>>>

/** so much more or less is chance */
const about = 1.25

/** One of several by weight, but not `without`. `point` is somewhere in the sum of their weights. */
const draw = <E>(
  members: ReadonlyArray<Member<E>>,
  without: Member<E> | undefined,
  point: number,
  now: number,
  ramp: Ramp
): Member<E> => {
  let left = point
  let last: Member<E> | undefined
  for (const member of members) {
    if (member === without) continue
    last = member
    left -= member.weightAt(now, ramp)
    if (left < 0) return member
  }
  return last!
}

/** The better of two that are drawn by weight: latency times calls in flight. Makes nothing, for it is done for every call. */
const twoChoices = <E>(
  members: ReadonlyArray<Member<E>>,
  now: number,
  random: () => number,
  ramp: Ramp
): Member<E> => {
  let sum = 0
  for (const member of members) sum += member.weightAt(now, ramp)
  const mean = sum / members.length
  const one = draw(members, undefined, sum * random(), now, ramp)
  const weight = one.weightAt(now, ramp)
  const other = draw(members, one, (sum - weight) * random(), now, ramp)
  const otherWeight = other.weightAt(now, ramp)
  const cost = one.costAt(now)
  const otherCost = other.costAt(now)
  const crowd = one.crowdAt(weight / mean)
  const otherCrowd = other.crowdAt(otherWeight / mean)
  // of two that are about as quick, the first one was chosen by weight
  const alike = cost < otherCost * about && otherCost < cost * about
  if (alike) return otherCrowd < crowd ? other : one
  // among few both are always drawn: a lighter one that is a little quicker would take all that the heavier one is there for
  return otherCrowd * otherCost < crowd * cost * Math.min(1, otherWeight / weight) ? other : one
}

/** One of those that may all be used. */
export const oneOf = <E>(
  members: ReadonlyArray<Member<E>>,
  now: number,
  random: () => number,
  rules: ChoiceRules
): Member<E> =>
  members.length === 1 || rules.choose === "in-order" ? members[0]! : twoChoices(members, now, random, rules)

/** In which part of the whole a point is. */
const indexAt = (parts: ReadonlyArray<number>, point: number): number => {
  let left = point
  for (let i = 0; i < parts.length; i++) {
    left -= parts[i]!
    if (left < 0) return i
  }
  return parts.findLastIndex((part) => part > 0)
}

/** One of several levels, some of which cannot be used; nothing, if that is so of all. */
export const among = <E>(
  levels: Levels<E>,
  now: number,
  random: () => number,
  rules: ChoiceRules
): Member<E> | undefined => {
  const available = levels.map((level) => level.filter(({ mayBeUsed }) => mayBeUsed))
  const { loads, panics } = spread(
    levels.map((level, i) => ({ available: available[i]!.length, total: level.length })),
    rules
  )
  // an endpoint that has asked for a rest gets it, panic or not
  const candidates = levels.map((level, i) =>
    panics[i]! ? level.filter(({ coolUntil }) => coolUntil === undefined) : available[i]!
  )
  const usable = loads.map((load, i) => candidates[i]!.length === 0 ? 0 : load)
  const sum = usable.reduce((sum, load) => sum + load, 0)
  const chosen = sum === 0
    ? candidates.find(({ length }) => length > 0)
    : candidates[indexAt(usable, sum * random())]
  return chosen === undefined ? undefined : oneOf(chosen, now, random, rules)
}
