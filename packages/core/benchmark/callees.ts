import * as Effect from "effect/Effect"
import type { Callee } from "./contender.ts"

const answer = () => 1
const answerLater = async () => 1

export const asynchronous: Callee = { effect: Effect.promise(answerLater), promise: answerLater }

export const synchronous: Callee = { effect: Effect.sync(answer), promise: answer }

/** Never answers; ends when it is interrupted or its signal is aborted. */
export const hanging: Callee = {
  effect: Effect.callback<number>(() => {}),
  promise: (context) =>
    new Promise((_, reject) => {
      context?.signal.addEventListener("abort", () => reject(new Error("aborted")))
    })
}

/** Never answers, and holds nothing. */
export const silent: Callee = { effect: hanging.effect, promise: () => new Promise(() => {}) }

const failure = new Error("failure")

/** Fails at once, and makes no error for it. */
export const refusing: Callee = {
  effect: Effect.fail(failure),
  promise: () => {
    throw failure
  }
}

/** At each call does what `callee` does whom `choose` names. */
const scripted = (choose: () => Callee): Callee => ({
  effect: Effect.suspend(() => choose().effect),
  promise: (context) => choose().promise(context)
})

/** Fails at every other call, the first one among them. */
export const flaky = (callee: Callee): Callee => {
  let calls = 0
  return scripted(() => calls++ % 2 === 0 ? refusing : callee)
}

/** Hangs at the first call only. */
export const hangingOnce = (): Callee => {
  let calls = 0
  return scripted(() => calls++ === 0 ? hanging : asynchronous)
}

interface Counted extends Callee {
  readonly calls: () => number
}

/** Does what `callee` does, and counts how often it is called. */
export const counting = (callee: Callee): Counted => {
  let calls = 0
  const counted = scripted(() => {
    calls++
    return callee
  })
  return { ...counted, calls: () => calls }
}
