/** The process of a worker. It ends when it is told to, and with its parent. */
import { AzureO1, AzureO1Config, type O1Request, O1Transport } from "@effect-resilience/azure-o1"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { O1Quota } from "@effect-resilience/azure-o1/quota"
import { Shared } from "@effect-resilience/core/shared"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import process from "node:process"
import { Hopeless, type Listen, Steps } from "./answer.ts"
import * as journal from "./journal.ts"
import { Ledger } from "./Ledger.ts"
import { keyOf, type Prompt } from "./prompts.ts"
import * as redis from "./redis.ts"
import type { Settings, Store } from "./settings.ts"
import { queue, type Told, told, work } from "./worker.ts"

const tell = (told: Told): void => {
  if (process.connected) process.send?.(told)
}

/** All workers on one Redis share the quota of a deployment, those of other batches as well. */
const shared = ({ endpoint }: AzureO1Config.AzureO1Config, processes: number) =>
  O1Quota.layer({
    limiter: (name, limits) =>
      Shared.rateLimiter({
        name: `${new URL(endpoint).host}/${name}`,
        limits,
        processes,
        prefix: "batch:quota:",
        // the headers of the first answer say how much of it is used
        initial: "full"
      })
  })

/** What a worker works with. Without Redis all of it is in this process, and the entries are in a file. */
const services = ({ store, workers }: Settings, config: AzureO1Config.AzureO1Config) => {
  const client = AzureO1.layerServices.pipe(
    Layer.provide(O1Transport.layer(config)),
    Layer.provide(AzureO1Node.layerHttpClient)
  )
  return store._tag === "Redis"
    ? Layer.mergeAll(
      redis.layer(store.place),
      Layer.provide(PersistedQueue.layer, redis.queueStore(store.place, store.leaseMillis)),
      Layer.provideMerge(client, shared(config, workers))
    ).pipe(Layer.provide(redis.connection(store.place)))
    : Layer.mergeAll(
      journal.layer(store.file),
      Layer.provide(PersistedQueue.layer, PersistedQueue.layerStoreMemory),
      Layer.provideMerge(client, O1Quota.layer())
    )
}

/** Others may be quicker, so it is asked again that often. */
const longestNap = Duration.seconds(5)

/** Waits until the quota has room. A request for which there never will be any is left to the client. */
const turnAt = (deployment: string) =>
  Effect.map(O1Quota, (quota) => (request: O1Request): Effect.Effect<void> =>
    quota.wait(deployment, request).pipe(
      Effect.tap((wait) => Duration.isFinite(wait) ? Effect.sleep(Duration.min(wait, longestNap)) : Effect.void),
      Effect.repeat({ until: (wait) => !Duration.isFinite(wait) || Duration.isZero(wait) }),
      Effect.asVoid
    ))

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

/** A connection to a server that is gone may not let itself be closed. */
const longestEnd = 20_000

/** Ends with a signal, or when the parent is gone. */
const stopping = Effect.map(Deferred.make<void>(), (stop) => {
  const end = (): void => {
    Deferred.doneUnsafe(stop, Effect.void)
    setTimeout(() => process.exit(1), longestEnd).unref()
  }
  for (const event of ["SIGHUP", "SIGINT", "SIGTERM", "disconnect"] as const) process.on(event, end)
  if (!process.connected) end()
  return stop
})

/** Runs a worker in this process, and ends the process. */
export const main = (settings: Settings, steps: Listen = () => Effect.void): void => {
  const program = Effect.gen(function*() {
    const config = yield* Effect.mapError(AzureO1Config.config, ({ message }) => new Hopeless({ message }))
    const stop = yield* stopping
    yield* Effect.gen(function*() {
      yield* Effect.raceFirst(filled(settings.store), Deferred.await(stop))
      const ledger = yield* Ledger
      yield* work(settings, yield* turnAt(config.deployment), stop, tell).pipe(
        Effect.provideService(Ledger, told(ledger, tell)),
        Effect.provideService(Steps, steps)
      )
    }).pipe(Effect.provide(services(settings, config)))
  }).pipe(
    Effect.catchTags({
      Hopeless: ({ message }) => Effect.sync(() => tell({ _tag: "Hopeless", message })),
      StoreError: ({ message }) => Effect.sync(() => tell({ _tag: "Hopeless", message }))
    }),
    Effect.provide(Logger.layer([])),
    Effect.andThen(Effect.sync(() => process.connected && process.disconnect()))
  )
  NodeRuntime.runMain(program, { disableErrorReporting: false })
}
