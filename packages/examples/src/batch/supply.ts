/** What a parent has of the store: the prompts go in, and the results come out. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import type * as Scope from "effect/Scope"
import * as journal from "./journal.ts"
import { type Reader, StoreError } from "./Ledger.ts"
import type { Output } from "./output.ts"
import { keyOf, type Prompt } from "./prompts.ts"
import * as redis from "./redis.ts"
import type { Store } from "./settings.ts"
import { queue } from "./worker.ts"

export interface Supply extends Reader {
  /** Puts the prompts that have no line yet into the queue. Those that are in it stay as they are. */
  readonly offer: Effect.Effect<void, StoreError>
  /** Everything has its line: the state may go, some day. */
  readonly retire: Effect.Effect<void, StoreError>
}

export const supply = (
  store: Store,
  prompts: ReadonlyArray<Prompt>,
  { written }: Pick<Output, "written">
): Effect.Effect<Supply, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    // the worker reads the prompts itself
    if (store._tag === "Journal") {
      return { ...yield* journal.reader(store.file), offer: Effect.void, retire: Effect.void }
    }
    const { leaseMillis, place } = store
    const services = yield* Layer.build(
      Layer.provideMerge(PersistedQueue.layer, redis.queueStore(place, leaseMillis)).pipe(
        Layer.provideMerge(redis.connection(place))
      )
    )
    const waiting = yield* Effect.provide(queue, services)
    const offer = Effect.suspend(() =>
      Effect.forEach(
        prompts.filter(({ id }) => !written.has(id)),
        (prompt) => redis.patiently(waiting.offer(prompt, { id: keyOf(prompt) })),
        { concurrency: 32, discard: true }
      )
    ).pipe(Effect.mapError(({ message }) => new StoreError({ message: `The queue cannot be filled: ${message}.` })))
    const retire = Effect.provide(redis.retire(place), services)
    return { ...yield* Effect.provide(redis.reader(place), services), offer, retire }
  })
