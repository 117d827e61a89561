/** The process of a worker. It ends when it is told to, and with its parent. */
import { AzureO1 } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import process from "node:process"
import { Hopeless, type Listen, Steps } from "./answer.ts"
import * as journal from "./journal.ts"
import { Ledger, StoreError } from "./Ledger.ts"
import { keyOf, type Prompt } from "./prompts.ts"
import * as redis from "./redis.ts"
import type { Settings, Store } from "./settings.ts"
import { queue, type Told, told, work } from "./worker.ts"

const tell = (told: Told): void => {
  if (process.connected) process.send?.(told)
}

type Needs = Ledger | PersistedQueue.PersistedQueueFactory

const stored = (store: Store): Layer.Layer<Needs, StoreError> =>
  store._tag === "Redis"
    ? Layer.mergeAll(
      redis.layer(store.place),
      Layer.provide(PersistedQueue.layer, redis.queueStore(store.place, store.leaseMillis))
    ).pipe(Layer.provide(redis.connection(store.place)))
    : Layer.mergeAll(
      journal.layer(store.file),
      Layer.provide(PersistedQueue.layer, PersistedQueue.layerStoreMemory)
    )

/** Without Redis the queue is this process's own, and the parent says what is left to do. */
const filled = (store: Store) =>
  store._tag === "Redis" ? Effect.void : Effect.gen(function*() {
    const prompts = yield* queue
    const left = yield* Effect.callback<ReadonlyArray<Prompt>>((resume) => {
      process.once("message", (left: ReadonlyArray<Prompt>) => resume(Effect.succeed(left)))
      tell({ _tag: "Ready" })
    })
    for (const prompt of left) yield* Effect.orDie(prompts.offer(prompt, { id: keyOf(prompt) }))
  })

/** Ends with a signal, or when the parent is gone. */
const stopping = Effect.map(Deferred.make<void>(), (stop) => {
  const end = (): void => void Deferred.doneUnsafe(stop, Effect.void)
  for (const event of ["SIGINT", "SIGTERM", "disconnect"] as const) process.on(event, end)
  if (!process.connected) end()
  return stop
})

/** Runs a worker in this process, and ends the process. */
export const main = (settings: Settings, steps: Listen = () => Effect.void): void => {
  const program = Effect.gen(function*() {
    const stop = yield* stopping
    yield* Effect.raceFirst(filled(settings.store), Deferred.await(stop))
    const ledger = yield* Ledger
    yield* work(settings, stop, tell).pipe(
      Effect.provideService(Ledger, told(ledger, tell)),
      Effect.provideService(Steps, steps)
    )
  }).pipe(
    Effect.provide(Layer.mergeAll(
      stored(settings.store),
      Layer.catch(
        AzureO1Node.layerConfig,
        ({ message }) => Layer.effect(AzureO1, Effect.fail(new Hopeless({ message })))
      )
    )),
    Effect.catchTags({
      Hopeless: ({ message }) => Effect.sync(() => tell({ _tag: "Hopeless", message })),
      StoreError: ({ message }) => Effect.sync(() => tell({ _tag: "Hopeless", message }))
    }),
    Effect.provide(Logger.layer([])),
    Effect.andThen(Effect.sync(() => process.connected && process.disconnect()))
  )
  NodeRuntime.runMain(program, { disableErrorReporting: false })
}
