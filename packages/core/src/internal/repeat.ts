import * as Context from "effect/Context"
import type { AnyFiber } from "./primitive.ts"

/**
 * Whether what is in hand may be begun once more. What knows it answers (an HTTP request that must not be sent twice), and
 * what would begin it again asks: a retry before its wait, a hedge before its timer.
 */
export const MayRepeat = Context.Reference<(() => boolean) | undefined>("@effect-resilience/core/MayRepeat", {
  defaultValue: () => undefined
})

export const mayRepeat = (fiber: AnyFiber): boolean => {
  const answer = fiber.getRef(MayRepeat)
  return answer === undefined || answer()
}
