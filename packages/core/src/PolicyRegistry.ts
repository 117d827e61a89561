/**
 * Lists every named stateful policy with its state, for a health endpoint.
 *
 * A policy that is made by `make` where a registry is provided enters itself, if it has a name; `makeUnsafe` cannot find one.
 * {@link snapshot} gives plain data: numbers, strings and booleans, ready for `JSON.stringify`.
 *
 * **Gotchas**
 *
 * The registry holds its policies weakly: it keeps none alive, and nobody has to remove one. A policy that the program has
 * let go disappears when the garbage collector finds it. Until then it may still be listed.
 *
 * **Example** (What a health endpoint returns)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, PolicyRegistry } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const payments = yield* CircuitBreaker.make({ name: "payments" })
 *   yield* payments.isolate
 *   const snapshot = yield* PolicyRegistry.snapshot
 *   return yield* Effect.as(payments.close, snapshot)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, PolicyRegistry.layer))
 * // => [{ kind: "circuit-breaker", name: "payments", state: { _tag: "Isolated" } }]
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AnyFiber } from "./internal/primitive.ts"

/**
 * The state of a policy as plain data. Its content depends on the kind of policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly [field: string]: string | number | boolean | null | Report
}

/**
 * A policy and its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  /** The field's term, as in `PolicyInfo`. */
  readonly kind: string
  /** The name that the policy was given. */
  readonly name: string
  /** What it is doing now. */
  readonly state: Report
}

interface Registration {
  readonly policy: WeakRef<object>
  readonly read: (policy: object, fiber: AnyFiber) => Entry
}

/**
 * The registry.
 *
 * @category services
 * @since 0.1.0
 */
export class PolicyRegistry extends Context.Service<PolicyRegistry, {
  /** The policies in the order in which they were made, each with its state now. */
  readonly snapshot: Effect.Effect<ReadonlyArray<Entry>>
  /**
   * Takes a policy in, weakly: `read` must not hold it. Policies do this themselves when they are made, with the object that
   * every call through them holds, which is their state.
   */
  readonly register: (policy: object, read: (policy: object, fiber: AnyFiber) => Entry) => void
}>()("@effect-resilience/core/PolicyRegistry") {}

/** A policy of somebody's own whose `read` throws hides none of the others. */
const unreadable: Entry = {
  kind: "unknown",
  name: "unknown",
  state: { status: "degraded", reason: "its state cannot be read" }
}

const readOf = (policy: object, { read }: Registration, fiber: AnyFiber): Entry => {
  try {
    return read(policy, fiber)
  } catch {
    return unreadable
  }
}

const make = (): PolicyRegistry["Service"] => {
  const registrations = new Set<Registration>()
  const collected = new FinalizationRegistry<Registration>((registration) => registrations.delete(registration))
  return {
    snapshot: Effect.withFiber((fiber) => {
      const entries: Array<Entry> = []
      for (const registration of registrations) {
        const live = registration.policy.deref()
        if (live !== undefined) entries.push(readOf(live, registration, fiber))
      }
      return Effect.succeed(entries)
    }),
    register: (policy, read) => {
      const registration = { policy: new WeakRef(policy), read }
      registrations.add(registration)
      collected.register(policy, registration)
    }
  }
}

/**
 * A registry for everything that is built on it. It is empty at first.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<PolicyRegistry> = Layer.sync(PolicyRegistry, make)

/**
 * Every named stateful policy with its state now.
 *
 * @category accessors
 * @since 0.1.0
 */
export const snapshot: Effect.Effect<ReadonlyArray<Entry>, never, PolicyRegistry> = Effect.flatMap(
  PolicyRegistry,
  (registry) => registry.snapshot
)
