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

/** Does what `outcome` tells at each call. */
const scripted = (callee: Callee, outcome: () => "answer" | "fail"): Callee => {
  const failure = Effect.fail("failure")
  return {
    effect: Effect.suspend(() => outcome() === "fail" ? failure : callee.effect),
    promise: (context) => {
      if (outcome() === "fail") throw new Error("failure")
      return callee.promise(context)
    }
  }
}

/** Fails at every other call, the first one among them. */
export const flaky = (callee: Callee): Callee => {
  let calls = 0
  return scripted(callee, () => calls++ % 2 === 0 ? "fail" : "answer")
}

/** Fails, and counts how often it is called. */
export const failing = (): Callee & { readonly calls: () => number } => {
  let calls = 0
  const callee = scripted(asynchronous, () => {
    calls++
    return "fail"
  })
  return { ...callee, calls: () => calls }
}
