import * as Policy from "@effect-resilience/core/Policy"
import * as Duration from "effect/Duration"
import type { O1Error } from "../O1Error.ts"
import * as route from "../transport/route.ts"
import { type Beginning, unlimited, type Watch } from "../transport/watch.ts"
import { watched, watchedStream } from "../transport/watched.ts"
import type { Limits } from "./limits.ts"

/** The attempts of one call at one deployment. */
export interface Known {
  route: route.Route
}

/** The policy of the attempts of one call at one deployment. */
type Patient = (known: Known, uncounted: WeakSet<O1Error>) => Policy.Policy<O1Error, O1Error>

/**
 * Limits what an attempt does not keep, and learns from what takes too long; `uncounted` collects what tells of a long one,
 * and what another call was told. What follows from the limits alone is the same for every call that has them.
 */
export const patient = ({ fruitless, idle, onTimeout, silence, timeout }: Limits): Patient => {
  const stretched = (stretch: number): Omit<Beginning, "route"> => {
    const attempt = Duration.times(timeout, stretch)
    return {
      attempt: Duration.toMillis(attempt),
      idle: Duration.toMillis(idle(attempt)),
      silence: Duration.toMillis(silence),
      fruitless,
      stretch
    }
  }
  const first = stretched(1)
  const info = {
    kind: "route",
    settings: { attempt: timeout, idle: idle(timeout), onTimeout, fruitless },
    children: []
  }
  return (known, uncounted) => {
    const beginning = (): Beginning => {
      const stretch = onTimeout === "escalate" ? route.stretch(known.route) : 1
      return { ...stretch === 1 ? first : stretched(stretch), route: known.route }
    }
    const failed = (error: O1Error, watch: Watch): void => {
      known.route = route.after(known.route, error)
      if (watch.isHeld || route.isOfThePrompt(error, watch.elapsed)) uncounted.add(error)
    }
    return Policy.make<O1Error, O1Error>({
      info,
      effect: (self) => watched(self, beginning, failed),
      stream: (self) => watchedStream(self, beginning, failed)
    })
  }
}

/** A response that is only read takes as long as it takes. */
export const reading = (
  { fruitless, silence }: Pick<Limits, "fruitless" | "silence">
): Policy.Policy<O1Error, O1Error> => {
  const beginning = (): Beginning => ({ ...unlimited, fruitless, silence: Duration.toMillis(silence) })
  return Policy.make<O1Error, O1Error>({
    info: { kind: "route", settings: { fruitless }, children: [] },
    effect: (self) => watched(self, beginning),
    stream: (self) => watchedStream(self, beginning)
  })
}
