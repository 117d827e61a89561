import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as frame from "./frame.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { CurrentAttempt } from "./tried.ts"
import { Attempt } from "./tries.ts"

/** Gives the fiber its context back when a call has ended that has a memory of its own. */
class MemoryFrame extends frame.ExitFrame {
  declare private readonly context: Context.Context<never>

  constructor(context: Context.Context<never>) {
    super()
    this.context = context
  }

  override [frame.contAll](fiber: frame.Internals): void {
    if (fiber.context !== this.context) fiber.setContext(this.context)
    super[frame.contAll](fiber)
  }

  protected succeeded(): void {}

  protected failed(): void {}
}

export const first = (): Attempt => new Attempt()

export const open = (fiber: AnyFiber, self: AnyEffect): AnyEffect | undefined => {
  if (!frame.supported()) return Effect.provideService(self, CurrentAttempt, first())
  frame.push(fiber, new MemoryFrame(fiber.context))
  frame.setContext(fiber, Context.add(fiber.context, CurrentAttempt, first()))
  return undefined
}
